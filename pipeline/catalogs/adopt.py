# SPDX-License-Identifier: Apache-2.0
"""This is where a change of the rules is proposed by one person and approved by another, each shown what it would do.

Nothing is removed by any of it: a rule that is shortened makes recordings due at most, and people decide on those. The
checks stand twice: before the dry run, and in the transaction that records, where nothing can change any more.
"""

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from evidence import instant
from evidence.catalog import Catalog
from evidence.custody import Happening
from evidence.errors import Conflict
from evidence.written import moment, reason
from pipeline.catalogs import review
from pipeline.catalogs.diff import CatalogDiff, diff
from pipeline.catalogs.effects import Effects, dry_run
from pipeline.catalogs.in_force import Version, catalog_of, in_force, parsed_as, stream_of_catalog, versions
from pipeline.ports import Ports, Progress, unheard
from storage.register import catalogs
from storage.register.answers import Row
from storage.register.facts import Rested
from storage.register.search import Connection

_TRIES = 3
_Known = tuple[str | None, dict[str, int]]
"""What a dry run rests on: the version adopted last, and how many recordings there are of items it may shorten."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A catalog to adopt: its text, in one profile and with the types of one preset, from an instant on.

    `shortens`: items and conditions whose recordings of before it may shorten. `over_brake`: why it may shorten more
    than the set share.
    """

    data: bytes
    name: str
    effective_from: datetime
    why: str
    profile: str | None = None
    preset: str | None = None
    shortens: frozenset[str] = frozenset()
    over_brake: str | None = None

    @property
    def sha256(self) -> str:
        """The digest of the text."""
        return hashlib.sha256(self.data).hexdigest()


@dataclass(frozen=True, slots=True)
class Reviewed:
    """What was shown and recorded. `is_adopted` is False while a second person must approve."""

    catalog: str
    effective_from: datetime
    is_adopted: bool
    change: CatalogDiff
    effects: Effects


