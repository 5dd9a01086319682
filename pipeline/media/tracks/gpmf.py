# SPDX-License-Identifier: Apache-2.0
"""This is where GoPro's telemetry becomes a track: one point for each payload, which is about one a second.

GPS5 with GPSU, GPSF and SCAL, GPS9 of newer cameras, and GPRI of the Karma drone, whose clock since power-on SYST ties
to UTC. Source: GoPro, gpmf-parser README and docs.
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from fractions import Fraction

from pipeline.media.boxes import ReadRange, body_of, children
from pipeline.media.tracks.klv import Entry, streams
from pipeline.media.tracks.samples import movie_box, samples_of, track_of_format
from pipeline.media.tracks.track import Point, in_utc

_PAYLOAD_MAX_BYTES = 1 << 20
_GPS9_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
_UNIX_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICRO = 1_000_000

Fields = Mapping[str, Entry]


def points(read: ReadRange, size_bytes: int, *, most_bytes: int) -> Iterator[Point]:
    """The points of an MP4's telemetry, of its first `most_bytes`; none when it has no such track.

    Raises:
        Truncated, Undecodable: its boxes or tables are nonsense.
    """
    moov = movie_box(read, size_bytes)
    trak = None if moov is None else track_of_format(read, moov, b"gpmd")
    if trak is None:
        return
    left = most_bytes
    for sample in samples_of(read, trak):
        left -= sample.size_bytes
        if left < 0:
            return
        if 0 < sample.size_bytes <= _PAYLOAD_MAX_BYTES:
            yield from _of_payload(read(sample.offset, sample.size_bytes), sample.start)


def identity(read: ReadRange, size_bytes: int) -> dict[str, str]:
    """What the camera says of itself: `serial`, `model`, `firmware`, `serial_hash`, as far as they are told.

    Raises:
        Truncated, Undecodable: its boxes are nonsense.
    """
    moov = movie_box(read, size_bytes)
    # Some writers put down more than one `udta`; the first box of a kind speaks.
    lists = [] if moov is None else [box for box in children(read, moov) if box.kind == b"udta"]
    found = {box.kind: box for udta in reversed(lists) for box in children(read, udta)}
    told: dict[str, str] = {}
    if b"GPMF" in found:
        settings = body_of(read, found[b"GPMF"])
        said = {one.key: one.text for stream in streams(settings) for one in stream if one.type == "c"}
        named = {"serial": "CASN", "model": "MINF", "firmware": "FMWR"}
        told = {name: said[key] for name, key in named.items() if said.get(key)}
    if b"FIRM" in found and "firmware" not in told:
        told["firmware"] = body_of(read, found[b"FIRM"])[:64].split(b"\0")[0].decode("latin-1")
    if b"CAME" in found and any(mark := body_of(read, found[b"CAME"])[:16]):
        told["serial_hash"] = mark.hex()
    return told


def _of_payload(payload: bytes, start: Fraction) -> Iterator[Point]:
    every = [{entry.key: entry for entry in stream} for stream in streams(payload)]
    booted = next((found for one in every if (found := _booted(one)) is not None), None)
    for one in every:
        point = _gps5(one, start) or _gps9(one, start) or _karma(one, start, booted)
        if point is not None:
            yield point


def _gps5(one: Fields, start: Fraction) -> Point | None:
    values = _first(one, "GPS5")
    if values is None or len(values) < 4:
        return None
    fix = one["GPSF"].value[-1] if "GPSF" in one and one["GPSF"].value else None
    at = _compact(one["GPSU"].text) if "GPSU" in one else None
    latitude, longitude, altitude, speed = values[:4]
    return Point(latitude, longitude, at=at, offset=start, altitude=altitude, speed=speed, fix=fix)


def _gps9(one: Fields, start: Fraction) -> Point | None:
    values = _first(one, "GPS9")
    if values is None or len(values) < 9:
        return None
    latitude, longitude, altitude, speed, _, days, seconds, _, fix = values[:9]
    at = _after(_GPS9_EPOCH, days * 86_400 + seconds)
    return Point(latitude, longitude, at=at, offset=start, altitude=altitude, speed=speed, fix=int(fix))


def _karma(one: Fields, start: Fraction, booted: datetime | None) -> Point | None:
    values = _first(one, "GPRI")
    if values is None or len(values) < 9:
        return None
    clock, latitude, longitude, altitude, _, _, speed, course, fix = values[:9]
    at = None if booted is None else _after(booted, clock)
    return Point(latitude, longitude, at, start, altitude, speed, course, fix=int(fix))


def _booted(one: Fields) -> datetime | None:
    """When the drone was switched on: its own clock and UTC, told at one moment."""
    values = _first(one, "SYST")
    return None if values is None or len(values) < 2 else _after(_UNIX_EPOCH, values[1] - values[0])


def _first(one: Fields, key: str) -> tuple[Fraction, ...] | None:
    """The first element under a key, each number divided by its scale."""
    if key not in one:
        return None
    form = one["TYPE"].text if "TYPE" in one else None
    values = next(one[key].rows(form), None)
    if values is None:
        return None
    scales = [row[0] for row in one["SCAL"].rows()] if "SCAL" in one else []
    if len(scales) == 1:
        scales *= len(values)
    if len(scales) < len(values) or not all(scales[: len(values)]):
        return None
    return tuple(value / scale for value, scale in zip(values, scales, strict=False))


def _compact(text: str) -> datetime | None:
    """`yymmddhhmmss.sss`, UTC."""
    digits, _, rest = text.partition(".")
    if len(digits) != 12 or not (digits + rest).isascii() or not (digits + (rest or "0")).isdigit():
        return None
    numbers = [int(digits[at : at + 2]) for at in range(0, 12, 2)]
    return in_utc(2000 + numbers[0], *numbers[1:], micro=int(rest[:6].ljust(6, "0")))


def _after(epoch: datetime, seconds: Fraction) -> datetime | None:
    try:
        return epoch + timedelta(microseconds=round(seconds * _MICRO))
    except OverflowError:
        return None
