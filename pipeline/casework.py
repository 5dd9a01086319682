# SPDX-License-Identifier: Apache-2.0
"""This is where cases are opened and closed, and where a person links segments to them or withdraws a link."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from evidence import ids, instant
from evidence.custody import Happening
from evidence.errors import BadInput, Conflict, NotFound
from evidence.ids import stream_of
from pipeline.index import link_happening, links_for_case
from pipeline.ports import Ports
from storage.register import search
from storage.register.search import Connection


@dataclass(frozen=True, slots=True)
class NewCase:
    """A case to open: who worked on it, within which window, of which catalog item."""

    number: str
    title: str
    officers: tuple[str, ...]
    start: datetime
    end: datetime
    item: str | None = None


_LONGEST_NUMBER = 200


def open_case(new: NewCase, *, ports: Ports, now: datetime) -> int:
    """Open a case and link what its officers recorded within its window; the number of links made.

    Raises:
        BadInput: the window is empty, or the item is not in the catalog.
        Conflict: a case of this number stands.
    """
    if new.end <= new.start:
        raise BadInput("a case must end after it starts: give --from and --to")
    if not 1 <= len(new.number) <= _LONGEST_NUMBER or not new.number.isprintable():
        raise BadInput(f"a case number has 1 to {_LONGEST_NUMBER} characters that can be printed")
    if new.item is not None and new.item not in ports.catalog.items:
        raise BadInput(f"{new.item!r} is no item of the catalog {ports.catalog.id}")
    identifier = ids.opaque("cas", ports.chance(10))
    officers = sorted(set(new.officers))
    told = {
        "end_at": instant.to_text(new.end),
        "item": new.item,
        "number": new.number,
        "officers": officers,
        "start_at": instant.to_text(new.start),
        "title": new.title,
    }
    with ports.register.begin() as facts:
        _check_free(facts.connection, new.number)
        opened = Happening("case-opened", stream_of("case", identifier), detail=told)
        facts.record(opened, actor=ports.actor, at=now)
        case = search.case(facts.connection, new.number)
        links = links_for_case(facts.connection, case, officers)
        for link in links:
            facts.record(link, actor=ports.actor, at=now)
    return len(links)


def _check_free(connection: Connection, number: str) -> None:
    try:
        search.case(connection, number)
    except NotFound:
        return
    raise Conflict(f"case {number!r} is open already (`evidock case show {number}`)")


def close_case(number: str, *, ports: Ports, now: datetime) -> None:
    """Close a case: nothing is linked to it by rule any more.

    Raises:
        NotFound: no such case. Conflict: it is closed already.
    """
    with ports.register.begin() as facts:
        case = search.case(facts.connection, number)
        if case["closed_at"] is not None:
            raise Conflict(f"case {number!r} was closed at {case['closed_at']}")
        facts.record(Happening("case-closed", stream_of("case", case["id"])), actor=ports.actor, at=now)


def link(number: str, things: Sequence[str], *, why: str, withdraw: bool, ports: Ports, now: datetime) -> list[str]:
    """Link recordings or segments (by id) to a case, or withdraw their links; the segments concerned.

    Raises:
        NotFound: no such case, recording or segment.
    """
    with ports.register.begin() as facts:
        case = search.case(facts.connection, number)
        segments = [segment for thing in things for segment in _segments(facts.connection, thing)]
        reason = {"rule": "person", "why": why}
        if withdraw:
            told = {"reason": reason, "segments": segments}
            stream = stream_of("case", case["id"])
            happening = Happening("case-unlinked", stream, facts={"segments": len(segments)}, detail=told)
        else:
            happening = link_happening(case, segments, reason=reason)
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
