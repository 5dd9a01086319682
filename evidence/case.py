# SPDX-License-Identifier: Apache-2.0
"""This is where a case (案件) or check task (检查任务) is a value, with its papers, and what a catalog says to both.

What is wrong by itself is refused when the value is made; what is wrong by the catalog in force, by `check_codes`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from evidence import instant
from evidence.case_told import Delay, Draw, Party, Place, delays_of, parties_of, texts_of
from evidence.errors import BadInput
from evidence.term import Term, parse_term
from evidence.written import lines, one_line, span

_MOST_OFFICERS, _MOST_PARTIES, _MOST_LINKS = 500, 1000, 100


class CaseKind(StrEnum):
    """What a case is."""

    CASE = "case"
    """A case of enforcement (案件)."""
    TASK = "task"
    """A check task (检查任务), drawn (双随机) or not."""


@dataclass(frozen=True, slots=True)
class CaseBody:
    """All that is told of a case; `officers` are certificate numbers, `links` those that took place without a paper.

    `unit` is a unit's code, `type`, `item` and `links` are codes of the catalog. `file_term` is how long its file
    (案卷) is kept. `source` and `source_key` name it in the system it was imported from.

    Raises:
        BadInput: a part cannot be used as it is; the message says which.
    """

    number: str
    title: str
    officers: tuple[str, ...]
    start: datetime
    end: datetime
    item: str | None = None
    kind: CaseKind = CaseKind.CASE
    type: str | None = None
    unit: str | None = None
    file_term: Term | None = None
    source: str | None = None
    source_key: str | None = None
    links: tuple[str, ...] = ()
    parties: tuple[Party, ...] = ()
    place: Place | None = None
    draw: Draw | None = None
    delays: tuple[Delay, ...] = ()

    def __post_init__(self) -> None:
        put = object.__setattr__
        put(self, "number", one_line(self.number, "a case number"))
        put(self, "title", one_line(self.title, "the title of a case", may_be_empty=True))
        put(self, "officers", tuple(sorted(lines(self.officers, "an officer's number", most=_MOST_OFFICERS))))
        put(self, "links", lines(self.links, "a link", most=_MOST_LINKS))
        for name in ("unit", "source", "source_key"):
            told = getattr(self, name)
            put(self, name, None if told is None else one_line(told, f"the {name} of a case"))
        span(self.start, self.end, "a case")
        if (self.source is None) != (self.source_key is None):
            raise BadInput("a case of another system has both a source and a source key")
        if len(self.parties) > _MOST_PARTIES:
            raise BadInput(f"{len(self.parties)} parties: at most {_MOST_PARTIES}")
        if len(self.delays) > _MOST_LINKS:
            raise BadInput(f"{len(self.delays)} delays: at most {_MOST_LINKS}")
        if self.draw is not None and self.kind is not CaseKind.TASK:
            raise BadInput("only a check task is drawn: its kind is `task`", field="kind")

    def to_detail(self) -> dict[str, Any]:
        """As the detail of `case-opened` and `case-revised` (docs/formats.md)."""
        told = {
            "delays": [delay.to_json() for delay in self.delays],
            "draw": None if self.draw is None else self.draw.to_json(),
            "links": list(self.links),
            "parties": [party.to_json() for party in self.parties],
            "place": None if self.place is None else self.place.to_json(),
        }
        return {
            "end_at": instant.to_text(self.end),
            "file_term": None if self.file_term is None else self.file_term.to_text(),
            "item": self.item,
            "kind": self.kind.value,
            "number": self.number,
            "officers": list(self.officers),
            "source": self.source,
            "source_key": self.source_key,
            "start_at": instant.to_text(self.start),
            "title": self.title,
            "told": {name: value for name, value in told.items() if value},
            "type": self.type,
            "unit": self.unit,
        }

    @classmethod
    def of_detail(cls, told: Mapping[str, Any]) -> "CaseBody":
        """The case that a detail tells, also one of the register's rows with its `officers` and `told` parsed.

        Raises:
            BadInput: it tells no case.
        """
        more = told.get("told") or {}
        return cls(
            number=told["number"],
            title=told["title"],
            officers=tuple(told["officers"]),
            start=instant.from_text(told["start_at"]),
            end=instant.from_text(told["end_at"]),
            item=told["item"],
            kind=CaseKind(told.get("kind") or CaseKind.CASE),
            type=told.get("type"),
            unit=told.get("unit"),
            file_term=parse_term(told["file_term"]) if told.get("file_term") else None,
            source=told.get("source"),
            source_key=told.get("source_key"),
            links=texts_of(more.get("links", []), "the links of a case"),
            parties=parties_of(more.get("parties", [])),
            place=Place.of_json(more["place"]) if "place" in more else None,
            draw=Draw.of_json(more["draw"]) if "draw" in more else None,
            delays=delays_of(more.get("delays", [])),
        )


@dataclass(frozen=True, slots=True)
class Document:
    """A paper of a case (文书) with the times it states, of which a recording of the same act is checked.

    `link` and `item` are codes of the catalog, `officers` the certificate numbers it names.

    Raises:
        BadInput: it has no name, states an end before its start or without one, or a part is no printable line.
    """

    name: str
    number: str | None = None
    link: str | None = None
    item: str | None = None
    officers: tuple[str, ...] = ()
    start: datetime | None = None
    end: datetime | None = None

    def __post_init__(self) -> None:
        put = object.__setattr__
        put(self, "name", one_line(self.name, "the name of a document"))
        put(self, "number", None if self.number is None else one_line(self.number, "the number of a document"))
        put(self, "officers", tuple(sorted(lines(self.officers, "an officer's number", most=_MOST_OFFICERS))))
        if self.start is None and self.end is not None:
            raise BadInput("a document that states an end states a start too")
        if self.start is not None:
            span(self.start, self.end or self.start, "a document", may_be_empty=True)

    def to_detail(self) -> dict[str, Any]:
        """As the detail of `document-filed`."""
        return {
            "end_at": None if self.end is None else instant.to_text(self.end),
            "item": self.item,
            "link": self.link,
            "name": self.name,
            "number": self.number,
            "officers": list(self.officers),
            "start_at": None if self.start is None else instant.to_text(self.start),
        }


@dataclass(frozen=True, slots=True)
class Codes:
    """The codes of a catalog that cases use: items with their type and link, and names in Chinese by code."""

    catalog: str
    items: Mapping[str, tuple[str, str]]
    types: Mapping[str, str]
    links: Mapping[str, str]
    conditions: Mapping[str, str]

    def check(self, kind: str, code: str) -> str:
        """`code`, when the catalog has it among its `items`, `types`, `links` or `conditions`.

        Raises:
            BadInput: it does not.
        """
        known: Mapping[str, object] = getattr(self, kind)
        if code not in known:
            few = f" (there are {', '.join(known)})" if len(known) <= _FEW else ""
            noun = kind[:-1]
            raise BadInput(f"{code[:80]!r} is no {noun} of the catalog {self.catalog}{few}", field=noun)
        return code

    def code_of(self, kind: str, text: str) -> str:
        """The code whose Chinese name `text` is; else `text` itself, known or not."""
        told = text.strip()
        names: Mapping[str, object] = getattr(self, kind)
        return next((code for code, name in names.items() if name == told), told)


_FEW = 15


def check_codes(body: CaseBody, codes: Codes, *, was: CaseBody | None = None) -> CaseBody:
    """`body` with the type of its item, once the catalog knows every code that is new in it.

    What stood in the case before (`was`) may stay: a later catalog takes nothing out of an older case.

    Raises:
        BadInput: an item, type or link is not in the catalog, or item and type contradict each other.
    """
    if body.item is not None and (was is None or body.item != was.item):
        codes.check("items", body.item)
    if body.type is not None and (was is None or body.type != was.type):
        codes.check("types", body.type)
    delays = set(body.delays) - set(was.delays if was else ())
    links = {*body.links, *(delay.link for delay in delays if delay.link)}
    for link in links - set(was.links if was else ()):
        codes.check("links", link)
    for item in {delay.item for delay in delays if delay.item}:
        codes.check("items", item)
    if body.item is None or body.item not in codes.items:
        return body
    of_item = codes.items[body.item][0]
    if body.type not in (None, of_item):
        raise BadInput(f"item {body.item} is of type {of_item}, the case of type {body.type}", field="type")
    return body if body.type == of_item else replace(body, type=of_item)


def check_document(document: Document, codes: Codes) -> None:
    """Check the codes of a document.

    Raises:
        BadInput: its item or link is not in the catalog, or the item is of another link.
    """
    if document.link is not None:
        codes.check("links", document.link)
    if document.item is not None:
        codes.check("items", document.item)
        of_item = codes.items[document.item][1]
        if document.link not in (None, of_item):
            told = f"item {document.item} is of link {of_item}, the document of link {document.link}"
            raise BadInput(told, field="link")
