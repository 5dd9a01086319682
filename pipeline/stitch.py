# SPDX-License-Identifier: Apache-2.0
"""This is where the files of one capture are tied together as they come, in whatever order they come.

The unit of custody stays the file: each has its own receipt. What is told here is only how they belong together. A
part that comes last, in the middle of others, joins what was apart: their places are told anew.
"""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from zoneinfo import ZoneInfo

from evidence import instant
from evidence.claims import Claim, Claims, Source
from evidence.custody import Happening
from evidence.series import Piece, Tie, chains, missing
from evidence.timecode import seconds_of
from pipeline.outcome import about
from storage.register import series_rows
from storage.register.search import Connection, Row

GAP = "sequence-gap"
"""The code of a remark: numbers of the same capture are not here."""

_NEAR, _LONGEST = timedelta(seconds=6), timedelta(hours=48)
_LONGEST_S = _LONGEST // timedelta(seconds=1)
# What is shown nearer to the ends of the calendar has no time before or behind it.
_YEARS = range(1000, 9000)
_MOVING = frozenset({"video", "audio"})
_LENS = re.compile(r"(?<=[0-9])[A-Za-z]{1,2}(?=\.[A-Za-z0-9]{1,8}$)", re.ASCII)
_NUMBER_MAX_DIGITS = 9


@dataclass(frozen=True, slots=True)
class _Part:
    """A place in a series, as the register keeps it."""

    recording: str
    gap_ms: int | None
    basis: str


def stitched(connection: Connection, row: Row, zone: ZoneInfo) -> Iterator[Happening]:
    """What is to be told of how a recording goes on with its neighbours; nothing when it stands alone."""
    told = series_rows.file_of(connection, row["id"]) if row["kind"] in _MOVING else None
    piece = None if told is None else _piece(told)
    if told is None or piece is None:
        return
    began = instant.from_text(told["start_at"])
    window = [began - _LONGEST, began - _NEAR, began + (piece.end - piece.start) + _NEAR]
    near = _pieces(series_rows.touching(connection, told, *map(instant.to_text, window)))
    yield from _placed(connection, piece, near)
    beside = _pieces(series_rows.neighbours(connection, told, most=4))
    yield from _gaps(connection, piece, list({one.id: one for one in (*near, *beside)}.values()))


def _placed(connection: Connection, piece: Piece, near: Sequence[Piece]) -> Iterator[Happening]:
    """The places that change because of one piece."""
    chain = next(one for one in chains([*near, piece]) if any(link[0].id == piece.id for link in one))
    at = next(number for number, link in enumerate(chain) if link[0].id == piece.id)
    standing = series_rows.part_rows(connection, [link[0].id for link in chain])
    if len(chain) == 1 and piece.id not in standing:
        return
    around = {row["series"] for row in standing.values()}
    rows = series_rows.parts_of(connection, sorted(around))
    head = [] if at == 0 else _up_to(rows, chain[at - 1])
    behind = [] if at + 1 == len(chain) else _from(rows, chain[at + 1])
    placed = {piece.id, *(part.recording for part in head)}
    tail = [part for part in behind if part.recording not in placed]
    known = {row["recording"]: row for row in rows}
    yield from _changes([*head, _part(piece.id, chain[at][1]), *tail], known)
    kept = {piece.id, *(part.recording for part in (*head, *tail))}
    for series in sorted(around):
        rest = [_of_row(row) for row in rows if row["series"] == series and row["recording"] not in kept]
        yield from _changes(rest, known)


def _up_to(rows: Sequence[Row], link: tuple[Piece, Tie | None]) -> list[_Part]:
    """The series of a piece up to it; the piece alone, when it is in none."""
    mine = _series_of(rows, link[0].id)
    at = next((number for number, row in enumerate(mine) if row["recording"] == link[0].id), None)
    return [_part(link[0].id, None)] if at is None else [_of_row(row) for row in mine[: at + 1]]


def _from(rows: Sequence[Row], link: tuple[Piece, Tie | None]) -> list[_Part]:
    """The series of a piece from it on, the piece as it is tied now."""
    mine = _series_of(rows, link[0].id)
    at = next((number for number, row in enumerate(mine) if row["recording"] == link[0].id), len(mine))
    return [_part(*_named(link)), *(_of_row(row) for row in mine[at + 1 :])]


def _series_of(rows: Sequence[Row], recording: str) -> list[Row]:
    series = next((row["series"] for row in rows if row["recording"] == recording), None)
    return [row for row in rows if row["series"] == series]


