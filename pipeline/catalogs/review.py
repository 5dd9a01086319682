# SPDX-License-Identifier: Apache-2.0
"""This is where a change of the rules is stopped: wrong day, taken name, brake, cool-off, no second person.

Each check says what is wrong and what would be right. None reads a clock or writes.
"""

import json
from collections.abc import Mapping
from datetime import datetime, time, timedelta
from typing import Any

from evidence import instant
from evidence.catalog import Catalog
from evidence.disposal import is_same_person
from evidence.errors import BadInput, Conflict, Refused
from pipeline.catalogs.effects import Effects
from pipeline.ports import Ports
from storage.register import catalogs
from storage.register.answers import Row
from storage.register.search import Connection

_NOBODY = ("", "unknown")


def check_name(connection: Connection, catalog: Catalog, sha256: str, *, ports: Ports) -> Row | None:
    """Check that a version's name is free; the row of its own text, when that was remembered or withdrawn before.

    Raises:
        Conflict: this text stands already, or its name and version stand for another text.
    """
    for row in catalogs.every_version(connection):
        if row["id"] == catalog.id and row["sha256"] != sha256:
            raise Conflict(f"{catalog.id} stands for another text here (sha256 {row['sha256']})", catalog=catalog.id)
        if row["withdrawn_at"] is None and row["id"] != catalog.id and _named(row["id"]) == _named(catalog.id):
            raise _taken(catalog.id, row["id"])
    if ports.catalog.id != catalog.id and _named(ports.catalog.id) == _named(catalog.id):
        raise _taken(catalog.id, ports.catalog.id)
    own = catalogs.find_version(connection, catalog.id)
    if own is not None and own["withdrawn_at"] is None and not is_remembered(own):
        done = "adopted" if own["approved_at"] else "proposed"
        raise Conflict(f"{catalog.id} was {done} already: to adopt its rules again, give the text a version of its own")
    return own


def _taken(wanted: str, standing: str) -> Conflict:
    return Conflict(
        f"{_named(wanted)} stands for another text here ({standing}): give the new text a version of its own",
        catalog=standing,
    )


def _named(identifier: str) -> str:
    return identifier.rpartition("#")[0]


def is_remembered(row: Row) -> bool:
    """True when nobody adopted this version: recordings were classified under it because the settings named it."""
    return row["approved_at"] is None and json.loads(row["effects"]) == catalogs.REMEMBERED


def check_shortens(shortens: frozenset[str], catalog: Catalog) -> None:
    """Check that a version can shorten what it names.

    Raises:
        BadInput: one is neither an item nor a condition of it: what it does not have keeps its last word.
    """
    known = {**catalog.items, **catalog.disabled, **catalog.conditions}
    unknown = sorted(shortens - set(known))
    if unknown:
        raise BadInput(f"{catalog.id} has no item or condition {', '.join(unknown)}: it cannot shorten it")


def check_day(connection: Connection, effective_from: datetime, *, ports: Ports, now: datetime) -> bool:
    """Check the day a version takes effect; True when none was adopted before it.

    Raises:
        BadInput: the day has passed, or does not come after that of every version that was adopted.
    """
    newest = catalogs.newest_adopted(connection)
    if newest is None:
        return True
    told = instant.to_text(effective_from)
    if told <= newest["effective_from"]:
        raise BadInput(
            f"{told} is not after {newest['effective_from']}, from when {newest['id']} counts: give a later day",
            adopted=newest["id"],
        )
    today = datetime.combine(now.astimezone(ports.zone).date(), time(), ports.zone)
    if effective_from < today:
        raise BadInput(f"{told} has passed: rules are changed from today or a later day on")
    return False


def check_cool_off(effective_from: datetime, *, cool_off: timedelta, now: datetime) -> None:
    """Check that a change that shortens leaves time to look at it.

    Raises:
        BadInput: it takes effect before the cool-off is over.
    """
    earliest = now + cool_off
    if effective_from < earliest:
        raise BadInput(
            f"this change shortens: it takes effect {cool_off.days} days after its proposal at the earliest, "
            f"from {instant.to_text(earliest)}"
        )


def check_brake(effects: Effects, *, reasons: tuple[str | None, ...], ports: Ports) -> None:
    """Check that a change shortens no more than the set share, or that everybody in `reasons` said why it may.

    Raises:
        Refused: it does, and somebody did not.
    """
    permille = ports.keeping.brake_permille
    if not effects.trips(permille) or all(reasons):
        return
    shorter, entries, due = effects.count("shorter"), effects.entries, effects.count("due")
    raise Refused(
        f"the brake stops this change: {shorter} of {entries} recordings would be kept shorter, {due} of them would be "
        f"due at once; {permille} of 1000 is the most. Who proposes and who approves must each give a reason "
        "(--over-brake)",
        shorter=shorter,
        entries=entries,
        due=due,
        brake_permille=permille,
    )


def check_second(proposer: str, approver: str) -> None:
    """Check that who approves is another person than who proposed, and that both are somebody.

    Raises:
        Refused: they may be one, or nobody knows who one is.
    """
    for actor in (proposer, approver):
        if actor.rpartition(":")[2].strip() in _NOBODY or not actor.isprintable():
            raise Refused("nobody knows who one of the two persons is: log in as somebody")
    if is_same_person(proposer, approver):
        raise Refused(f"it was proposed by {proposer}: another person must approve it")


def check_not_grown(shown: Mapping[str, Any], effects: Effects, *, accepted: int | None) -> None:
    """Check that no more is shortened than was shown with the proposal, or than the approver says to have seen.

    Raises:
        Conflict: more recordings would be kept shorter, or be due at once: look again.
    """
    shorter = effects.count("shorter")
    if accepted is not None and shorter <= accepted:
        return
    grown = {
        item: tally
        for item, tally in effects.items.items()
        if any(getattr(tally, name) > _shown(shown, item, name) for name in ("shorter", "due"))
    }
    if grown or accepted is not None:
        told = ", ".join(f"{item}: {_shown(shown, item, 'shorter')} → {one.shorter}" for item, one in grown.items())
        raise Conflict(
            f"more recordings would be kept shorter than were shown ({told or shorter}); look at them with --dry-run, "
            f"then approve with --shorter {shorter}",
            shorter=shorter,
        )


def _shown(shown: Mapping[str, Any], item: str, name: str) -> int:
    return int(shown.get("items", {}).get(item, {}).get(name, 0))
