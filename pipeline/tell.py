# SPDX-License-Identifier: Apache-2.0
"""This is where rows of the register become the JSON that scripts rely on."""

import json
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from evidence import instant
from evidence.claims import Claims
from storage.register import dock_rows, ends, jobs, log_rows, recording_lists, search
from storage.register.search import Connection, Row


def tell_recording(connection: Connection, row: Row) -> dict[str, Any]:
    """A recording as `ingest` and `recordings` print it."""
    return tell_recordings(connection, [row])[0]


def tell_recordings(connection: Connection, rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Recordings as lists tell them, in the order given: few questions, however many they are."""
    named = [row["id"] for row in rows]
    originals = recording_lists.originals_of_all(connection, named)
    counted = recording_lists.segments_counted(connection, named)
    made = recording_lists.derivatives_standing(connection, named)
    return [
        {
            "id": row["id"],
            "state": row["state"],
            "kind": row["kind"],
            "device": row["device"],
            "officer": row["officer"],
            "start": row["start_at"],
            "end": row["end_at"],
            "clock": _clock(row),
            "originals": [
                {name: one[name] for name in ("name", "sha256", "size_bytes")} for one in originals.get(row["id"], ())
            ],
            "segments": counted.get(row["id"], 0),
            "derivatives": made.get(row["id"], []),
            "problem": row["problem_code"],
        }
        for row in rows
    ]


def tell_whole(connection: Connection, row: Row, *, cases_seen: Any = None) -> dict[str, Any]:
    """Everything `show` prints of a recording. `cases_seen`: a condition on the cases that are named with it."""
    identifier = row["id"]
    links = (
        search.links_of_recording(connection, identifier)
        if cases_seen is None
        else recording_lists.links_seen(connection, identifier, cases_seen)
    )
    return {
        **tell_recording(connection, row),
        "name": row["name"],
        "dock": row["dock"],
        "duration": row["duration"],
        "item": row["item"],
        "item_reason": None if row["item_reason"] is None else json.loads(row["item_reason"]),
        "catalog": row["catalog"],
        "claims": json.loads(row["claims"]),
        "conflicts": sorted(Claims.from_json(json.loads(row["claims"])).conflicts()),
        "jobs": [
            {
                name: job._mapping[name]
                for name in ("step", "state", "attempts", "progress_permille", "error_code", "error_text")
            }
            for job in jobs.jobs_of(connection, identifier)
        ],
        "problem_text": row["problem_text"],
        "originals": tell_originals(connection, identifier),
        "segment_list": tell_segments(connection, row),
        "derivatives": [
            {name: one[name] for name in ("kind", "sha256", "size_bytes", "removed_at")}
            for one in search.derivatives_of(connection, identifier)
        ],
        "appraisal": ends.appraisal_of(connection, identifier),
        "disposal": ends.list_of(connection, identifier),
        "archive": ends.archive_of(connection, identifier),
        "tombstone": _tombstone(connection, identifier),
        "remarks": tell_remarks(connection, identifier),
        "attachments": [
            {name: one[name] for name in ("role", "name", "sha256", "size_bytes", "signer")}
            for one in dock_rows.attachments_of(connection, identifier)
        ],
        "cases": [
            {"case": link["case"], "segment": link["segment"], "reason": json.loads(link["reason"])} for link in links
        ],
        "custody": [
            {name: event[name] for name in ("seq", "kind", "at", "actor", "leaf_index")}
            for event in search.events_of(connection, f"recording/{identifier}")
        ],
    }


def tell_originals(connection: Connection, recording: str) -> list[dict[str, Any]]:
    """The originals of a recording, with what was measured of each."""
    return [dict(one) | {"facts": json.loads(one["facts"])} for one in search.originals_of(connection, recording)]


def tell_segments(connection: Connection, row: Row) -> list[dict[str, Any]]:
    """The segments of a recording, with the bounds of when each truly was."""
    return [
        {name: one[name] for name in ("id", "start", "end", "start_at", "end_at")} | _bounds(row, one)
        for one in search.segments_of(connection, row["id"])
    ]


def tell_remarks(connection: Connection, recording: str) -> list[dict[str, Any]]:
    """What was noticed of a recording."""
    rows = dock_rows.remarks_of(connection, recording)
    return [{name: one[name] for name in ("code", "text", "at")} for one in rows]


def tell_events(
    connection: Connection, stream: str, *, limit: int, after: int | None
) -> tuple[list[dict[str, Any]], int | None]:
    """Custody events of a stream behind number `after`, and the number behind which there are more, if there are."""
    rows = log_rows.events_behind(connection, stream, limit=limit + 1, after=after)
    names = ("stream", "seq", "kind", "at", "actor", "leaf_index", "leaf_hash", "note")
    told = [{name: row[name] for name in names} for row in rows[:limit]]
    return told, told[-1]["seq"] if len(rows) > limit else None


def _clock(row: Row) -> dict[str, Any]:
    """How surely the start is known: the truth lies from `early_ms` before it to `late_ms` after it."""
    basis = None if row["clock_basis"] is None else json.loads(row["clock_basis"])
    return {"early_ms": row["early_ms"], "late_ms": row["late_ms"], "basis": basis}


def _bounds(row: Row, segment: Row) -> dict[str, str | None]:
    """The moments between which a segment truly lies; null where nothing bounds it."""
    return {
        "earliest": _moved(segment["start_at"], row["early_ms"], -1),
        "latest": _moved(segment["end_at"], row["late_ms"], 1),
    }


def _moved(at: str | None, span_ms: int | None, sign: int) -> str | None:
    if at is None or span_ms is None:
        return None
    return instant.to_text(instant.from_text(at) + sign * timedelta(milliseconds=span_ms))


def _tombstone(connection: Connection, recording: str) -> dict[str, Any] | None:
    row = ends.tombstone_of(connection, recording)
    return None if row is None else {**row, "told": json.loads(row["told"])}
