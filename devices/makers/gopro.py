# SPDX-License-Identifier: Apache-2.0
"""This is where GoPro cameras are read: `GX010123` is chapter 01 of capture 0123; once `GOPR0123`, `GP010123`.

A name holds no time: the container does. Source: GoPro, "Camera File Naming Convention".
"""

import re

from devices.makers import form
from devices.makers.form import Examples, Profile
from evidence.claims import Claim

_NAME = re.compile(
    r"(?:G[HX](?P<part>[0-9]{2})(?P<number>[0-9]{4})|GOPR(?P<first>[0-9]{4})|GP(?P<later>[0-9]{2})(?P<old>[0-9]{4}))"
    r"\.(?:MP4|JPG|THM|WAV|360)",
    re.IGNORECASE | re.ASCII,
)


def read(path: str) -> tuple[Claim, ...] | None:
    """What a GoPro's path says."""
    name = path.rpartition("/")[2]
    match = _NAME.fullmatch(name)
    if match is None:
        return None
    sequence = match["number"] or match["first"] or match["old"]
    is_photo = name.lower().endswith(".jpg")
    # Of the older cameras the first chapter has no number, and the second is called 01.
    part = match["part"] or ("1" if match["first"] else str(int(match["later"]) + 1))
    return (
        *form.number("sequence", sequence),
        *(() if is_photo else form.number("part", part)),
        *form.kind(name),
        *form.folders(path),
    )


EXAMPLES: Examples = {
    "DCIM/100GOPRO/GX010123.MP4": {"sequence": "123", "part": "1", "kind": "video"},
    "DCIM/100GOPRO/GH020123.MP4": {"sequence": "123", "part": "2", "kind": "video"},
    "DCIM/100GOPRO/GOPR0123.MP4": {"sequence": "123", "part": "1", "kind": "video"},
    "DCIM/100GOPRO/GP010123.MP4": {"sequence": "123", "part": "2", "kind": "video"},
    "DCIM/100GOPRO/GOPR0124.JPG": {"sequence": "124", "kind": "photo"},
}

PROFILE = Profile("gopro", read, EXAMPLES)
