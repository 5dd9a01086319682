# SPDX-License-Identifier: Apache-2.0
"""This is where files on this machine become arrivals: the one way for `ingest`, `watch` and `demo`."""

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path

from devices.dock_folder import Ignored, Settled, offer_of, take_stock
from devices.makers.registry import read_claims
from devices.makers.sidecar import read_side
from devices.safe_open import open_beneath
from devices.settle import Snapshot
from evidence.claims import Claims
from evidence.errors import BadInput, NotFound, SourceUnavailable, Unacceptable
from evidence.offer import Offer, from_raw, showable
from pipeline.again import hold_again
from pipeline.arrive import Arrival, arrive
from pipeline.flow import open_released
from pipeline.media.sniff import sniff_bytes
from pipeline.ports import Ports

_HEAD_BYTES = 1 << 16
# Names that claim to be recordings (rules-cn §4): a file called so is taken in even when its bytes lie.
RECORDING_SUFFIXES = frozenset(
    f".{suffix}"
    for suffixes in (
        ("mp4", "mov", "m4v", "avi", "mkv", "webm", "flv", "wmv", "asf", "3gp", "mts", "m2ts", "ts"),
        ("mpg", "mpeg", "dav", "wav", "mp3", "aac", "m4a", "amr", "ogg", "opus", "flac", "wma"),
        ("jpg", "jpeg", "png", "bmp", "heic", "tif", "tiff", "gps", "nmea", "gpx", "srt"),
    )
    for suffix in suffixes
)


@dataclass(frozen=True, slots=True)
class Found:
    """A file that is offered, beneath the folder it was found in."""

    offer: Offer
    root: Path


@dataclass(frozen=True, slots=True)
class Skipped:
    """A file that is not offered, and why in words."""

    name: str
    reason: str


def find_files(path: Path) -> Iterator[Found | Skipped]:
    """Every file at or beneath `path`, as an offer or with the reason it is none; links are not followed.

    Raises:
        NotFound: there is nothing at `path`. BadInput: it is no file and no folder.
        SourceUnavailable: its medium cannot be read now.
    """
    mode = _looked_at(path).st_mode
    if stat.S_ISLNK(mode):
        raise BadInput(f"{showable(str(path))} is a link; name the file it points to")
    if stat.S_ISDIR(mode):
        root = path.resolve()
        for seen in take_stock(dock_name(root), root):
            yield consider(seen)
    elif stat.S_ISREG(mode):
        root = path.parent.resolve()
        name = from_raw(path.name.encode("utf-8", "surrogateescape"))
        yield _wanted(Found(offer_of(dock_name(root), name, Snapshot.of(_looked_at(path))), root))
    else:
        raise BadInput(f"{showable(str(path))} is no plain file and no folder")


def _looked_at(path: Path) -> os.stat_result:
    name = showable(str(path))
    try:
        return path.lstat()
    except (FileNotFoundError, NotADirectoryError) as error:
        raise NotFound(f"there is nothing at {name}") from error
    except OSError as error:
        raise SourceUnavailable(f"{name} cannot be read: {error.strerror}", errno=error.errno) from error


def consider(seen: Settled | Ignored) -> Found | Skipped:
    """What a file of a dock is to us: an offer, or left where it is with the reason.

    Raises:
        SourceUnavailable: the medium cannot be read now.
    """
    if isinstance(seen, Ignored):
        return Skipped(showable(seen.path), seen.reason.value)
    return _wanted(Found(seen.offer, seen.root))


def _wanted(found: Found) -> Found | Skipped:
    """What is named like a recording is taken, whatever its bytes are; of the rest, what is one by its bytes."""
    if Path(found.offer.name).suffix.lower() in RECORDING_SUFFIXES:
        return found
    try:
        with open_beneath(found.root, found.offer.path) as file:
            sniff_bytes(file.read(_HEAD_BYTES), name=found.offer.name)
    except (Unacceptable, NotFound):
        return Skipped(showable(found.offer.path), "neither named nor made like a recording")
    return found


def dock_name(root: Path) -> str:
    """The name of a folder of this machine as a dock: two folders may hold files of one name."""
    return f"folder:{root}"


def take_in(found: Found, *, said: Claims, ports: Ports, now: datetime) -> Arrival:
    """Take a file down as a recording, with all that its path, its neighbours and the operator claim."""
    return arrive(found.offer, root=found.root, claims=claims_for(found, said), ports=ports, now=now)


def claims_for(found: Found, said: Claims) -> Claims:
    """Everything claimed of a file before it is read."""
    side = read_side(found.root, found.offer.path)
    return read_claims(found.offer.path, mtime_ns=found.offer.mtime_ns, side=side) | said


def take_again(found: Found, arrival: Arrival, *, said: Claims, ports: Ports, now: datetime) -> bool:
    """Record that a file we took before was offered once more; False when its bytes are not held yet.

    A recording that waited for its device to be registered goes on by this.

    Raises:
        Conflict: it has other bytes now, under the name, size and time of the ones we hold.
        SourceUnavailable, NotFound: the file cannot be read.
    """
    claims = claims_for(found, said)
    follow = partial(open_released, now=now)
    happenings = hold_again(
        arrival.recording, found.offer, root=found.root, claims=claims, follow=follow, ports=ports, now=now
    )
    return bool(happenings)
