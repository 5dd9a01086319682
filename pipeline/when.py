# SPDX-License-Identifier: Apache-2.0
"""This is where a recording's start is weighed from what its sources claim; nothing claimed is discarded.

The camera's clock, the dock's and the server's are three claims. The best estimate takes the weightiest source that
speaks of the start, and reads it by what docks measured of the camera's clock: with an interval in which the truth
lies. Of a clock that no dock measured, a registered offset is taken off, and nothing is said of how sure that is.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

from evidence import instant
from evidence.camera_clock import Reading
from evidence.camera_clock_interval import Interval, Shown, Sighting, true_interval
from evidence.camera_clock_zone import local_readings
from evidence.claims import Claim, Claims, Source
from pipeline.clock_ledger import LOCAL, UTC_CLOCK, Ledger

GNSS = "gnss"
"""A satellite receiver in the camera told the time, and the camera's clock bears it out, or knows no better."""

_ZERO = timedelta(0)
# What is shown nearer to the ends of the calendar has no time of its own: lengths and offsets would leave it.
_YEARS = range(1000, 9000)
_MILLISECOND = timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True)
class Start:
    """The best estimate of a recording's start, and the source it was taken from.

    The truth lies from `early` before it to `late` after it; None: nothing bounds it. `basis`: why, for the record.
    """

    at: datetime
    source: str
    early: timedelta | None = None
    late: timedelta | None = None
    basis: Mapping[str, Any] = field(default_factory=dict)


def weigh_start(claims: Claims, ledger: Ledger, *, duration: Fraction | None) -> Start | None:
    """The best estimate of the start, or None when no source gives a usable time.

    A file's mtime is when it was last written: the duration is taken off it.
    """
    received = _received(claims, ledger)
    told = [claim for claim in claims.of("start") if _read(claim.value, ledger.zone) is not None]
    # What a receiver's clock told is not the camera's clock: no offset of that is taken off.
    shown = [claim for claim in told if received is None or claim.source is not Source.CONTAINER]
    found = _measured(shown, ledger, _length(duration)) if ledger.courses and shown else None
    if received is not None and (told[:1] != shown[:1] or _bears_out(found, received, ledger)):
        return _by_receiver(received, found, ledger)
    if not shown:
        return None
    return found or _as_registered(shown[0], ledger, _length(duration))


def latest_end(claims: Claims, ledger: Ledger, start: Start | None, *, duration: Fraction | None) -> datetime | None:
    """The latest moment that any source, or the interval of the start, lets a recording have ended at.

    None when no source gives a usable time. Keeping is counted from here: doubt never shortens, so what the clock
    ledger knows better is no reason for an earlier end.
    """
    length = _ZERO if duration is None else _length(duration) + timedelta(microseconds=1)
    slow = max(-ledger.registered, _ZERO)
    ends = [
        # A file is last written when the recording ends.
        moment + slow + (_ZERO if claim.source is Source.MTIME else length)
        for claim in claims.of("start")
        if (moment := _read(claim.value, ledger.zone)) is not None
    ]
    if start is not None and start.late is not None:
        ends.append(start.at + start.late + length)
    return max(ends, default=None)


def told_clock(start: Start | None) -> dict[str, Any] | None:
    """How surely the start is known, for the record: whole milliseconds, rounded away from the estimate."""
    if start is None:
        return None
    return {"early_ms": _up(start.early), "late_ms": _up(start.late), "basis": dict(start.basis)}


def end_of(start: datetime | None, duration: Fraction | None) -> datetime | None:
    """The instant `duration` after `start`, to the microsecond; None when either is unknown."""
    if start is None or duration is None:
        return None
    return start + _length(duration)


# --- a clock that was measured ----------------------------------------------------------------


def _measured(told: Sequence[Claim], ledger: Ledger, length: timedelta) -> Start | None:
    first, *others = ([*_shown(claim, ledger, length)] for claim in told)
    known = ledger.figures
    seen = ledger.sighting.seen - length + known.slack
    swept = None if ledger.sighting.swept is None else ledger.sighting.swept - known.slack
    found = true_interval(first, ledger.courses, Sighting(seen, swept), beside=others, within=known.agreement)
    if found is None:
        return None
    source = told[0].source.value
    return Start(found.at, source, found.early, found.late, _basis(found, source, ledger.readings))


