# SPDX-License-Identifier: Apache-2.0
"""This is where recorders are read that name files by serial, officer, time and a running number, in either order.

`<serial 7>_<officer 6>_<time 14>_<number 4>` and `<time 14>_<officer 6>_<serial>`, either with `_IMP` or `_SOS`; the
widths are those of the device record of GA/T 947. Source: rules-cn §4, rows 9 and 10 (from memory, no sample seen).
"""

import re

from devices.makers import form
from devices.makers.form import Examples, Profile
from evidence.claims import Claim, Source

_SERIAL_FIRST = re.compile(
    r"(?P<device>[A-Z0-9]{7})_(?P<officer>[A-Z0-9]{6})_(?P<time>[0-9]{14})_(?P<number>[0-9]{4})"
    r"(?:_(?P<mark>IMP|SOS))?\.[A-Z0-9]{1,8}",
    re.IGNORECASE | re.ASCII,
)
_TIME_FIRST = re.compile(
    r"(?P<time>(?:19|20)[0-9]{12})_(?P<officer>[A-Z0-9]{6})_(?P<device>[A-Z0-9-]{4,32})(?:_(?P<number>[0-9]{4}))?"
    r"(?:_(?P<mark>IMP|SOS))?\.[A-Z0-9]{1,8}",
    re.IGNORECASE | re.ASCII,
)


def read(path: str) -> tuple[Claim, ...] | None:
    """What such a recorder's path says."""
    name = path.rpartition("/")[2]
    match = _SERIAL_FIRST.fullmatch(name) or _TIME_FIRST.fullmatch(name)
    if match is None:
        return None
    source = Source.FILE_NAME
    return (
        *form.claimed("device", match["device"], source),
        *form.officer(match["officer"], source),
        *form.start(match["time"], source),
        *form.number("sequence", match["number"]),
        *form.mark(match["mark"] or "", source),
        *form.kind(name),
        *form.folders(path),
    )


EXAMPLES: Examples = {
    "1234567_000001_20230615093012_0001.MP4": {
        "device": "1234567",
        "officer": "000001",
        "start": "2023-06-15T09:30:12",
        "sequence": "1",
        "kind": "video",
    },
    "DCIM/20230615/20230615093012_430417_A1B2C3D_IMP.MP4": {
        "device": "A1B2C3D",
        "officer": "430417",
        "start": "2023-06-15T09:30:12",
        "mark": "IMP",
        "important": "yes",
        "kind": "video",
    },
    "IMP/20230615093012_000000_1234567.wav": {
        "device": "1234567",
        "officer_unbound": "000000",
        "start": "2023-06-15T09:30:12",
        "kind": "audio",
    },
}

PROFILE = Profile("ga947", read, EXAMPLES)
