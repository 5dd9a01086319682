# SPDX-License-Identifier: Apache-2.0
"""This is where recordings that are one capture in several files become one entry of a list.

Custody stays with each file: the entry names every part, with its own id, state and original.
"""

from collections.abc import Sequence
from typing import Any

from pipeline.tell import tell_recording
from storage.register import dock_rows, search, series_rows
from storage.register.search import Connection, Row

_AT_ONCE = 500  # names in one question


def tell_entries(connection: Connection, rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Recordings as a list prints them: each that stands alone as it is, each series once, where its first part is.

    A series is told whole, with parts that the question left out; its `id` is that of the first part asked for.
    """
    entries, told = [], set[str]()
    tied = _tied(connection, [row["id"] for row in rows])
    for row in rows:
        parts = dock_rows.series_of(connection, row["id"]) if row["id"] in tied else []
        if len(parts) < 2:
            entries.append(tell_recording(connection, row))
        elif parts[0]["series"] not in told:
            told.add(parts[0]["series"])
            entries.append(_entry(connection, row, parts))
    return entries


def _tied(connection: Connection, recordings: Sequence[str]) -> set[str]:
    found = set[str]()
    for at in range(0, len(recordings), _AT_ONCE):
        found |= series_rows.part_rows(connection, recordings[at : at + _AT_ONCE]).keys()
    return found


def tell_parts(connection: Connection, recording: str) -> list[dict[str, Any]]:
    """The parts of the series that a recording belongs to, in order; none when it stands alone."""
    parts = dock_rows.series_of(connection, recording)
    return [_part(connection, part) for part in parts] if len(parts) > 1 else []


def _entry(connection: Connection, row: Row, parts: Sequence[Row]) -> dict[str, Any]:
    whole = [tell_recording(connection, search.recording(connection, part["recording"])) for part in parts]
    ends = [one["end"] for one in whole if one["end"] is not None]
    problems = [one["problem"] for one in whole if one["problem"] is not None]
    return {
        **tell_recording(connection, row),
        "start": whole[0]["start"],
        "end": max(ends, default=None),
        "originals": [original for one in whole for original in one["originals"]],
        "parts": [_part(connection, part) for part in parts],
        "problem": next(iter(problems), None),
        "segments": sum(one["segments"] for one in whole),
    }


def _part(connection: Connection, part: Row) -> dict[str, Any]:
    row = search.recording(connection, part["recording"])
    return {
        "basis": part["basis"],
        "duration": row["duration"],
        "end": row["end_at"],
        "gap_ms": part["gap_ms"],
        "id": row["id"],
        "name": row["name"],
        "start": row["start_at"],
        "state": row["state"],
    }
