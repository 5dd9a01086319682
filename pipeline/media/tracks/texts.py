# SPDX-License-Identifier: Apache-2.0
"""This is where side files of positions are read: NMEA 0183 sentences and GPX 1.1.

Source: NMEA 0183 (RMC, GGA, checksum), GPX 1.1 schema. A line or an element that says nothing sensible is passed over.
"""

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from fractions import Fraction
from functools import reduce
from operator import xor
from xml.parsers import expat

from evidence.errors import Undecodable
from pipeline.media.tracks.track import Point, in_utc

_SENTENCE = re.compile(r"\$(?P<body>[A-Z]{2}(?P<kind>RMC|GGA),[ -)+-~]{0,120})(?:\*(?P<sum>[0-9A-Fa-f]{2}))?")
_NUMBER = re.compile(r"-?[0-9]{1,12}(?:\.[0-9]{1,12})?", re.ASCII)
_CLOCK = re.compile(r"([0-9]{2})([0-9]{2})([0-9]{2})(?:\.([0-9]{1,6}))?", re.ASCII)
_DAY = re.compile(r"([0-9]{2})([0-9]{2})([0-9]{2})", re.ASCII)
_KNOT = Fraction(1852, 3600)
_FIELDS = frozenset({"ele", "speed", "course"})
_TEXT_MAX = 64


def nmea(text: str) -> Iterator[Point]:
    """The points of RMC sentences; the height comes from the GGA sentence of the same second.

    A sentence whose checksum is wrong is passed over: its place may be any.
    """
    height: tuple[str, Fraction | None] = ("", None)
    for match in _SENTENCE.finditer(text):
        if match["sum"] and int(match["sum"], 16) != reduce(xor, match["body"].encode()):
            continue
        fields = match["body"].split(",")
        if match["kind"] == "GGA" and len(fields) > 9:
            height = (fields[1], _number(fields[9]))
        elif match["kind"] == "RMC" and len(fields) > 9 and fields[2] == "A":
            point = _of_rmc(fields)
            if point is not None:
                yield replace(point, altitude=height[1] if height[0] == fields[1] else None)


def _of_rmc(fields: list[str]) -> Point | None:
    latitude, longitude = _degrees(fields[3], fields[4], "S"), _degrees(fields[5], fields[6], "W")
    if latitude is None or longitude is None:
        return None
    clock, day, knots = _CLOCK.fullmatch(fields[1]), _DAY.fullmatch(fields[9]), _number(fields[7])
    at = None
    if clock is not None and day is not None:
        micro = int((clock[4] or "").ljust(6, "0"))
        numbers = (2000 + int(day[3]), int(day[2]), int(day[1]), int(clock[1]), int(clock[2]), int(clock[3]))
        at = in_utc(*numbers, micro=micro)
    speed = None if knots is None else knots * _KNOT
    return Point(latitude, longitude, at=at, speed=speed, course=_number(fields[8]))


def _degrees(text: str, side: str, negative: str) -> Fraction | None:
    number = _number(text)
    if number is None or not side:
        return None
    degrees, minutes = divmod(number, 100)
    place = degrees + minutes / 60
    return -place if side == negative else place


def gpx(text: bytes) -> Iterator[Point]:
    """The points of GPX tracks.

    Raises:
        Undecodable: it is no XML, or defines entities, which no recorder does.
    """
    reader = _Gpx()
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.StartElementHandler, parser.EndElementHandler = reader.begin, reader.end
    parser.CharacterDataHandler = reader.say
    parser.EntityDeclHandler = _refuse
    try:
        parser.Parse(text, True)
    except expat.ExpatError as error:
        raise Undecodable(f"not a track in GPX: {error}") from error
    yield from reader.points


def _refuse(*_: object) -> None:
    raise Undecodable("a track that defines entities")


class _Gpx:
    """Takes the elements of a GPX as they come."""

    def __init__(self) -> None:
        self.points: list[Point] = []
        self._now: Point | None = None
        self._text = ""

    def begin(self, name: str, attributes: dict[str, str]) -> None:
        self._text = ""
        if name.rpartition(" ")[2] == "trkpt":
            latitude, longitude = (_number(attributes.get(side, "")) for side in ("lat", "lon"))
            self._now = None if latitude is None or longitude is None else Point(latitude, longitude)

    def say(self, text: str) -> None:
        if len(self._text) <= _TEXT_MAX:
            self._text += text

    def end(self, name: str) -> None:
        last = name.rpartition(" ")[2]
        if self._now is None:
            return
        if last == "trkpt":
            self.points.append(self._now)
            self._now = None
        elif last in _FIELDS and (number := _number(self._text.strip())) is not None:
            self._now = _with(self._now, last, number)
        elif last == "time":
            self._now = replace(self._now, at=_moment(self._text.strip()))
        elif last == "fix":
            self._now = replace(self._now, fix={"none": 0, "2d": 2, "3d": 3}.get(self._text.strip()))
        self._text = ""


def _with(point: Point, name: str, number: Fraction) -> Point:
    if name == "ele":
        return replace(point, altitude=number)
    return replace(point, speed=number) if name == "speed" else replace(point, course=number)


def _moment(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
        return None if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _number(text: str) -> Fraction | None:
    return Fraction(text) if _NUMBER.fullmatch(text) else None
