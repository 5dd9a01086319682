# SPDX-License-Identifier: Apache-2.0
"""This is where recorders are read that name files as DSJ ones do, under a brand prefix of their own.

They write at most one file a second and kind: a second one in the same second is named for the next, so the
time in a name may be a second late.
"""

from devices.makers.dsj import grammar, read_named
from devices.makers.form import Examples, Profile
from evidence.claims import Claim

_NAMES = grammar("(?!DSJ_)[A-Z][A-Z0-9]{1,11}")


def read(path: str) -> tuple[Claim, ...] | None:
    """What a branded recorder's path says."""
    return read_named(path, _NAMES)


EXAMPLES: Examples = {
    "DCIM/IMP/2026-08-04/DCAM_CAM001_000001_20260804_100000_IMP.mp4": {
        "device": "CAM001",
        "officer": "000001",
        "start": "2026-08-04T10:00:00",
        "mark": "IMP",
        "important": "yes",
        "kind": "video",
    },
    "DCIM/Video/2026-08-04/DCAM_CAM001_000001_20260804_100001.mp4": {
        "device": "CAM001",
        "officer": "000001",
        "start": "2026-08-04T10:00:01",
        "kind": "video",
    },
}

PROFILE = Profile("dcam", read, EXAMPLES)
