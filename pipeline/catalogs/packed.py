# SPDX-License-Identifier: Apache-2.0
"""This is where an .xlsx is looked over before its library sees it: a zip of XML that anyone may have made.

Refused here: what unpacks to more than a catalog needs, macros, links to other files, embedded objects, entities,
other encodings, what is hidden, cells out of order (two readers would see two tables) and rows, columns or merged cells
by the million.
Standard library only.

Source: ECMA-376 part 1 §18 (SpreadsheetML), part 2 (packages).
"""

import re
import zipfile
import zlib
from collections.abc import Callable, Iterator
from io import BytesIO
from typing import NoReturn
from xml.etree import ElementTree as ET

from evidence.errors import BadInput
from pipeline.catalogs.faults import Fault, Mark, one_of, refuse
from pipeline.catalogs.grid import MOST_COLUMNS, MOST_ROWS, Merge

LARGEST = 4 << 20
_MOST_PARTS = 200
_MOST_UNPACKED = 16 << 20
_MOST_MERGES = 2000
_WIDEST = 16384
_TALLEST = 1048576
_UNWELCOME = {
    "vbaproject": "macros",
    "externallinks/": "links to other files",
    "embeddings/": "embedded files",
    "activex/": "active controls",
    "macrosheets/": "macros",
    "connections.xml": "connections to other data",
    "querytables/": "connections to other data",
}
_TRUE = ("1", "true")
_CELL = re.compile(r"([A-Z]{1,3})([1-9][0-9]{0,6})", re.ASCII)
_DECLARED = re.compile(rb"""^<\?xml[^>]*encoding\s*=\s*["']([^"']*)["']""")
_MAIN = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
_STRICT = "{http://purl.oclc.org/ooxml/spreadsheetml/main}"


def merges_in(data: bytes, *, name: str) -> dict[str, tuple[Merge, ...]]:
    """The merged cells of each sheet's part of an .xlsx that is safe to open, by the part's path.

    A sheet whose part is not among them was not looked over.

    Raises:
        BadInput: it is no .xlsx, or holds what is refused here.
    """
    if len(data) > LARGEST:
        _no(name, f"larger than {LARGEST >> 20} MiB: no list is")
    try:
        with zipfile.ZipFile(BytesIO(data)) as archive:
            _check_parts(archive, name)
            parts = list(_checked(archive, name))
            return {part: _Scan(part, name).merges(xml) for part, xml in parts if "worksheets/" in part}
    except (zipfile.BadZipFile, zipfile.LargeZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError) as error:
        raise BadInput(f"{name}: not an .xlsx: {error}; save it as .xlsx, without a password") from error
    except (ET.ParseError, ValueError) as error:
        raise BadInput(f"{name}: its XML cannot be read: {error}; save it again as .xlsx") from error


def _no(name: str, reason: str, instead: str = "") -> NoReturn:
    refuse(name, [Fault(Mark(0), reason, instead)])


def _check_parts(archive: zipfile.ZipFile, name: str) -> None:
    """The list of what is in the zip; sizes hold, as reading stops at them."""
    parts = archive.infolist()
    names = [part.filename for part in parts]
    if len(parts) > _MOST_PARTS or len({one.lower() for one in names}) != len(names):
        _no(name, "it holds too many parts, or two of one name", "save it again as .xlsx")
    if sum(part.file_size for part in parts) > _MOST_UNPACKED:
        _no(
            name, f"unpacked it is larger than {_MOST_UNPACKED >> 20} MiB: no list is", "remove pictures and empty rows"
        )
    found = {words for one in names for part, words in _UNWELCOME.items() if part in one.lower()}
    if found:
        _no(name, f"it holds {one_of(sorted(found))}", "save it as .xlsx without them")


def _checked(archive: zipfile.ZipFile, name: str) -> Iterator[tuple[str, bytes]]:
    """Every part that can be read as XML, once it is known to hold no entity and to be UTF-8, whatever it is called."""
    for part in archive.infolist():
        xml = archive.read(part)
        if not xml.removeprefix(b"\xef\xbb\xbf").lstrip().startswith((b"<", b"\0<", b"\xff\xfe", b"\xfe\xff")):
            continue
        declared = _DECLARED.match(xml.removeprefix(b"\xef\xbb\xbf").lstrip())
        is_plain = declared is None or declared[1].lower() in (b"utf-8", b"us-ascii")
        if not is_plain or b"\0" in xml or b"<!DOCTYPE" in xml or b"<!ENTITY" in xml:
            _no(name, f"{part.filename} is not plain XML in UTF-8", "save it again as .xlsx")
        yield part.filename, xml


