# SPDX-License-Identifier: Apache-2.0
"""This is where a table becomes a catalog: our own comes back whole, another agency's list is read against a base.

Our own tables carry the codes of their items. A list with the nine published columns carries only words: types, links,
modes and terms are looked up in the base, a matter that the base has keeps its codes, a new one gets a number of its
own and takes the codes (deadline, checks, conditions, …) of the base's first matter at the same type and link. What a
list does not say is never guessed without a note; what cannot be mapped is refused with its row and column.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from pipeline.catalogs.columns import (
    CODED,
    ID_COLUMN,
    LISTS,
    PUBLISHED,
    column_named,
    link_code,
    mode_codes,
    retention_codes,
    type_code,
)
from pipeline.catalogs.faults import Fault, Mark, one_of, quoted, refuse
from pipeline.catalogs.grid import Sheet, letter
from pipeline.catalogs.head_sheet import NAME as HEAD_SHEET
from pipeline.catalogs.head_sheet import HeadReader
from pipeline.catalogs.header import Row, Table, has_header, rows_in, table_in
from pipeline.catalogs.meaning import holes, matrix_links
from pipeline.catalogs.rows_out import CODES_SHEET, EMPTY_LIST, NO, YES, cell_lines
from pipeline.catalogs.text import Document, Path

_Body = Mapping[str, Any]
_COLUMN = {key: column for column, key in (*PUBLISHED.items(), *CODED.items())}
_ORDER = (
    *("id", "name", "type", "link", "mode", "obligation", "record_class", "enabled", "start_zh", "end_zh"),
    *("capture_zh", "capture_en", "devices", "upload_deadline", "retention", "permanent_if", "legal_review"),
    *("disclosure", "checks", "basis", "note_zh"),
)
_TAKEN = (
    *("obligation", "record_class", "devices", "upload_deadline", "permanent_if", "legal_review", "disclosure"),
    "checks",
)
_LOOKED_UP = ("enforcement_types", "links", "recording_modes", "retention_classes")
_NUMBERED = re.compile(r"^\s*(?:[0-9]{1,2}[.、．)）]|[（(][0-9一二三四五六七八九十]{1,2}[)）]|[①-⑳])\s*")
_CLAIMS = {YES: True, NO: False}


@dataclass(frozen=True, slots=True)
class Imported:
    """A catalog read from a table, not yet checked, and what a person should know about how it was read."""

    document: Document
    notes: tuple[str, ...]


def imported(sheets: Sequence[Sheet], *, name: str, base: _Body) -> Imported:
    """The catalog in the tables of one file; `base` is a checked catalog's body.

    Raises:
        BadInput: what cannot be mapped, each with sheet, row, column and reason.
    """
    faults: list[Fault] = []
    lists = [sheet for sheet in sheets if sheet.name not in (CODES_SHEET, HEAD_SHEET) and has_header(sheet)]
    if len(lists) > 1:
        told = f"{len(lists)} sheets hold a list: {one_of(sheet.name for sheet in lists)}"
        refuse(name, [Fault(Mark(0), told, "keep one in a file")])
    table = table_in(lists[0] if lists else sheets[0], faults) if sheets else None
    if table is None:
        refuse(name, faults or [Fault(Mark(0), "no sheet holds anything")])
    reading = _Reading(table, {sheet.name: sheet for sheet in sheets}, base, faults)
    document = reading.document(name)
    if faults:
        refuse(name, faults)
    return Imported(document, tuple(reading.notes))


class _Reading:
    """Reads one file's tables. Faults and notes are gathered as it goes."""

    def __init__(self, table: Table, sheets: Mapping[str, Sheet], base: _Body, faults: list[Fault]) -> None:
        self.notes: list[str] = []
        self._table, self._faults, self._base = table, faults, base
        self._marks: dict[Path, Mark] = {}
        self._head: dict[str, Any] = deepcopy({key: value for key, value in base.items() if key != "items"})
        self._has_head = HEAD_SHEET in sheets
        if self._has_head:
            reader = HeadReader(sheets[HEAD_SHEET])
            self._head = reader.body()
            self._marks.update(reader.marks)
            faults.extend(reader.faults)
        self._codes = self._code_rows(sheets[CODES_SHEET]) if CODES_SHEET in sheets else {}
        self._taken = {*self._codes, *(str(item["id"]) for item in base["items"])}
        unread = [name for name in sheets if name not in (table.sheet.name, CODES_SHEET, HEAD_SHEET)]
        self.notes.extend(f"sheet {name} was not read" for name in unread)

    def document(self, name: str) -> Document:
        """The catalog, with the cell that each value came from."""
        if any(not _is_table(self._head.get(key)) for key in _LOOKED_UP):
            told = f"{one_of(_LOOKED_UP)} must be there, with a name (zh) for each code"
            refuse(name, [*self._faults, Fault(Mark(0, 0, HEAD_SHEET), told)])
        rows = list(rows_in(self._table, self._faults))
        if not rows:
            self._faults.append(Fault(Mark(self._table.header, 0, self._table.sheet.name), "the list has no rows"))
        self._taken.update(one for row in rows if (one := row.cells.get(ID_COLUMN)))
        items: list[dict[str, Any]] = []
        for row in rows:
            items.append(self._item(row, len(items), items))
        body = {**self._head, "items": items}
        if not (self._table.is_ours or self._has_head or self._faults):
            self._settle_matrix(body)
        return Document(name, body, self._marks)

    # --- one item ---------------------------------------------------------------------------------

    def _item(self, row: Row, place: int, before: Sequence[_Body]) -> dict[str, Any]:
        self._marks[("items", place)] = Mark(row.number, 0, self._table.sheet.name)
        said = self._published(row)
        for key in said:
            self._marks[_path(place, key)] = self._table.mark(row.number, _COLUMN[key])
        own = self._own_codes(row, place)
        rest = own if own is not None else self._from_base(row, said, before)
        whole = {**rest, **said}
        name = {"zh": whole.pop("name_zh", ""), "en": whole.pop("name_en", None)}
        whole["name"] = {key: text for key, text in name.items() if text is not None}
        return {key: whole[key] for key in _ORDER if whole.get(key) is not None}

    def _published(self, row: Row) -> dict[str, Any]:
        """What the nine columns say, in codes."""
        said: dict[str, Any] = {}
        for column, key in PUBLISHED.items():
            text = row.cells.get(column)
            if text is not None:
                said[key] = self._meaning(row, column, key, text)
        empty = [column for column in PUBLISHED if column not in row.cells and column != _COLUMN["note_zh"]]
        if empty:
            told = f"nothing stands under {one_of(empty)}"
            self._fault(row, "", told, "fill it; remarks below the list must be removed")
        return said

    def _meaning(self, row: Row, column: str, key: str, text: str) -> Any:
        if key == "capture_zh":
            return _lines(text, is_ours=self._table.is_ours)
        if key == "mode":
            codes, unknown = mode_codes(text, self._head)
            if unknown or not codes:
                self._unknown(row, column, unknown or text, "recording_modes")
            return codes
        if key in ("type", "link"):
            known = {"type": ("enforcement_types", type_code), "link": ("links", link_code)}[key]
            code = known[1](_line(text), self._head)
            return code or self._unknown(row, column, text, known[0])
        if key == "retention":
            return self._retention(row, column, text)
        return text if self._table.is_ours else _line(text)

    def _retention(self, row: Row, column: str, text: str) -> str:
        classes = retention_codes(_line(text), self._head)
        if len(classes) == 1:
            return classes[0]
        if not classes:
            return self._unknown(row, column, text, "retention_classes")
        self._fault(row, column, f"{quoted(text)} may be {' or '.join(classes)}", "write the name of one of them")
        return ""

    def _unknown(self, row: Row, column: str, word: str, table: str) -> str:
        names = one_of(entry["zh"] for entry in self._head[table].values())
        self._fault(row, column, f"{table} has no {quoted(word)}", f"known: {names}; or add it to the base")
        return ""

    def _fault(self, row: Row, column: str, reason: str, instead: str) -> None:
        self._faults.append(Fault(self._table.mark(row.number, column), reason, instead))

    # --- what the nine columns do not carry -------------------------------------------------------

    def _own_codes(self, row: Row, place: int) -> dict[str, Any] | None:
        """Our columns: in the same row, or in the sheet of codes; None when there are none for this row."""
        one = row.cells.get(ID_COLUMN)
        here = {column: text for column, text in row.cells.items() if column in CODED}
        mark, cells = self._table.sheet.name, here
        number = row.number
        if len(here) < 2 and one in self._codes:
            coded = self._codes[one]
            mark, cells, number = CODES_SHEET, coded.cells, coded.number
        if one is None or len(cells) < 2:
            return None
        for column in CODED:
            self._marks[_path(place, CODED[column])] = Mark(number, column, mark)
        return {CODED[column]: self._coded(Mark(number, column, mark), column, text) for column, text in cells.items()}

    def _coded(self, mark: Mark, column: str, text: str) -> Any:
        key = CODED[column]
        if key == "enabled":
            if text not in _CLAIMS:
                self._faults.append(Fault(mark, f"{quoted(text)} is neither {YES} nor {NO}"))
            return _CLAIMS.get(text, False)
        if key in LISTS:
            return [] if text == EMPTY_LIST else [code.strip() for code in text.split(",")]
        return text

    def _code_rows(self, sheet: Sheet) -> dict[str, Row]:
        """The rows of the sheet of codes, by the code of their item."""
        header = [column_named(text) if text else None for text in (sheet.rows[0] if sheet.rows else ())]
        for place, name in enumerate(header):
            if name not in CODED or header.count(name) > 1:
                told = f"column {quoted(sheet.rows[0][place])} is not known here, or stands twice"
                self._faults.append(Fault(Mark(1, letter(place + 1), sheet.name), told, f"columns: {one_of(CODED)}"))
        found: dict[str, Row] = {}
        for number, texts in enumerate(sheet.rows[1:], start=2):
            cells = {name: text.strip() for name, text in zip(header, texts, strict=False) if name and text.strip()}
            one = cells.get(ID_COLUMN, "")
            if cells and (not one or one in found):
                told = f"the code {quoted(one)} stands here twice" if one else "the row has no code of an item"
                self._faults.append(Fault(Mark(number, ID_COLUMN, sheet.name), told))
            found[one] = Row(number, cells)
        return found

    def _from_base(self, row: Row, said: _Body, before: Sequence[_Body]) -> dict[str, Any]:
        """What the base knows about the matter; for a new one the codes of a like matter, and a number of its own."""
        same = next((item for item in self._base["items"] if _is_same(item, said, row.cells.get(ID_COLUMN))), None)
        if same is not None and all(item["id"] != same["id"] for item in before):
            if not same.get("enabled", True):
                self.notes.append(
                    f"row {row.number}: {same['id']} is disabled in the base; the list has it, so it counts"
                )
            kept = {key: deepcopy(value) for key, value in same.items() if key not in ("name", "enabled", "note_zh")}
            return {**kept, "name_en": same["name"].get("en")}
        like = self._like(said, before)
        if like is None:
            if said.get("link"):
                told = f"the base has no matter at {said['link']} whose deadline, checks and conditions could be taken"
                self._fault(row, "记录环节", told, "add the item in YAML, or use another base")
            return {}
        one = row.cells.get(ID_COLUMN) or self._next_id(str(said["type"]))
        self.notes.append(f"row {row.number}: {one} is new; deadline, checks and conditions are those of {like['id']}")
        return {"id": one, **{key: deepcopy(like[key]) for key in _TAKEN if key in like}}

    def _like(self, said: _Body, before: Sequence[_Body]) -> _Body | None:
        pool = [*(before if self._table.is_ours else ()), *self._base["items"]]
        at_link = [item for item in pool if item.get("link") == said.get("link")]
        of_type = [item for item in at_link if item.get("type") == said.get("type")]
        return next(iter([*of_type, *at_link]), None)

    def _next_id(self, kind: str) -> str:
        """A number that no matter of the base had: old recordings name theirs by it."""
        codes = (re.fullmatch(re.escape(kind) + r"-([0-9]{1,6})", one) for one in self._taken)
        one = f"{kind}-{max((int(found[1]) for found in codes if found), default=0) + 1:02}"
        self._taken.add(one)
        return one

    def _settle_matrix(self, body: dict[str, Any]) -> None:
        """A list that names fewer cells than the base: each cell it leaves out is said to be left out by that list."""
        body["matrix_links"] = matrix_links(dict(self._base))
        had = {(item["type"], item["link"]) for item in body["items"]}
        stay = [cell for cell in body.get("matrix_exceptions", []) if (cell["type"], cell["link"]) not in had]
        body["matrix_exceptions"] = stay
        empty = holes(body)
        stay.extend({"type": kind, "link": link, "reason_zh": "所导入的清单未列此项"} for kind, link in empty)
        if empty:
            told = "cells without an item were written to matrix_exceptions: review them"
            self.notes.append(f"{len(empty)} {told}")


def _path(place: int, key: str) -> Path:
    names: dict[str, tuple[str, ...]] = {"name_zh": ("name", "zh"), "name_en": ("name", "en")}
    return ("items", place, *names.get(key, (key,)))


def _is_table(value: Any) -> bool:
    return isinstance(value, dict) and all(
        isinstance(one, dict) and isinstance(one.get("zh"), str) for one in value.values()
    )


def _is_same(item: _Body, said: _Body, one: str | None) -> bool:
    if one is not None:
        return bool(item["id"] == one)
    cell = (item["type"], item["link"], item["name"]["zh"])
    return cell == (said.get("type"), said.get("link"), said.get("name_zh"))


def _lines(text: str, *, is_ours: bool) -> list[str]:
    """The entries of a cell: ours are one a line; other lists also part them by semicolons, and number them."""
    if is_ours:
        return cell_lines(text)
    parts: Iterable[str] = text.split("\n") if "\n" in text else re.split("[；;]", text)
    return [clean for part in parts if (clean := _NUMBERED.sub("", part).strip(" \t；;"))]


def _line(text: str) -> str:
    """A cell's text on one line: a spreadsheet breaks Chinese anywhere."""
    return re.sub(r"\s*\n\s*", "", text).strip()
