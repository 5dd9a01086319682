# SPDX-License-Identifier: Apache-2.0
"""This is where units of the agency are registered, and cases counted up their tree."""

from collections.abc import Mapping
from datetime import datetime

from evidence import ids, instant
from evidence.agency import Unit, check_tree, summed
from evidence.custody import Happening
from evidence.ids import stream_of
from pipeline.ports import Ports
from storage.register import casebook
from storage.register.facts import Facts
from storage.register.search import Connection

COUNTED = ("cases", "tasks", "open")


def register_unit(unit: Unit, *, ports: Ports, now: datetime) -> bool:
    """Register a unit, or change its name or place; False, and no event, when all of it is registered.

    Raises:
        BadInput: the unit above is not registered, or the tree would be too deep.
        Conflict: it would be above itself.
    """
    with ports.register.begin() as writing:
        return unit_in(writing, unit, ports=ports, now=now)


def unit_in(writing: Facts, unit: Unit, *, ports: Ports, now: datetime) -> bool:
    """Register a unit in open facts; as `register_unit`."""
    rows = {row["code"]: row for row in casebook.every_unit(writing.connection)}
    known = rows.get(unit.code)
    if known is not None and (known["name"], known["parent"]) == (unit.name, unit.parent):
        return False
    check_tree({code: row["parent"] for code, row in rows.items()} | {unit.code: unit.parent})
    identifier = ids.opaque("uni", ports.chance(10)) if known is None else known["id"]
    told = {"code": unit.code, "name": unit.name, "parent": unit.parent}
    writing.record(Happening("unit-registered", stream_of("unit", identifier), detail=told), actor=ports.actor, at=now)
    return True


def parents_of(connection: Connection) -> dict[str, str | None]:
    """The code above each unit's code."""
    return {row["code"]: row["parent"] for row in casebook.every_unit(connection)}


def case_counts(
    connection: Connection, *, start: datetime | None = None, end: datetime | None = None
) -> Mapping[str, tuple[int, ...]]:
    """For each unit how many `COUNTED` it has together with all units below it, of cases that begin in a period."""
    since, until = (None if moment is None else instant.to_text(moment) for moment in (start, end))
    rows = casebook.counts_by_unit(connection, start=since, end=until)
    own = {row["unit"]: [int(row[name]) for name in COUNTED] for row in rows if row["unit"] is not None}
    return summed(own, parents_of(connection), width=len(COUNTED))
