# SPDX-License-Identifier: Apache-2.0
"""This is where a catalog's YAML is read: plain values only, each with its line, nothing that grows or surprises.

A catalog is held to what JSON can say: text, whole numbers, true, false, null, lists and mappings. Anchors, aliases,
tags, merge keys and several documents are refused, so that what a person reads in the file is all there is. So is a
plain word that YAML readers disagree about (`no`, `0.1`, `017`): it must be put in quotes.

Source: YAML 1.1 as PyYAML resolves it; the values are those of JSON (RFC 8259).
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import yaml
from yaml.events import AliasEvent, Event, MappingStartEvent, NodeEvent, ScalarEvent, SequenceStartEvent
from yaml.resolver import Resolver

from pipeline.catalogs.faults import Fault, Mark, quoted, refuse

LARGEST = 4 << 20
_DEEPEST = 24
# What YAML 1.2 takes for a number and YAML 1.1 for a word.
_NUMBER_ELSEWHERE = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|0o[0-7]+", re.ASCII)
_WIDEST_NUMBER = 15
_ENOUGH = 200
_WHOLE = re.compile(r"-?(?:0|[1-9][0-9]*)", re.ASCII)
# Line ends and tabs are text; other controls, and what turns the direction of text, hide it from whoever reads it.
_HIDDEN = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ufffe\uffff\ud800-\udfff]"
)
_TAG = "tag:yaml.org,2002:"

Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Document:
    """What a file says, and where: `marks` holds the place of each value by its path, `keys` that of its key."""

    name: str
    body: dict[str, Any]
    marks: Mapping[Path, Mark] = field(default_factory=dict)
    keys: Mapping[Path, Mark] = field(default_factory=dict)

    def mark(self, *path: str | int) -> Mark:
        """The place of a value, or of the nearest thing around it that has one."""
        while path and path not in self.marks:
            path = path[:-1]
        return self.marks.get(path, Mark(0))

    def key_mark(self, *path: str | int) -> Mark:
        """The place of the key that a value stands under."""
        return self.keys.get(path) or self.mark(*path)


def read_text(data: bytes, *, name: str) -> Document:
    """The plain values of a YAML file.

    Raises:
        BadInput: it is too large, not UTF-8, not YAML, or says what a catalog cannot; every fault with its line.
    """
    text = decoded(data, name=name)
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    reader = _Reader(name, yaml.parse(text, Loader=loader))
    try:
        body = reader.document()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = Mark(mark.line + 1, mark.column + 1) if mark else Mark(0)
        refuse(
            name, [Fault(place, f"not YAML: {error.problem or error.context}", "mind indentation, colons and quotes")]
        )
    except yaml.YAMLError as error:
        refuse(name, [Fault(Mark(0), f"not YAML: {error}")])
    if not reader.faults and not isinstance(body, dict):
        reader.faults.append(Fault(Mark(1), "a catalog is a mapping of keys", "begin with catalog:"))
    if reader.faults:
        refuse(name, reader.faults)
    return Document(name, body, reader.marks, reader.keys)


def decoded(data: bytes, *, name: str) -> str:
    """The text of a file of ours: UTF-8, without what hides.

    Raises:
        BadInput: too large, not UTF-8, or with control characters.
    """
    if len(data) > LARGEST:
        refuse(name, [Fault(Mark(0), f"larger than {LARGEST >> 20} MiB: no catalog is")])
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        refuse(name, [Fault(Mark(line), f"byte {data[error.start]:#04x} is not UTF-8", "save the file as UTF-8")])
    refuse_hidden(text, name=name)
    return text


def refuse_hidden(text: str, *, name: str) -> None:
    """Raise BadInput when text holds a character that does not show, with its line."""
    found = _HIDDEN.search(text)
    if found is not None:
        line = text.count("\n", 0, found.start()) + 1
        column = found.start() - (text.rfind("\n", 0, found.start()) + 1) + 1
        reason = f"the character U+{ord(found[0]):04X} does not show"
        refuse(name, [Fault(Mark(line, column), reason, "remove it")])


def hidden_in(text: str) -> str | None:
    """The first character of `text` that does not show, as U+XXXX; None when all do."""
    found = _HIDDEN.search(text)
    return f"U+{ord(found[0]):04X}" if found else None


class _Reader:
    """Reads the events of one document into values. It goes on after a fault, to tell of several."""

    def __init__(self, name: str, events: Iterator[Event]) -> None:
        self.faults: list[Fault] = []
        self.marks: dict[Path, Mark] = {}
        self.keys: dict[Path, Mark] = {}
        self._name = name
        self._events = events
        self._resolver = Resolver()

    def document(self) -> Any:
        """The value of the only document."""
        body = None
        documents = 0
        for event in self._events:
            if isinstance(event, NodeEvent):
                documents += 1
                if documents > 1:
                    self._fault(event, "a second document begins here", "keep one catalog in one file")
                    break
                body = self._value(event, ())
        return body

    def _value(self, event: Event, path: Path) -> Any:
        self.marks[path] = _mark(event)
        if len(path) > _DEEPEST:
            refuse(self._name, [Fault(_mark(event), "nested too deeply", "no catalog needs that")])
        if isinstance(event, AliasEvent):
            self._fault(event, f"*{event.anchor} is an alias", "write out what it stands for")
            return None
        self._refuse_decoration(event)
        if isinstance(event, MappingStartEvent):
            return self._mapping(path)
        if isinstance(event, SequenceStartEvent):
            return self._list(path)
        return self._scalar(event)

    def _refuse_decoration(self, event: Event) -> None:
        if getattr(event, "anchor", None):
            self._fault(event, f"&{getattr(event, 'anchor', '')} is an anchor", "write it out where it is needed")
        if getattr(event, "tag", None):
            self._fault(event, f"{quoted(getattr(event, 'tag', ''))} is a tag", "catalogs hold plain values: remove it")

    def _list(self, path: Path) -> list[Any]:
        values: list[Any] = []
        while isinstance(event := next(self._events), NodeEvent):
            values.append(self._value(event, (*path, len(values))))
        return values

    def _mapping(self, path: Path) -> dict[str, Any]:
        body: dict[str, Any] = {}
        while isinstance(event := next(self._events), NodeEvent):
            key = self._key(event, path)
            here = (*path, key)
            if key in body:
                self._fault(event, f"{quoted(key)} stands here twice, first in line {self.keys[here].line}", "keep one")
            else:
                self.keys[here] = _mark(event)
            body[key] = self._value(next(self._events), here)
        return body

    def _key(self, event: NodeEvent, path: Path) -> str:
        key = self._value(event, (*path, "")) if not isinstance(event, ScalarEvent) else self._scalar(event)
        if not isinstance(key, str):
            self._fault(event, "a key must be text", f'put it in quotes: "{getattr(event, "value", "")}"')
        return str(key)

    def _scalar(self, event: Event) -> str | int | bool | None:
        if not isinstance(event, ScalarEvent):
            return None
        if not event.implicit[0] or event.style:
            hidden = hidden_in(event.value) or ("U+000D" if "\r" in event.value else None)
            if hidden:
                self._fault(event, f"the character {hidden} does not show", "remove it")
            return str(event.value)
        return self._plain(event, event.value)

    def _plain(self, event: ScalarEvent, word: str) -> str | int | bool | None:
        """The value of a word without quotes; a fault when readers of YAML do not agree about it."""
        tag: str = self._resolver.resolve(yaml.ScalarNode, word, (True, False))  # type: ignore[no-untyped-call]
        kind = tag.removeprefix(_TAG)
        if kind in ("str", "timestamp") and not _NUMBER_ELSEWHERE.fullmatch(word):
            return word
        if kind == "null":
            return None
        if kind == "bool" and word.lower() in ("true", "false"):
            return word.lower() == "true"
        if kind == "int" and _WHOLE.fullmatch(word) and len(word) <= _WIDEST_NUMBER:
            return int(word)
        self._fault(
            event, f"YAML reads {quoted(word)} as {_READ_AS.get(kind, kind)}", _INSTEAD.get(kind, "").format(word)
        )
        return word

    def _fault(self, event: Event, reason: str, instead: str) -> None:
        self.faults.append(Fault(_mark(event), reason, instead))
        if len(self.faults) >= _ENOUGH:
            refuse(self._name, self.faults)


_READ_AS = {
    "str": "a word or a number",
    "bool": "true or false",
    "int": "a number",
    "float": "a number",
    "merge": "a merge",
    "value": "a default",
}
_INSTEAD = {
    "str": 'put it in quotes: "{0}"',
    "bool": 'put it in quotes if it is a word: "{0}"; else write true or false',
    "int": 'put it in quotes: "{0}"',
    "float": 'put it in quotes: "{0}"',
    "merge": "write out what it stands for",
    "value": 'put it in quotes: "{0}"',
}


def _mark(event: Event) -> Mark:
    start = event.start_mark
    return Mark(start.line + 1, start.column + 1) if start else Mark(0)


def path_words(path: Sequence[str | int]) -> str:
    """A path as people write it: `retention_classes.RT-2Y.period`, `items[3].mode`."""
    return "".join(f"[{one}]" if isinstance(one, int) else f".{one}" for one in path).removeprefix(".")
