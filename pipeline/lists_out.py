# SPDX-License-Identifier: Apache-2.0
"""This is where lists of the register become tables for people: devices, officers, docks, who held what when.

The header and the words are Chinese or English; what is written is taken in again by the imports as it was.
"""

import json
from collections.abc import Mapping, Sequence

from pipeline.device_import import ALLOWED_WORDS, DEVICES, KIND_WORDS, STATUS_WORDS
from pipeline.people_import import OFFICERS
from pipeline.sheets import Columns
from storage.register import casebook, device_rows, dock_rows
from storage.register.search import Connection, Row

Table = list[list[str]]
CHINESE = "zh-CN"
DOCKS: Columns = {
    "id": ("采集站编号", "dock"),
    "kind": ("类别", "kind"),
    "name": ("名称", "name"),
    "unit": ("所属单位", "unit"),
    "device": ("设备编号", "device"),
    "state": ("状态", "state"),
    "erases": ("采集后清除", "erases"),
    "invited_at": ("登记时间", "invited at"),
    "enrolled_at": ("启用时间", "enrolled at"),
    "revoked_at": ("停用时间", "revoked at"),
}
LEDGER: Columns = {
    "device": ("设备编号", "device"),
    "officer": ("执法人员", "officer"),
    "start_at": ("领用时间", "issued at"),
    "due_at": ("应还时间", "due at"),
    "end_at": ("归还时间", "returned at"),
    "issued_by": ("发放人", "issued by"),
    "returned_to": ("接收人", "returned to"),
    "note": ("备注", "note"),
}


def devices_table(connection: Connection, language: str) -> Table:
    """All devices by serial, with when each was seen last and what its clock showed then."""
    seen = device_rows.seen_last(connection, "~")
    rows = []
    for device in device_rows.every_device(connection):
        checks = dock_rows.readings_of(connection, device["serial"])
        last = checks[-1] if checks else {"at": None, "offset_ms": None}
        measured = {"checked_at": last["at"], "checked_offset_ms": last["offset_ms"]}
        words = {
            "kind": _word(KIND_WORDS, device["kind"], language),
            "status": _word(STATUS_WORDS, device["status"], language),
            "is_allowed": _word(ALLOWED_WORDS, "yes" if device["is_allowed"] else "no", language),
        }
        rows.append({**device, **measured, **words, "seen_at": seen.get(device["serial"])})
    return _table(DEVICES, rows, language)


def officers_table(connection: Connection, language: str) -> Table:
    """All officers by certificate number: the six fields of their list, and the days of validity."""
    rows = [{**row, "types": "、".join(json.loads(row["types"]))} for row in casebook.every_officer(connection)]
    return _table(OFFICERS, rows, language)


def docks_table(connection: Connection, language: str) -> Table:
    """All docks by name."""
    rows = [
        {**row, "erases": _word(ALLOWED_WORDS, "yes" if row["erases"] else "no", language)}
        for row in dock_rows.every_dock(connection)
    ]
    return _table(DOCKS, rows, language)


def ledger_table(rows: Sequence[Row], language: str) -> Table:
    """Hand-outs in their order (领用归还台账)."""
    return _table(LEDGER, rows, language)


def header(columns: Columns, *, language: str) -> list[str]:
    """What the columns are called: each by its first name in Chinese, or by its first in ASCII."""
    if language == CHINESE:
        return [names[0] for names in columns.values()]
    return [next(name for name in names if name.isascii()) for names in columns.values()]


def _table(columns: Columns, rows: Sequence[Row], language: str) -> Table:
    cells = [["" if row[field] is None else str(row[field]) for field in columns] for row in rows]
    return [header(columns, language=language), *cells]


def _word(words: Mapping[str, tuple[str, ...]], code: str, language: str) -> str:
    known = words.get(code)
    return code if language != CHINESE or known is None else known[0]
