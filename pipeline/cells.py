# SPDX-License-Identifier: Apache-2.0
"""This is where cells of a sheet are read: times as offices write them, days, terms, and which column is wrong."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from evidence import instant
from evidence.errors import BadInput, EvidockError
from evidence.term import Term, parse_term
from pipeline.sheets import Fault

Read = Callable[[str], Any]

_DAY = r"([0-9]{4})\s*[-/.年]\s*([0-9]{1,2})\s*[-/.月]\s*([0-9]{1,2})\s*日?"
_CLOCK = r"([0-9]{1,2})\s*[:：时]\s*(?:([0-9]{1,2})\s*(?:[:：分]\s*(?:([0-9]{1,2})\s*秒?)?)?)?"
_LOCAL_DAY = re.compile(_DAY, re.ASCII)
_LOCAL_TIME = re.compile(rf"{_DAY}\s*T?\s*{_CLOCK}", re.ASCII)
_TERM = re.compile(r"([1-9][0-9]{0,4})\s*(年|个月|月|天|日)", re.ASCII)
_TERM_UNITS = {"年": "Y", "个月": "M", "月": "M", "天": "D", "日": "D"}


@dataclass(frozen=True, slots=True)
class Where:
    """A row that is read: its file, its line, and how the columns are called by field."""

    file: str
    line: int
    headers: Mapping[str, str]

    def fault(self, error: EvidockError, *, field: str = "") -> Fault:
        """What is wrong, with the column: the one told, else the one that the error names."""
        named = field or str(error.values.get("field", ""))
        column = self.headers.get(named) or self.headers.get(f"{named}s") or named
        return Fault(self.file, self.line, column, error.message)


def read_cells(
    cells: Mapping[str, str], readers: Mapping[str, Read], where: Where
) -> tuple[dict[str, Any], list[Fault]]:
    """The values of a row by field, each read by its reader, and what could not be read."""
    values, faults = {}, []
    for field, cell in cells.items():
        try:
            values[field] = readers[field](cell)
        except (EvidockError, ValueError, OverflowError) as error:
            ours = error if isinstance(error, EvidockError) else BadInput(str(error))
            faults.append(where.fault(ours, field=field))
    return values, faults


def moment_in(zone: ZoneInfo) -> Callable[[str], datetime | None]:
    """A reader of moments: RFC 3339, or a local time such as `2026-06-19 10:00` or `2026年6月19日10时30分`."""

    def read(cell: str) -> datetime | None:
        if not cell:
            return None
        found = _LOCAL_TIME.fullmatch(cell)
        if found is None:
            return instant.from_text(cell)
        try:
            local = datetime(*(int(part or 0) for part in found.groups()), tzinfo=zone)  # type: ignore[misc, arg-type]
            return local.astimezone(UTC)
        except (ValueError, OverflowError) as error:
            raise BadInput(f"there is no time {cell!r}") from error

    return read


def day(cell: str) -> date | None:
    """A day such as `2026-06-19`, `2026/6/19` or `2026年6月19日`; None for an empty cell.

    Raises:
        BadInput: it is none.
    """
    if not cell:
        return None
    found = _LOCAL_DAY.fullmatch(cell)
    if found is None:
        raise BadInput(f"not a day: {cell[:40]!r} (write 2026-06-19)")
    try:
        return date(int(found[1]), int(found[2]), int(found[3]))
    except ValueError as error:
        raise BadInput(f"there is no day {cell!r}") from error


def term(cell: str) -> Term | None:
    """A term as catalogs write it (`P10Y`, `permanent`) or as people do (永久, 10年, 6个月, 90天); None when empty.

    Raises:
        BadInput: it is none.
    """
    if not cell:
        return None
    if cell == "永久":
        return parse_term("permanent")
    found = _TERM.fullmatch(cell)
    return parse_term(cell if found is None else f"P{found[1]}{_TERM_UNITS[found[2]]}")


def or_none(cell: str) -> str | None:
    """The text of a cell, None for an empty one."""
    return cell or None
