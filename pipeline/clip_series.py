# SPDX-License-Identifier: Apache-2.0
"""This is where a time is found in a capture of several files: each file that has any of it, with its own span.

Offsets count from the start of the file that was named, and run on into the files after it: named by its first file,
that is the whole capture. Instants are looked for in all its files.
"""

from fractions import Fraction

from evidence.media_time import Span
from storage.register import dock_rows, search
from storage.register.search import Connection, Row


def files_of(connection: Connection, recording: str) -> list[tuple[Row, Fraction]]:
    """The files of a capture in order, with the seconds from the start of the one named to the start of each.

    One that stands alone is its only file. A gap that is not known counts as none.
    """
    parts = dock_rows.series_of(connection, recording) or [{"recording": recording, "gap_ms": None}]
    rows = [search.recording(connection, part["recording"]) for part in parts]
    starts, at = [], Fraction(0)
    for part, row in zip(parts, rows, strict=True):
        at += Fraction(part["gap_ms"] or 0, 1000)
        starts.append(at)
        at += Fraction(row["duration"] or 0)
    origin = next(start for start, row in zip(starts, rows, strict=True) if row["id"] == recording)
    return [(row, start - origin) for start, row in zip(starts, rows, strict=True)]


def spans_of(files: list[tuple[Row, Fraction]], wanted: Span) -> list[tuple[str, Span]]:
    """The files from the named one on that have any part of a span of offsets, each with its own."""
    found = []
    for row, at in files:
        start, end = max(Fraction(0), wanted.start - at), min(Fraction(row["duration"] or 0), wanted.end - at)
        if at >= 0 and start < end:
            found.append((row["id"], Span(start, end)))
    return found
