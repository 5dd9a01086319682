# SPDX-License-Identifier: Apache-2.0
"""This is where a photo gets its EXIF: maker, serial, camera time and place, written by hand.

Source: Exif 2.32 (CIPA DC-008) §4.5–4.6; TIFF 6.0 §2; JPEG (ITU-T T.81) annex B for the segment.
"""

import struct
from dataclasses import dataclass
from datetime import datetime

from devices.simulator.track import Fix

_BYTE, _ASCII, _SHORT, _LONG, _RATIONAL = 1, 2, 3, 4, 5
_HEADER = 8  # "II", 42, offset of the first directory

Entry = tuple[int, int, int, bytes]  # tag, type, count, value


@dataclass(frozen=True, slots=True)
class PhotoFacts:
    """What a camera says about a photo: its own clock (aware, in its zone) and where it was."""

    make: str
    model: str
    serial: str
    taken: datetime
    fix: Fix | None = None


def with_exif(jpeg: bytes, facts: PhotoFacts) -> bytes:
    """The same picture, its first segment now an APP1 with EXIF."""
    body = b"Exif\0\0" + _tiff(facts)
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body + jpeg[2:]


def _tiff(facts: PhotoFacts) -> bytes:
    """Three directories in a row: image, EXIF, GPS; each one's place follows from the sizes before it."""
    exif = _exif(facts)
    gps = _gps(facts.fix) if facts.fix else []
    pointers = [_long(0x8769, 0), *([_long(0x8825, 0)] if gps else [])]
    exif_at = _HEADER + len(_directory([*_image(facts), *pointers], at=_HEADER))
    gps_at = exif_at + len(_directory(exif, at=exif_at))
    pointers = [_long(0x8769, exif_at), *([_long(0x8825, gps_at)] if gps else [])]
    parts = [_directory([*_image(facts), *pointers], at=_HEADER), _directory(exif, at=exif_at)]
    if gps:
        parts.append(_directory(gps, at=gps_at))
    return struct.pack("<2sHI", b"II", 42, _HEADER) + b"".join(parts)


def _image(facts: PhotoFacts) -> list[Entry]:
    return [
        _text(0x010F, facts.make),
        _text(0x0110, facts.model),
        (0x0112, _SHORT, 1, struct.pack("<H", 1)),
        _text(0x0132, f"{facts.taken:%Y:%m:%d %H:%M:%S}"),
    ]


def _exif(facts: PhotoFacts) -> list[Entry]:
    zone = f"{facts.taken:%z}"
    return [
        _text(0x9003, f"{facts.taken:%Y:%m:%d %H:%M:%S}"),
        _text(0x9011, f"{zone[:3]}:{zone[3:5]}"),
        _text(0xA431, facts.serial),
    ]


def _gps(fix: Fix) -> list[Entry]:
    at = fix.at
    return [
        (0x0000, _BYTE, 4, bytes([2, 3, 0, 0])),
        _text(0x0001, "N" if fix.latitude_e7 >= 0 else "S"),
        _rationals(0x0002, _sexagesimal(fix.latitude_e7)),
        _text(0x0003, "E" if fix.longitude_e7 >= 0 else "W"),
        _rationals(0x0004, _sexagesimal(fix.longitude_e7)),
        _rationals(0x0007, [(at.hour, 1), (at.minute, 1), (at.second, 1)]),
        _text(0x001D, f"{at:%Y:%m:%d}"),
    ]


def _sexagesimal(value_e7: int) -> list[tuple[int, int]]:
    degrees, rest = divmod(abs(value_e7), 10_000_000)
    minutes, rest = divmod(rest * 60, 10_000_000)
    return [(degrees, 1), (minutes, 1), (rest * 60 // 1000, 10_000)]


def _text(tag: int, text: str) -> Entry:
    value = text.encode("ascii", "replace") + b"\0"
    return tag, _ASCII, len(value), value


def _long(tag: int, value: int) -> Entry:
    return tag, _LONG, 1, struct.pack("<I", value)


def _rationals(tag: int, values: list[tuple[int, int]]) -> Entry:
    return tag, _RATIONAL, len(values), b"".join(struct.pack("<II", *value) for value in values)


def _directory(entries: list[Entry], *, at: int) -> bytes:
    """One image file directory that begins `at` so many bytes into the TIFF, its long values behind it."""
    values_at = at + 2 + 12 * len(entries) + 4
    rows, values = [struct.pack("<H", len(entries))], b""
    for tag, kind, count, value in sorted(entries):
        rows.append(struct.pack("<HHI", tag, kind, count))
        if len(value) <= 4:
            rows.append(value.ljust(4, b"\0"))
        else:
            rows.append(struct.pack("<I", values_at + len(values)))
            values += value + b"\0" * (len(value) % 2)
    return b"".join(rows) + struct.pack("<I", 0) + values
