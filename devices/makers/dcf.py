# SPDX-License-Identifier: Apache-2.0
"""This is where cameras are read that follow the Design rule for Camera File system: `DCIM/100MEDIA/DSC00001.JPG`.

The number of folder and file is the maker's sequence; the name holds no time. Source: JEITA CP-3461 (DCF 2.0) §3.2.
"""

import re

from devices.makers import form
from devices.makers.form import Examples, Profile
from evidence.claims import Claim

_FOLDER = re.compile(r"[1-9][0-9]{2}[A-Z0-9_]{2,8}", re.IGNORECASE | re.ASCII)
_NAME = re.compile(r"[A-Z0-9_]{3}[A-Z_]?(?P<number>[0-9]{4,5})\.[A-Z0-9]{1,8}", re.IGNORECASE | re.ASCII)


def read(path: str) -> tuple[Claim, ...] | None:
    """What a path in a DCF folder says."""
    *above, name = path.split("/")
    match = _NAME.fullmatch(name)
    if match is None or len(above) < 2 or above[-2].upper() != "DCIM" or not _FOLDER.fullmatch(above[-1]):
        return None
    return (*form.number("sequence", match["number"]), *form.kind(name), *form.folders(path))


EXAMPLES: Examples = {
    "DCIM/100MEDIA/DSC00001.JPG": {"sequence": "1", "kind": "photo"},
    "DCIM/100MEDIA/MOVI0042.AVI": {"sequence": "42", "kind": "video"},
    "E/DCIM/101CANON/MVI_9999.MP4": {"sequence": "9999", "kind": "video"},
}

PROFILE = Profile("dcf", read, EXAMPLES)