class _Scan:
    """Goes through one sheet's part: rows and cells must be in order, within bounds, and shown."""

    def __init__(self, part: str, name: str) -> None:
        self._part, self._name = part, name
        self._row = self._column = 0
        self._merges: list[Merge] = []
        self._looks: dict[str, Callable[[ET.Element], None]] = {
            "row": self._at_row,
            "c": self._at_cell,
            "col": self._at_column,
            "mergeCell": self._at_merge,
        }

    def merges(self, xml: bytes) -> tuple[Merge, ...]:
        """The merged cells."""
        # The part holds no entity: nothing grows.
        for event, element in ET.iterparse(BytesIO(xml), events=("start", "end")):  # noqa: S314
            tag = element.tag.removeprefix(_MAIN).removeprefix(_STRICT)
            if event == "start" and tag in self._looks:
                self._looks[tag](element)
            elif event == "end" and tag == "c" and len(element):
                self._refuse_beyond()
            elif event == "end" and tag in ("row", "mergeCells"):
                element.clear()
        return tuple(self._merges)

    def _refuse_beyond(self) -> None:
        """Cells that hold something stand within bounds; empty ones, which only have a format, may stand anywhere."""
        if self._row > MOST_ROWS or self._column > MOST_COLUMNS:
            bounds = f"{MOST_ROWS} rows, {MOST_COLUMNS} columns: no list is as large"
            _no(self._name, f"{self._part}: row {self._row}, column {self._column} is beyond {bounds}")

    def _at_row(self, element: ET.Element) -> None:
        self._row, self._column = self._next(element.get("r"), self._row, _TALLEST, "row"), 0
        if element.get("hidden") in _TRUE:
            _no(self._name, f"{self._part}: row {self._row} is hidden", "show it, or delete it")

    def _at_column(self, element: ET.Element) -> None:
        if element.get("hidden") in _TRUE:
            _no(self._name, f"{self._part}: column {element.get('min', '')} is hidden", "show it, or delete it")

    def _at_cell(self, element: ET.Element) -> None:
        said = element.get("r")
        found = _CELL.fullmatch(said) if said is not None else None
        if said is not None and (found is None or int(found[2]) != self._row):
            _no(self._name, f"{self._part}: a cell in row {self._row} says it is {said[:20]}", "save it again as .xlsx")
        column = str(_number(found[1])) if found else None
        self._column = self._next(column, self._column, _WIDEST, f"row {self._row}, column")

    def _at_merge(self, element: ET.Element) -> None:
        self._merges.append(_merge(element.get("ref", ""), self._name))
        if len(self._merges) > _MOST_MERGES:
            _no(self._name, f"more than {_MOST_MERGES} merged cells", "unmerge them")

    def _next(self, said: str | None, before: int, most: int, what: str) -> int:
        """The number of the next row or cell: what it says, or one more; never going back."""
        number = int(said) if said is not None else before + 1
        if number <= before:
            told = f"{self._part}: {what} {number} comes after {before}: two readers would see two tables"
            _no(self._name, told, "save it again as .xlsx")
        if number > most:
            _no(self._name, f"{self._part}: {what} {str(number)[:12]} is beyond {most}", "save it again as .xlsx")
        return number


def _number(letters: str) -> int:
    number = 0
    for one in letters:
        number = number * 26 + ord(one) - ord("A") + 1
    return number


def _merge(ref: str, name: str) -> Merge:
    corners = [_CELL.fullmatch(corner) for corner in ref.split(":")]
    first, last = corners[0], corners[-1]
    if len(corners) > 2 or first is None or last is None:
        _no(name, f"merged cells {ref[:40]} cannot be read", "unmerge them")
    merge = Merge(int(first[2]), int(last[2]), _number(first[1]), _number(last[1]))
    if merge.bottom > _TALLEST or merge.right > _WIDEST or merge.top > merge.bottom or merge.left > merge.right:
        _no(name, f"merged cells {ref[:40]} are beyond a sheet", "unmerge them")
    return merge
