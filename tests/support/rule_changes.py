# SPDX-License-Identifier: Apache-2.0
"""This is where tests get catalogs that differ from the default in chosen rules, and recordings that rules speak of."""

import hashlib
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from sqlalchemy import insert

from evidence import instant
from pipeline.catalogs.adopt import Approval, Reviewed, Wanted, approve, propose
from pipeline.catalogs.load import DEFAULT
from storage.register import catalogs, keeping, schema, search
from tests.support.home import Home

NOW = datetime(2026, 11, 20, 4, tzinfo=UTC)  # noon in China
TODAY = datetime(2026, 11, 19, 16, tzinfo=UTC)  # midnight there
DAY = timedelta(days=1)
WEEK = 7 * DAY  # the default cool-off
ENDED = datetime(2026, 6, 1, tzinfo=UTC)

SHORTER = {"JC-01": "RT-90D"}
LONGER = {"JC-01": "RT-30Y"}
JC = frozenset({"JC-01"})


@cache
def _default() -> str:
    return DEFAULT.read_text("utf-8")


def catalog_text(
    version: str, *, classes: Mapping[str, str] | None = None, conditions: Mapping[str, str] | None = None
) -> bytes:
    """The default catalog under another version; `classes`: another retention class for an item, by its id.

    `conditions`: another effect of a condition, by its code.
    """
    text, changes = _default(), 0
    text, changes = re.subn(r'(?m)^(  version: )"0\.1-draft"', rf'\g<1>"{version}"', text)
    assert changes == 1
    for item, retention in (classes or {}).items():
        text, changes = re.subn(rf"(?s)(- id: {item}\n.*?    retention: )\S+", rf"\g<1>{retention}", text, count=1)
        assert changes == 1, item
    for code, effect in (conditions or {}).items():
        text, changes = re.subn(rf"(  {code}:.*?effect: )\w+", rf"\g<1>{effect}", text)
        assert changes == 1, code
    return text.encode()


def wanted(version: str = "1", *, at: datetime = NOW, classes: Mapping[str, str] | None = None, **more: Any) -> Wanted:
    """A catalog to adopt."""
    more = {"why": "a test"} | more
    return Wanted(catalog_text(version, classes=classes), f"{version}.yaml", at, **more)


def adopt_first(home: Home, *, classes: Mapping[str, str] | None = None, now: datetime = NOW) -> str:
    """Adopt version 1 at once, as Ann; its id."""
    return by(home, "ann", wanted("1", at=now, classes=classes), now=now).catalog


def by(home: Home, person: str, wish: Wanted, *, now: datetime = NOW) -> Reviewed:
    """What a person proposes."""
    return propose(wish, ports=as_person(home, person).ports, now=now)


def approved(home: Home, identifier: str, *, person: str = "bob", now: datetime = NOW, **said: Any) -> Reviewed:
    """What a person approves."""
    return approve(identifier, Approval(**said), ports=as_person(home, person).ports, now=now)


def counts(found: Reviewed) -> dict[str, int]:
    """How many recordings a change concerns, and how."""
    return {name: found.effects.count(name) for name in ("shorter", "due", "longer", "same")}


def as_person(home: Home, person: str) -> Home:
    """The same installation, at another person's terminal."""
    return home.with_ports(actor=f"cli:{person}")


def fill(home: Home, count: int, *, item: str | None = "JC-01", catalog: str, **columns: Any) -> list[str]:
    """Put classified recordings into the register, as the projection would have; their ids."""
    table = schema.recordings
    with home.ports.register.begin() as facts:
        first = keeping.count(facts.connection)
        names = [f"rec-{number:020d}" for number in range(first, first + count)]
        told = {
            "state": "indexed",
            "kind": "video",
            "name": "a.mp4",
            "dock": "dock-1",
            "claims": "[]",
            "item": item,
            "catalog": catalog,
            "arrived_at": instant.to_text(ENDED),
            "end_latest": instant.to_text(ENDED),
        } | columns
        facts.connection.execute(insert(table), [{"id": name, **told} for name in names])
        facts.connection.execute(insert(schema.originals), [_original(name) for name in names])
    return names


def _original(name: str) -> dict[str, Any]:
    return {
        "recording": name,
        "position": 0,
        "name": "a.mp4",
        "sha256": hashlib.sha256(name.encode()).hexdigest(),
        "size_bytes": 1000,
        "chunk_root": "",
        "facts": "null",
    }


def link(home: Home, recording: str, case: str) -> None:
    """Link a recording to a case, by the case's number."""
    told = {"reason": "{}", "linked_by": "test", "linked_at": instant.to_text(NOW)}
    with home.ports.register.begin() as facts:
        identifier = search.case(facts.connection, case)["id"]
        row = {"segment": f"{recording}.00000", "case_id": identifier, "recording": recording, **told}
        facts.connection.execute(insert(schema.case_links).values(**row))


def row_of(home: Home, identifier: str) -> dict[str, Any]:
    """A version as the register has it."""
    with home.ports.register.view() as connection:
        return dict(catalogs.version(connection, identifier))


def written(folder: Path, version: str, *, classes: Mapping[str, str] | None = None) -> Path:
    """A catalog's file."""
    path = folder / f"{version}.yaml"
    path.write_bytes(catalog_text(version, classes=classes))
    return path