def _basis(found: Interval, source: str, readings: Sequence[Reading]) -> dict[str, Any]:
    """What the interval rests on: the source and how it was read, what was taken off, the readings around it."""
    before = [one.at for one in readings if one.at <= found.at]
    after = [one.at for one in readings if one.at > found.at]
    return {
        "how": found.how,
        "kind": found.kind,
        "offset_ms": found.offset // _MILLISECOND,
        "readings": [instant.to_text(at) for at in (*before[-1:], *after[:1])],
        "source": source,
        "ways": found.ways,
    }


def _shown(claim: Claim, ledger: Ledger, length: timedelta) -> Iterator[Shown]:
    """The ways to read a claim, the likeliest first."""
    grain = ledger.figures.grains[claim.source]
    for moment, how in _moments(claim, ledger):
        begun = moment - length if claim.source is Source.MTIME else moment
        yield Shown(begun, grain.before, grain.after, how)
        if grain.may_be_end and length > _ZERO:
            yield Shown(begun - length, grain.before, grain.after, f"{how}, end")


def _moments(claim: Claim, ledger: Ledger) -> Iterator[tuple[datetime, str]]:
    """The instants that a claim's text may mean: local text, or UTC; each may be said for the other."""
    moment = datetime.fromisoformat(claim.value)
    is_bare, manner = moment.tzinfo is None, ledger.manner
    if is_bare and manner == UTC_CLOCK:
        yield moment.replace(tzinfo=UTC), "utc"
    elif is_bare:
        yield from ((one, "local") for one in local_readings(moment, ledger.zone))
    else:
        yield from _zoned(moment, claim.source, ledger)


def _zoned(moment: datetime, source: Source, ledger: Ledger) -> Iterator[tuple[datetime, str]]:
    # A container's and a file system's UTC is what a machine made of the camera's local time, rightly or not.
    is_doubtful = source in (Source.CONTAINER, Source.MTIME) and moment.utcoffset() == _ZERO
    as_said, as_local = moment.astimezone(UTC), moment.replace(tzinfo=None)
    if not is_doubtful or ledger.manner != LOCAL or source is Source.MTIME:
        yield as_said, "utc"
    if not is_doubtful or ledger.manner == UTC_CLOCK:
        return
    # The hour that comes twice: whoever made UTC of it may have taken the other one.
    twice = local_readings(as_said.astimezone(ledger.zone).replace(tzinfo=None), ledger.zone)
    for one in dict.fromkeys((*local_readings(as_local, ledger.zone), *twice)):
        if one != as_said:
            yield one, "local"


# --- a satellite receiver's clock -------------------------------------------------------------


def _received(claims: Claims, ledger: Ledger) -> datetime | None:
    claim = claims.best("gnss_start")
    return None if claim is None else _read(claim.value, ledger.zone)


def _bears_out(found: Start | None, received: datetime, ledger: Ledger) -> bool:
    """True when a receiver's time lies in the interval that the camera's clock gives: some write local time as UTC."""
    if found is None or found.early is None or found.late is None:
        return False
    within = ledger.figures.receiver
    return found.at - found.early - within <= received <= found.at + found.late + within


def _by_receiver(received: datetime, found: Start | None, ledger: Ledger) -> Start:
    """What the receiver says; how sure that is, is known only where the camera's clock bears it out."""
    basis = {"kind": GNSS, "source": Source.CONTAINER.value}
    if not _bears_out(found, received, ledger):
        return Start(received, Source.CONTAINER.value, basis=basis)
    within = ledger.figures.receiver
    return Start(received, Source.CONTAINER.value, within, within, basis)


# --- a clock that was not ---------------------------------------------------------------------


def _as_registered(claim: Claim, ledger: Ledger, length: timedelta) -> Start:
    moment = _read(claim.value, ledger.zone)
    assert moment is not None  # noqa: S101  # whoever asks has looked
    begun = moment - length if claim.source is Source.MTIME else moment
    basis = {"kind": "unmeasured", "offset_ms": ledger.registered // _MILLISECOND, "source": claim.source.value}
    return Start(begun - ledger.registered, claim.source.value, basis=basis)


def _read(text: str, zone: ZoneInfo) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    if moment.year not in _YEARS:
        return None
    return (moment.replace(tzinfo=zone) if moment.tzinfo is None else moment).astimezone(UTC)


def _length(duration: Fraction | None) -> timedelta:
    return _ZERO if duration is None else timedelta(microseconds=int(duration * 1_000_000))


def _up(span: timedelta | None) -> int | None:
    return None if span is None else max(0, -(-span // _MILLISECOND))
