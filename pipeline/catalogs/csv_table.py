# SPDX-License-Identifier: Apache-2.0
"""This is where a table is written to CSV and read from it (RFC 4180), as spreadsheets of Chinese offices make it.

Written in UTF-8 with its mark, so that a spreadsheet knows; read in that or in GB 18030. A cell that a spreadsheet
would take for a formula is written with an apostrophe before it, and loses it again when read.
"""

import csv
import io
import re
from contextlib import suppress

from pipeline.catalogs.faults import Fault, Mark, refusal, refuse
from pipeline.catalogs.grid import MOST_COLUMNS, MOST_ROWS, Sheet
from pipeline.catalogs.text import LARGEST

# What a spreadsheet takes for a formula, whatever apostrophes stand before it already; full-width signs as well.
_FORMULA = re.compile(r"'*[=+\-@＝＋－＠\t]")


def write_csv(sheet: Sheet) -> bytes:
    """One table as a CSV file in UTF-8 with a byte order mark."""
    file = io.StringIO(newline="")
    csv.writer(file).writerows([_shielded(cell) for cell in row] for row in sheet.rows)
    return file.getvalue().encode("utf-8-sig")


def _shielded(cell: str) -> str:
    return f"'{cell}" if _FORMULA.match(cell) else cell


def unshielded(cell: str) -> str:
    """A cell as it was before `write_csv` put an apostrophe before what a spreadsheet would take for a formula."""
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell


def read_csv(data: bytes, *, name: str) -> Sheet:
    """The table in a CSV file. A cell that begins like a formula is text; nothing is computed.

    Raises:
        BadInput: too large, in another encoding, or not CSV.
    """
    if len(data) > LARGEST:
        refuse(name, [Fault(Mark(0), f"larger than {LARGEST >> 20} MiB: no list is")])
    reader = csv.reader(io.StringIO(_decoded(data, name=name), newline=""), strict=True)
    rows: list[tuple[str, ...]] = []
    try:
        for row in reader:
            if len(rows) >= MOST_ROWS or len(row) > MOST_COLUMNS:
                told = f"more than {MOST_ROWS} rows or {MOST_COLUMNS} columns"
                refuse(name, [Fault(Mark(reader.line_num), told, "save the list as CSV with commas")])
            rows.append(tuple(unshielded(_unix(cell)) for cell in row))
    except csv.Error as error:
        refuse(name, [Fault(Mark(reader.line_num), f"not CSV: {error}", "save the list as CSV with commas")])
    width = max(map(len, rows), default=0)
    return Sheet("", tuple((*row, *[""] * (width - len(row))) for row in rows))


def _decoded(data: bytes, *, name: str) -> str:
    for encoding in ("utf-8-sig", "gb18030"):
        with suppress(UnicodeDecodeError):
            text = data.decode(encoding)
            if "\0" not in text:
                return text
    told = [Fault(Mark(0), "neither UTF-8 nor GB 18030 text", "save the list as CSV UTF-8")]
    raise refusal(name, told)


def _unix(cell: str) -> str:
    """A cell with the line ends of ours: the file's own are CR LF."""
    return cell.replace("\r\n", "\n")
