# SPDX-License-Identifier: Apache-2.0
"""This is where Dahua recorders are read: `<date>/<channel>/dav/<hour>/<from>-<to>[<why>][<stream>][<n>].dav`.

`.dav` is often a form of their own that nothing else plays; the bytes say so later, and are kept in any case.
Source: rules-cn §4, row 12 (from memory, no sample seen).
"""

import re

from devices.makers import form
from devices.makers.form import Examples, Profile
from evidence.claims import Claim, Source

_CLOCK = r"[0-9]{2}\.[0-9]{2}\.[0-9]{2}"
_NAME = re.compile(rf"(?P<start>{_CLOCK})-(?P<end>{_CLOCK})(?:\[[^\[\]/]{{1,16}}\]){{1,4}}\.(?:dav|mp4|jpg|idx)")
_DAY = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})")


def read(path: str) -> tuple[Claim, ...] | None:
    """What a Dahua recorder's path says."""
    *above, name = path.split("/")
    match = _NAME.fullmatch(name)
    day = next((found for part in reversed(above) if (found := _DAY.fullmatch(part))), None)
    if match is None or day is None:
        return None
    date, source = "".join(day.groups()), Source.FILE_NAME
    claims = [*form.start(date + match["start"].replace(".", ""), source), *form.kind(name)]
    # A name that ends before it starts runs over midnight: the day it ends on is not in it.
    if match["end"] > match["start"]:
        claims += form.moment("end", date + match["end"].replace(".", ""), source)
    return tuple(claims)


EXAMPLES: Examples = {
    "2023-06-15/001/dav/09/09.30.12-10.00.00[R][0@0][0].dav": {
        "start": "2023-06-15T09:30:12",
        "end": "2023-06-15T10:00:00",
        "kind": "video",
    },
    "disk1/2023-06-15/002/dav/23/23.59.00-00.29.00[M][0@0][0].dav": {"start": "2023-06-15T23:59:00", "kind": "video"},
}

PROFILE = Profile("dahua", read, EXAMPLES)
