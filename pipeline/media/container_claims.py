# SPDX-License-Identifier: Apache-2.0
"""This is where a file's own facts become claims: container tags, EXIF, telemetry, weighed with all other sources."""

import re
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from fractions import Fraction
from pathlib import Path

from evidence import timecode
from evidence.claims import MAX_VALUE_CHARS, Claim, Claims, Source
from evidence.errors import BadInput
from evidence.instant import to_text
from pipeline.media.examination import Examination
from pipeline.media.photo import PhotoFacts, read_exif
from pipeline.media.tracks.reading import identity_of, track_of
from pipeline.media.tracks.track import Point, Track, start_of

# Container tags that say what we ask for. A make or model names no single device, so it is a note.
_START_TAGS = ("com.apple.quicktime.creationdate", "creation_time")
_NOTE_TAGS = ("make", "model", "com.apple.quicktime.make", "com.apple.quicktime.model", "firmware")
# ISO 6709, as phones write it: degrees, and metres that are not asked for.
_PLACE_TAGS = ("com.apple.quicktime.location.iso6709", "location")
_PLACE = re.compile(
    r"([+-][0-9]{2}(?:\.[0-9]{1,10})?)([+-][0-9]{3}(?:\.[0-9]{1,10})?)(?:[+-][0-9.]{1,16})?/?", re.ASCII
)
_SHORT_LONGITUDE = re.compile(r"([+-][0-9]{2}\.[0-9]{1,10})([+-][0-9]{1,3}\.[0-9]{1,10})/?", re.ASCII)
# Of a private form that nothing else plays: bytes are kept, and nothing is shown of them.
_UNPLAYABLE = (b"DHAV", b"DAHUA")
_CLOCKS_AGREE = timedelta(seconds=5)


def claims_of(path: Path, examination: Examination) -> Claims:
    """What the file says of itself; a value that cannot be shown is left out, never an error."""
    track = track_of(path, examination, is_beginning=True)
    pairs = [*_from_tags(examination, track), *_from_identity(identity_of(path, examination)), *_from_track(track)]
    if examination.kind == "photo":
        pairs += _from_exif(read_exif(path))
    return Claims(claim for field, value in pairs for claim in _claim(field, value))


def claims_of_unreadable(head: bytes) -> Claims:
    """What the first bytes of a file say whose media cannot be read."""
    return Claims(_claim("playable", "no") if head.startswith(_UNPLAYABLE) else ())


def _claim(field: str, value: str) -> Iterator[Claim]:
    try:
        yield Claim(field, value.strip()[:MAX_VALUE_CHARS], Source.CONTAINER)
    except BadInput:
        return


def _from_tags(examination: Examination, track: Track | None) -> Iterator[tuple[str, str]]:
    tags = examination.tags
    written = next((tags[name] for name in _START_TAGS if _is_time(tags.get(name, ""))), None)
    received = None if track is None else start_of(track.points)
    if received is not None:
        # The receiver's clock is the better one; when the camera's is far from it, both are told.
        yield "start", to_text(received)
        yield "gnss_start", to_text(received)
        if written is not None and not _agree(written, received):
            yield "note", f"creation_time={written}"
    elif written is not None:
        yield "start", written
    for name in _NOTE_TAGS:
        if name in tags:
            yield "note", f"{name}={tags[name]}"
    if "timecode" in tags and examination.video is not None and examination.video.rate is not None:
        yield "timecode", timecode.told(tags["timecode"], examination.video.rate)
    if track is None:
        yield from _placed(next((tags[name] for name in _PLACE_TAGS if name in tags), ""))


def _is_time(text: str) -> bool:
    # QuickTime's epoch (1904) and 1970 are what recorders write when they do not know.
    return bool(text) and text[:4] not in ("1904", "1970")


def _agree(written: str, received: datetime) -> bool:
    try:
        moment = datetime.fromisoformat(written)
        return moment.tzinfo is not None and abs(moment - received) <= _CLOCKS_AGREE
    except (ValueError, OverflowError):
        return False


def _placed(text: str) -> Iterator[tuple[str, str]]:
    match = _PLACE.fullmatch(text) or _SHORT_LONGITUDE.fullmatch(text)
    if match is None:
        return
    point = Point(Fraction(match[1]), Fraction(match[2]))
    if point.is_on_earth:
        yield "place", point.place


def _from_track(track: Track | None) -> Iterator[tuple[str, str]]:
    """Where it began."""
    if track is not None:
        yield "place", track.points[0].place


def _from_identity(told: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for name, value in sorted(told.items()):
        if name == "serial":
            yield "device", value
        elif name != "firmware":
            yield "note", f"{name}={value}"


def _from_exif(exif: PhotoFacts) -> Iterator[tuple[str, str]]:
    if exif.taken is not None:
        yield "start", exif.taken + (exif.offset or "")
    for name, value in (("make", exif.make), ("model", exif.model)):
        if value:
            yield "note", f"{name}={value}"
    if exif.serial:
        yield "device", exif.serial
    if exif.latitude is not None and exif.longitude is not None:
        point = Point(exif.latitude, exif.longitude)
        if point.is_on_earth:
            yield "place", point.place
