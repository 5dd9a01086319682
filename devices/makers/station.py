# SPDX-License-Identifier: Apache-2.0
"""This is where the disks of dock stations are read: `disk1/<import date>/<user>_<device>/<user>@<time>.mp4`.

The user is the name the officer goes by at the station; the register knows which officer that is.
"""

import re

from devices.makers import form
from devices.makers.form import Examples, Profile
from evidence.claims import Claim, Source

_NAME = re.compile(
    r"(?P<user>[^@/]{1,64})@(?P<date>[0-9]{4}-[0-9]{2}-[0-9]{2})_(?P<time>[0-9]{2}-[0-9]{2}-[0-9]{2})"
    r"\.[A-Za-z0-9]{1,8}"
)
_FOLDER = re.compile(r"(?P<user>[^@/]{1,64})_(?P<device>[A-Za-z0-9-]{1,32})")
_DISK = re.compile(r"disk[0-9]{1,3}", re.IGNORECASE)
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def read(path: str) -> tuple[Claim, ...] | None:
    """What a path on a station's disk says."""
    *above, name = path.split("/")
    match = _NAME.fullmatch(name)
    if match is None:
        return None
    claims = [
        *form.officer(match["user"], Source.FILE_NAME),
        *form.start((match["date"] + match["time"]).replace("-", ""), Source.FILE_NAME),
        *form.kind(name),
    ]
    owner = _FOLDER.fullmatch(above[-1]) if above else None
    if owner is not None:
        claims += form.claimed("device", owner["device"], Source.FOLDER)
        claims += form.officer(owner["user"], Source.FOLDER)
    if len(above) >= 3 and _DISK.fullmatch(above[-3]) and _DATE.fullmatch(above[-2]):
        claims += form.claimed("import_date", above[-2], Source.FOLDER)
    return tuple(claims)


EXAMPLES: Examples = {
    "disk1/2018-05-07/shishi_87s5463y901311929289/shishi@2018-04-27_16-38-16.mp4": {
        "device": "87s5463y901311929289",
        "officer": "shishi",
        "start": "2018-04-27T16:38:16",
        "import_date": "2018-05-07",
        "kind": "video",
    },
    "disk12/2018-05-07/li_hua_AB12/li_hua@2018-04-27_16-38-16.mp4": {
        "device": "AB12",
        "officer": "li_hua",
        "start": "2018-04-27T16:38:16",
    },
}

PROFILE = Profile("station", read, EXAMPLES)
