# SPDX-License-Identifier: Apache-2.0
"""This is where the header of a table is found, its columns are known by name, and its rows are read by them."""

from collections.abc import Iterator
from dataclasses import dataclass

from pipeline.catalogs.columns import ID_COLUMN, PUBLISHED, column_named
from pipeline.catalogs.faults import Fault, Mark, one_of, quoted
from pipeline.catalogs.grid import Merge, Sheet, letter
from pipeline.catalogs.text import hidden_in

_TITLE_ROWS = 20
_ENOUGH_KNOWN = 4
_FILLED_DOWN = ("执法类别", "执法事项")
_MAY_LACK = ("备注",)


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a table: its number in the file, and the text of each known column that is not empty."""

    number: int
    cells: dict[str, str]


@dataclass(frozen=True, slots=True)
class Table:
    """A table whose columns are known. `columns` maps a position, from 0, to the column's name, empty: ignored."""

    sheet: Sheet
    header: int
    columns: dict[int, str]

    @property
    def is_ours(self) -> bool:
        """True when we wrote it: its rows carry the codes of their items."""
        return ID_COLUMN in self.columns.values()

    def mark(self, row: int, column: str) -> Mark:
        """The place of a cell."""
        return Mark(row, column, self.sheet.name)


def has_header(sheet: Sheet) -> bool:
    """True when one of the sheet's first rows names several published columns."""
    return _header_row(sheet) is not None


def _header_row(sheet: Sheet) -> int | None:
    for number, row in enumerate(sheet.rows[:_TITLE_ROWS], start=1):
        if len({column_named(cell) for cell in row if cell} & PUBLISHED.keys()) >= _ENOUGH_KNOWN:
            return number
    return None


def table_in(sheet: Sheet, faults: list[Fault]) -> Table | None:
    """The table of a sheet; what is wrong with its header or its merged cells goes to `faults`."""
    header = _header_row(sheet)
    if header is None:
        told = f"no row among the first {_TITLE_ROWS} names the columns of a list"
        faults.append(Fault(Mark(0, 0, sheet.name), told, f"columns: {one_of(PUBLISHED)}"))
        return None
    columns: dict[int, str] = {}
    for place, text in enumerate(sheet.rows[header - 1]):
        name = column_named(text) if text else None
        mark = Mark(header, letter(place + 1), sheet.name)
        if text and name is None:
            advice = f"remove the column; known are {one_of(PUBLISHED)}"
            faults.append(Fault(mark, f"a catalog has no place for the column {quoted(text)}", advice))
        elif name and name in columns.values():
            faults.append(Fault(mark, f"{quoted(text)} is a second column for {name}", "keep one"))
        elif name is not None:
            columns[place] = name
    lacking = [name for name in PUBLISHED if name not in (*columns.values(), *_MAY_LACK)]
    faults.extend(Fault(Mark(header, 0, sheet.name), f"there is no column {name}", "add it") for name in lacking)
    table = Table(sheet, header, columns)
    faults.extend(_merge_faults(table))
    return table


def _merge_faults(table: Table) -> Iterator[Fault]:
    """Cells may be merged in titles above the header, and downwards where a type or matter spans rows."""
    for merge in table.sheet.merges:
        if merge.bottom < table.header:
            continue
        name = table.columns.get(merge.left - 1, letter(merge.left))
        if not (merge.top > table.header and merge.left == merge.right and name in _FILLED_DOWN):
            told = f"the cells {merge} are merged"
            advice = f"unmerge them: only {' and '.join(_FILLED_DOWN)} may span rows, downwards"
            yield Fault(table.mark(merge.top, name), told, advice)


def rows_in(table: Table, faults: list[Fault]) -> Iterator[Row]:
    """The rows below the header that hold anything, what is merged downwards filled in."""
    above = {(row, merge.left): merge for merge in table.sheet.merges for row in _below(merge, table)}
    for number, row in enumerate(table.sheet.rows[table.header :], start=table.header + 1):
        cells = {}
        for place, text in enumerate(row):
            name = table.columns.get(place)
            merge = above.get((number, place + 1))
            reason = _wrong(text, is_known=name is not None, is_covered=merge is not None)
            if reason:
                faults.append(Fault(table.mark(number, name or letter(place + 1)), reason))
            if name:
                cells[name] = (table.sheet.rows[merge.top - 1][place] if merge else text).strip()
        if any(row):
            yield Row(number, {name: text for name, text in cells.items() if text})


def _below(merge: Merge, table: Table) -> range:
    return range(merge.top + 1, min(merge.bottom, len(table.sheet.rows)) + 1)


def _wrong(text: str, *, is_known: bool, is_covered: bool) -> str:
    """Why a cell cannot be taken, empty when it can."""
    hidden = hidden_in(text) or ("U+000D" if "\r" in text else None)
    if hidden:
        return f"the character {hidden} does not show; remove it"
    if text and is_covered:
        return f"{quoted(text)} lies beneath a merged cell and does not show; unmerge, and say which holds"
    return f"{quoted(text)} stands under no header" if text and not is_known else ""
