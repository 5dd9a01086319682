# SPDX-License-Identifier: Apache-2.0
"""This is where lists of devices (执法记录仪清单) are taken in from CSV or .xlsx; twice the same changes nothing.

A column that is not there says nothing of a device that is registered; a cell that is there and empty says: nothing.
Columns that a list of ours has of what was measured (last seen, clock) are read over: no list can say that.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from fractions import Fraction
from pathlib import Path
from typing import Any

from evidence.device import Device, Status
from evidence.errors import BadInput
from pipeline.cells import Read, Where, day, moment_in
from pipeline.devices_register import device_in, device_of
from pipeline.listed import Listed, once, read_row, take
from pipeline.ports import Ports
from pipeline.sheets import Columns
from pipeline.tables import read_table
from storage.register import search
from storage.register.facts import Facts

MEASURED: Columns = {
    "checked_at": ("最近校时时间", "clock checked"),
    "checked_offset_ms": ("最近校时偏差(毫秒)", "clock offset found, ms"),
    "seen_at": ("最近采集时间", "last seen"),
}
DEVICES: Columns = {
    "serial": ("设备编号", "产品序号", "记录仪编号", "serial"),
    "kind": ("设备类型", "kind"),
    "label": ("名称", "设备名称", "label"),
    "maker": ("厂商", "生产厂商", "maker"),
    "model": ("型号", "model"),
    "firmware": ("固件", "固件版本", "firmware"),
    "national_id": ("国标编码", "national id"),
    "asset": ("资产编号", "asset"),
    "unit": ("所属单位", "单位", "unit"),
    "officer": ("责任人", "绑定执法人员", "officer"),
    "bound_at": ("绑定时间", "bound at"),
    "status": ("状态", "status"),
    "category": ("配备类别", "category"),
    "capacity_bytes": ("存储容量", "capacity"),
    "purchased_on": ("购置日期", "purchased on"),
    "is_allowed": ("白名单标志", "白名单", "allowed"),
    "clock": ("时钟读法", "clock"),
    "clock_offset_ms": ("时钟偏差(毫秒)", "clock offset, ms"),
    **MEASURED,
}
KIND_WORDS: Mapping[str, tuple[str, ...]] = {
    "bodycam": ("执法记录仪", "记录仪"),
    "handheld": ("手持执法终端", "手持终端"),
    "camera": ("照相机", "相机"),
    "recorder": ("录音", "录音笔", "录音设备"),
    "fixed": ("固定摄像", "固定摄像机", "固定摄像头"),
}
STATUS_WORDS: Mapping[str, tuple[str, ...]] = {
    Status.IN_USE: ("在用",),
    Status.REPAIR: ("维修",),
    Status.STOPPED: ("停用",),
    Status.SCRAPPED: ("报废",),
    Status.LOST: ("遗失",),
}
ALLOWED_WORDS: Mapping[str, tuple[str, ...]] = {"yes": ("是", "1", "true"), "no": ("否", "0", "false")}
_SIZE = re.compile(r"([0-9]{1,19}(?:\.[0-9]{1,6})?)\s*([KMGT]?)(I?)B?", re.ASCII)
_POWERS = {"": 0, "K": 1, "M": 2, "G": 3, "T": 4}


def import_devices(path: Path, *, ports: Ports, now: datetime) -> Listed:
    """Take in a table of devices; a row that cannot be taken is told with line and column, the others are taken.

    Raises:
        BadInput: the file as a whole cannot be read.
    """
    sheet = read_table(path, DEVICES, needed=("serial",))
    readers = _readers(ports)

    def register(facts: Facts, told: dict[str, Any]) -> bool:
        known = search.device(facts.connection, told["serial"])
        device = Device(**told) if known is None else replace(device_of(known), **told)
        return device_in(facts, device, ports=ports, now=now)

    listed = Listed(faults=list(sheet.faults))
    rows = [(Where(sheet.name, row.line, sheet.headers), row) for row in sheet.rows]
    read = [(where, told) for where, row in rows if (told := read_row(row, where, readers, listed)) is not None]
    kept = [(where, {name: value for name, value in told.items() if name not in MEASURED}) for where, told in read]
    take(once(kept, "serial", listed), register, listed, ports=ports)
    return listed


def _readers(ports: Ports) -> dict[str, Read]:
    lines = ("serial", "label", "maker", "model", "firmware", "national_id", "asset", "unit", "officer", *MEASURED)
    return {
        **dict.fromkeys(lines, str),
        "kind": _word_in(KIND_WORDS, "kind of device", "bodycam"),
        "status": _word_in(STATUS_WORDS, "status of a device", Status.IN_USE),
        "category": str.upper,
        "clock": str.lower,
        "is_allowed": lambda cell: _word_in(ALLOWED_WORDS, "answer", "yes")(cell) == "yes",
        "bound_at": moment_in(ports.zone),
        "purchased_on": day,
        "capacity_bytes": capacity,
        "clock_offset_ms": _whole,
    }


def _word_in(words: Mapping[str, tuple[str, ...]], what: str, default: str) -> Read:
    by_word = {one: code for code, names in words.items() for one in (str(code), *names)}

    def read(cell: str) -> str:
        if not cell:
            return default
        code = by_word.get(cell.casefold())
        if code is None:
            there_are = "、".join(f"{code} {names[0]}" for code, names in words.items())
            raise BadInput(f"{cell[:40]!r} is no {what} (there are {there_are})")
        return code

    return read


def capacity(cell: str) -> int | None:
    """Bytes, of a number that may have a unit: `64000000000`, `64 GB` (of 1000), `64GiB` (of 1024); None when empty.

    Raises:
        BadInput: it is none.
    """
    if not cell:
        return None
    found = _SIZE.fullmatch(cell.strip().upper())
    if found is None:
        raise BadInput(f"{cell[:40]!r} is no capacity (write 64 GB)")
    return int(Fraction(found[1]) * (1024 if found[3] else 1000) ** _POWERS[found[2]])


def _whole(cell: str) -> int:
    if not cell:
        return 0
    if not re.fullmatch(r"-?[0-9]{1,15}", cell, re.ASCII):
        raise BadInput(f"{cell[:40]!r} is no whole number")
    return int(cell)
