# SPDX-License-Identifier: Apache-2.0
"""This is where dashboard cameras are read that name files `YYYY_MMDD_HHMMSS_<number>`, as Novatek's firmware does.

The number runs on over all files, and starts anew when the card is formatted. Source: rules-cn §4, row 11.
"""

import re

from devices.makers import form
from devices.makers.form import Examples, Profile
from evidence.claims import Claim, Source

_NAME = re.compile(
    r"(?P<date>(?:19|20)[0-9]{2}_[0-9]{4})_(?P<time>[0-9]{6})(?:_(?P<number>[0-9]{3,6}))?(?P<lens>[A-Z]{0,2})"
    r"\.[A-Z0-9]{1,8}",
    re.IGNORECASE | re.ASCII,
)


def read(path: str) -> tuple[Claim, ...] | None:
    """What a dashboard camera's path says."""
    name = path.rpartition("/")[2]
    match = _NAME.fullmatch(name)
    if match is None:
        return None
    return (
        *form.start(match["date"].replace("_", "") + match["time"], Source.FILE_NAME),
        *form.number("sequence", match["number"]),
        *form.kind(name),
        *form.folders(path),
    )


EXAMPLES: Examples = {
    "2023_0615_093012_001.MP4": {"start": "2023-06-15T09:30:12", "sequence": "1", "kind": "video"},
    "CARDV/MOVIE/2023_0615_093112_002A.MP4": {"start": "2023-06-15T09:31:12", "sequence": "2", "kind": "video"},
    "DCIM/PHOTO/2023_0615_093012.JPG": {"start": "2023-06-15T09:30:12", "kind": "photo"},
}

PROFILE = Profile("novatek", read, EXAMPLES)
