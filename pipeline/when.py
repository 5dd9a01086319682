# SPDX-License-Identifier: Apache-2.0
"""This is where a recording's start is weighed from what its sources claim; nothing claimed is discarded.

The camera's clock, the dock's and the server's are three claims. The best estimate takes the
weightiest source that speaks of the start, reads a time without zone in the agency's zone, and
takes off the offset last measured for the camera's clock.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from zoneinfo import ZoneInfo

from evidence.claims import Claims, Source


@dataclass(frozen=True, slots=True)
class Start:
    """The best estimate of a recording's start, and the source it was taken from."""

    at: datetime
    source: str


def weigh_start(claims: Claims, *, zone: ZoneInfo, clock_offset_ms: int, duration: Fraction | None) -> Start | None:
    """The best estimate of the start, or None when no source gives a usable time.

    A file's mtime is when it was last written: the duration is taken off it.
    """
    for claim in claims.of("start"):
        moment = _read(claim.value, zone)
        if moment is None:
            continue
        if claim.source is Source.MTIME and duration is not None:
            moment -= timedelta(microseconds=int(duration * 1_000_000))
        return Start(moment - timedelta(milliseconds=clock_offset_ms), claim.source.value)
    return None


def latest_end(claims: Claims, *, zone: ZoneInfo, clock_offset_ms: int, duration: Fraction | None) -> datetime | None:
    """The latest moment that any source lets a recording have ended at, its clock taken as right or as measured.

    None when no source gives a usable time. Keeping is counted from here: doubt never shortens.
    """
    length = timedelta(0) if duration is None else timedelta(microseconds=int(duration * 1_000_000) + 1)
    slow = timedelta(milliseconds=max(-clock_offset_ms, 0))
    ends = [
        # A file is last written when the recording ends.
        moment + slow + (timedelta(0) if claim.source is Source.MTIME else length)
        for claim in claims.of("start")
        if (moment := _read(claim.value, zone)) is not None
    ]
    return max(ends, default=None)


def _read(text: str, zone: ZoneInfo) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=zone)
        return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def end_of(start: datetime | None, duration: Fraction | None) -> datetime | None:
    """The instant `duration` after `start`, to the microsecond; None when either is unknown."""
    if start is None or duration is None:
        return None
    return start + timedelta(microseconds=int(duration * 1_000_000))
