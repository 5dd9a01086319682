# SPDX-License-Identifier: Apache-2.0
"""This is where plain recorders are read: a word and a running number, `FILE0001.MP4`, `REC00012.WAV`.

The name holds no time and no identity; the number counts on over all files of the card.
"""

import re

from devices.makers import form
from devices.makers.form import Examples, Profile
from evidence.claims import Claim

_NAME = re.compile(
    r"(?:FILE|MOVI|MOV|REC|VOICE|PICT|SUNP|AMBA|AVI|VIDEO|IMAG|DSC|CLIP)[_-]?(?P<number>[0-9]{3,6})\.[A-Z0-9]{1,8}",
    re.IGNORECASE | re.ASCII,
)


def read(path: str) -> tuple[Claim, ...] | None:
    """What a plain recorder's path says."""
    name = path.rpartition("/")[2]
    match = _NAME.fullmatch(name)
    if match is None:
        return None
    return (*form.number("sequence", match["number"]), *form.kind(name), *form.folders(path))


EXAMPLES: Examples = {
    "FILE0001.MP4": {"sequence": "1", "kind": "video"},
    "VIDEO/REC_00012.avi": {"sequence": "12", "kind": "video"},
    "VOICE/VOICE007.WAV": {"sequence": "7", "kind": "audio"},
}

PROFILE = Profile("plain", read, EXAMPLES)
