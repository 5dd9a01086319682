# SPDX-License-Identifier: Apache-2.0
"""This is where cases are opened, revised, closed and reopened, and where a person links segments or withdraws links.

Closing a case is what starts the terms that count from it; reopening stops them again. So neither happens without a
word: a case is closed at a moment that has been, and reopened for a reason.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from evidence import ids, instant
from evidence.case import CaseBody, Codes, check_codes
from evidence.case_told import Delay
from evidence.custody import Happening
from evidence.errors import BadInput, Conflict, NotFound
from evidence.ids import stream_of
from evidence.term import Term
from evidence.written import moment, reason
from pipeline.case_codes import codes_now
from pipeline.index import link_happening, relink
from pipeline.ports import Ports
from storage.register import casebook, keeping, search
from storage.register.facts import Facts
from storage.register.search import Connection, Row

NewCase = CaseBody


def open_case(new: CaseBody, *, ports: Ports, now: datetime) -> int:
    """Open a case and link what its officers recorded within its window; the number of links made.

    Raises:
        BadInput: an item, type or link is not in the catalog. NotFound: the unit is not registered.
        Conflict: a case of this number stands; names the unit that has it.
    """
    with ports.register.begin() as facts:
        ready = checked(facts.connection, new, codes=codes_now(facts.connection, ports=ports, now=now))
        return open_in(facts, ready, ports=ports, now=now)


def revise_case(number: str, changes: Mapping[str, Any], *, ports: Ports, now: datetime) -> bool:
    """Change what is told of a case (`changes`: fields of `CaseBody`); False when all of it was told already.

    An open case is linked with what its officers recorded in a wider window; links that stand stay.

    Raises:
        NotFound: no such case, or no such unit. BadInput: a change cannot be used.
        Conflict: the new number is taken, or a closed case's file would be kept shorter.
    """
    with ports.register.begin() as facts:
        row = search.case(facts.connection, number)
        was = body_of(facts.connection, row)
        codes = codes_now(facts.connection, ports=ports, now=now)
        wanted = checked(facts.connection, replace(was, **changes), codes=codes, row=row, was=was)
        return revise_in(facts, row, wanted, was=was, ports=ports, now=now)


def explain_delay(number: str, delay: Delay, *, ports: Ports, now: datetime) -> None:
    """Take down why something of a case was handed in late.

    Raises:
        NotFound: no such case. Conflict: the same was told already.
        BadInput: a code is not in the catalog, or the return to the unit is still to come.
    """
    if delay.returned is not None and delay.returned > now:
        raise BadInput("a return to the unit that is still to come explains nothing")
    with ports.register.begin() as facts:
        row = search.case(facts.connection, number)
        was = body_of(facts.connection, row)
        if delay in was.delays:
            raise Conflict(f"case {number!r} has this reason already")
        codes = codes_now(facts.connection, ports=ports, now=now)
        wanted = replace(was, delays=(*was.delays, delay))
        ready = checked(facts.connection, wanted, codes=codes, row=row, was=was)
        revise_in(facts, row, ready, was=was, ports=ports, now=now)


def close_case(number: str, *, ports: Ports, now: datetime, closed_at: datetime | None = None) -> None:
    """Close a case, now or as of an earlier moment: nothing is linked to it by rule any more, its terms begin.

    Raises:
        NotFound: no such case. Conflict: it is closed already.
        BadInput: it would be closed in the future, or before it began.
    """
    with ports.register.begin() as facts:
        row = search.case(facts.connection, number)
        close_in(facts, row, closed_at, ports=ports, now=now)


def reopen_case(number: str, *, why: str, ports: Ports, now: datetime) -> None:
    """Reopen a case: terms that counted from its closing count no more, until it is closed again.

    Raises:
        NotFound: no such case. Conflict: it is open. BadInput: no reason.
    """
    told = {"why": reason(why)}
    with ports.register.begin() as facts:
        row = search.case(facts.connection, number)
        if row["closed_at"] is None:
            raise Conflict(f"case {number!r} is open")
        facts.record(Happening("case-reopened", stream_of("case", row["id"]), detail=told), actor=ports.actor, at=now)
        relink(facts, row["id"], ports=ports, now=now)


# --- within open facts: for one case of many ------------------------------------------------------


def body_of(connection: Connection, row: Row) -> CaseBody:
    """What is told of the case of a row."""
    # Titles were once taken as they came.
    title = "".join(letter if letter.isprintable() else " " for letter in row["title"]).strip()[:200]
    told = json.loads(row["told"])
    officers = search.officers_of_case(connection, row["id"])
    return CaseBody.of_detail({**row, "title": title, "told": told, "officers": officers})


def checked(
    connection: Connection, body: CaseBody, *, codes: Codes, row: Row | None = None, was: CaseBody | None = None
) -> CaseBody:
    """`body` as it may be taken down: codes known, unit registered, number free; `row`: the case that it is of.

    Raises:
        BadInput, NotFound, Conflict: as `open_case` and `revise_case`.
    """
    ready = check_codes(body, codes, was=was)
    if ready.unit is not None and (was is None or ready.unit != was.unit):
        casebook.unit(connection, ready.unit)
    holder = casebook.case_numbered(connection, ready.number)
    if holder is not None and (row is None or holder["id"] != row["id"]):
        raise Conflict(_taken(connection, holder), case=ready.number, unit=holder["unit"], field="number")
    if ready.source is not None and ready.source_key is not None:
        same = casebook.case_of_source(connection, ready.source, ready.source_key)
        if same is not None and (row is None or same["id"] != row["id"]):
            told = f"{ready.source} {ready.source_key!r} is case {same['number']!r} already"
            raise Conflict(told, field="key")
    return ready


def _taken(connection: Connection, holder: Row) -> str:
    number, unit = holder["number"], holder["unit"]
    if unit is None:
        return f"case {number!r} is open already (`evidock case show {number}`)"
    name = next((row["name"] for row in casebook.every_unit(connection) if row["code"] == unit), "")
    return f"case number {number!r} is taken by a case of unit {unit} ({name}) (`evidock case show {number}`)"


def open_in(facts: Facts, ready: CaseBody, *, ports: Ports, now: datetime) -> int:
    """Open a case that was `checked` in this transaction; the number of links made."""
    stream = stream_of("case", ids.opaque("cas", ports.chance(10)))
    facts.record(Happening("case-opened", stream, detail=ready.to_detail()), actor=ports.actor, at=now)
    return relink(facts, search.case(facts.connection, ready.number)["id"], ports=ports, now=now)


def revise_in(facts: Facts, row: Row, ready: CaseBody, *, was: CaseBody, ports: Ports, now: datetime) -> bool:
    """Revise a case to what was `checked` in this transaction; False, and no event, when nothing changes.

    Raises:
        Conflict: a closed case's file would be kept shorter.
    """
    if ready == was:
        return False
    check_file_term(row, ready, was=was)
    happening = Happening("case-revised", stream_of("case", row["id"]), detail=ready.to_detail())
    facts.record(happening, actor=ports.actor, at=now)
    if row["closed_at"] is None:
        relink(facts, row["id"], ports=ports, now=now)
    return True


def check_file_term(row: Row, ready: CaseBody, *, was: CaseBody) -> None:
    """Check that a closed case's file is not kept shorter: what is due would follow from it.

    Raises:
        Conflict: it would be; that takes a reopening, with its reason in the log.
    """
    if row["closed_at"] is not None and _is_shorter(ready.file_term, was.file_term):
        told = f"case {was.number!r} is closed: reopen it first to keep its file shorter"
        raise Conflict(told, case=was.number, field="file_term")


def _is_shorter(new: Term | None, was: Term | None) -> bool:
    return was is not None and (new is None or new.order() < was.order())


def close_in(facts: Facts, row: Row, closed_at: datetime | None, *, ports: Ports, now: datetime) -> None:
    """Close the case of a row; as `close_case`."""
    check_closing(row, closed_at, now=now)
    _check_after_reopening(facts, row, closed_at)
    told = {} if closed_at is None else {"closed_at": instant.to_text(closed_at)}
    facts.record(Happening("case-closed", stream_of("case", row["id"]), facts=told), actor=ports.actor, at=now)


def check_closing(row: Row, closed_at: datetime | None, *, now: datetime) -> None:
    """Check that a case can be closed so.

    Raises:
        Conflict: it is closed already. BadInput: in the future, or before it began.
    """
    if row["closed_at"] is not None:
        raise Conflict(f"case {row['number']!r} was closed at {row['closed_at']}", field="closed_at")
    if closed_at is None:
        return
    if moment(closed_at, "the closing") > now:
        told = f"case {row['number']!r} cannot be closed in the future: {instant.to_text(closed_at)}"
        raise BadInput(told, field="closed_at")
    if instant.to_text(closed_at) < row["start_at"]:
        told = f"case {row['number']!r} cannot be closed before it began: {row['start_at']}"
        raise BadInput(told, field="closed_at")


def _check_after_reopening(facts: Facts, row: Row, closed_at: datetime | None) -> None:
    """Check that a closing as of an earlier moment does not take a reopening back: terms begin anew with that."""
    events = search.events_of(facts.connection, stream_of("case", row["id"]))
    reopened = [event["at"] for event in events if event["kind"] == "case-reopened"]
    if closed_at is not None and reopened and instant.to_text(closed_at) < reopened[-1]:
        told = f"case {row['number']!r} was reopened at {reopened[-1]}: it cannot be closed as of before that"
        raise BadInput(told, field="closed_at")


# --- by hand ------------------------------------------------------------------------------------


def link(number: str, things: Sequence[str], *, why: str, withdraw: bool, ports: Ports, now: datetime) -> list[str]:
    """Link recordings or segments (by id) to a case, or withdraw their links; the segments concerned.

    Raises:
        NotFound: no such case, recording or segment. BadInput: no reason.
        WrongState: one was disposed of: there is nothing to link.
    """
    told_why = {"rule": "person", "why": reason(why)}
    with ports.register.begin() as facts:
        case = search.case(facts.connection, number)
        segments = [segment for thing in things for segment in _segments(facts.connection, thing)]
        if not withdraw:
            for thing in things:
                keeping.check_there(facts.connection, thing.partition(".")[0])
        if withdraw:
            told = {"reason": told_why, "segments": segments}
            stream = stream_of("case", case["id"])
            happening = Happening("case-unlinked", stream, facts={"segments": len(segments)}, detail=told)
        else:
            happening = link_happening(case, segments, reason=told_why)
        facts.record(happening, actor=ports.actor, at=now)
    return segments


def _segments(connection: Connection, thing: str) -> list[str]:
    recording, dot, _ = thing.partition(".")
    search.recording(connection, recording)
    found = [row["id"] for row in search.segments_of(connection, recording)]
    wanted = [segment for segment in found if not dot or segment == thing]
    if not wanted:
        raise NotFound(f"{thing} has no segments" if not dot else f"no segment {thing!r}")
    return wanted
