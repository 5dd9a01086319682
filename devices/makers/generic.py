# SPDX-License-Identifier: Apache-2.0
"""This is where unknown recorders are read: a time when there is one, no identity.

Two or three digits behind the time, at the end of the name, count the files of one capture.
"""

import re

from devices.makers import form
from devices.makers.form import Examples, Profile
from evidence.claims import Claim, Source

# Year to second in order, with any one mark between them, and no digit before or after.
_TIME = re.compile(
    r"(?<![0-9])((?:19|20)[0-9]{2})[-_.]?([0-9]{2})[-_.]?([0-9]{2})[-_.@ T]?"
    r"([0-9]{2})[-_.]?([0-9]{2})[-_.]?([0-9]{2})(?![0-9])"
)
_PART = re.compile(r"[-_~](?P<part>[0-9]{2,3})\.[A-Za-z0-9]{1,8}", re.ASCII)


def read(path: str) -> tuple[Claim, ...]:
    """What any path says; every path is of this form."""
    name = path.rpartition("/")[2]
    return (*_start(name), *form.kind(name), *form.folders(path))


def _start(name: str) -> tuple[Claim, ...]:
    match = _TIME.search(name)
    if match is None:
        return ()
    part = _PART.fullmatch(name, match.end())
    return (
        *form.start("".join(match.groups()), Source.FILE_NAME),
        *form.number("part", part["part"] if part else None),
    )


EXAMPLES: Examples = {
    "20260619_100324.jpg": {"start": "2026-06-19T10:03:24", "kind": "photo"},
    "hall 2026-06-19 10.03.24.mp4": {"start": "2026-06-19T10:03:24", "kind": "video"},
    "hall_2026-06-19_10-03-24_002.mp4": {"start": "2026-06-19T10:03:24", "part": "2", "kind": "video"},
    "meeting.mp4": {"kind": "video"},
}

PROFILE = Profile("generic", read, EXAMPLES)
