# SPDX-License-Identifier: Apache-2.0
"""This is where officers are registered: who may film, and on which days."""

import json
from dataclasses import replace
from datetime import date, datetime

from evidence import ids
from evidence.agency import Officer as Officer
from evidence.case import Codes
from evidence.custody import Happening
from evidence.ids import stream_of
from pipeline.case_codes import codes_now
from pipeline.ports import Ports
from storage.register import casebook, search
from storage.register.facts import Facts
from storage.register.search import Connection, Row


def register_officer(officer: Officer, *, ports: Ports, now: datetime) -> None:
    """Register an officer, or change what is registered of them.

    Raises:
        BadInput: a type is not in the catalog in force.
    """
    with ports.register.begin() as writing:
        codes = codes_now(writing.connection, ports=ports, now=now)
        known = search.officer(writing.connection, officer.number)
        was = None if known is None else officer_of(known)
        ready = checked_officer(writing.connection, officer, codes=codes, was=was)
        _write(writing, ready, known, ports=ports, now=now)


def officer_in(writing: Facts, officer: Officer, *, codes: Codes, ports: Ports, now: datetime) -> bool:
    """Register an officer of a list in open facts; False, and no event, when all of it is registered.

    Raises:
        BadInput: a type is not in the catalog.
    """
    known = search.officer(writing.connection, officer.number)
    was = None if known is None else officer_of(known)
    ready = checked_officer(writing.connection, officer, codes=codes, was=was)
    if ready == was:
        return False
    _write(writing, ready, known, ports=ports, now=now)
    return True


def _write(writing: Facts, ready: Officer, known: Row | None, *, ports: Ports, now: datetime) -> None:
    identifier = ids.opaque("off", ports.chance(10)) if known is None else known["id"]
    happening = Happening("officer-registered", stream_of("officer", identifier), detail=ready.to_detail())
    writing.record(happening, actor=ports.actor, at=now)


def checked_officer(connection: Connection, officer: Officer, *, codes: Codes, was: Officer | None) -> Officer:
    """`officer` as it may be taken down: with the code of the unit, when one of this code or name is registered.

    Raises:
        BadInput: a type is not in the catalog, nor told of the officer before (`was`).
    """
    for one in set(officer.types) - set(() if was is None else was.types):
        codes.check("types", one)
    return replace(officer, unit=casebook.unit_told(connection, officer.unit) or officer.unit)


def is_valid_on(officer: Officer, day: date) -> bool:
    """True when an officer's certificate is valid on a day of the agency's, as far as its own days are known."""
    begun = officer.valid_from is None or officer.valid_from <= day
    return begun and (officer.valid_to is None or day <= officer.valid_to)


def officer_of(row: Row) -> Officer:
    """The officer of a row."""
    return Officer(
        number=row["number"],
        name=row["name"],
        unit=row["unit"],
        post=row["post"],
        types=tuple(json.loads(row["types"])),
        area=row["area"],
        valid_from=_day(row["valid_from"]),
        valid_to=_day(row["valid_to"]),
    )


def _day(text: str | None) -> date | None:
    return None if text is None else date.fromisoformat(text)
