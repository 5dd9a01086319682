# SPDX-License-Identifier: Apache-2.0
"""This is where recorders are read that put files named by the clock into a folder named by the day.

`20190514/145036.mp4`; a number of two or three digits behind it counts the files of one capture. Source: rules-cn §4,
row 5.
"""

import re

from devices.makers import form
from devices.makers.form import Examples, Profile
from evidence.claims import Claim, Source

_DAY = re.compile(r"((?:19|20)[0-9]{2})[-_.]?([0-9]{2})[-_.]?([0-9]{2})")
_CLOCK = re.compile(
    r"([0-9]{2})[-_.]?([0-9]{2})[-_.]?([0-9]{2})(?:[-_](?P<part>[0-9]{2,3}))?\.[A-Za-z0-9]{1,8}", re.ASCII
)


def read(path: str) -> tuple[Claim, ...] | None:
    """What a path of day and clock says."""
    *above, name = path.split("/")
    day = _DAY.fullmatch(above[-1]) if above else None
    clock = _CLOCK.fullmatch(name)
    if day is None or clock is None:
        return None
    return (
        *form.start("".join((*day.groups(), *clock.groups()[:3])), Source.FILE_NAME),
        *form.number("part", clock["part"]),
        *form.kind(name),
        *form.folders(path),
    )


EXAMPLES: Examples = {
    "20190514/145036.mp4": {"start": "2019-05-14T14:50:36", "kind": "video"},
    "2019-05-14/14-50-36_02.mp4": {"start": "2019-05-14T14:50:36", "part": "2", "kind": "video"},
}

PROFILE = Profile("dated", read, EXAMPLES)