def propose(wanted: Wanted, *, ports: Ports, now: datetime, progress: Progress = unheard) -> Reviewed:
    """Propose a catalog, after a dry run over all that is kept. The first one is adopted at once, unless it shortens.

    Raises:
        BadInput: it is no catalog that makes sense; its day is not after that of an adopted one, has passed, or comes
            before its cool-off is over; it names to shorten what it does not have; there is no reason.
        Conflict: its name and version stand for another text, or it was proposed already.
        Refused: the brake stops it.
    """
    why = reason(wanted.why)
    moment(wanted.effective_from, "the day of effect")
    over_brake = None if wanted.over_brake is None else reason(wanted.over_brake, "the reason to go over the brake")
    catalog = parsed_as(wanted.data, name=wanted.name, profile=wanted.profile, preset=wanted.preset)
    review.check_shortens(wanted.shortens, catalog)
    with ports.register.view() as connection:
        place = _place_of(connection, wanted, catalog, ports=ports, now=now)
        at = max(now, wanted.effective_from)
        change = diff(in_force(connection, at, default=ports.catalog), catalog)
        before = versions(connection, at, default=ports.catalog)
    after = (*before, Version(catalog, wanted.shortens))
    effects = dry_run(before, after, at=at, ports=ports, progress=progress)
    if wanted.shortens or not place.is_first:
        review.check_brake(effects, reasons=(over_brake,), ports=ports)
        if wanted.shortens or effects.count("shorter") or change.shortened or change.removed:
            review.check_cool_off(wanted.effective_from, cool_off=ports.keeping.cool_off, now=now)
    is_adopted = place.is_first and not wanted.shortens
    told = {"over_brake": over_brake, **effects.to_json()}
    rested = [ports.register.rest(one) for one in _happenings(wanted, catalog, why, told, place, is_adopted=is_adopted)]
    with ports.register.begin() as facts:
        if _place_of(facts.connection, wanted, catalog, ports=ports, now=now) != place:
            raise Conflict("the catalog changed while this one was looked at: propose it again")
        for one in rested:
            facts.record(one, actor=ports.actor, at=now)
    return Reviewed(catalog.id, wanted.effective_from, is_adopted, change, effects)


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a version would stand: what was adopted last, and whether its own text was remembered."""

    newest: str | None
    is_remembered: bool

    @property
    def is_first(self) -> bool:
        return self.newest is None


def _place_of(connection: Connection, wanted: Wanted, catalog: Catalog, *, ports: Ports, now: datetime) -> _Place:
    own = review.check_name(connection, catalog, wanted.sha256, ports=ports)
    is_first = review.check_day(connection, wanted.effective_from, ports=ports, now=now)
    is_remembered = own is not None and own["withdrawn_at"] is None
    is_as_remembered = own is not None and (own["profile"], own["preset"]) == (catalog.profile, wanted.preset)
    if is_remembered and not (is_first and is_as_remembered and not wanted.shortens):
        raise Conflict(
            f"recordings were classified under {catalog.id} as it stands: to change how it counts, "
            "give the text a version of its own"
        )
    newest = catalogs.newest_adopted(connection)
    return _Place(None if newest is None else newest["id"], is_remembered)


def _happenings(
    wanted: Wanted, catalog: Catalog, why: str, effects: dict[str, Any], place: _Place, *, is_adopted: bool
) -> list[Happening]:
    stream = stream_of_catalog(catalog.id)
    facts = {
        "catalog": catalog.id,
        "sha256": wanted.sha256,
        "profile": catalog.profile,
        "preset": wanted.preset,
        "effective_from": instant.to_text(wanted.effective_from),
        "shortens": sorted(wanted.shortens),
    }
    detail = {"body": wanted.data.decode(), "why": why, "effects": effects}
    proposed = Happening("catalog-proposed", stream, facts, detail)
    if not is_adopted:
        return [proposed]
    approved = Happening("catalog-approved", stream, {"catalog": catalog.id}, {"why": why, "effects": effects})
    # The text that recordings were classified under stands already: it is only adopted.
    return [approved] if place.is_remembered else [proposed, approved]


# --- the second person --------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Approval:
    """What the second person says. `shorter`: how many recordings they saw would be kept shorter, if not as shown."""

    why: str = ""
    shorter: int | None = None
    over_brake: str | None = None


def look(identifier: str, *, ports: Ports, now: datetime, progress: Progress = unheard) -> Reviewed:
    """What a proposal would do as things are now; nothing is recorded.

    Raises:
        NotFound: no such version. Conflict: it does not wait for approval.
    """
    with ports.register.view() as connection:
        row = _pending(connection, identifier)
    return _reckoned(row, ports=ports, now=now, progress=progress)


def approve(identifier: str, said: Approval, *, ports: Ports, now: datetime, progress: Progress = unheard) -> Reviewed:
    """Approve a proposal as the second person, after a dry run of its own.

    Raises:
        NotFound: no such version. BadInput: its day has passed, or is not after that of one adopted meanwhile.
        Conflict: it does not wait for approval; or more would be shortened than was shown.
        Refused: the approver proposed it, or the brake stops it.
    """
    over_brake = None if said.over_brake is None else reason(said.over_brake, "the reason to go over the brake")
    for _ in range(_TRIES):
        with ports.register.view() as connection:
            row = _approvable(connection, identifier, ports=ports, now=now)
            known = _known(connection, row)
        found = _reckoned(row, ports=ports, now=now, progress=progress)
        shown = json.loads(row["effects"])
        review.check_not_grown(shown, found.effects, accepted=said.shorter)
        review.check_brake(found.effects, reasons=(shown.get("over_brake"), over_brake), ports=ports)
        rested = ports.register.rest(_approved(row, said.why.strip(), over_brake, found.effects))
        if _record(rested, row, known, ports=ports, now=now):
            return Reviewed(found.catalog, found.effective_from, True, found.change, found.effects)
    raise Conflict("recordings are classified faster than they can be looked at: approve it again")


def _reckoned(row: Row, *, ports: Ports, now: datetime, progress: Progress) -> Reviewed:
    effective_from = instant.from_text(row["effective_from"])
    at = max(now, effective_from)
    with ports.register.view() as connection:
        catalog = catalog_of(connection, row["id"], default=ports.catalog)
        before = versions(connection, at, default=ports.catalog)
        change = diff(in_force(connection, at, default=ports.catalog), catalog)
    after = (*before, Version(catalog, frozenset(json.loads(row["shortens"]))))
    effects = dry_run(before, after, at=at, ports=ports, progress=progress)
    return Reviewed(catalog.id, effective_from, False, change, effects)


def _approved(row: Row, why: str, over_brake: str | None, effects: Effects) -> Happening:
    detail = {"why": why, "effects": {"over_brake": over_brake, **effects.to_json()}}
    return Happening("catalog-approved", stream_of_catalog(row["id"]), {"catalog": row["id"]}, detail)


def _record(rested: Rested, row: Row, known: _Known, *, ports: Ports, now: datetime) -> bool:
    """Record the approval; False when another was adopted since, or recordings that it could shorten unseen."""
    with ports.register.begin() as facts:
        if _approvable(facts.connection, row["id"], ports=ports, now=now) != row:
            raise Conflict(f"{row['id']} changed while it was looked at: approve it again")
        if _known(facts.connection, row) != known:
            return False
        facts.record(rested, actor=ports.actor, at=now)
    return True


def _known(connection: Connection, row: Row) -> _Known:
    newest = catalogs.newest_adopted(connection)
    shortens = json.loads(row["shortens"])
    counted = catalogs.classified_by_item(connection) if shortens else {}
    # A condition may concern any item; where only items are named, what is classified as another is no matter.
    if set(shortens) <= set(counted):
        counted = {item: counted[item] for item in shortens}
    return None if newest is None else newest["id"], counted


def _approvable(connection: Connection, identifier: str, *, ports: Ports, now: datetime) -> Row:
    row = _pending(connection, identifier)
    review.check_second(row["proposed_by"], ports.actor)
    review.check_day(connection, instant.from_text(row["effective_from"]), ports=ports, now=now)
    return row


def _pending(connection: Connection, identifier: str) -> Row:
    row = catalogs.version(connection, identifier)
    if row["approved_at"] is not None or row["withdrawn_at"] is not None or review.is_remembered(row):
        raise Conflict(f"{identifier} does not wait for approval (`evidock catalog versions`)", catalog=identifier)
    return row
