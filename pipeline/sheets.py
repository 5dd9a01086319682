# SPDX-License-Identifier: Apache-2.0
"""This is where a CSV of another system becomes rows by field: its encoding found, its columns known by their names.

Spreadsheets of Chinese offices come in UTF-8 with a mark or in GB18030, with commas, semicolons or tabs. What cannot
be read is refused with file, line, column and reason; nothing is guessed beyond that.
"""

import codecs
import csv
import io
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from evidence.errors import BadInput

LARGEST = 64 << 20
_MOST_ROWS = 200_000
_SEPARATORS = "、;；，,"
Columns = Mapping[str, tuple[str, ...]]
"""For each field the names that its column may have."""


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that was not taken: where (line 1 is the header; 0: the file as a whole), and why."""

    file: str
    line: int
    column: str
    reason: str

    def to_json(self) -> dict[str, str | int]:
        """As a mapping for JSON."""
        return {"file": self.file, "line": self.line, "column": self.column, "reason": self.reason}


@dataclass(frozen=True, slots=True)
class SheetRow:
    """One row: the line it begins on, and its cells by field, without outer spaces; empty ones are empty."""

    line: int
    cells: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Sheet:
    """A table: how its columns are called by field, its rows in order, and rows that have another shape."""

    name: str
    headers: Mapping[str, str]
    rows: tuple[SheetRow, ...]
    faults: tuple[Fault, ...] = field(default=())


def read_sheet(path: Path, columns: Columns, *, needed: Sequence[str]) -> Sheet:
    """The table in a CSV file; columns in any order, each known by one of its names.

    Raises:
        BadInput: it cannot be read, is no text in UTF-8 or GB18030, has a column nobody knows or one twice, lacks a
            needed one, has no rows, or is larger than 64 MiB or 200,000 rows. With file, line and column.
    """
    return parse_sheet(file_bytes(path), columns, name=path.name, needed=needed)


def file_bytes(path: Path) -> bytes:
    """The bytes of a list's file.

    Raises:
        BadInput: it cannot be read, or is larger than 64 MiB.
    """
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST + 1)
    except OSError as error:
        raise BadInput(f"{path} cannot be read: {error.strerror}") from error
    if len(data) > LARGEST:
        raise BadInput(f"{path.name} is larger than {LARGEST >> 20} MiB")
    return data


def parse_sheet(data: bytes, columns: Columns, *, name: str, needed: Sequence[str]) -> Sheet:
    """The table in the bytes of a CSV; `name` is what messages call it.

    Raises:
        BadInput: as `read_sheet`.
    """
    return sheet_of(_records(decoded(data, name), name), columns, name=name, needed=needed)


def sheet_of(
    records: Iterable[tuple[int, Sequence[str]]], columns: Columns, *, name: str, needed: Sequence[str]
) -> Sheet:
    """The table in records, each with the line it begins on; the first is the header.

    Raises:
        BadInput: as `read_sheet`.
    """
    records = iter(records)
    line, header = next(records, (1, []))
    if not header:
        raise BadInput(f"{name}: there is no header")
    fields = _fields(header, columns, where=f"{name}:{line}")
    missing = [one for one in needed if one not in fields]
    if missing:
        raise BadInput(f"{name}:{line}: no column {' or '.join(columns[missing[0]])}", line=line)
    rows, faults = [], []
    for at, record in records:
        if len(record) != len(fields):
            faults.append(Fault(name, at, "", f"{len(record)} cells, but the header has {len(fields)}"))
        elif any(cell.strip() for cell in record):
            rows.append(SheetRow(at, {one: cell.strip() for one, cell in zip(fields, record, strict=True)}))
        if len(rows) > _MOST_ROWS:
            raise BadInput(f"{name} has more than {_MOST_ROWS} rows")
    if not rows and not faults:
        raise BadInput(f"{name} has no rows")
    return Sheet(name, dict(zip(fields, (cell.strip() for cell in header), strict=True)), tuple(rows), tuple(faults))


def decoded(data: bytes, name: str) -> str:
    """The text of a file in UTF-8, with or without a mark, or in GB18030.

    Raises:
        BadInput: it is neither; says which line is not.
    """
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise BadInput(f"{name} is in UTF-16: save it as CSV in UTF-8")
    line = 1
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            return data.decode(encoding)
        except UnicodeDecodeError as error:
            # The encoding it is in goes wrong later than the one it is not in.
            line = max(line, data.count(b"\n", 0, error.start) + 1)
    raise BadInput(f"{name}:{line}: neither UTF-8 nor GB18030: save it as CSV in UTF-8", line=line)


def split(cell: str) -> tuple[str, ...]:
    """The parts of a cell that lists several things, with any of `、;；，,` between them."""
    for separator in _SEPARATORS:
        cell = cell.replace(separator, "\n")
    return tuple(part.strip() for part in cell.split("\n") if part.strip())


def _records(text: str, name: str) -> Iterator[tuple[int, list[str]]]:
    """Each record with the line it begins on; a cell may hold line breaks."""
    first = text.partition("\n")[0]
    delimiter = max(",;\t", key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    while True:
        line = reader.line_num + 1
        try:
            record = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise BadInput(f"{name}:{line}: not CSV: {error}", line=line) from error
        if record:
            yield line, record


def _fields(header: Sequence[str], columns: Columns, *, where: str) -> list[str]:
    by_name = {_plain(one): known for known, names in columns.items() for one in names}
    fields: list[str] = []
    for number, cell in enumerate(header, 1):
        known = by_name.get(_plain(cell))
        if known is None:
            there_are = "、".join(names[0] for names in columns.values())
            raise BadInput(f"{where}: column {number} {cell.strip()[:40]!r} is not known (there are {there_are})")
        if known in fields:
            raise BadInput(f"{where}: column {number} {cell.strip()[:40]!r} is there twice")
        fields.append(known)
    return fields


def _plain(name: str) -> str:
    """A column's name without what people write in different ways: width, case, spaces, dashes."""
    folded = unicodedata.normalize("NFKC", name).casefold()
    return "".join(letter for letter in folded if letter not in " \t\r\n_-")
