# SPDX-License-Identifier: Apache-2.0
"""This is where the clock ledger of a device is read: what docks measured of it, and how its times are to be read."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache, partial
from zoneinfo import ZoneInfo

from evidence import instant
from evidence.camera_clock import Bounds, Line, Reading, course
from evidence.camera_clock_interval import Sighting
from evidence.camera_clock_zone import distance, without_zone
from evidence.claims import Claims
from evidence.errors import NotFound
from pipeline.clock_figures import Figures, figures
from pipeline.received import ReceivedFiles, received_id
from storage.register import dock_rows
from storage.register.search import Connection, Row

LOCAL, UTC_CLOCK = "local", "utc"
"""How a device's clock may be registered to be read; anything else: nothing known."""


@dataclass(frozen=True, slots=True)
class Ledger:
    """What is known of a device's clock.

    `zone` is the agency's, `manner` how the device's times are read (`LOCAL`, `UTC_CLOCK` or nothing known),
    `registered` what a person said of the offset. `courses` are the lines of the clock, the likeliest first; none
    when no dock ever measured it. `sighting` is of the file that is asked about.
    """

    zone: ZoneInfo
    manner: str
    registered: timedelta
    readings: tuple[Reading, ...]
    courses: tuple[tuple[Line, ...], ...]
    sighting: Sighting
    figures: Figures


def ledger_of(
    connection: Connection, device: Row | None, claims: Claims, *, zone: ZoneInfo, sighting: Sighting
) -> Ledger:
    """The clock ledger for a file that claims to be of a device; `device`: its row, None when it is not registered.

    How the clock is read is what the registry says, else what the maker's form says (the claim `clock_zone`).
    """
    serial = claims.value("device")
    rows = [] if serial is None else dock_rows.readings_of(connection, serial)
    registered = timedelta(milliseconds=0 if device is None else device["clock_offset_ms"])
    manner = ("" if device is None else device["clock"]) or claims.value("clock_zone") or ""
    readings = [reading_of(row) for row in rows]
    return ledger(readings, zone=zone, sighting=sighting, manner=manner, registered=registered)


def ledger(
    readings: Sequence[Reading],
    *,
    zone: ZoneInfo,
    sighting: Sighting,
    manner: str = "",
    registered: timedelta = timedelta(0),
) -> Ledger:
    """The clock ledger of a device, of what was measured of it."""
    known, told = figures(), tuple(readings)
    return Ledger(zone, manner, registered, told, _courses(told, manner, zone, known.bounds), sighting, known)


def reading_of(row: Row) -> Reading:
    """The reading of a row."""
    after = None if row["after_ms"] is None else timedelta(milliseconds=row["after_ms"])
    at, offset = instant.from_text(row["at"]), timedelta(milliseconds=row["offset_ms"])
    return Reading(at, offset, timedelta(milliseconds=row["uncertainty_ms"]), after)


def docking_told(root: str, received: ReceivedFiles) -> str | None:
    """The docking that a file came with that was offered under `root`, as its dock said; None when none is told.

    Raises:
        StoreUnavailable, RecordMalformed: what was said of it cannot be read.
    """
    identifier = received_id(root)
    if identifier is None:
        return None
    try:
        return received.told(identifier).docking
    except NotFound:  # it rests elsewhere by now
        return None


def sighting_of(connection: Connection, docking: str | None, *, device: str | None, arrived: datetime) -> Sighting:
    """When a file of a device was seen that came with a docking: when that began; else when it arrived.

    What the docking before it took is everything that the device held then. A docking of another device says nothing.
    """
    row = None if docking is None else dock_rows.docking(connection, docking)
    if row is None or device is None or row["device"] != device:
        return Sighting(arrived)
    emptied = dock_rows.emptied_before(connection, device, row["began_at"])
    began = min(instant.from_text(row["began_at"]), arrived)
    return Sighting(began, None if emptied is None else instant.from_text(emptied["began_at"]))


# Everything that a docking brings is asked of the same readings.
@lru_cache(64)
def _courses(
    readings: tuple[Reading, ...], manner: str, zone: ZoneInfo, bounds: Bounds
) -> tuple[tuple[Line, ...], ...]:
    """The lines of the clock: as measured, or as measured by someone who read the device's times in another zone.

    Where nobody said how the clock is read, and it was mostly off by just what the zone is, both may be; that the
    device was right and was read wrongly is the likelier.
    """
    if not readings:
        return ()
    lined = partial(course, zone=zone, bounds=bounds)
    moved = tuple(_moved(one, zone, -1 if manner == UTC_CLOCK else 1, bounds) for one in readings)
    if manner in (LOCAL, UTC_CLOCK):
        return (lined(moved),)
    return (lined(moved), lined(readings)) if _is_zone_read(readings, moved, zone) else (lined(readings),)


def _is_zone_read(readings: Sequence[Reading], moved: Sequence[Reading], zone: ZoneInfo) -> bool:
    """True when most readings were off by the zone, by summer time as by winter time.

    A clock that only does not follow the zone's summer time is off by it in one of them alone.
    """
    seasons: dict[timedelta, list[bool]] = {}
    for one, other in zip(readings, moved, strict=True):
        if (ahead := distance(zone, one.at)) != timedelta(0):
            seasons.setdefault(ahead, []).append(one.offset != other.offset)
    return bool(seasons) and all(2 * sum(were_moved) > len(were_moved) for were_moved in seasons.values())


def _moved(reading: Reading, zone: ZoneInfo, sign: int, bounds: Bounds) -> Reading:
    shift = sign * distance(zone, reading.at.astimezone(UTC))
    taken = partial(without_zone, shift=shift, within=bounds.zone_within)
    after = None if reading.after is None else taken(reading.after)
    return Reading(reading.at, taken(reading.offset), reading.uncertainty, after)
