# SPDX-License-Identifier: Apache-2.0
"""This is where phones and handheld terminals are read: `VID_<date>_<time>`, and Pixels' `PXL_`, which is UTC.

A terminal's program may number the files of one capture: `VID_20260619_100324_002` is the second of it.
"""

import re

from devices.makers import form
from devices.makers.form import Examples, Profile
from evidence.claims import Claim, Source

_NAME = re.compile(
    r"(?:VID|IMG|MVIMG|REC|AUD|WIN)_?-?(?P<date>(?:19|20)[0-9]{6})[_-](?P<time>[0-9]{6})(?P<ms>[0-9]{3})?"
    r"(?:[_~](?P<part>[0-9]{1,3}))?(?:_HDR|_BURST[0-9]{0,9})?\.[A-Z0-9]{1,8}",
    re.IGNORECASE | re.ASCII,
)
_PIXEL = re.compile(
    r"PXL_(?P<date>(?:19|20)[0-9]{6})_(?P<time>[0-9]{6})(?P<ms>[0-9]{3})(?:[.~][A-Z0-9-]{1,24}){0,3}\.[A-Z0-9]{1,8}",
    re.IGNORECASE | re.ASCII,
)


def read(path: str) -> tuple[Claim, ...] | None:
    """What a phone's path says."""
    name = path.rpartition("/")[2]
    match, pixel = _NAME.fullmatch(name), _PIXEL.fullmatch(name)
    if match is not None:
        start = (
            *form.start(match["date"] + match["time"], Source.FILE_NAME),
            *form.number("part", match["part"]),
        )
    elif pixel is not None:
        start = tuple(form.start(pixel["date"] + pixel["time"], Source.FILE_NAME, fine=f".{pixel['ms']}000Z"))
    else:
        return None
    return (*start, *form.kind(name), *form.folders(path))


EXAMPLES: Examples = {
    "DCIM/Camera/VID_20260619_100324.mp4": {"start": "2026-06-19T10:03:24", "kind": "video"},
    "DCIM/Camera/IMG_20260619_100324.jpg": {"start": "2026-06-19T10:03:24", "kind": "photo"},
    "DCIM/Camera/VID_20260619_100824_002.mp4": {"start": "2026-06-19T10:08:24", "part": "2", "kind": "video"},
    "DCIM/Camera/PXL_20260619_020324123.mp4": {"start": "2026-06-19T02:03:24.123000Z", "kind": "video"},
    "Recordings/REC_20260619_100324.m4a": {"start": "2026-06-19T10:03:24", "kind": "audio"},
}

PROFILE = Profile("phone", read, EXAMPLES)
