# SPDX-License-Identifier: Apache-2.0
"""This is where recorders that name files `DSJ_<device>_<officer>_<date>_<time>` are read.

They write `DCIM/<kind>/<date>/`, add `_SOS` or `_IMP` when the button was pressed and `_enc` when the file is
encrypted, and `000000` for an officer when nobody is bound to the recorder.
"""

import re

from devices.makers import form
from devices.makers.form import Examples, Profile
from evidence.claims import Claim, Source

_REST = (
    r"_(?P<device>[A-Z0-9-]{1,32})_(?P<officer>[A-Z0-9]{6})_(?P<date>[0-9]{8})_(?P<time>[0-9]{6})"
    r"(?P<marks>(?:_SOS|_IMP){0,2})(?P<encrypted>_ENC)?\.[A-Z0-9]{1,8}"
)


def grammar(brand: str) -> re.Pattern[str]:
    """The names of the recorders whose brand prefix matches `brand`."""
    return re.compile(brand + _REST, re.IGNORECASE | re.ASCII)


def read_named(path: str, names: re.Pattern[str]) -> tuple[Claim, ...] | None:
    """What a path says whose name is of this grammar; None when it is of another."""
    name = path.rpartition("/")[2]
    match = names.fullmatch(name)
    if match is None:
        return None
    source = Source.FILE_NAME
    claims = [
        *form.claimed("device", match["device"], source),
        *form.officer(match["officer"], source),
        *form.start(match["date"] + match["time"], source),
        *form.kind(name),
        *form.folders(path),
    ]
    for text in match["marks"].split("_"):
        claims += form.mark(text, source)
    if match["encrypted"]:
        claims += form.claimed("encrypted", "yes", source)
    return tuple(claims)


_NAMES = grammar("DSJ")


def read(path: str) -> tuple[Claim, ...] | None:
    """What a DSJ recorder's path says."""
    return read_named(path, _NAMES)


EXAMPLES: Examples = {
    "DCIM/SOS/2026-06-19/DSJ_36NCC009910_000000_20260619_100324_SOS_enc.mp4": {
        "device": "36NCC009910",
        "officer_unbound": "000000",
        "start": "2026-06-19T10:03:24",
        "mark": "SOS",
        "important": "yes",
        "encrypted": "yes",
        "kind": "video",
    },
    "DCIM/audio/2026-06-19/DSJ_36NCC009910_430417_20260619_100324.m4a": {
        "device": "36NCC009910",
        "officer": "430417",
        "start": "2026-06-19T10:03:24",
        "kind": "audio",
    },
    "port3/DCIM/Media/IMP/DSJ_36NCC009910_430417_20260619_235959_IMP.jpg": {
        "device": "36NCC009910",
        "officer": "430417",
        "start": "2026-06-19T23:59:59",
        "mark": "IMP",
        "important": "yes",
        "kind": "photo",
    },
}

PROFILE = Profile("dsj", read, EXAMPLES)
