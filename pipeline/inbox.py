# SPDX-License-Identifier: Apache-2.0
"""This is where what no case holds waits for a person: each recording with the cases it may be of, and why.

A person accepts a suggestion, which links, or dismisses it: then no rule makes it again.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from evidence.custody import Happening
from evidence.errors import NotFound
from evidence.ids import stream_of
from evidence.linking import Score
from evidence.written import reason
from pipeline import casework
from pipeline.index import link_happening
from pipeline.linking import suggestions
from pipeline.ports import Ports
from storage.register import linking_rows, search
from storage.register.answers import Place
from storage.register.listing import Wanted, recordings_page
from storage.register.search import Connection, Row

_AT_ONCE = 200
SUGGESTED = "suggested"
"""The rule in the reason of a link that was only suggested, written so that it can be withdrawn."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """One unfiled recording, and the open cases it may be of, the likeliest first."""

    recording: Row
    suggestions: tuple[tuple[Row, Score], ...]


@dataclass(frozen=True, slots=True)
class InboxPage:
    """Some of what waits, by start; `after` is where the next page begins, None when there is no more."""

    entries: tuple[Waiting, ...]
    after: Place | None


def inbox_page(
    connection: Connection, *, units: Sequence[str] = (), limit: int, after: Place | None = None
) -> InboxPage:
    """Unfiled recordings with their suggestions; `units`: only of officers registered with one of these."""
    officers = linking_rows.colleagues(connection, units).keys() if units else None
    found: list[Row] = []
    while len(found) <= limit:
        page = recordings_page(connection, Wanted(is_unfiled=True), limit=_AT_ONCE, after=after)
        found += [row for row in page.rows if officers is None or row["officer"] in officers]
        after = page.after
        if after is None:
            break
    shown = found[:limit]
    entries = tuple(Waiting(row, tuple(suggestions(connection, row["id"]))) for row in shown)
    has_more = len(found) > limit
    return InboxPage(entries, Place(shown[-1]["start_at"], shown[-1]["id"]) if has_more else None)


def accept(recording: str, number: str, *, why: str, ports: Ports, now: datetime) -> list[str]:
    """Link a recording to a case on a person's word; the segments linked.

    Raises:
        NotFound: no such case or recording. BadInput: no reason.
    """
    return casework.link(number, [recording], why=why, withdraw=False, ports=ports, now=now)


def dismiss(recording: str, number: str, *, why: str, ports: Ports, now: datetime) -> None:
    """Decline a suggestion: no rule links the recording to the case any more, and none suggests it.

    The log holds the suggestion with its score and reasons, and that a person withdrew it.

    Raises:
        NotFound: no such case or recording, or nothing suggests it. BadInput: no reason.
    """
    told = {"rule": "person", "why": reason(why)}
    with ports.register.begin() as facts:
        case = search.case(facts.connection, number)
        search.recording(facts.connection, recording)
        score = {one["id"]: score for one, score in suggestions(facts.connection, recording)}.get(case["id"])
        if score is None:
            raise NotFound(f"nothing suggests {number!r} for {recording}", recording=recording, case=number)
        segments = [row["id"] for row in search.segments_of(facts.connection, recording)]
        reasons = [one.to_dict() for one in score.reasons]
        suggested = {"rule": SUGGESTED, "score": score.permille, "reasons": reasons}
        facts.record(link_happening(case, segments, reason=suggested), actor=ports.actor, at=now)
        stream = stream_of("case", case["id"])
        detail = {"reason": told, "segments": segments}
        withdrawn = Happening("case-unlinked", stream, facts={"segments": len(segments)}, detail=detail)
        facts.record(withdrawn, actor=ports.actor, at=now)
