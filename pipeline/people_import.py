# SPDX-License-Identifier: Apache-2.0
"""This is where lists of officers (执法人员清单) and of units are taken in from CSV or .xlsx; twice changes nothing.

A column that is not there says nothing of an officer who is registered; a cell that is there and empty says: nothing.
"""

from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from evidence.agency import Officer, Unit, tops_first
from evidence.case import Codes
from evidence.errors import EvidockError
from evidence.written import one_line
from pipeline.case_codes import codes_now
from pipeline.cells import Read, Where, day, or_none
from pipeline.listed import Listed, once, read_row, take
from pipeline.people import officer_in, officer_of
from pipeline.ports import Ports
from pipeline.sheets import Columns, split
from pipeline.tables import read_table
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


def import_officers(path: Path, *, ports: Ports, now: datetime) -> Listed:
    """Take in a table of officers (CSV or .xlsx); a row that cannot be taken is told, the others are taken.

    Raises:
        BadInput: the file as a whole cannot be read.
    """
    with ports.register.view() as connection:
        codes = codes_now(connection, ports=ports, now=now)
    sheet = read_table(path, OFFICERS, needed=("number",))
    readers = _officer_readers(codes)

    def register(facts: Facts, told: dict[str, Any]) -> bool:
        known = search.officer(facts.connection, told["number"])
        officer = Officer(**told) if known is None else replace(officer_of(known), **told)
        return officer_in(facts, officer, codes=codes, ports=ports, now=now)

    listed = Listed(faults=list(sheet.faults))
    rows = [(Where(sheet.name, row.line, sheet.headers), row) for row in sheet.rows]
    read = [(where, told) for where, row in rows if (told := read_row(row, where, readers, listed)) is not None]
    take(once(read, "number", listed), register, listed, ports=ports)
    return listed


def import_units(path: Path, *, ports: Ports, now: datetime) -> Listed:
    """Take in a table of units, those above before those below, whatever their order; as `import_officers`.

    Raises:
        BadInput: the file as a whole cannot be read.
        Conflict: units of the list are above one another in a circle.
    """
    sheet = read_table(path, UNITS, needed=("code", "name", "parent"))
    readers: dict[str, Read] = {"code": str, "name": str, "parent": or_none}
    listed = Listed(faults=list(sheet.faults))
    rows = [(Where(sheet.name, row.line, sheet.headers), row) for row in sheet.rows]
    read = [(where, told) for where, row in rows if (told := read_row(row, where, readers, listed)) is not None]
    units: dict[Unit, Where] = {}
    for where, told in once(read, "code", listed):
        try:
            units[Unit(**told)] = where
        except EvidockError as error:
            listed.faults.append(where.fault(error))

    def register(facts: Facts, told: dict[str, Any]) -> bool:
        return unit_in(facts, told["unit"], ports=ports, now=now)

    take([(units[unit], {"unit": unit}) for unit in tops_first(units)], register, listed, ports=ports)
    return listed


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
