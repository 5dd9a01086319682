# SPDX-License-Identifier: Apache-2.0
"""This is where what there is of a live recording can be played: an HLS playlist, and ranges of the growing file.

A fragment is in the playlist as soon as it lasts. Source: RFC 8216 §4.3 (tags), §6.2.1 (a live playlist only grows).
"""

import functools
import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from evidence import instant
from evidence.errors import NotFound
from pipeline.live import MARK, Live
from pipeline.live_figures import figures
from pipeline.live_fragments import Timing, seconds_of, timings
from pipeline.media.boxes import ReadRange
from pipeline.received import ReceivedFiles
from storage.durable import store_errors

INIT = "init.mp4"
ENDING = ".m4s"
_REMEMBERED = 1 << 16


@dataclass(frozen=True, slots=True)
class Part:
    """Bytes of a file that lasts."""

    path: Path
    start: int
    end: int

    @property
    def size_bytes(self) -> int:
        """How many."""
        return self.end - self.start

    @contextmanager
    def opened(self) -> Iterator[ReadRange]:
        """They stay readable while the block runs, also when the file is forgotten meanwhile.

        Raises:
            NotFound: the file is gone: it rests elsewhere. StoreUnavailable: it cannot be read.
        """
        with _opened(self.path) as descriptor:
            yield lambda offset, length: _pread(descriptor, self.start + offset, min(length, self.size_bytes - offset))

    def range(self) -> ReadRange:
        """For who reads headers only."""

        def read(offset: int, length: int) -> bytes:
            with self.opened() as reading:
                return reading(offset, length)

        return read


def part(live: Live, number: int, *, files: ReceivedFiles) -> Part:
    """Fragment `number` of a live recording; 0 is the init segment.

    Raises:
        NotFound: it is not here (yet).
    """
    return Part(files.path(live.id), *live.range_of(number))


def playlist(live: Live, *, files: ReceivedFiles) -> str:
    """The playlist of what is there now; with an end when nothing more will come.

    Raises:
        NotFound: not even the init segment is here, or the file rests elsewhere.
        NotMedia: it is no fragmented MP4. StoreUnavailable: it cannot be read.
    """
    tracks = _timings(part(live, 0, files=files), live.pieces[0][1])
    lengths = [_seconds(part(live, number, files=files), live.pieces[number][1], tracks) for number in _media(live)]
    started = instant.from_text(live.told.extra[MARK]["started_at"])
    longest = max(math.ceil(max(lengths, default=Fraction(0))), figures().longest_fragment_s)
    lines = [
        "#EXTM3U",
        "#EXT-X-VERSION:7",
        f"#EXT-X-TARGETDURATION:{longest}",
        "#EXT-X-MEDIA-SEQUENCE:1",
        "#EXT-X-PLAYLIST-TYPE:EVENT",
        f'#EXT-X-MAP:URI="{INIT}"',
        f"#EXT-X-PROGRAM-DATE-TIME:{started.isoformat(timespec='milliseconds')}",
    ]
    for number, length in zip(_media(live), lengths, strict=True):
        lines += [f"#EXTINF:{float(length):.6f},", f"{number}{ENDING}"]
    return "\n".join([*lines, *(["#EXT-X-ENDLIST"] if live.closed else []), ""])


def _media(live: Live) -> range:
    return range(1, live.next)


# The digest is part of what is remembered: what lasts under one number never changes.
@functools.lru_cache(maxsize=256)
def _timings(init: Part, _sha256: str) -> tuple[tuple[int, Timing], ...]:
    return tuple(timings(init.range(), init.end - init.start).items())


@functools.lru_cache(maxsize=_REMEMBERED)
def _seconds(fragment: Part, _sha256: str, tracks: tuple[tuple[int, Timing], ...]) -> Fraction:
    return seconds_of(fragment.range(), fragment.end - fragment.start, dict(tracks))


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    with store_errors("a live recording cannot be read"):
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError as error:
            raise NotFound("this live recording rests elsewhere now") from error
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _pread(descriptor: int, offset: int, length: int) -> bytes:
    with store_errors("a live recording cannot be read"):
        return os.pread(descriptor, max(0, length), offset)
