# SPDX-License-Identifier: Apache-2.0
"""This is where what is wrong with a catalog is said: place, reason, and what to write instead, several at once."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from typing import NoReturn

from evidence.errors import BadInput

MOST_TOLD = 20
_LONGEST_QUOTE = 60


@dataclass(frozen=True, slots=True)
class Mark:
    """A place in a file: a line and a column; or a row and a column's name of a sheet. Counted from 1, 0 is unknown."""

    line: int
    column: int | str = 0
    sheet: str = ""

    def __str__(self) -> str:
        parts = [f"sheet {self.sheet}"] if self.sheet else []
        if self.line:
            parts.append(f"{'row' if self.sheet or isinstance(self.column, str) else 'line'} {self.line}")
        if self.column:
            parts.append(f"column {self.column}")
        return ", ".join(parts)


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong: where, why, and what to write instead."""

    mark: Mark
    reason: str
    instead: str = ""

    def __str__(self) -> str:
        place = str(self.mark)
        told = f"{place}: {self.reason}" if place else self.reason
        return f"{told}; {self.instead}" if self.instead else told


def quoted(value: object) -> str:
    """A value from a file, short enough for a message."""
    text = str(value)
    return f"“{text[:_LONGEST_QUOTE]}…”" if len(text) > _LONGEST_QUOTE else f"“{text}”"


def one_of(known: Iterable[object]) -> str:
    """The codes that may be written, as many as a message holds."""
    first = [str(one) for one in islice(known, 13)]
    return ", ".join(first[:12]) + (", …" if len(first) > 12 else "")


def refuse(name: str, faults: Iterable[Fault]) -> NoReturn:
    """Say the first of them, in the order of the file.

    Raises:
        BadInput: always; its `faults` hold line, column, sheet, reason and advice of each.
    """
    raise refusal(name, faults)


def refusal(name: str, faults: Iterable[Fault]) -> BadInput:
    """What `refuse` raises."""
    found = sorted(islice(faults, 50 * MOST_TOLD), key=lambda one: (one.mark.sheet, one.mark.line))
    told = list(dict.fromkeys(found))
    shown = told[:MOST_TOLD]
    lines = [f"{name}: {fault}" for fault in shown]
    if len(told) > len(shown):
        lines.append(f"{name}: {len(told) - len(shown)} more")
    return BadInput("\n".join(lines), faults=[_as_values(fault) for fault in shown])


def _as_values(fault: Fault) -> dict[str, object]:
    mark = fault.mark
    where = {"sheet": mark.sheet} if mark.sheet else {}
    return where | {"line": mark.line, "column": mark.column, "reason": fault.reason, "instead": fault.instead}
