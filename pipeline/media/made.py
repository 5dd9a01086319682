# SPDX-License-Identifier: Apache-2.0
"""This is where files that a program behind walls left are looked at: in Python, bounded, by no decoder.

What a captured decoder leaves is as hostile as what it was given, and this process has no walls.
"""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

from evidence.errors import Unacceptable, Undecodable
from pipeline.media.boxes import Box, ReadRange, body_of, boxes, children, find

_HANDLERS = {"video": b"vide", "audio": b"soun"}
_JPEG_HEAD_BYTES = 1 << 16


def is_plain(path: Path) -> bool:
    """True when there is a plain file at `path`, False when there is nothing.

    Raises:
        Undecodable: something else is there; a link would make us read what it names, for whoever made it.
    """
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return False
    if not stat.S_ISREG(mode):
        raise Undecodable(f"{path.name} is no plain file")
    if not mode & stat.S_IRUSR:
        raise Undecodable(f"{path.name} was made so that nobody can read it")
    return True


def length_of(path: Path, kind: str) -> Fraction:
    """Seconds of the track of `kind` in an MP4 that was made; this is also the proof that there is one.

    Raises:
        Undecodable: nothing came out, whatever the exit code said.
    """
    nothing = f"no {kind} came out"
    with _reading(path, nothing) as (read, size_bytes):
        for track in _tracks(read, size_bytes):
            handler, header = find(read, track, b"mdia", b"hdlr"), find(read, track, b"mdia", b"mdhd")
            if handler is None or header is None or read(handler.body + 8, 4) != _HANDLERS[kind]:
                continue
            length = _length(body_of(read, header, at_most=1024))
            if length:
                return length
    raise Undecodable(nothing)


def jpeg_size(path: Path) -> tuple[int, int]:
    """Width and height of a JPEG that was made, out of its frame header (ITU-T T.81 §B.2.2).

    Raises:
        Undecodable: it has none.
    """
    nothing = "no picture came out"
    with _reading(path, nothing) as (read, _):
        head, at = read(0, _JPEG_HEAD_BYTES), 2
    while head[:2] == b"\xff\xd8" and head[at : at + 1] == b"\xff" and len(head) >= at + 9:
        if 0xC0 <= head[at + 1] <= 0xC2:
            return int.from_bytes(head[at + 7 : at + 9], "big"), int.from_bytes(head[at + 5 : at + 7], "big")
        at += 2 + max(2, int.from_bytes(head[at + 2 : at + 4], "big"))
    raise Undecodable(nothing)


@contextmanager
def _reading(path: Path, nothing: str) -> Iterator[tuple[ReadRange, int]]:
    if not is_plain(path):
        raise Undecodable(nothing)
    try:
        with path.open("rb") as file:
            number = file.fileno()
            yield lambda at, length: os.pread(number, length, at), os.fstat(number).st_size
    except (Unacceptable, OverflowError) as error:
        raise Undecodable(nothing) from error


def _tracks(read: ReadRange, size_bytes: int) -> list[Box]:
    movie = next((box for box in boxes(read, 0, size_bytes) if box.kind == b"moov"), None)
    return [] if movie is None else [box for box in children(read, movie) if box.kind == b"trak"]


def _length(header: bytes) -> Fraction:
    """Length by an `mdhd` box (ISO/IEC 14496-12 §8.4.2); 0 when it says none."""
    at, width = (20, 8) if header[:1] == b"\1" else (12, 4)
    scale, ticks = int.from_bytes(header[at : at + 4], "big"), int.from_bytes(header[at + 4 : at + 4 + width], "big")
    return Fraction(ticks, scale) if scale else Fraction(0)
