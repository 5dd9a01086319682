# SPDX-License-Identifier: Apache-2.0
"""This is where a way is a value, whoever recorded it: points with time, place, height, speed and course.

Kept as a derivative of kind `track`, canonical JSON: `form`, `source` (gpmf, novatek, nmea, gpx), `points`. Numbers are
decimal text, as canonical JSON has no fractions; what a recorder does not tell is null. `offset` is media time.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fractions import Fraction

from evidence import canonical_json, instant

FORM = "evidock-track/v1"
POINTS_MAX = 200_000  # two days at a point a second


@dataclass(frozen=True, slots=True)
class Point:
    """One place. Degrees (WGS 84, north and east positive), metres, metres a second, degrees from north.

    `at` is the receiver's own time, UTC. `offset` is exact seconds of media time. `fix` is how many dimensions the
    receiver was sure of: 0, 2 or 3, None when it does not say. What was not a fix has no place and makes no point.
    """

    latitude: Fraction
    longitude: Fraction
    at: datetime | None = None
    offset: Fraction | None = None
    altitude: Fraction | None = None
    speed: Fraction | None = None
    course: Fraction | None = None
    fix: int | None = None

    @property
    def is_on_earth(self) -> bool:
        """False for what no receiver means: out of range, or the nought that stands for "nowhere"."""
        is_within = abs(self.latitude) <= 90 and abs(self.longitude) <= 180
        return is_within and any((self.latitude, self.longitude)) and self.fix != 0

    @property
    def place(self) -> str:
        """As a claim says it: `lat,lon` to a millionth of a degree."""
        return f"{_decimal(self.latitude, 6)},{_decimal(self.longitude, 6)}"


@dataclass(frozen=True, slots=True)
class Track:
    """Points in the order they were recorded, and the form they were recorded in."""

    source: str
    points: tuple[Point, ...]

    @classmethod
    def of(cls, source: str, points: Iterable[Point]) -> "Track | None":
        """The track of these points; None when none of them is a place on Earth."""
        kept: list[Point] = []
        for point in points:
            if len(kept) >= POINTS_MAX:
                break
            if point.is_on_earth:
                kept.append(point)
        return cls(source, tuple(kept)) if kept else None

    def to_json(self) -> bytes:
        """The canonical bytes."""
        told = [_told(point) for point in self.points]
        return canonical_json.dumps({"form": FORM, "points": told, "source": self.source})


def start_of(points: Sequence[Point]) -> datetime | None:
    """When media time 0 was, by the first point that knows both its time and its offset."""
    for point in points:
        if point.at is not None and point.offset is not None:
            return point.at - timedelta(microseconds=round(point.offset * 1_000_000))
    return None


def in_utc(*parts: int, micro: int = 0) -> datetime | None:
    """Year to second as an instant; None when they are none."""
    try:
        year, month, day, hour, minute, second = parts
        return datetime(year, month, day, hour, minute, second, micro, tzinfo=UTC)
    except ValueError:
        return None


def _told(point: Point) -> dict[str, str | int | None]:
    return {
        "alt": _optional(point.altitude, 3),
        "at": None if point.at is None else instant.to_text(point.at),
        "course": _optional(point.course, 2),
        "fix": point.fix,
        "lat": _decimal(point.latitude, 7),
        "lon": _decimal(point.longitude, 7),
        "offset": _optional(point.offset, 3),
        "speed": _optional(point.speed, 3),
    }


def _optional(value: Fraction | None, places: int) -> str | None:
    return None if value is None else _decimal(value, places)


def _decimal(value: Fraction, places: int) -> str:
    number = round(value * 10**places)
    whole, rest = divmod(abs(number), 10**places)
    return f"{'-' if number < 0 else ''}{whole}.{rest:0{places}}"
