# SPDX-License-Identifier: Apache-2.0
"""This is where a catalog's items are laid out in the columns that agencies publish, and the rest beside them.

What lists publish comes first, in its own nine columns. What they cannot carry follows: codes in a second sheet, keyed
by the item's code, and the catalog's head in a third. In a file with one table (CSV) our columns follow the nine, and
the head is left out.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from evidence.errors import BadInput
from pipeline.catalogs.columns import BETWEEN_WORDS, CODED, ID_COLUMN, LISTS, PUBLISHED
from pipeline.catalogs.grid import LONGEST_CELL, Sheet
from pipeline.catalogs.head_sheet import head_sheet

PUBLISHED_SHEET = "音像记录事项清单"
CODES_SHEET = "编码"
EMPTY_LIST = "—"
YES, NO = "是", "否"

_Body = Mapping[str, Any]
# Keys of an item that the nine columns write in Chinese, and the table that has the words.
_WORDS = {"type": "enforcement_types", "link": "links", "mode": "recording_modes", "retention": "retention_classes"}


def sheets_of(body: _Body) -> tuple[Sheet, Sheet, Sheet]:
    """A workbook that holds all of a catalog: the published list, the codes, the head.

    Raises:
        BadInput: a text is longer than a cell may hold.
    """
    items = [_cells(item, body) for item in body["items"]]
    head = body["catalog"]
    title = f"{head['name_zh']}（{head['version']}）"
    published = (*PUBLISHED, ID_COLUMN)
    return (
        Sheet(PUBLISHED_SHEET, ((title,), published, *(_row(one, published) for one in items))),
        Sheet(CODES_SHEET, (tuple(CODED), *(_row(one, CODED) for one in items))),
        _checked(head_sheet(body)),
    )


def table_of(body: _Body) -> Sheet:
    """One table with the nine columns and ours after them; the catalog's head is not in it.

    Raises:
        BadInput: a text is longer than a cell may hold.
    """
    columns = (*PUBLISHED, *CODED)
    return Sheet("", (columns, *(_row(_cells(item, body), columns) for item in body["items"])))


def _row(cells: Mapping[str, str], columns: Mapping[str, str] | tuple[str, ...]) -> tuple[str, ...]:
    return tuple(cells[column] for column in columns)


def _cells(item: _Body, body: _Body) -> dict[str, str]:
    """The text of every column for one item."""
    flat = {**item, "name_zh": item["name"]["zh"], "name_en": item["name"].get("en")}
    cells = {column: _cell(key, flat.get(key), body) for column, key in (*PUBLISHED.items(), *CODED.items())}
    for column, cell in cells.items():
        _check_length(cell, f"{item['id']}, {column}")
    return cells


def _cell(key: str, value: Any, body: _Body) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return YES if value else NO
    if key == "capture_zh":
        return lines_cell(value)
    if key in LISTS:
        between = BETWEEN_WORDS if key in _WORDS else ", "
        return between.join(_word(key, one, body) for one in value) or EMPTY_LIST
    return _word(key, str(value), body)


def lines_cell(lines: Sequence[str]) -> str:
    """A cell of one entry a line. A dash says that there is none, and a text that is all dashes gets one more."""
    text = "\n".join(lines)
    return f"{text}{EMPTY_LIST}" if set(text) <= {EMPTY_LIST} else text


def cell_lines(text: str) -> list[str]:
    """The entries of such a cell."""
    whole = text.removesuffix(EMPTY_LIST) if set(text) <= {EMPTY_LIST} else text
    return whole.split("\n") if whole else []


def _word(key: str, code: str, body: _Body) -> str:
    return str(body[_WORDS[key]][code]["zh"]) if key in _WORDS else code


def _checked(sheet: Sheet) -> Sheet:
    for row in sheet.rows:
        for cell in row:
            _check_length(cell, row[0])
    return sheet


def _check_length(cell: str, what: str) -> None:
    if len(cell) > LONGEST_CELL:
        raise BadInput(f"{what}: {len(cell)} characters do not go into a cell, which holds {LONGEST_CELL}")
