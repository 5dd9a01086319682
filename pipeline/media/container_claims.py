# SPDX-License-Identifier: Apache-2.0
"""This is where a file's own facts become claims: container tags and EXIF, weighed with all other sources."""

from collections.abc import Iterator
from pathlib import Path

from evidence.claims import MAX_VALUE_CHARS, Claim, Claims, Source
from evidence.errors import BadInput
from pipeline.media.examination import Examination
from pipeline.media.photo import read_exif

# Container tags that say what we ask for. A make or model names no single device, so it is a note.
_START_TAGS = ("com.apple.quicktime.creationdate", "creation_time")
_NOTE_TAGS = ("make", "model", "com.apple.quicktime.make", "com.apple.quicktime.model")


def claims_of(path: Path, examination: Examination) -> Claims:
    """What the file says of itself; a value that cannot be shown is left out, never an error."""
    pairs = [*_from_tags(examination)]
    if examination.kind == "photo":
        pairs += _from_exif(path)
    return Claims(claim for field, value in pairs for claim in _claim(field, value))


def _claim(field: str, value: str) -> Iterator[Claim]:
    try:
        yield Claim(field, value.strip()[:MAX_VALUE_CHARS], Source.CONTAINER)
    except BadInput:
        return


def _from_tags(examination: Examination) -> Iterator[tuple[str, str]]:
    for name in _START_TAGS:
        # QuickTime's epoch (1904) and 1970 are what recorders write when they do not know.
        if name in examination.tags and examination.tags[name][:4] not in ("1904", "1970"):
            yield "start", examination.tags[name]
            break
    for name in _NOTE_TAGS:
        if name in examination.tags:
            yield "note", f"{name}={examination.tags[name]}"


def _from_exif(path: Path) -> Iterator[tuple[str, str]]:
    exif = read_exif(path)
    if exif.taken is not None:
        yield "start", exif.taken
    for name, value in (("make", exif.make), ("model", exif.model)):
        if value:
            yield "note", f"{name}={value}"
    if exif.serial:
        yield "device", exif.serial
