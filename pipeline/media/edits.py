# SPDX-License-Identifier: Apache-2.0
"""This is where an edit list becomes one exact shift: from stored time to the time a player shows.

Source: ISO/IEC 14496-12 §8.6.6 (`elst`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction


@dataclass(frozen=True, slots=True)
class Edit:
    """An entry of an edit list: `duration` in movie ticks, `media_time` in media ticks (-1: empty edit)."""

    duration: int
    media_time: int
    rate: int = 1 << 16


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a track's media is shown: shown time = stored time + `shift`, within `[start, end)`, in seconds.

    `end` is None where nothing limits it. `warnings` name what one shift cannot say.
    """

    shift: Fraction
    start: Fraction
    end: Fraction | None
    warnings: tuple[str, ...] = ()


def place(edits: Sequence[Edit], *, movie_timescale: int, media_timescale: int) -> Placement:
    """The placement that `edits` ask for: of the first shown edit, and those that follow on seamlessly.

    Empty edits first delay the media. A later edit that jumps is not followed: the whole media after
    the first edit's start stays reachable, and a warning says so.
    """
    delay = 0
    rest = list(edits)
    while rest and rest[0].media_time < 0:
        delay += rest.pop(0).duration
    start = Fraction(delay, movie_timescale)
    if not rest:
        return Placement(shift=start, start=start, end=None)
    first = rest.pop(0)
    shift = start - Fraction(first.media_time, media_timescale)
    length = Fraction(first.duration, movie_timescale)
    jumps = False
    for edit in rest:
        jumps = jumps or edit.media_time != first.media_time + round(length * media_timescale)
        length += Fraction(edit.duration, movie_timescale)
    warnings = (*(("edit-list-jumps",) * jumps), *(("edit-list-rate",) * (first.rate != 1 << 16)))
    # A duration of 0 means "to the end" (fragmented files, where the end is not known at the start).
    is_open = jumps or length == 0
    return Placement(shift=shift, start=start, end=None if is_open else start + length, warnings=warnings)
