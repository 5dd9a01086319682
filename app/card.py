# SPDX-License-Identifier: Apache-2.0
"""This is where a card is tried without taking anything in: what would be read of it, and why.

Nothing is written anywhere, and no media is decoded. What can only be known once a file is measured (how long it
runs) is guessed here from when it was last written, and called likely.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from pathlib import Path

from devices.makers.registry import read_claims
from devices.makers.sidecar import is_settings, read_side, side_places
from devices.safe_open import open_beneath, open_root
from devices.settle import Reason, Snapshot
from devices.walk import Entry, walk
from evidence.claims import Claims, Source
from evidence.errors import BadInput, NotFound, SourceUnavailable, Unacceptable
from evidence.series import Piece, chains
from pipeline.media.sniff import sniff_bytes
from pipeline.media.tracks.reading import track_in
from pipeline.media.tracks.track import Track

FILES_MAX = 10_000
"""So many files are told one by one; of the rest, only how many there are."""

_HEAD_BYTES = 1 << 16
_YEARS, _LONGEST_S = range(1970, 2200), 48 * 3600
_QUARTER = timedelta(minutes=15)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Tried:
    """A file that would be taken: what its first bytes are (or the code of why they are nothing we know), its claims.

    `track`: the beginning of the way that it holds.
    """

    path: str
    size_bytes: int
    container: str | None
    problem: str | None
    claims: Claims
    track: Track | None = None


@dataclass(slots=True)
class Trial:
    """What a card holds: files that would be taken, names that would not with their reason, likely captures."""

    files: list[Tried] = field(default_factory=list)
    skipped: list[tuple[str, str]] = field(default_factory=list)
    reasons: Counter[str] = field(default_factory=Counter)
    further: int = 0
    captures: list[list[str]] = field(default_factory=list)


def try_card(root: Path) -> Trial:
    """Walk a folder as a dock would, and read what names, settings and first bytes say. Links are not followed.

    Raises:
        SourceUnavailable: the folder is not there, or its medium went away.
    """
    trial, written = Trial(), list[tuple[Tried, int]]()
    settings: dict[tuple[str, ...], Mapping[str, bytes]] = {}
    with open_root(root) as at:
        for entry in walk(at, in_order=True):
            if entry.ignored is not None or entry.seen is None:
                _skip(trial, entry)
            elif is_settings(entry.path):
                _skip(trial, replace(entry, ignored=Reason.SETTINGS))
            elif len(trial.files) >= FILES_MAX:
                trial.further += 1
            else:
                places = side_places(entry.path)
                if places not in settings:
                    settings[places] = read_side(root, entry.path)
                tried = _tried(root, entry.path, entry.seen, settings[places])
                trial.files.append(tried)
                written.append((tried, entry.seen.mtime_ns))
    trial.captures = _captures(written)
    return trial


def _skip(trial: Trial, entry: Entry) -> None:
    reason = "unreadable" if entry.ignored is None else entry.ignored.value
    if reason == "folder":
        return
    trial.reasons[reason] += 1
    if len(trial.skipped) < FILES_MAX:
        trial.skipped.append((entry.path, reason))


def _tried(root: Path, path: str, seen: Snapshot, side: Mapping[str, bytes]) -> Tried:
    claims = read_claims(path, mtime_ns=seen.mtime_ns, side=side)
    container, problem, track = None, None, None
    try:
        with open_beneath(root, path) as file:
            container = sniff_bytes(file.read(_HEAD_BYTES), name=path.rpartition("/")[2]).name
            track = track_in(file, container)
    except (Unacceptable, NotFound, BadInput) as error:
        problem = error.code
    except (OSError, SourceUnavailable):
        problem = SourceUnavailable.code
    return Tried(path, seen.size_bytes, container, problem, claims, track)


def _captures(seen: Sequence[tuple[Tried, int]]) -> list[list[str]]:
    """Files that are likely one capture: each began, by its name, when the one before was written for the last time.

    Names tell the camera's local time, and the file system UTC, or what it takes for it: the distance is that of zones,
    in quarters of an hour, and the same for the whole card.
    """
    spans = [(one, *span) for one, mtime_ns in seen if (span := _span(one, mtime_ns)) is not None]
    if not spans:
        return []
    zones = min(written - began for _, began, written in spans) // _QUARTER * _QUARTER
    pieces = [piece for one, began, written in spans for piece in _piece(one, began, written - zones)]
    return [[link[0].id for link in chain] for chain in chains(pieces) if len(chain) > 1]


def _span(one: Tried, mtime_ns: int) -> tuple[datetime, datetime] | None:
    """When a file of footage began by its name, and when it was last written."""
    start, written = one.claims.best("start"), _moment(mtime_ns)
    is_named = start is not None and start.source is Source.FILE_NAME
    if start is None or not is_named or written is None or one.claims.value("kind") not in ("video", "audio"):
        return None
    began = datetime.fromisoformat(start.value)
    if began.year not in _YEARS:
        return None
    return began.replace(tzinfo=began.tzinfo or UTC), written


def _piece(one: Tried, began: datetime, written: datetime) -> Iterator[Piece]:
    duration = Fraction((written - began) // timedelta(milliseconds=1), 1000)
    if not 0 < duration <= _LONGEST_S:
        return
    claims = one.claims
    device = claims.value("device") or ""
    yield Piece(
        id=one.path,
        place=(
            device,
            claims.value("kind") or "",
            claims.value("maker") or "",
            "" if device else one.path.rpartition("/")[0],
        ),
        start=began,
        clock=Source.FILE_NAME.value,
        duration=duration,
        size_bytes=one.size_bytes,
        sequence=_number(claims.value("sequence")),
        part=_number(claims.value("part")),
    )


def _moment(mtime_ns: int) -> datetime | None:
    try:
        return _EPOCH + timedelta(microseconds=mtime_ns // 1000)
    except OverflowError:
        return None


def _number(text: str | None) -> int | None:
    return None if text is None else int(text)
