# SPDX-License-Identifier: Apache-2.0
"""This is where a list of the register leaves and enters by a file, .csv or .xlsx: one table, a header, rows of text.

Written so that what was written is read again as it was: a cell that looks like a formula stays what it is.
"""

from collections.abc import Sequence
from pathlib import Path, PurePath

from evidence.errors import BadInput
from pipeline.catalogs.csv_table import unshielded, write_csv
from pipeline.catalogs.grid import MOST_ROWS
from pipeline.catalogs.grid import Sheet as Grid
from pipeline.sheets import Columns, Sheet, SheetRow, file_bytes, parse_sheet, sheet_of

XLSX = ".xlsx"
_SUFFIXES = (".csv", XLSX)


def read_table(path: Path, columns: Columns, *, needed: Sequence[str]) -> Sheet:
    """The table in a file, columns in any order, each known by one of its names; `.xlsx`, else CSV.

    Raises:
        BadInput: it cannot be read, is of another form, lacks a needed column, or a workbook has several sheets.
    """
    data, name = file_bytes(path), path.name
    if path.suffix.lower() == XLSX:
        return sheet_of(_records(data, name), columns, name=name, needed=needed)
    sheet = parse_sheet(data, columns, name=name, needed=needed)
    rows = (SheetRow(row.line, {field: unshielded(cell) for field, cell in row.cells.items()}) for row in sheet.rows)
    return Sheet(sheet.name, sheet.headers, tuple(rows), sheet.faults)


def write_table(name: str, rows: Sequence[Sequence[str]], *, title: str) -> bytes:
    """Rows of text, the header first, as the bytes of a file of this name.

    Raises:
        BadInput: the name ends in neither .csv nor .xlsx, or there are more rows than a workbook of ours has.
    """
    suffix = table_suffix(name)
    grid = Grid(title, tuple(tuple(row) for row in rows))
    if suffix != XLSX:
        return write_csv(grid)
    if len(rows) > MOST_ROWS:
        raise BadInput(f"{len(rows)} rows do not go into .xlsx, which holds {MOST_ROWS} here: write .csv")
    # The library takes long to import: only who needs it pays.
    from pipeline.catalogs.xlsx import write_xlsx

    return write_xlsx([grid])


def table_suffix(name: str) -> str:
    """The end of a file's name that says its form.

    Raises:
        BadInput: neither .csv nor .xlsx.
    """
    suffix = PurePath(name).suffix.lower()
    if suffix not in _SUFFIXES:
        raise BadInput(f"{name}: a list is a file in {' or '.join(_SUFFIXES)}")
    return suffix


def _records(data: bytes, name: str) -> list[tuple[int, Sequence[str]]]:
    from pipeline.catalogs.xlsx import read_xlsx

    sheets = read_xlsx(data, name=name, takes_dates=True)
    if len(sheets) > 1:
        raise BadInput(f"{name}: {len(sheets)} sheets, and a list is one: {', '.join(one.name for one in sheets)}")
    return [(line, row) for sheet in sheets for line, row in enumerate(sheet.rows, start=1) if any(row)]
