# SPDX-License-Identifier: Apache-2.0
"""This is where a photo says when, where and with what it was taken, as far as its EXIF can be believed.

EXIF is a claim of the camera's. What is broken or impossible in it becomes a warning, never an error:
the photo is evidence without it. Source: CIPA DC-008 (Exif 2.32) §4.6.
"""

import io
import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import exifread

from evidence.errors import SourceUnavailable

# Without a handler of its own exifread speaks on standard error; what matters of it becomes a warning here.
logging.getLogger("exifread").addHandler(logging.NullHandler())

_HEAD_BYTES = 4 << 20
_TEXT_MAX = 128
_TIME = re.compile(r"(\d{4}):(\d\d):(\d\d) (\d\d):(\d\d):(\d\d)")
_OFFSET = re.compile(r"[+-](0\d|1[0-4]):[0-5]\d")


@dataclass(frozen=True, slots=True)
class PhotoFacts:
    """What EXIF claims; None where it says nothing that can be used.

    `taken` is the camera's wall clock, `YYYY-MM-DDThh:mm:ss`; `offset` its distance from UTC, `+08:00`.
    `latitude` and `longitude` are exact degrees (WGS 84, north and east positive). `orientation` is 1 to 8,
    1 when unknown. `warnings` are codes.
    """

    taken: str | None = None
    offset: str | None = None
    make: str | None = None
    model: str | None = None
    serial: str | None = None
    latitude: Fraction | None = None
    longitude: Fraction | None = None
    orientation: int = 1
    warnings: tuple[str, ...] = ()


def read_exif(path: Path) -> PhotoFacts:
    """What the EXIF of `path` claims. At most its first 4 MiB are looked at; thumbnails and maker notes are not.

    Raises:
        SourceUnavailable: the file cannot be read.
    """
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD_BYTES)
    except OSError as error:
        raise SourceUnavailable(f"cannot be read: {path.name}: {error.strerror}", name=path.name) from error
    try:
        tags = exifread.process_file(io.BytesIO(head), details=False, extract_thumbnail=False)
    except Exception:
        return PhotoFacts(warnings=("exif-unreadable",))
    return _facts(tags)


def _facts(tags: Mapping[str, Any]) -> PhotoFacts:
    if not tags:
        return PhotoFacts(warnings=("exif-missing",))
    warnings: list[str] = []
    latitude = _degrees(tags, "GPS GPSLatitude", negative="S", most=90, warnings=warnings)
    longitude = _degrees(tags, "GPS GPSLongitude", negative="W", most=180, warnings=warnings)
    return PhotoFacts(
        taken=_taken(tags, warnings),
        offset=_first_text(tags, "EXIF OffsetTimeOriginal", "EXIF OffsetTime", form=_OFFSET),
        make=_first_text(tags, "Image Make"),
        model=_first_text(tags, "Image Model"),
        serial=_first_text(tags, "EXIF BodySerialNumber", "Image CameraSerialNumber"),
        latitude=latitude if longitude is not None else None,
        longitude=longitude if latitude is not None else None,
        orientation=_orientation(tags, warnings),
        warnings=tuple(warnings),
    )


def _taken(tags: Mapping[str, Any], warnings: list[str]) -> str | None:
    said = _first_text(tags, "EXIF DateTimeOriginal", "EXIF DateTimeDigitized", "Image DateTime")
    match = _TIME.match(said or "")
    if match is None:
        warnings.extend(["exif-time"] * bool(said and said.strip(" :0")))
        return None
    year, month, day, hour, minute, second = match.groups()
    is_possible = year >= "1990" and "01" <= month <= "12" and "01" <= day <= "31" and hour < "24" and minute < "60"
    if not is_possible or second > "60":
        warnings.append("exif-time")
        return None
    return f"{year}-{month}-{day}T{hour}:{minute}:{second}"


def _first_text(tags: Mapping[str, Any], *names: str, form: re.Pattern[str] | None = None) -> str | None:
    """The first of these tags that holds text (of this form), bounded, without what cannot be printed."""
    for name in names:
        value = getattr(tags.get(name), "values", None)
        if isinstance(value, str):
            text = "".join(char for char in value[:_TEXT_MAX] if char.isprintable()).strip()
            if text and (form is None or form.fullmatch(text)):
                return text
    return None


def _orientation(tags: Mapping[str, Any], warnings: list[str]) -> int:
    if "Image Orientation" not in tags:
        return 1
    values = getattr(tags["Image Orientation"], "values", None)
    value = values[0] if isinstance(values, list) and values else None
    if isinstance(value, int) and 1 <= value <= 8:
        return value
    warnings.append("exif-orientation")
    return 1


def _degrees(tags: Mapping[str, Any], name: str, *, negative: str, most: int, warnings: list[str]) -> Fraction | None:
    """Degrees, minutes and seconds as one exact number; a position that is none on Earth is not believed."""
    if name not in tags:
        return None
    try:
        degrees, minutes, seconds = (Fraction(part) for part in tags[name].values)
        reference = str(tags[f"{name}Ref"].values).strip().upper()
        place = degrees + minutes / 60 + seconds / 3600
    except (KeyError, AttributeError, TypeError, ValueError, ArithmeticError):
        warnings.append("exif-position")
        return None
    if not 0 <= place <= most or reference[:1] not in ("N", "S", "E", "W"):
        warnings.append("exif-position")
        return None
    return -place if reference.startswith(negative) else place
