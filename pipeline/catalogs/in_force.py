# SPDX-License-Identifier: Apache-2.0
"""This is where it is known which catalog counts: the version in force, those before it, the one that pins a recording.

Asked of the register each time, so that a process that runs for weeks follows an adoption at once. Texts are parsed
once. Before an agency adopts a catalog the one that the settings name counts; as soon as a recording is classified
under it, its text is taken down too, so that a settings file that is edited later changes nothing for what it ruled.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Any

from evidence import instant
from evidence.catalog import Catalog
from evidence.custody import Happening
from evidence.errors import RecordMalformed
from evidence.ids import stream_of
from evidence.retention import Adopted, Standing
from pipeline.catalogs.load import for_agency, parse_catalog
from pipeline.ports import Ports
from storage.register import catalogs
from storage.register.answers import Row
from storage.register.search import Connection

_PARSED_AT_ONCE = 16


@dataclass(frozen=True, slots=True)
class Version:
    """A catalog that counts or once counted, and what it was expressly approved to shorten: items and conditions."""

    catalog: Catalog
    shortens: frozenset[str] = frozenset()

    def as_adopted(self) -> Adopted:
        """What keeping sees of it: also what is disabled now, or not of this agency, may once have been recorded."""
        items = {**self.catalog.disabled, **self.catalog.items}
        classes = {one: item.retention for one, item in items.items()}
        return Adopted(self.catalog.id, classes, self.shortens)


def versions(connection: Connection, now: datetime, *, default: Catalog) -> tuple[Version, ...]:
    """The versions in force or once in force at `now`, oldest first; `default` is the one that the settings name.

    Never empty. What was only remembered comes first, then `default`, then what was adopted.

    Raises:
        RecordMalformed: the register holds another text than was adopted.
    """
    rows = catalogs.adopted_rows(connection, instant.to_text(now))
    before = [row for row in rows if row["approved_at"] is None]
    after = [row for row in rows if row["approved_at"] is not None]
    found = [_version(connection, row) for row in before if row["id"] != default.id]
    if default.id not in {row["id"] for row in after}:
        found.append(Version(default))
    return (*found, *(_version(connection, row) for row in after))


def adopted(connection: Connection, now: datetime, *, default: Catalog) -> tuple[Adopted, ...]:
    """The same as keeping sees them: for `evidence.retention.rules_in_force`.

    Raises:
        RecordMalformed: as `versions`.
    """
    return tuple(version.as_adopted() for version in versions(connection, now, default=default))


def in_force(connection: Connection, now: datetime, *, default: Catalog) -> Catalog:
    """The catalog that counts at `now`: the newest one adopted, else `default`.

    Raises:
        RecordMalformed: as `versions`.
    """
    rows = catalogs.adopted_rows(connection, instant.to_text(now))
    newest = rows[-1] if rows else None
    if newest is None or newest["approved_at"] is None:
        return default
    return _version(connection, newest).catalog


def catalog_of(connection: Connection, identifier: str, *, default: Catalog) -> Catalog:
    """The version of this id, in force or not: the one that a recording is pinned to.

    Raises:
        NotFound: no such version is known here.
        RecordMalformed: as `versions`.
    """
    if identifier == default.id:
        return default
    return _version(connection, catalogs.version(connection, identifier)).catalog


def catalog_now(ports: Ports, now: datetime) -> Catalog:
    """The catalog that counts at `now`, for a step that holds no connection."""
    with ports.register.view() as connection:
        return in_force(connection, now, default=ports.catalog)


def standings(known: Sequence[Version]) -> Mapping[str, tuple[Standing, ...]]:
    """What each condition (by its code) does where it stands: the word of every version, so that the longest wins.

    As with items, a version that was approved to shorten a condition by name silences those before it.
    """
    codes = dict.fromkeys(code for version in known for code in version.catalog.conditions)
    return {code: tuple(_words_on(known, code)) for code in codes}


def _words_on(known: Sequence[Version], code: str) -> Iterable[Standing]:
    speaking = [version for version in known if code in version.catalog.conditions]
    last = max((place for place, version in enumerate(speaking) if code in version.shortens), default=0)
    said = []
    for version in speaking[last:]:
        condition = version.catalog.conditions[code]
        floor = None if condition.floor is None else version.catalog.retention[condition.floor]
        said.append(Standing(condition, floor))
    return dict.fromkeys(said)


# --- taking down --------------------------------------------------------------------------------


def remember(catalog: Catalog, *, ports: Ports, now: datetime) -> None:
    """Take down the text of the catalog that the settings name, once, before anything is classified under it.

    Safe to repeat. It is no adoption: nobody approved it.

    Raises:
        RecordMalformed: the text is not that of the catalog.
    """
    if catalog.id != ports.catalog.id:
        return  # it was adopted: its text is there
    with ports.register.view() as connection:
        if not _is_missing(connection, catalog.id):
            return
    sha256 = hashlib.sha256(ports.catalog_text).hexdigest()
    if not catalog.id.endswith(f"#{sha256[:12]}"):
        raise RecordMalformed(f"the text of {catalog.id} has the digest {sha256[:12]}")
    facts: dict[str, Any] = {
        "catalog": catalog.id,
        "sha256": sha256,
        "profile": catalog.profile,
        "preset": None,
        "effective_from": instant.to_text(now),
        "shortens": [],
    }
    why = "the settings named it when it was first used"
    detail = {"body": ports.catalog_text.decode(), "why": why, "effects": catalogs.REMEMBERED}
    taken_down = ports.register.rest(Happening("catalog-proposed", stream_of_catalog(catalog.id), facts, detail))
    with ports.register.begin() as facts_:
        if _is_missing(facts_.connection, catalog.id):
            facts_.record(taken_down, actor=ports.actor, at=now)


def _is_missing(connection: Connection, identifier: str) -> bool:
    row = catalogs.find_version(connection, identifier)
    return row is None or row["withdrawn_at"] is not None


def stream_of_catalog(identifier: str) -> str:
    """The custody stream of a version: named by the digest in its id."""
    return stream_of("catalog", identifier.rpartition("#")[2])


# --- parsing ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Text:
    """A text by its digest; it is read only when it was not parsed before."""

    id: str
    sha256: str
    profile: str
    preset: str | None
    read: Callable[[], str] = field(compare=False)


def _version(connection: Connection, row: Row) -> Version:
    text = _Text(
        row["id"], row["sha256"], row["profile"], row["preset"], lambda: catalogs.text_of(connection, row["id"])
    )
    return Version(_parsed(text), frozenset(json.loads(row["shortens"])))


@lru_cache(maxsize=_PARSED_AT_ONCE)
def _parsed(text: _Text) -> Catalog:
    data = text.read().encode()
    if hashlib.sha256(data).hexdigest() != text.sha256:
        raise RecordMalformed(f"the register holds another text of {text.id} than was adopted", catalog=text.id)
    return parsed_as(data, name=text.id, profile=text.profile, preset=text.preset, was_validated=True)


def parsed_as(
    data: bytes, *, name: str, profile: str | None, preset: str | None, was_validated: bool = False
) -> Catalog:
    """The catalog in a text as an agency adopts it: in one profile, with the types of its preset.

    Raises:
        BadInput: it is no catalog that makes sense, or knows no such profile or preset.
    """
    catalog = parse_catalog(data, name=name, profile=profile, was_validated=was_validated)
    return catalog if preset is None else for_agency(catalog, preset)
