# SPDX-License-Identifier: Apache-2.0
"""This is where segments find their case, by rules with a score, and where a rule's link that no longer holds goes.

What matches no case is *unfiled*: indexed, findable, waiting for a person; never dropped. What a person linked or
unlinked is never changed here, and nothing is linked to, or taken from, a case that is closed.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from evidence import instant
from evidence.custody import Happening, parse_event
from evidence.ids import stream_of
from evidence.linking import Kind, Score
from evidence.linking_desk import Pair
from evidence.note import split_note
from pipeline.linking import Around, around_case, around_recording
from pipeline.notice import noticed
from pipeline.outcome import Done, about
from pipeline.ports import Ports, Progress
from storage.register import linking_rows, search
from storage.register.facts import Facts
from storage.register.search import Connection, Row

NO_LONGER = "no-longer-holds"
"""The reason of a link that a rule made and takes back, in the facts of `case-unlinked`."""


def index(recording: str, *, ports: Ports, now: datetime, progress: Progress) -> Done:
    """Link the segments of a recording to the cases they belong to, and mark it indexed.

    What it makes clearer of its neighbours is set right as well. Repeat: a link that stands is not written again.
    """
    # Decided inside the transaction: a case opened at this very moment either sees the recording
    # indexed and links it, or is seen here.
    return Done(decide=lambda connection: _decided(connection, recording, ports.zone))


def _decided(connection: Connection, recording: str, zone: ZoneInfo) -> tuple[Happening, ...]:
    row = search.recording(connection, recording)
    around = around_recording(connection, row)
    touched = {case for film, case in around.scores if film == recording}
    changes = _changes(connection, around, recordings={recording}, cases=touched)
    linked = sum(around.is_link((recording, case)) for case in touched)
    changes += noticed(connection, row, zone=zone)
    return (*changes, Happening("indexed", about(recording), facts={"cases": linked}))


def relinked(connection: Connection, case: Row) -> list[Happening]:
    """What changes in the links of an open case, and of its neighbours, once it is told as it is now told."""
    if case["closed_at"] is not None:
        return []
    around = around_case(connection, case)
    touched = {film for film, one in around.scores if one == case["id"]}
    held = {row["recording"] for row in linking_rows.standing_links(connection, case["id"])}
    return _changes(connection, _with(connection, around, held), recordings=touched | held, cases={case["id"]})


def relink(facts: Facts, case_id: str, *, ports: Ports, now: datetime) -> int:
    """Set the links of the rules right in open facts, once a case is told otherwise; how many recordings it gained."""
    made = set()
    [(case, _, _)] = linking_rows.told_of_cases(facts.connection, [case_id])
    for change in relinked(facts.connection, case):
        facts.record(change, actor=ports.actor, at=now)
        if change.kind == "case-linked" and change.stream == stream_of("case", case_id):
            made |= {segment.partition(".")[0] for segment in (change.detail or {})["segments"]}
    return len(made)


def cases_of(connection: Connection, row: Row) -> list[Row]:
    """Open cases that the rules link a recording to, by number."""
    around = around_recording(connection, row)
    found = [around.cases[case] for film, case in around.scores if film == row["id"] and around.is_link((film, case))]
    return sorted(found, key=lambda one: one["number"])


def _with(connection: Connection, around: Around, held: Iterable[str]) -> Around:
    """What was gathered, with the rows of recordings that a case holds from farther away."""
    missing = set(held) - around.rows.keys()
    rows = {row["id"]: row for row in linking_rows.recordings_named(connection, missing)}
    return Around({**around.rows, **rows}, around.works, around.cases, around.scores, around.rules)


def _changes(connection: Connection, around: Around, *, recordings: set[str], cases: set[str]) -> list[Happening]:
    """Links to write and to withdraw among recordings and cases, and among what else bears on the same cases."""
    films = recordings | {film for film, case in around.scores if case in cases}
    links: dict[Pair, list[Row]] = defaultdict(list)
    for row in linking_rows.links_between(connection, films, around.cases):
        links[row["recording"], row["case_id"]].append(row)
    happenings = []
    for pair in sorted(links.keys() | {pair for pair in around.scores if pair[0] in films}):
        happenings += _change(connection, around, pair, links.get(pair, []))
    return happenings


def _change(connection: Connection, around: Around, pair: Pair, links: Sequence[Row]) -> list[Happening]:
    """What is to be written about one recording and one case."""
    film, case = around.rows.get(pair[0]), around.cases[pair[1]]
    if film is None or _is_persons(connection, case, links):
        return []
    standing = [row["segment"] for row in links if row["withdrawn_at"] is None]
    if not around.is_link(pair):
        return [withdrawal(case, standing)] if standing else []
    wanted = segments_of_link(around, pair, search.segments_of(connection, film["id"]))
    fresh = [segment for segment in wanted if segment not in standing]
    gone = [segment for segment in standing if segment not in wanted]
    changes = [link_happening(case, fresh, reason=_reason(film, case, around.scores[pair]))] if fresh else []
    return [*changes, withdrawal(case, gone)] if gone else changes


def _is_persons(connection: Connection, case: Row, links: Sequence[Row]) -> bool:
    """True when a person has decided about a recording and a case: linked any of it, or withdrew any."""
    if any(json.loads(row["reason"]).get("rule") == "person" for row in links):
        return True
    moments = [row["withdrawn_at"] for row in links if row["withdrawn_at"] is not None]
    if not moments:
        return False
    events = linking_rows.unlinkings(connection, stream_of("case", case["id"]), moments)
    return any(parse_event(split_note(event["note"])[0]).facts.get("rule") != NO_LONGER for event in events)


def segments_of_link(around: Around, pair: Pair, segments: Sequence[Row]) -> list[str]:
    """Segments that lie in a time that the case states; all, where none does and it is linked none the less."""
    case, work = around.cases[pair[1]], around.works[pair[1]]
    inside = set(segments_within(segments, case))
    for paper in work.papers:
        times = {"start_at": instant.to_text(paper.start), "end_at": instant.to_text(paper.end)}
        inside |= set(segments_within(segments, times))
    chosen = [row["id"] for row in segments if row["id"] in inside]
    return chosen or [row["id"] for row in segments]


def segments_within(segments: Sequence[Row], case: Row) -> list[str]:
    """Ids of the segments that have any part in the window of a case."""
    return [
        segment["id"]
        for segment in segments
        if segment["start_at"] is not None
        and segment["start_at"] < case["end_at"]
        and _reaches_past(segment, case["start_at"])
    ]


def _reaches_past(segment: Row, start: str) -> bool:
    """True when a part of a segment lies at or after `start`; a photo taken then does, what only ends then does not."""
    if segment["end_at"] == segment["start_at"]:
        return bool(segment["start_at"] >= start)
    return bool(segment["end_at"] > start)


def link_happening(case: Row, segments: Sequence[str], *, reason: dict[str, Any]) -> Happening:
    """The happening that links segments to a case for a reason."""
    facts = {"segments": len(segments)}
    told = {"reason": reason, "segments": list(segments)}
    return Happening("case-linked", stream_of("case", case["id"]), facts=facts, detail=told)


def withdrawal(case: Row, segments: Sequence[str]) -> Happening:
    """The happening that takes back what a rule linked: what it rested on is told otherwise now."""
    facts = {"rule": NO_LONGER, "segments": len(segments)}
    told = {"reason": {"rule": NO_LONGER}, "segments": list(segments)}
    return Happening("case-unlinked", stream_of("case", case["id"]), facts=facts, detail=told)


def _reason(film: Row, case: Row, score: Score) -> dict[str, Any]:
    """Why a recording is of a case: the strongest rule by its kind, the score, and every rule with its facts."""
    told: dict[str, Any] = {"rule": score.reasons[0].kind.value, "score": score.permille}
    if score.reasons[0].kind is Kind.OFFICER_WINDOW:
        told |= {"officer": film["officer"], "window": [case["start_at"], case["end_at"]]}
    return told | {"reasons": [reason.to_dict() for reason in score.reasons]}
