# SPDX-License-Identifier: Apache-2.0
"""This is where a file's path, settings and time become its claims, by the first maker's form that fits.

A new maker is one file beside this one, with examples, and one name in `PROFILES`.
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta

from devices.makers import (
    dahua,
    dated,
    dcam,
    dcf,
    dsj,
    ga947,
    generic,
    gopro,
    novatek,
    phone,
    plain,
    segments,
    sidecar,
    station,
    stationstore,
)
from devices.makers.form import Profile
from evidence.claims import Claim, Claims, Source
from evidence.instant import to_text

# The first that fits is believed: the more a form asks of a name, the earlier it stands. The last fits any.
PROFILES: tuple[Profile, ...] = (
    dsj.PROFILE,
    dcam.PROFILE,
    ga947.PROFILE,
    station.PROFILE,
    stationstore.PROFILE,
    dahua.PROFILE,
    novatek.PROFILE,
    segments.PROFILE,
    gopro.PROFILE,
    phone.PROFILE,
    dated.PROFILE,
    dcf.PROFILE,
    plain.PROFILE,
    generic.PROFILE,
)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def read_claims(path: str, *, mtime_ns: int, side: Mapping[str, bytes] | None = None) -> Claims:
    """All that is claimed of the file `path` of a dock, before a byte of it is read. Never fails.

    `path` is relative, as in an offer; `mtime_ns` what the file system says, in nanoseconds since 1970;
    `side` the recorder's settings files (`sidecar.read_side`). Times in names are the camera's local clock,
    without zone.
    """
    profile, named = _named(path)
    return Claims(
        (
            *named,
            *sidecar.claims_of(side or {}),
            Claim("maker", profile.name, Source.FILE_NAME),
            *_last_write(mtime_ns),
        )
    )


def _named(path: str) -> tuple[Profile, tuple[Claim, ...]]:
    for profile in PROFILES:
        claims = profile.read(path)
        if claims is not None:
            return profile, claims
    return generic.PROFILE, ()


def _last_write(mtime_ns: int) -> Iterator[Claim]:
    """The last resort for a start: the file was there at least when it was last written."""
    try:
        moment = _EPOCH + timedelta(microseconds=mtime_ns // 1000)
    except OverflowError:
        return
    if moment >= _EPOCH:
        yield Claim("start", to_text(moment), Source.MTIME)
