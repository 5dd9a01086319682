# SPDX-License-Identifier: Apache-2.0
"""This is where stores of stations are read: `<station>/<date>/<recorder>/<user>/<unit>/<kind>/<station>-<number>`.

The folder's date is the day of import; when it was filmed, only the file itself says. Source: rules-cn §4, row 7.
"""

import re

from devices.makers import form
from devices.makers.form import Examples, Profile
from evidence.claims import Claim, Source

_NAME = re.compile(r"(?P<station>[A-Za-z0-9]{2,16})-(?P<number>[0-9]{4,12})\.[A-Za-z0-9]{1,8}")
_DAY = re.compile(r"([0-9]{4})-?([0-9]{2})-?([0-9]{2})")
_DEVICE = re.compile(r"[A-Za-z0-9-]{1,32}")


def read(path: str) -> tuple[Claim, ...] | None:
    """What a path in a station's store says; the folders and the name must speak of one station."""
    *above, name = path.split("/")
    match = _NAME.fullmatch(name)
    if match is None or len(above) < 6:
        return None
    station, day, device, user = above[-6:-2]
    date = _DAY.fullmatch(day)
    if station != match["station"] or date is None or not _DEVICE.fullmatch(device):
        return None
    return (
        *form.claimed("device", device, Source.FOLDER),
        *form.officer(user, Source.FOLDER),
        *form.claimed("import_date", "-".join(date.groups()), Source.FOLDER),
        *form.kind(name),
        *form.folders(path),
    )


EXAMPLES: Examples = {
    "CJZ001/2023-06-15/1234567/430417/A01/video/CJZ001-000123.mp4": {
        "device": "1234567",
        "officer": "430417",
        "import_date": "2023-06-15",
        "kind": "video",
    },
    "disk2/CJZ001/20230615/1234567/000000/A01/audio/CJZ001-000124.wav": {
        "device": "1234567",
        "officer_unbound": "000000",
        "import_date": "2023-06-15",
        "kind": "audio",
    },
}

PROFILE = Profile("stationstore", read, EXAMPLES)
