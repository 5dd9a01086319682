# SPDX-License-Identifier: Apache-2.0
"""This is where everything of a catalog but its items is a table of three columns, and comes back the same.

A row is a path (`retention_classes/RT-2Y/period`, `catalog/scene_presets/land/[0]`), the kind of its value, and it.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from pipeline.catalogs.faults import Fault, Mark, one_of, quoted
from pipeline.catalogs.grid import Sheet
from pipeline.catalogs.text import Path

NAME = "清单要素"
HEADER = ("路径", "类型", "值")
_TEXT, _NUMBER, _CLAIM, _NOTHING, _NO_KEYS, _NO_ENTRIES = "文字", "数", "是否", "空", "空表", "空列"
_CLAIMS = {"是": True, "否": False}
_DEEPEST = 12


def head_sheet(body: Mapping[str, Any]) -> Sheet:
    """The sheet that carries all of `body` but its items."""
    rest = {key: value for key, value in body.items() if key != "items"}
    return Sheet(NAME, (HEADER, *_rows("", rest)))


def _rows(path: str, value: Any) -> Iterator[tuple[str, str, str]]:
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from _rows(f"{path}/{key}" if path else key, inner)
    elif isinstance(value, list) and value:
        for number, inner in enumerate(value):
            yield from _rows(f"{path}/[{number}]", inner)
    else:
        yield (path, *_leaf(value))


def _leaf(value: Any) -> tuple[str, str]:
    if value is None:
        return _NOTHING, ""
    if isinstance(value, bool):
        return _CLAIM, "是" if value else "否"
    if isinstance(value, int):
        return _NUMBER, str(value)
    if isinstance(value, str):
        return _TEXT, value
    return (_NO_KEYS if isinstance(value, dict) else _NO_ENTRIES), ""


class HeadReader:
    """Reads the sheet back. Faults are gathered, and each value's place is kept for those who check it later."""

    def __init__(self, sheet: Sheet) -> None:
        self.faults: list[Fault] = []
        self.marks: dict[Path, Mark] = {}
        self._sheet = sheet

    def body(self) -> dict[str, Any]:
        """All of a catalog but its items."""
        tree: dict[str | int, Any] = {}
        for number, row in enumerate(self._sheet.rows[1:], start=2):
            cells = [*row, "", "", ""][:3]
            if any(row[3:]) or (any(cells) and not cells[0]):
                self._fault(number, "a row has a path, a kind and a value", "remove what else is there")
            elif cells[0]:
                self._put(tree, number, cells[0], self._value(number, cells[1], cells[2]))
        body = self._closed(tree, ())
        return body if isinstance(body, dict) else {}

    def _put(self, tree: dict[str | int, Any], number: int, text: str, value: Any) -> None:
        path = self._path(number, text)
        node: Any = tree
        for part in path[:-1]:
            node = node.setdefault(part, {}) if isinstance(node, dict) else None
        if not isinstance(node, dict) or not path or path[-1] in node:
            self._fault(number, f"{quoted(text)} stands here twice, or under a value", "keep one")
            return
        node[path[-1]] = _Leaf(value)
        self.marks[path] = Mark(number, HEADER[2], self._sheet.name)

    def _path(self, number: int, text: str) -> Path:
        parts = text.split("/")
        if len(parts) > _DEEPEST:
            self._fault(number, "nested too deeply", "no catalog needs that")
            return ()
        return tuple(_part(part) for part in parts)

    def _value(self, number: int, kind: str, text: str) -> Any:
        empty: dict[str, Any] = {_NOTHING: None, _NO_KEYS: {}, _NO_ENTRIES: []}
        if kind in empty and not text:
            return empty[kind]
        if kind == _TEXT:
            return text
        if kind == _CLAIM and text in _CLAIMS:
            return _CLAIMS[text]
        if kind == _NUMBER and text.isascii() and text.isdigit() and len(text) < 10:
            return int(text)
        known = one_of((_TEXT, _NUMBER, _CLAIM, _NOTHING, _NO_KEYS, _NO_ENTRIES))
        self._fault(
            number, f"{quoted(text)} is no value of kind {quoted(kind)}", f"kinds: {known}; 是否 holds 是 or 否"
        )
        return None

    def _closed(self, node: Any, path: Path) -> Any:
        """The tree with its leaves as values, and what has numbered parts as lists."""
        if isinstance(node, _Leaf):
            return node.value
        inner = {part: self._closed(value, (*path, part)) for part, value in node.items()}
        numbers = [part for part in inner if isinstance(part, int)]
        if not numbers:
            return inner
        if numbers != list(range(len(inner))):
            place = self.marks.get((*path, numbers[0]), Mark(0, 0, self._sheet.name))
            self.faults.append(Fault(place, "a list is numbered [0], [1], … without gaps", "number its rows anew"))
        return list(inner.values())

    def _fault(self, number: int, reason: str, instead: str) -> None:
        self.faults.append(Fault(Mark(number, 0, self._sheet.name), reason, instead))


class _Leaf:
    """A value that is in its place: nothing goes below it."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value


def _part(part: str) -> str | int:
    number = part.removeprefix("[").removesuffix("]")
    is_number = part == f"[{number}]" and number.isascii() and number.isdigit() and len(number) < 6
    return int(number) if is_number else part
