# SPDX-License-Identifier: Apache-2.0
"""This is where a device is a value: what is registered of a camera, a terminal, a recorder (执法记录仪清单)."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from evidence import instant
from evidence.errors import BadInput
from evidence.written import moment, one_line

_SERIAL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_WORD = re.compile(r"[a-z][a-z0-9-]{0,39}", re.ASCII)
_LARGEST = 2**62
KINDS = ("bodycam", "handheld", "camera", "recorder", "fixed")
CATEGORIES = ("A", "B", "C")
CLOCKS = ("local", "utc")
_LINES = ("label", "maker", "model", "firmware", "national_id", "asset", "unit", "officer")


class Status(StrEnum):
    """What became of a device (在用, 维修, 停用, 报废, 遗失)."""

    IN_USE = "in-use"
    REPAIR = "repair"
    STOPPED = "stopped"
    SCRAPPED = "scrapped"
    LOST = "lost"


@dataclass(frozen=True, slots=True)
class Device:
    """What is registered of a device; a text that is empty, or None, is not known.

    `clock_offset_ms` is its clock minus true time; `clock` how it is read (`local`, `utc`); `national_id` its
    20 digits (国标编码); `unit` a code; `officer` the certificate number of who answers for it, since `bound_at`;
    `category` A, B or C (配备类别); `is_allowed`: on the white list (白名单).

    Raises:
        BadInput: a part that no device could have.
    """

    serial: str
    kind: str = "bodycam"
    label: str = ""
    clock_offset_ms: int = 0
    maker: str = ""
    model: str = ""
    firmware: str = ""
    national_id: str = ""
    asset: str = ""
    unit: str = ""
    officer: str = ""
    bound_at: datetime | None = None
    status: Status = Status.IN_USE
    category: str = ""
    capacity_bytes: int | None = None
    purchased_on: date | None = None
    is_allowed: bool = True
    clock: str = ""

    def __post_init__(self) -> None:
        put = object.__setattr__
        if not _SERIAL.fullmatch(self.serial):
            told = f"{self.serial!r} is no serial: letters, digits, dot, dash, underscore, at most 64"
            raise BadInput(told, field="serial")
        for name in _LINES:
            put(self, name, one_line(getattr(self, name), f"the {name} of a device", may_be_empty=True))
        put(self, "status", status_of(self.status))
        if not _WORD.fullmatch(self.kind):
            raise BadInput(f"{self.kind[:40]!r} is no kind of device", field="kind")
        _one_of(self.category, ("", *CATEGORIES), "category")
        _one_of(self.clock, ("", *CLOCKS), "clock")
        if self.national_id and not re.fullmatch(r"[0-9]{20}", self.national_id, re.ASCII):
            raise BadInput(f"{self.national_id[:40]!r} is no national id: 20 digits", field="national_id")
        if self.capacity_bytes is not None and not 0 <= self.capacity_bytes <= _LARGEST:
            raise BadInput(f"no device holds {self.capacity_bytes} bytes", field="capacity_bytes")
        if self.bound_at is not None:
            moment(self.bound_at, "the time a device was bound")

    def to_facts(self) -> dict[str, object]:
        """As the facts of `device-registered`."""
        return {"clock_offset_ms": self.clock_offset_ms, "kind": self.kind, "status": self.status.value}

    def to_detail(self) -> dict[str, object]:
        """As the detail of `device-registered`; what is not known, or is as it is of most, is left out."""
        names = (*(name for name in _LINES if name != "label"), "category", "clock")
        told: Mapping[str, object] = {
            **{name: getattr(self, name) for name in names},
            "bound_at": None if self.bound_at is None else instant.to_text(self.bound_at),
            "purchased_on": None if self.purchased_on is None else self.purchased_on.isoformat(),
            "status": "" if self.status is Status.IN_USE else self.status.value,
        }
        detail: dict[str, object] = {"label": self.label, **{name: value for name, value in told.items() if value}}
        if self.capacity_bytes is not None:
            detail["capacity_bytes"] = self.capacity_bytes
        # A number, as the register holds it: its engines do not all take a truth value there.
        return detail if self.is_allowed else {**detail, "is_allowed": 0}


def status_of(word: str) -> Status:
    """The status that a word names.

    Raises:
        BadInput: none.
    """
    _one_of(word, tuple(Status), "status")
    return Status(word)


def _one_of(word: str, words: tuple[str, ...], field: str) -> None:
    if word not in words:
        there_are = ", ".join(one for one in words if one)
        raise BadInput(f"{word[:40]!r} is no {field} of a device (there are {there_are})", field=field)