def _named(link: tuple[Piece, Tie | None]) -> tuple[str, Tie | None]:
    return link[0].id, link[1]


def _part(recording: str, tie: Tie | None) -> _Part:
    if tie is None:
        return _Part(recording, None, "first")
    return _Part(recording, None if tie.gap is None else round(tie.gap * 1000), tie.basis)


def _of_row(row: Row) -> _Part:
    return _Part(row["recording"], row["gap_ms"], row["basis"])


def _changes(parts: Sequence[_Part], known: dict[str, Row]) -> Iterator[Happening]:
    """What is to be told so that these parts are one series in this order."""
    for position, part in enumerate(parts):
        first = position == 0
        facts = {
            "basis": "first" if first else part.basis,
            "gap_ms": None if first else part.gap_ms,
            "position": position,
            "series": parts[0].recording,
        }
        row = known.get(part.recording)
        if row is None or any(row[name] != value for name, value in facts.items()):
            yield Happening("stitched", about(part.recording), facts=facts)


def _gaps(connection: Connection, piece: Piece, beside: Sequence[Piece]) -> Iterator[Happening]:
    """Remarks on numbers that are missing before a piece, and before the one after it."""
    ordered = sorted([*beside, piece], key=lambda one: (one.start, one.part or 0, one.id))
    ordered = [one for one in ordered if one.place == piece.place]
    at = next(number for number, one in enumerate(ordered) if one.id == piece.id)
    for before, after in zip(ordered[max(0, at - 1) : at + 1], ordered[max(1, at) : at + 2], strict=False):
        lost = missing(before, after)
        told = series_rows.remark_of(connection, after.id, GAP)
        text = _told(lost) if lost else None if told is None else "no number of the same capture is missing any more"
        if text is not None and text != told:
            yield Happening("remarked", about(after.id), facts={"code": GAP}, detail={"text": text})


def _told(lost: Sequence[int]) -> str:
    numbers = f"number {lost[0]}" if len(lost) == 1 else f"numbers {lost[0]} to {lost[-1]}"
    return f"{numbers} of the same capture, right before this file, did not come"


def _pieces(rows: Sequence[Row]) -> list[Piece]:
    return [piece for row in rows if (piece := _piece(row)) is not None]


def _piece(row: Row) -> Piece | None:
    """A row as a piece; None when its time or its length is not known."""
    if row["start_at"] is None or row["duration"] is None or not 0 < Fraction(row["duration"]) <= _LONGEST_S:
        return None
    claims = Claims.from_json(json.loads(row["claims"]))
    start, clock, is_fine = _shown(row, claims.best("start"))
    lens = _LENS.search(row["name"])
    place = (row["device"] or "", row["dock"], claims.value("maker") or "", row["kind"], lens[0] if lens else "")
    # Of a recorder that nothing names, only files that lie side by side may be one capture.
    folder = () if row["device"] else (row["path"].rpartition("/")[0],)
    timecode = claims.value("timecode")
    return Piece(
        id=row["id"],
        place=(*place, *folder),
        start=start,
        clock=clock,
        duration=Fraction(row["duration"]),
        size_bytes=row["size_bytes"],
        is_fine=is_fine,
        timecode=None if timecode is None else seconds_of(timecode),
        sequence=_number(claims.value("sequence")),
        part=_number(claims.value("part")),
    )


def _shown(row: Row, said: Claim | None) -> tuple[datetime, str, bool]:
    """The start as the camera showed it, by which clock, and whether that one tells less than a second.

    Not the time that was weighed: what was taken off for a clock that was wrong is not known to the frame, and may
    differ from file to file.
    """
    weighed = instant.from_text(row["start_at"])
    if said is None or said.source is Source.MTIME:
        return weighed, "mtime" if said is not None else "", False
    try:
        shown = datetime.fromisoformat(said.value)
    except ValueError:
        return weighed, "", False
    if shown.year not in _YEARS:
        return weighed, "", False
    if shown.tzinfo is None:
        return shown.replace(tzinfo=UTC), said.source.value, shown.microsecond != 0
    return shown.astimezone(UTC), f"{said.source.value}-utc", shown.microsecond != 0


def _number(text: str | None) -> int | None:
    is_one = text is not None and text.isascii() and text.isdigit() and len(text) <= _NUMBER_MAX_DIGITS
    return int(text or 0) if is_one else None
