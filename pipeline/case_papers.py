# SPDX-License-Identifier: Apache-2.0
"""This is where papers of a case (文书) are filed and withdrawn, and interruptions (记录间断) explained."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from evidence import ids, instant
from evidence.case import Document, check_document
from evidence.custody import Happening
from evidence.errors import BadInput, Conflict, NotFound
from evidence.ids import stream_of
from evidence.written import reason, span
from pipeline.case_codes import codes_now
from pipeline.index import relink
from pipeline.ports import Ports
from storage.register import casebook, search
from storage.register.facts import Facts
from storage.register.search import Connection, Row

SPOKEN_OR_WRITTEN = ("spoken", "written")
_MOST_DOCUMENTS = 1000


def file_document(number: str, document: Document, *, ports: Ports, now: datetime) -> tuple[str, bool]:
    """File a paper of a case; its id, and False when it stands there already with the same words.

    A paper of the same number (without one: of the same name and start) is changed, not doubled.

    Raises:
        NotFound: no such case. BadInput: a code is not in the catalog, or the case has too many papers.
    """
    with ports.register.begin() as facts:
        case = search.case(facts.connection, number)
        check_document(document, codes_now(facts.connection, ports=ports, now=now))
        known = same_document(facts.connection, case["id"], document)
        if known is not None and known["withdrawn_at"] is None and is_told(known, document):
            return known["id"], False
        return file_in(facts, case["id"], document, known=known, ports=ports, now=now), True


def file_in(facts: Facts, case_id: str, document: Document, *, known: Row | None, ports: Ports, now: datetime) -> str:
    """File a paper in open facts, under the id of the one `known` to be the same; its id.

    Raises:
        BadInput: the case has too many papers.
    """
    if known is None:
        check_room(len(by_key(facts.connection, case_id)) + 1)
    # Its number must not be guessed from the public log: the id is made by chance.
    identifier = ids.opaque("doc", ports.chance(10)) if known is None else known["id"]
    happening = Happening(
        "document-filed", stream_of("case", case_id), facts={"document": identifier}, detail=document.to_detail()
    )
    facts.record(happening, actor=ports.actor, at=now)
    # A paper says when work was done: what was filmed then is found by it.
    relink(facts, case_id, ports=ports, now=now)
    return str(identifier)


def check_room(number: int) -> None:
    """Check that a case may have so many papers, withdrawn ones included.

    Raises:
        BadInput: it may not.
    """
    if number > _MOST_DOCUMENTS:
        raise BadInput(f"a case has at most {_MOST_DOCUMENTS} documents", field="documents")


def same_document(connection: Connection, case_id: str, document: Document) -> Row | None:
    """The paper of a case that this one is another wording of, withdrawn or not."""
    return by_key(connection, case_id).get(document_key(document))


def by_key(connection: Connection, case_id: str) -> dict[tuple[str, ...], Row]:
    """Every paper of a case, withdrawn or not, by what makes it the same as another (`document_key`)."""
    return {_key(row): row for row in casebook.documents_of(connection, case_id, is_withdrawn_too=True)}


def document_key(document: Document) -> tuple[str, ...]:
    """What makes two papers of one case the same: the number, else the name and the start."""
    return _key(document.to_detail())


def _key(told: Mapping[str, Any]) -> tuple[str, ...]:
    if told["number"] is not None:
        return (told["number"],)
    return (told["name"], told["start_at"] or "")


def is_told(row: Row, document: Document) -> bool:
    """True when a paper's row says what `document` says."""
    told = document.to_detail()
    return told == {**{name: row[name] for name in told}, "officers": json.loads(row["officers"])}


def withdraw_document(number: str, which: str, *, why: str, ports: Ports, now: datetime) -> str:
    """Withdraw a paper, by its id or number; its id. The custody log keeps both.

    Raises:
        NotFound: no such case, or no such paper stands in it. BadInput: no reason.
    """
    told = {"why": reason(why)}
    with ports.register.begin() as facts:
        case = search.case(facts.connection, number)
        identifier = _standing(casebook.documents_of(facts.connection, case["id"]), which, number)
        happening = Happening(
            "document-withdrawn", stream_of("case", case["id"]), facts={"document": identifier}, detail=told
        )
        facts.record(happening, actor=ports.actor, at=now)
        relink(facts, case["id"], ports=ports, now=now)
    return identifier


def _standing(rows: Sequence[Row], which: str, number: str) -> str:
    found = [row["id"] for row in rows if which in (row["id"], row["number"])]
    if not found:
        raise NotFound(f"case {number!r} has no document {which!r} (`evidock case show {number}`)")
    return str(found[0])


def explain_gap(
    number: str, *, start: datetime, end: datetime, how: str, why: str, ports: Ports, now: datetime
) -> None:
    """Take down why the record of a case was interrupted from `start` to `end`: `spoken` into it, or `written`.

    Raises:
        NotFound: no such case. Conflict: the same was explained already.
        BadInput: an empty or future window, another `how`, or no reason.
    """
    if how not in SPOKEN_OR_WRITTEN:
        raise BadInput(f"an interruption is explained {' or '.join(SPOKEN_OR_WRITTEN)}, not {how[:40]!r}")
    span(start, end, "an interruption")
    if end > now:
        raise BadInput("an interruption that has not ended cannot be explained")
    told = {"end_at": instant.to_text(end), "how": how, "start_at": instant.to_text(start), "why": reason(why)}
    with ports.register.begin() as facts:
        case = search.case(facts.connection, number)
        if any(told == {name: row[name] for name in told} for row in casebook.gaps_of(facts.connection, case["id"])):
            raise Conflict(f"case {number!r} has this explanation already")
        facts.record(Happening("gap-explained", stream_of("case", case["id"]), detail=told), actor=ports.actor, at=now)
