# SPDX-License-Identifier: Apache-2.0
"""This is where it is decided which files are one capture that a recorder wrote in several.

Recorders begin a new file before 4 GiB (FAT holds no larger one), after some minutes, or by chapters. A name alone
never ties two files: what was measured of them (how long they run, how large they are) must bear it out, and both
must be of one device and one dock.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from fractions import Fraction

FAT_BYTES = 1 << 32
NEAR_BYTES = 16 << 20
"""A file is cut for FAT when at most this is left to 4 GiB: recorders leave room for the index they write last."""

GRAIN = timedelta(seconds=1)
"""What a clock that tells whole seconds cannot tell apart."""
_HOLE, _OVERLAP = timedelta(seconds=2), timedelta(seconds=5)
_DAY = 24 * 3600


@dataclass(frozen=True, slots=True)
class Piece:
    """One file, as far as it bears on this.

    `place` is what it must share with the others: device, dock, kind of maker. `start` is by the clock that `clock`
    names; `is_fine` when that clock tells less than a second. `timecode`: seconds since the day's begin that the
    camera wrote into the file, exact. `sequence` is the maker's running number, `part` which file of one capture it is.
    """

    id: str
    place: tuple[str, ...]
    start: datetime
    clock: str
    duration: Fraction
    size_bytes: int
    is_fine: bool = False
    timecode: Fraction | None = None
    sequence: int | None = None
    part: int | None = None

    @property
    def end(self) -> datetime:
        """When it ends by its own clock."""
        return self.start + timedelta(microseconds=int(self.duration * 1_000_000))

    @property
    def is_full(self) -> bool:
        """True when it was cut because FAT holds no larger file."""
        return FAT_BYTES - NEAR_BYTES <= self.size_bytes <= FAT_BYTES


@dataclass(frozen=True, slots=True)
class Tie:
    """How a piece follows the one before it.

    `gap`: exact seconds from the end of that one to its start, negative when they overlap; None when the clocks there
    are cannot tell it from nothing. `basis`: what ties them, and by which clock.
    """

    gap: Fraction | None
    basis: str


def tie(before: Piece, after: Piece) -> Tie | None:
    """How `after` goes on with what `before` began; None when it does not, or nothing measured shows it."""
    if before.place != after.place or before.id == after.id:
        return None
    numbered = _numbered(before, after)
    if numbered is False or not before.start <= after.start <= before.end + _HOLE:
        return None
    if before.timecode is not None and after.timecode is not None:
        gap = _around_midnight(after.timecode - before.timecode - before.duration)
        return Tie(gap, _basis(before, numbered, "timecode")) if _is_near(gap, before) else None
    if before.clock != after.clock or after.start == before.start:
        return None
    # The time a file was last written tells too little alone: cards keep it in steps of two seconds.
    if before.clock == "mtime" and not (numbered or before.is_full):
        return None
    gap = _seconds(after.start - before.start) - before.duration
    is_told = (before.is_fine and after.is_fine) or abs(gap) > _seconds(GRAIN)
    return Tie(gap if is_told else None, _basis(before, numbered, before.clock)) if _is_near(gap, before) else None


def chains(pieces: Iterable[Piece]) -> list[list[tuple[Piece, Tie | None]]]:
    """The pieces as captures: each in order, each piece with how it follows; a capture of one piece is a chain of one.

    Every piece is in one chain. Of several that could follow, the one nearest in time does.
    """
    ordered = sorted(pieces, key=lambda piece: (piece.start, piece.part or 0, piece.sequence or 0, piece.id))
    following: dict[str, tuple[Piece, Tie]] = {}
    taken: set[str] = set()
    for number, before in enumerate(ordered):
        found = _next(before, ordered[number + 1 :], taken)
        if found is not None:
            following[before.id] = found
            taken.add(found[0].id)
    return [_chain(first, following) for first in ordered if first.id not in taken]


def missing(before: Piece, after: Piece) -> list[int]:
    """Numbers of files that lay between two of one capture and are not here; none when nothing shows it.

    Numbers of parts say so alone. Running numbers do when the files that they count fit the time between.
    """
    if before.place != after.place or after.start < before.start:
        return []
    if before.part is not None and after.part is not None and before.sequence == after.sequence:
        return _between(before.part, after.part)
    if before.sequence is None or after.sequence is None or before.clock != after.clock:
        return []
    lost = _between(before.sequence, after.sequence)
    hole = _seconds(after.start - before.end)
    slack = _seconds(_HOLE) * (len(lost) + 1)
    return lost if lost and abs(hole - before.duration * len(lost)) <= slack else []


def _next(before: Piece, ordered: Sequence[Piece], taken: set[str]) -> tuple[Piece, Tie] | None:
    best: tuple[Fraction, Piece, Tie] | None = None
    for after in ordered:
        if after.start > before.end + _HOLE:
            break
        if after.id in taken:
            continue
        found = tie(before, after)
        if found is not None and (best is None or abs(found.gap or Fraction(0)) < best[0]):
            best = abs(found.gap or Fraction(0)), after, found
    return None if best is None else best[1:]


def _chain(first: Piece, following: dict[str, tuple[Piece, Tie]]) -> list[tuple[Piece, Tie | None]]:
    chain: list[tuple[Piece, Tie | None]] = [(first, None)]
    while (found := following.get(chain[-1][0].id)) is not None:
        chain.append(found)
    return chain


def _numbered(before: Piece, after: Piece) -> bool | None:
    """True when the maker's numbers go on, False when those of parts say otherwise, None when they say nothing.

    A running number may skip (a photo was taken meanwhile) and begin anew.
    """
    if before.part is not None or after.part is not None:
        # The first file of a capture often bears no number.
        if after.part is None or (before.sequence or after.sequence) != after.sequence:
            return False
        return after.part == (before.part or 1) + 1
    is_next = before.sequence is not None and after.sequence == before.sequence + 1
    return True if is_next else None


def _between(first: int, last: int) -> list[int]:
    return list(range(first + 1, last)) if last - first <= 1000 else []


def _basis(before: Piece, numbered: bool | None, clock: str) -> str:
    why = "size" if before.is_full else "number" if numbered else "time"
    return f"{why}:{clock}"


def _is_near(gap: Fraction, before: Piece) -> bool:
    """True when a gap is small, also beside the file before it: in a large one, a file may be missing."""
    half = before.duration / 2
    return -min(half, _seconds(_OVERLAP)) <= gap <= min(half, _seconds(_HOLE))


def _around_midnight(seconds: Fraction) -> Fraction:
    """The same difference of two clocks of a day, between half a day less and half a day more."""
    return (seconds + _DAY // 2) % _DAY - _DAY // 2


def _seconds(length: timedelta) -> Fraction:
    return Fraction(length // timedelta(microseconds=1), 1_000_000)
