# SPDX-License-Identifier: Apache-2.0
"""This is where lists of officers (执法人员清单) and of units are taken in from CSV; twice the same changes nothing.

A column that is not there says nothing of an officer who is registered; a cell that is there and empty says: nothing.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from evidence.agency import Officer, Unit, tops_first
from evidence.case import Codes
from evidence.errors import BadInput, EvidockError, Refused, Unacceptable
from evidence.written import one_line
from pipeline.case_codes import codes_now
from pipeline.cells import Read, Where, day, or_none, read_cells
from pipeline.people import officer_in, officer_of
from pipeline.ports import Ports
from pipeline.sheets import Columns, Fault, SheetRow, read_sheet, split
from pipeline.units import unit_in
from storage.register import search
from storage.register.facts import Facts

OFFICERS: Columns = {
    "number": ("证件编号", "执法证件编号", "执法证号", "number", "certificate"),
    "name": ("姓名", "name"),
    "unit": ("单位", "所属单位", "unit"),
    "post": ("职务", "post"),
    "types": ("执法类别", "types", "type"),
    "area": ("执法区域", "area"),
    "valid_from": ("有效期自", "发证日期", "valid from"),
    "valid_to": ("有效期至", "有效期止", "valid to"),
}
UNITS: Columns = {
    "code": ("单位编码", "编码", "单位代码", "code"),
    "name": ("单位名称", "名称", "单位", "name"),
    "parent": ("上级编码", "上级单位编码", "上级", "parent"),
}


@dataclass(slots=True)
class Listed:
    """What taking in a list did: how many were registered anew or changed, how many were so already, and faults."""

    changed: int = 0
    same: int = 0
    faults: list[Fault] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """As a mapping for JSON."""
        return {
            "changed": self.changed,
            "same": self.same,
            "refused": len(self.faults),
            "faults": [fault.to_json() for fault in sorted(self.faults, key=lambda fault: fault.line)],
        }


def import_officers(path: Path, *, ports: Ports, now: datetime) -> Listed:
    """Take in a CSV of officers; a row that cannot be taken is told, the others are taken.

    Raises:
        BadInput: the file as a whole cannot be read.
    """
    with ports.register.view() as connection:
        codes = codes_now(connection, ports=ports, now=now)
    sheet = read_sheet(path, OFFICERS, needed=("number",))
    readers = _officer_readers(codes)

    def register(facts: Facts, told: dict[str, Any]) -> bool:
        known = search.officer(facts.connection, told["number"])
        officer = Officer(**told) if known is None else replace(officer_of(known), **told)
        return officer_in(facts, officer, codes=codes, ports=ports, now=now)

    listed = Listed(faults=list(sheet.faults))
    rows = [(Where(sheet.name, row.line, sheet.headers), row) for row in sheet.rows]
    read = [(where, told) for where, row in rows if (told := _read(row, where, readers, listed)) is not None]
    _take(_once(read, "number", listed), register, listed, ports=ports)
    return listed


def import_units(path: Path, *, ports: Ports, now: datetime) -> Listed:
    """Take in a CSV of units, those above before those below, whatever their order; as `import_officers`.

    Raises:
        BadInput: the file as a whole cannot be read.
        Conflict: units of the list are above one another in a circle.
    """
    sheet = read_sheet(path, UNITS, needed=("code", "name", "parent"))
    readers: dict[str, Read] = {"code": str, "name": str, "parent": or_none}
    listed = Listed(faults=list(sheet.faults))
    rows = [(Where(sheet.name, row.line, sheet.headers), row) for row in sheet.rows]
    read = [(where, told) for where, row in rows if (told := _read(row, where, readers, listed)) is not None]
    units: dict[Unit, Where] = {}
    for where, told in _once(read, "code", listed):
        try:
            units[Unit(**told)] = where
        except EvidockError as error:
            listed.faults.append(where.fault(error))

    def register(facts: Facts, told: dict[str, Any]) -> bool:
        return unit_in(facts, told["unit"], ports=ports, now=now)

    _take([(units[unit], {"unit": unit}) for unit in tops_first(units)], register, listed, ports=ports)
    return listed


_Read = list[tuple[Where, dict[str, Any]]]


def _read(row: SheetRow, where: Where, readers: Mapping[str, Read], listed: Listed) -> dict[str, Any] | None:
    told, faults = read_cells(row.cells, readers, where)
    listed.faults += faults
    return None if faults else told


def _once(rows: _Read, key: str, listed: Listed) -> _Read:
    """The rows without those whose key an earlier one has."""
    seen: dict[str, int] = {}
    unique = []
    for where, told in rows:
        if told[key] in seen:
            double = BadInput(f"{told[key]!r} is on line {seen[told[key]]} already")
            listed.faults.append(where.fault(double, field=key))
            continue
        seen[told[key]] = where.line
        unique.append((where, told))
    return unique


def _take(rows: _Read, register: Callable[[Facts, dict[str, Any]], bool], listed: Listed, *, ports: Ports) -> None:
    # A list is short, and wrong together or right together only row by row: each is decided before it is written.
    for where, told in rows:
        try:
            with ports.register.begin() as facts:
                is_new = register(facts, told)
        except (Unacceptable, Refused) as error:
            listed.faults.append(where.fault(error))
            continue
        listed.changed += is_new
        listed.same += not is_new


def _officer_readers(codes: Codes) -> dict[str, Read]:
    return {
        "number": lambda cell: one_line(cell, "a certificate number"),
        "name": str,
        "unit": str,
        "post": str,
        "types": lambda cell: tuple(codes.code_of("types", one) for one in split(cell)),
        "area": str,
        "valid_from": day,
        "valid_to": day,
    }
