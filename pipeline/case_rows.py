# SPDX-License-Identifier: Apache-2.0
"""This is where a sheet of cases, or of their papers, becomes rows that can be taken down: column by column.

A column that is not there says nothing: what the register holds stays. A cell that is there and empty says: nothing.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from evidence.case import CaseKind, Codes, Document
from evidence.case_told import Draw, Party, Place
from evidence.errors import BadInput, EvidockError
from evidence.written import one_line
from pipeline.cells import Read, Where, moment_in, or_none, read_cells, term
from pipeline.sheets import Columns, Fault, Sheet, read_sheet, split

CASES: Columns = {
    "number": ("案号", "案件编号", "案件号", "任务编号", "number", "case", "case number"),
    "key": ("系统编号", "主键", "source key", "key"),
    "title": ("案件名称", "案由", "任务名称", "名称", "title"),
    "kind": ("性质", "案件性质", "kind"),
    "type": ("执法类别", "执法类型", "type"),
    "unit": ("承办单位", "执法单位", "办案单位", "单位", "unit"),
    "item": ("事项编号", "清单事项", "item"),
    "officers": ("执法人员", "执法证号", "证件编号", "officers", "officer"),
    "start": ("开始时间", "开始", "立案时间", "start", "from"),
    "end": ("结束时间", "结束", "end", "to"),
    "closed_at": ("结案时间", "结案日期", "closed at", "closed"),
    "file_term": ("案卷保管期限", "保管期限", "file term"),
    "links": ("执法环节", "记录环节", "环节", "links", "link"),
    "parties": ("当事人", "行政相对人", "parties", "party"),
    "party_ids": ("当事人证件号", "相对人证件号", "party ids", "party id"),
    "place": ("执法地点", "地点", "place"),
    "lat": ("纬度", "lat", "latitude"),
    "lon": ("经度", "lon", "longitude"),
    "radius_m": ("半径", "范围米", "radius m", "radius"),
    "subjects": ("抽查对象", "draw subjects"),
    "inspectors": ("抽查人员", "检查人员", "draw inspectors"),
    "ratio": ("抽查比例", "draw ratio"),
    "frequency": ("抽查频次", "draw frequency"),
    "matters": ("抽查事项", "draw matters"),
}
DOCUMENTS: Columns = {
    "case": ("案号", "案件编号", "案件号", "任务编号", "case", "case number"),
    "name": ("文书名称", "名称", "name"),
    "number": ("文书编号", "文号", "number"),
    "link": ("执法环节", "记录环节", "环节", "link"),
    "item": ("事项编号", "清单事项", "item"),
    "officers": ("执法人员", "执法证号", "证件编号", "officers", "officer"),
    "start": ("开始时间", "开始", "start", "from"),
    "end": ("结束时间", "结束", "end", "to"),
}
KINDS: Mapping[str, CaseKind] = {
    "": CaseKind.CASE,
    "case": CaseKind.CASE,
    "案件": CaseKind.CASE,
    "task": CaseKind.TASK,
    "检查任务": CaseKind.TASK,
    "任务": CaseKind.TASK,
    "双随机": CaseKind.TASK,
    "双随机抽查": CaseKind.TASK,
}
T = TypeVar("T")
_NEEDED = ("number", "start", "end")


@dataclass(frozen=True, slots=True)
class CaseRow:
    """One case as another system tells it: `changes` are fields of `CaseBody`, `key` is what that system calls it."""

    where: Where
    key: str
    changes: Mapping[str, Any]
    closed_at: datetime | None = None
    documents: tuple[Document, ...] = ()


@dataclass(frozen=True, slots=True)
class DocumentRow:
    """One paper as another system tells it, of the case with this number."""

    where: Where
    case: str
    document: Document


def case_sheet(path: Path, *, codes: Codes, zone: ZoneInfo) -> tuple[list[CaseRow], list[Fault]]:
    """The cases of a CSV file, and what of it cannot be taken.

    Raises:
        BadInput: the file as a whole cannot be read (`read_sheet`).
    """
    sheet = read_sheet(path, CASES, needed=_NEEDED)
    return _each(sheet, _case_readers(codes, zone), _case_row)


def document_sheet(path: Path, *, codes: Codes, zone: ZoneInfo) -> tuple[list[DocumentRow], list[Fault]]:
    """The papers of a CSV file, and what of it cannot be taken.

    Raises:
        BadInput: the file as a whole cannot be read (`read_sheet`).
    """
    sheet = read_sheet(path, DOCUMENTS, needed=("case", "name"))
    return _each(sheet, _document_readers(codes, zone), _document_row)


def _each(
    sheet: Sheet, readers: Mapping[str, Read], make: Callable[[dict[str, Any], Where], T]
) -> tuple[list[T], list[Fault]]:
    rows: list[T] = []
    faults = list(sheet.faults)
    for row in sheet.rows:
        where = Where(sheet.name, row.line, sheet.headers)
        values, wrong = read_cells(row.cells, readers, where)
        faults += wrong
        if wrong:
            continue
        try:
            rows.append(make(values, where))
        except EvidockError as error:
            faults.append(where.fault(error))
    return rows, sorted(faults, key=lambda fault: fault.line)


def _case_row(values: dict[str, Any], where: Where) -> CaseRow:
    told = dict(values)
    key = told.pop("key", None) or told["number"]
    closed_at = told.pop("closed_at", None)
    _gather(told, "parties", ("parties", "party_ids"), _parties)
    _gather(told, "place", ("place", "lat", "lon", "radius_m"), _place)
    _gather(told, "draw", ("subjects", "inspectors", "ratio", "frequency", "matters"), _draw)
    return CaseRow(where, key, told, closed_at)


def _gather(told: dict[str, Any], field: str, parts: tuple[str, ...], make: Callable[[dict[str, Any]], Any]) -> None:
    found = {part: told.pop(part) for part in parts if part in told}
    if found:
        told[field] = make({part: value for part, value in found.items() if value not in (None, "", ())})


def _parties(parts: dict[str, Any]) -> tuple[Party, ...]:
    names, numbers = parts.get("parties", ()), parts.get("party_ids", ())
    if numbers and len(numbers) != len(names):
        raise BadInput(f"{len(names)} parties, but {len(numbers)} numbers", field="party_ids")
    return tuple(
        Party(name, number, "当事人") for name, number in zip(names, numbers or [""] * len(names), strict=True)
    )


def _place(parts: dict[str, Any]) -> Place | None:
    return Place(name=parts.pop("place", ""), **parts) if parts else None


def _draw(parts: dict[str, Any]) -> Draw | None:
    return Draw(**parts) if parts else None


def _document_row(values: dict[str, Any], where: Where) -> DocumentRow:
    told = dict(values)
    return DocumentRow(where, told.pop("case"), Document(**told))


def _case_readers(codes: Codes, zone: ZoneInfo) -> dict[str, Read]:
    return {
        "number": lambda cell: one_line(cell, "a case number"),
        "key": or_none,
        "title": lambda cell: one_line(cell, "a title", may_be_empty=True),
        "kind": _kind,
        "type": lambda cell: codes.code_of("types", cell) or None,
        "unit": or_none,
        "item": or_none,
        "officers": split,
        "start": _needed(moment_in(zone)),
        "end": _needed(moment_in(zone)),
        "closed_at": moment_in(zone),
        "file_term": term,
        "links": lambda cell: tuple(codes.code_of("links", one) for one in split(cell)),
        "parties": split,
        "party_ids": split,
        "place": str,
        "lat": or_none,
        "lon": or_none,
        "radius_m": _metres,
        "subjects": split,
        "inspectors": split,
        "ratio": str,
        "frequency": str,
        "matters": split,
    }


def _document_readers(codes: Codes, zone: ZoneInfo) -> dict[str, Read]:
    return {
        "case": lambda cell: one_line(cell, "a case number"),
        "name": lambda cell: one_line(cell, "the name of a document"),
        "number": or_none,
        "link": lambda cell: codes.code_of("links", cell) or None,
        "item": or_none,
        "officers": split,
        "start": moment_in(zone),
        "end": moment_in(zone),
    }


def _kind(cell: str) -> CaseKind:
    if cell.casefold() not in KINDS:
        raise BadInput(f"{cell[:40]!r} is neither a case (案件) nor a check task (检查任务)")
    return KINDS[cell.casefold()]


def _needed(read: Read) -> Read:
    def read_it(cell: str) -> Any:
        if not cell:
            raise BadInput("this must be told")
        return read(cell)

    return read_it


def _metres(cell: str) -> int | None:
    if not cell:
        return None
    if not (cell.isascii() and cell.isdecimal() and len(cell) < 10):
        raise BadInput(f"not a whole number of metres: {cell[:40]!r}")
    return int(cell)
