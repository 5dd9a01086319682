# SPDX-License-Identifier: Apache-2.0
"""This is where ledger recorders are read: `seg_<milliseconds since 1970>.mp4` beside `manifest.sha256`.

Source: rules-cn §4, row 8. The ledger beside them is not taken for footage; the times in the names are UTC.
"""

import re
from datetime import UTC, datetime, timedelta

from devices.makers import form
from devices.makers.form import Examples, Profile
from evidence.claims import Claim, Source
from evidence.instant import to_text

_NAME = re.compile(r"seg_(?P<ms>[0-9]{13})\.[A-Za-z0-9]{1,8}")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def read(path: str) -> tuple[Claim, ...] | None:
    """What a ledger recorder's path says."""
    name = path.rpartition("/")[2]
    match = _NAME.fullmatch(name)
    if match is None:
        return None
    start = _EPOCH + timedelta(milliseconds=int(match["ms"]))
    return (*form.claimed("start", to_text(start), Source.FILE_NAME), *form.kind(name))


EXAMPLES: Examples = {
    "evidence/seg_1686792612250.mp4": {"start": "2023-06-15T01:30:12.250000Z", "kind": "video"},
}

PROFILE = Profile("segments", read, EXAMPLES)
