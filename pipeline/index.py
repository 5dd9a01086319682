# SPDX-License-Identifier: Apache-2.0
"""This is where segments find their case: officer and time window, with the reason kept.

What matches no case is *unfiled*: indexed, findable, waiting for a person; never dropped.
"""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from evidence.custody import Happening
from evidence.ids import stream_of
from pipeline.outcome import Done, about
from pipeline.ports import Ports, Progress
from storage.register import search
from storage.register.search import Connection


def index(recording: str, *, ports: Ports, now: datetime, progress: Progress) -> Done:
    """Link the segments of a recording to the cases they belong to, and mark it indexed.

    Repeat: a link that stands is written once more with the same reason.
    """
    # Decided inside the transaction: a case opened at this very moment either sees the recording
    # indexed and links it, or is seen here.
    return Done(decide=lambda connection: _links(connection, recording))


def _links(connection: Connection, recording: str) -> tuple[Happening, ...]:
    row = search.recording(connection, recording)
    segments = search.segments_of(connection, recording)
    links = [
        link_happening(case, matching, reason=_reason(row, case))
        for case in cases_of(connection, row)
        if (matching := segments_within(segments, case))
    ]
    return (*links, Happening("indexed", about(recording), facts={"cases": len(links)}))


def cases_of(connection: Connection, row: search.Row) -> list[search.Row]:
    """Open cases of the recording's officer whose window it reaches into."""
    if row["officer"] is None or row["start_at"] is None:
        return []
    end = row["end_at"] or row["start_at"]
    return search.open_cases_of(connection, row["officer"], row["start_at"], end)


def segments_within(segments: Sequence[search.Row], case: search.Row) -> list[str]:
    """Ids of the segments that have any part in the window of a case."""
    return [
        segment["id"]
        for segment in segments
        if segment["start_at"] is not None
        and segment["start_at"] < case["end_at"]
        and _reaches_past(segment, case["start_at"])
    ]


def _reaches_past(segment: search.Row, start: str) -> bool:
    """True when a part of a segment lies at or after `start`; a photo taken then does, what only ends then does not."""
    if segment["end_at"] == segment["start_at"]:
        return bool(segment["start_at"] >= start)
    return bool(segment["end_at"] > start)


def link_happening(case: search.Row, segments: Sequence[str], *, reason: dict[str, Any]) -> Happening:
    """The happening that links segments to a case for a reason."""
    facts = {"segments": len(segments)}
    told = {"reason": reason, "segments": list(segments)}
    return Happening("case-linked", stream_of("case", case["id"]), facts=facts, detail=told)


def _reason(row: search.Row, case: search.Row) -> dict[str, Any]:
    return {
        "officer": row["officer"],
        "rule": "officer-window",
        "window": [case["start_at"], case["end_at"]],
    }


def links_for_case(connection: Connection, case: search.Row, officers: Sequence[str]) -> list[Happening]:
    """Links to a new case from recordings that were indexed before it was opened."""
    happenings = []
    for officer in officers:
        found = search.find_recordings(connection, officer=officer, start=case["start_at"], end=case["end_at"])
        for row in found:
            if row["state"] != "indexed":
                continue
            matching = segments_within(search.segments_of(connection, row["id"]), case)
            if matching:
                happenings.append(link_happening(case, matching, reason=_reason(row, case)))
    return happenings


def by_recording(segments: Sequence[str]) -> dict[str, list[str]]:
    """Segment ids grouped by the recording they are of."""
    grouped: dict[str, list[str]] = defaultdict(list)
    for segment in segments:
        grouped[segment.rpartition(".")[0]].append(segment)
    return dict(grouped)
