# SPDX-License-Identifier: Apache-2.0
"""This is where a page of the agency's case system (办案系统), JSON over HTTP, becomes rows that can be taken down.

The page as a whole is strict: one object, no key twice, whole numbers only. One case that is wrong is a fault like a
wrong line of a sheet. The form is told in docs/operate/cases.md.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from evidence import instant
from evidence.case import CaseKind, Codes, Document
from evidence.case_told import Draw, Place, delays_of, parties_of, texts_of
from evidence.errors import BadInput, EvidockError
from evidence.term import parse_term
from evidence.written import one_line
from pipeline.case_rows import CaseRow
from pipeline.cells import Where
from pipeline.sheets import Fault

_MOST_CASES = 5000
_LONGEST_CURSOR = 500
_MOST_DIGITS = 15


@dataclass(frozen=True, slots=True)
class FeedPage:
    """One page: its cases, what of it cannot be taken, the number of the next page, and where to go on next time."""

    rows: tuple[CaseRow, ...]
    faults: tuple[Fault, ...]
    next_page: int | None
    cursor: str | None


def read_page(data: bytes, *, number: int, codes: Codes) -> FeedPage:
    """The page in these bytes; `number` is which one was asked for.

    Raises:
        BadInput: it is no page of this form.
    """
    body = _object(_parsed(data), "a page", ("cases", "next_page", "cursor"), needed=("cases",))
    told, next_page, cursor = body["cases"], body.get("next_page"), body.get("cursor")
    if not isinstance(told, list) or len(told) > _MOST_CASES:
        raise BadInput(f"the cases of a page are a list of at most {_MOST_CASES}")
    if next_page is not None and next_page != number + 1:
        raise BadInput(f"after page {number} comes {str(next_page)[:40]}, not {number + 1}")
    if cursor is not None and not (isinstance(cursor, str) and 0 < len(cursor) <= _LONGEST_CURSOR and cursor.isascii()):
        raise BadInput(f"a cursor is at most {_LONGEST_CURSOR} ASCII characters")
    rows: list[CaseRow] = []
    faults: list[Fault] = []
    for place, one in enumerate(told, 1):
        where = Where(f"page {number}", place, {})
        try:
            rows.append(_case(one, where, codes))
        except (EvidockError, OverflowError) as error:
            faults.append(where.fault(error if isinstance(error, EvidockError) else BadInput(str(error))))
    return FeedPage(tuple(rows), tuple(faults), next_page, cursor)


def _parsed(data: bytes) -> object:
    try:
        return json.loads(
            data.decode(),
            object_pairs_hook=_pairs,
            parse_int=_integer,
            parse_float=_no_number,
            parse_constant=_no_number,
        )
    except UnicodeDecodeError as error:
        raise BadInput("it is not UTF-8") from error
    except (json.JSONDecodeError, RecursionError) as error:
        raise BadInput(f"it is not JSON: {error}") from error


def _pairs(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise BadInput("an object names a key twice: which one counts, nobody can say")
    return found


def _integer(text: str) -> int:
    if len(text) > _MOST_DIGITS:
        raise BadInput(f"a number of {len(text)} digits")
    return int(text)


def _no_number(text: str) -> object:
    raise BadInput(f"{text[:40]} is no whole number; write decimals as text")


def _object(told: object, what: str, known: Sequence[str], *, needed: Sequence[str]) -> dict[str, Any]:
    if not isinstance(told, dict):
        raise BadInput(f"{what} is an object")
    odd = sorted(set(told) - set(known))
    if odd:
        raise BadInput(f"{what} has no {odd[0][:40]!r} (known: {', '.join(known)})", field=odd[0][:40])
    missing = [name for name in needed if told.get(name) is None]
    if missing:
        raise BadInput(f"{what} has no {missing[0]}", field=missing[0])
    return told


def _case(told: object, where: Where, codes: Codes) -> CaseRow:
    readers = _readers(codes)
    known = ("key", *readers, "closed_at", "documents")
    body = _object(told, "a case", known, needed=("key", "number", "start", "end"))
    changes = {name: _read(name, body[name], read) for name, read in readers.items() if name in body}
    closed_at = body.get("closed_at")
    papers = body.get("documents", [])
    if not isinstance(papers, list):
        raise BadInput("the documents of a case are a list", field="documents")
    return CaseRow(
        where,
        one_line(_text(body["key"]), "the key of a case"),
        changes,
        None if closed_at is None else _read("closed_at", closed_at, _moment),
        tuple(_read("documents", one, lambda paper: _document(paper, codes)) for one in papers),
    )


def _read(name: str, told: object, read: Callable[[Any], Any]) -> Any:
    try:
        return read(told)
    except EvidockError as error:
        raise BadInput(error.message, field=name) from error


def _readers(codes: Codes) -> Mapping[str, Callable[[Any], Any]]:
    return {
        "number": lambda told: one_line(_text(told), "a case number"),
        "title": lambda told: one_line(_text(told), "a title", may_be_empty=True),
        "kind": _kind,
        "type": lambda told: None if told is None else codes.code_of("types", _text(told)),
        "unit": _text_or_none,
        "item": _text_or_none,
        "officers": lambda told: texts_of(told, "the officers"),
        "start": _moment,
        "end": _moment,
        "file_term": lambda told: None if told is None else parse_term(_text(told)),
        "links": lambda told: tuple(codes.code_of("links", one) for one in texts_of(told, "the links")),
        "parties": parties_of,
        "place": lambda told: None if told is None else Place.of_json(told),
        "draw": lambda told: None if told is None else Draw.of_json(told),
        "delays": delays_of,
    }


_DOCUMENT = ("name", "number", "link", "item", "officers", "start", "end")


def _document(told: object, codes: Codes) -> Document:
    body = _object(told, "a document", _DOCUMENT, needed=("name",))
    link = _text_or_none(body.get("link"))
    times = [None if body.get(name) is None else _moment(body[name]) for name in ("start", "end")]
    return Document(
        _text(body["name"]),
        _text_or_none(body.get("number")),
        None if link is None else codes.code_of("links", link),
        _text_or_none(body.get("item")),
        texts_of(body.get("officers", []), "the officers of a document"),
        *times,
    )


def _kind(told: object) -> CaseKind:
    if told not in tuple(CaseKind):
        raise BadInput(f"a case is of kind {' or '.join(CaseKind)}, not {str(told)[:40]!r}")
    return CaseKind(str(told))


def _moment(told: object) -> Any:
    return instant.from_text(_text(told))


def _text(told: object) -> str:
    if not isinstance(told, str):
        raise BadInput("a text is wanted here")
    return told


def _text_or_none(told: object) -> str | None:
    return None if told is None or told == "" else _text(told)
