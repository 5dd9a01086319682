# SPDX-License-Identifier: Apache-2.0
"""This is where a walk is made up and written as a receiver would log it: NMEA 0183 sentences.

A receiver's clock comes from the satellites: a track tells true time even when the camera's own
clock is wrong, and both are written down as they are.
"""

import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np

E7 = 10_000_000
ORIGIN = (312304000, 1214737000)  # a river bank, in degrees × 10^7
_METRE_E7 = 89.8  # a metre of latitude in degrees × 10^7
_KNOTS_PER_MM_S = 0.00194384


@dataclass(frozen=True, slots=True)
class Fix:
    """Where the camera was at `at` (true UTC): degrees × 10^7, millimetres a second, degrees from north."""

    at: datetime
    latitude_e7: int
    longitude_e7: int
    speed_mm_s: int
    course_degrees: int


def walk(seed: tuple[int, ...], *, start: datetime, seconds: int, origin: tuple[int, int] = ORIGIN) -> tuple[Fix, ...]:
    """One fix for each second of `[start, start + seconds]`, at walking speed, turning now and then."""
    rng = np.random.default_rng(seed)
    latitude, longitude = (float(value) for value in origin)
    course = int(rng.integers(0, 360))
    fixes = []
    for second in range(seconds + 1):
        speed = int(rng.integers(700, 1700))
        at = start.astimezone(UTC) + timedelta(seconds=second)
        fixes.append(Fix(at, round(latitude), round(longitude), speed, course))
        metres = speed / 1000
        latitude += metres * math.cos(math.radians(course)) * _METRE_E7
        stretch = math.cos(math.radians(latitude / E7))
        longitude += metres * math.sin(math.radians(course)) * _METRE_E7 / stretch
        course = (course + int(rng.integers(-20, 21))) % 360
    return tuple(fixes)


def nmea(fixes: tuple[Fix, ...]) -> str:
    """The track as text: a GGA and an RMC sentence for each fix, each with its checksum and CR LF."""
    return "".join(_sentence(_gga(fix)) + _sentence(_rmc(fix)) for fix in fixes)


def _sentence(body: str) -> str:
    check = 0
    for byte in body.encode("ascii"):
        check ^= byte
    return f"${body}*{check:02X}\r\n"


def _gga(fix: Fix) -> str:
    # Quality 1 (a plain fix), eight satellites, dilution 1.0, 12.0 m above the sea.
    return f"GPGGA,{_time(fix)},{_position(fix)},1,08,1.0,12.0,M,8.0,M,,"


def _rmc(fix: Fix) -> str:
    knots = f"{fix.speed_mm_s * _KNOTS_PER_MM_S:.2f}"
    return f"GPRMC,{_time(fix)},A,{_position(fix)},{knots},{fix.course_degrees:.1f},{fix.at:%d%m%y},,,A"


def _time(fix: Fix) -> str:
    return f"{fix.at:%H%M%S}.{fix.at.microsecond // 10_000:02d}"


def _position(fix: Fix) -> str:
    latitude = _degrees_minutes(fix.latitude_e7, wide=2) + (",N" if fix.latitude_e7 >= 0 else ",S")
    longitude = _degrees_minutes(fix.longitude_e7, wide=3) + (",E" if fix.longitude_e7 >= 0 else ",W")
    return f"{latitude},{longitude}"


def _degrees_minutes(value_e7: int, *, wide: int) -> str:
    # Whole numbers throughout: 60.00000 minutes must carry into the degree, never be printed.
    minutes_e5 = (abs(value_e7) * 60 + 50) // 100
    degrees, rest = divmod(minutes_e5, 60 * 100_000)
    return f"{degrees:0{wide}d}{rest // 100_000:02d}.{rest % 100_000:05d}"
