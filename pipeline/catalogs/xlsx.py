# SPDX-License-Identifier: Apache-2.0
"""This is where tables are written to .xlsx and read from it; openpyxl has its home here.

Every cell is text, in and out: a cell that begins like a formula is written as text and shown as such, and a file with
a formula in it is refused. The library reads row by row, and only what `packed` has looked over.
"""

import re
import warnings
from collections.abc import Mapping, Sequence
from datetime import date, datetime, time
from io import BytesIO
from typing import Any

from openpyxl import Workbook, load_workbook
from openpyxl.styles import Alignment, Font

from evidence.errors import BadInput, EvidockError
from pipeline.catalogs.faults import Fault, Mark, quoted, refuse
from pipeline.catalogs.grid import LONGEST_CELL, MOST_COLUMNS, MOST_ROWS, Merge, Sheet, letter
from pipeline.catalogs.packed import merges_in

_WIDTHS = {
    "内容": 46,
    "执法事项": 30,
    "开始": 26,
    "结束": 26,
    "备注": 26,
    "值": 60,
    "路径": 44,
    "依据": 40,
    "永久保存情形": 34,
}
_WIDTH = 16
_TEXT = "@"
_WRAPPED = Alignment(wrap_text=True, vertical="top")
_BOLD = Font(bold=True)
_ESCAPE = re.compile("_x([0-9A-Fa-f]{4})_")
_LIKE_ESCAPE = re.compile("_(?=x[0-9A-Fa-f]{4}_)")
_KINDS = {"f": "a formula", "d": "a date", "e": "an error", "b": "true or false", "n": "a number with a fraction"}


def write_xlsx(sheets: Sequence[Sheet]) -> bytes:
    """A workbook of these sheets; every cell is text."""
    workbook = Workbook()
    workbook.remove(workbook.worksheets[0])
    for sheet in sheets:
        page = workbook.create_sheet(sheet.name)
        for number, row in enumerate(sheet.rows, start=1):
            for place, text in enumerate(row, start=1):
                if text:
                    _write(page.cell(number, place), text)
        _lay_out(page, sheet)
    file = BytesIO()
    workbook.save(file)
    return file.getvalue()


def _write(cell: Any, text: str) -> None:
    """Put text into a cell, whatever it looks like: the library would make a formula of `=…`."""
    escaped = _LIKE_ESCAPE.sub("_x005F_", text)
    if len(escaped) > LONGEST_CELL:
        raise BadInput(f"{len(escaped)} characters do not go into a cell, which holds {LONGEST_CELL}: {quoted(text)}")
    cell.value = escaped
    cell.data_type = "s"
    cell.number_format = _TEXT
    cell.alignment = _WRAPPED
    cell.quotePrefix = True


def _lay_out(page: Any, sheet: Sheet) -> None:
    header = next((n for n, row in enumerate(sheet.rows, start=1) if len(row) > 1), 1)
    for place, name in enumerate(sheet.rows[header - 1], start=1):
        page.column_dimensions[letter(place)].width = _WIDTHS.get(name, _WIDTH)
        page.cell(header, place).font = _BOLD
    page.freeze_panes = f"A{header + 1}"


def read_xlsx(data: bytes, *, name: str, takes_dates: bool = False) -> list[Sheet]:
    """The tables in a workbook, those that hold anything.

    `takes_dates`: a cell that is a date or a local time is its ISO text, where it would be a fault.

    Raises:
        BadInput: it is no .xlsx, holds what none needs, or a cell that is not text.
    """
    merges = merges_in(data, name=name)
    try:
        with warnings.catch_warnings():
            # What the library leaves out (extensions, odd styles) is nothing that we read.
            warnings.simplefilter("ignore")
            workbook = load_workbook(BytesIO(data), read_only=True, keep_links=False)
            faults: list[Fault] = []
            pages: list[Any] = [page for page in workbook.worksheets if page.sheet_state == "visible"]
            hidden = [page.title for page in workbook.worksheets if page.sheet_state != "visible"]
            faults.extend(Fault(Mark(0, 0, title), "the sheet is hidden", "show it, or delete it") for title in hidden)
            sheets = [_sheet(page, merges, faults, takes_dates) for page in pages]
    except EvidockError:
        raise
    except Exception as error:  # whatever the library trips over in a file from outside
        raise BadInput(f"{name}: it cannot be read as .xlsx: {error}", file=name) from error
    if faults:
        refuse(name, faults)
    return [sheet for sheet in sheets if any(map(any, sheet.rows))]


def _sheet(page: Any, merges: Mapping[str, tuple[Merge, ...]], faults: list[Fault], takes_dates: bool) -> Sheet:
    # The library has no public name for the part that a sheet comes from.
    part = page._worksheet_path
    if part not in merges:
        raise BadInput(f"the sheet {page.title} is in an odd place, {part}; save the file again as .xlsx")
    # A sheet's own word about its size may leave out rows that are there.
    page.reset_dimensions()
    cells = page.iter_rows(max_row=MOST_ROWS, max_col=MOST_COLUMNS)
    rows = [tuple(_text(page.title, cell, faults, takes_dates) for cell in row) for row in cells]
    while rows and not any(rows[-1]):
        rows.pop()
    width = max((place for row in rows for place, text in enumerate(row, start=1) if text), default=0)
    return Sheet(page.title, tuple(row[:width] for row in rows), merges[part])


def _text(title: str, cell: Any, faults: list[Fault], takes_dates: bool) -> str:
    """The text of a cell; a whole number is text as well, anything else but text is a fault."""
    value = cell.value
    if value is None:
        return ""
    if cell.data_type == "s" and isinstance(value, str):
        return _unescaped(value).replace("\r\n", "\n")
    if cell.data_type == "n" and (isinstance(value, int) or (isinstance(value, float) and value.is_integer())):
        return str(int(value))
    if takes_dates and isinstance(value, date):
        return _day_text(value)
    kind = _KINDS.get(cell.data_type, "neither text nor a whole number")
    place = Mark(cell.row, letter(cell.column), title)
    faults.append(Fault(place, f"{quoted(value)} is {kind}", "format the cell as text, and write what it should say"))
    return ""


def _day_text(value: date) -> str:
    """A day, or a local time to the second: a spreadsheet's own count of days is no finer."""
    if not isinstance(value, datetime) or value.time() == time(0):
        return f"{value:%Y-%m-%d}"
    return value.isoformat(sep=" ", timespec="seconds")


def _unescaped(text: str) -> str:
    """Text as it shows: a spreadsheet writes characters that XML lacks as `_x000D_`."""
    return _ESCAPE.sub(lambda found: chr(int(found[1], 16)), text)
