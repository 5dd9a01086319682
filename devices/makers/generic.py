# SPDX-License-Identifier: Apache-2.0
"""This is where phones, cameras and unknown recorders are read: a time when there is one, no identity."""

import re

from devices.makers import form
from devices.makers.form import Examples, Profile
from evidence.claims import Claim, Source

# Year to second in order, with any one mark between them, and no digit before or after.
_TIME = re.compile(
    r"(?<![0-9])((?:19|20)[0-9]{2})[-_.]?([0-9]{2})[-_.]?([0-9]{2})[-_.@ T]?"
    r"([0-9]{2})[-_.]?([0-9]{2})[-_.]?([0-9]{2})(?![0-9])"
)
_DAY_FOLDER = re.compile(r"((?:19|20)[0-9]{2})[-_.]?([0-9]{2})[-_.]?([0-9]{2})")
_CLOCK_NAME = re.compile(r"([0-9]{2})[-_.]?([0-9]{2})[-_.]?([0-9]{2})\.[A-Za-z0-9]{1,8}")


def read(path: str) -> tuple[Claim, ...]:
    """What any path says; every path is of this form."""
    name = path.rpartition("/")[2]
    return (*_start(path), *form.kind(name), *form.folders(path))


def _start(path: str) -> tuple[Claim, ...]:
    *above, name = path.split("/")
    match = _TIME.search(name)
    if match is not None:
        return tuple(form.start("".join(match.groups()), Source.FILE_NAME))
    day = _DAY_FOLDER.fullmatch(above[-1]) if above else None
    clock = _CLOCK_NAME.fullmatch(name)
    if day is None or clock is None:
        return ()
    return tuple(form.start("".join((*day.groups(), *clock.groups())), Source.FILE_NAME))


EXAMPLES: Examples = {
    "DCIM/Camera/VID_20260619_100324.mp4": {"start": "2026-06-19T10:03:24", "kind": "video"},
    "20260619_100324.jpg": {"start": "2026-06-19T10:03:24", "kind": "photo"},
    "2023_0615_093012_001.MP4": {"start": "2023-06-15T09:30:12", "kind": "video"},
    "20190514/145036.mp4": {"start": "2019-05-14T14:50:36", "kind": "video"},
    "DCIM/100MEDIA/DSC00001.JPG": {"kind": "photo"},
    "FILE0001.MP4": {"kind": "video"},
}

PROFILE = Profile("generic", read, EXAMPLES)
