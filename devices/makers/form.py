# SPDX-License-Identifier: Apache-2.0
"""This is where makers' names are taken apart into claims, by rules that hold for every maker.

Nothing here can fail: what a name says badly is noted or left out, because a name must never keep a file from
being taken. Digits are ASCII digits only; other scripts' digits are not what a camera writes.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from evidence.claims import Claim, Source
from evidence.errors import BadInput

# What one maker's example says, field by field, the best source of each.
Examples = Mapping[str, Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class Profile:
    """One maker's form: `read` takes a path apart, or gives None when the path is of another form."""

    name: str
    read: Callable[[str], tuple[Claim, ...] | None]
    examples: Examples


_KINDS = {
    "video": "mp4 m4v mov avi mkv flv ts mts m2ts mpg mpeg 3gp wmv dav h264 h265 360",
    "audio": "m4a wav mp3 aac amr ogg opus flac wma",
    "photo": "jpg jpeg png bmp heic heif tif tiff dng",
    "track": "gps nmea gpx",
    "log": "log",
    "thumbnail": "thm",
    "settings": "ini cson json cfg conf xml",
    "document": "txt pdf ofd doc docx csv",
}
_KIND_OF = {ending: kind for kind, endings in _KINDS.items() for ending in endings.split()}
# What lies beside footage, in a folder that is named by it.
_BESIDE = frozenset({"track", "log", "thumbnail", "settings", "document"})
_KIND_FOLDERS = {"video": "video", "audio": "audio", "image": "photo", "photo": "photo"}
_MARKS = frozenset({"SOS", "IMP"})
_DATE = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})")
_UNBOUND = re.compile(r"0+")


def claimed(field: str, value: str, source: Source) -> Iterator[Claim]:
    """The claim, or none when the value cannot be one."""
    try:
        yield Claim(field, value, source)
    except BadInput:  # broken bytes or direction marks in a part of a name: the name itself is kept whole
        return


def officer(number: str, source: Source) -> Iterator[Claim]:
    """The officer; all zeros is a recorder given to nobody, which is kept but names no officer."""
    field = "officer_unbound" if _UNBOUND.fullmatch(number) else "officer"
    yield from claimed(field, number, source)


def start(digits: str, source: Source, *, fine: str = "") -> Iterator[Claim]:
    """Local start time from 14 digits, year first; a note when they are no time.

    `fine` is what the name says below the second, and of the zone, as ISO 8601 writes it: a start with a zone is no
    local day.
    """
    said = tuple(moment("start", digits, source, fine=fine))
    yield from said
    if said[0].field == "start" and not fine:
        yield Claim("start_date", said[0].value[:10], source)


def moment(field: str, digits: str, source: Source, *, fine: str = "") -> Iterator[Claim]:
    """A time from 14 digits as a claim of `field`; a note when they are no time."""
    try:
        found = datetime.strptime(digits, "%Y%m%d%H%M%S")  # noqa: DTZ007 (the camera's own clock has no zone)
    except ValueError:
        yield from claimed("note", f"no such time: {digits}", source)
        return
    yield Claim(field, found.isoformat() + fine, source)


def number(field: str, digits: str | None) -> Iterator[Claim]:
    """A number that the name bears, without leading zeros; none when it bears none."""
    if digits:
        yield Claim(field, str(int(digits)), Source.FILE_NAME)


def mark(text: str, source: Source) -> Iterator[Claim]:
    """The officer pressed the button: `SOS` or `IMP`, either of which makes the recording important."""
    if text.upper() in _MARKS:
        yield Claim("mark", text.upper(), source)
        yield Claim("important", "yes", source)


def kind(name: str) -> Iterator[Claim]:
    """What the ending of the name says the file is."""
    ending = name.rpartition(".")[2].lower()
    if ending in _KIND_OF:
        yield Claim("kind", _KIND_OF[ending], Source.FILE_NAME)


def folders(path: str) -> Iterator[Claim]:
    """What the folders from `DCIM` downwards say: kind, date and mark."""
    *above, name = path.split("/")
    is_beside = _KIND_OF.get(name.rpartition(".")[2].lower()) in _BESIDE
    camera = next((place for place, part in enumerate(above) if part.upper() == "DCIM"), len(above))
    for part in above[camera + 1 :]:
        yield from mark(part, Source.FOLDER)
        if part.lower() in _KIND_FOLDERS and not is_beside:
            yield Claim("kind", _KIND_FOLDERS[part.lower()], Source.FOLDER)
        if _DATE.fullmatch(part):
            yield Claim("start_date", part, Source.FOLDER)
