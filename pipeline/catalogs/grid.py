# SPDX-License-Identifier: Apache-2.0
"""This is where a table is plain text in rows, whatever file it came from or goes to."""

from dataclasses import dataclass
from string import ascii_uppercase

MOST_ROWS = 5000
MOST_COLUMNS = 64
LONGEST_CELL = 32767
"""Characters in a cell: a spreadsheet's own limit."""


@dataclass(frozen=True, slots=True)
class Merge:
    """Merged cells: first and last row and column, counted from 1."""

    top: int
    bottom: int
    left: int
    right: int

    def __str__(self) -> str:
        return f"{letter(self.left)}{self.top}:{letter(self.right)}{self.bottom}"


@dataclass(frozen=True, slots=True)
class Sheet:
    """One table: rows of texts, empty where a cell is; row 1 is `rows[0]`. The table of a CSV file has no name."""

    name: str
    rows: tuple[tuple[str, ...], ...]
    merges: tuple[Merge, ...] = ()


def letter(column: int) -> str:
    """The name that a spreadsheet gives a column, counted from 1: A, Z, AA."""
    letters = ""
    while column > 0:
        column, rest = divmod(column - 1, 26)
        letters = ascii_uppercase[rest] + letters
    return letters
