# SPDX-License-Identifier: Apache-2.0
"""This is where a clock that jumps is kept from making anything due: steady time, which only time itself advances.

Steady time is carried by marks: how far it had come, and how long that boot of that machine had run then. Within a
boot it advances no faster than the boot has run. Over a reboot, or from one machine to another, nobody knows how long
it took: a silence up to a set length is believed, the rest waits until a person has confirmed the clock, or until
as much time has truly gone by. It never goes back, and gets ahead of the wall clock only when that was set back.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum


class Doubt(StrEnum):
    """Why the wall clock is not believed."""

    AHEAD = "ahead"
    """It has advanced by more than machines have run, and silences that are believed can have lasted."""
    BEHIND = "behind"
    """It shows less than was reached already."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What a machine's clocks say at one moment: wall time (UTC), and seconds its boot has run, sleep included."""

    place: str
    boot: str
    uptime_s: float
    wall: datetime


@dataclass(frozen=True, slots=True)
class Mark:
    """How far steady time had come when a boot had run so long; `is_confirmed`: on a person's word."""

    boot: str
    uptime_s: float
    at: datetime
    is_confirmed: bool = False


@dataclass(frozen=True, slots=True)
class Limits:
    """What is believed: `tolerance` in all within one boot, a `silence` so long between boots and machines."""

    tolerance: timedelta
    silence: timedelta


@dataclass(frozen=True, slots=True)
class Steady:
    """Steady time now; `surplus` is how far the wall clock is ahead of it (below zero: behind)."""

    now: datetime
    doubt: Doubt | None
    surplus: timedelta

    @property
    def counted(self) -> datetime:
        """What keeping is counted at: steady time, or the wall clock where that shows less. Both must have come.

        So a mark of a machine whose clock was far ahead makes nothing due once that clock is set right.
        """
        return self.now + min(self.surplus, timedelta(0))


def steady(marks: Sequence[Mark], reading: Reading, limits: Limits) -> Steady:
    """Steady time at a reading, after all `marks`, oldest first. Without marks the wall clock is believed.

    Wall time that was not reached by the running of a boot is `doubt`ed, once it is more than the tolerance.
    """
    if not marks:
        return Steady(reading.wall, None, timedelta(0))
    # What a person confirmed stands for all before it, also when it is less: that only lets things be kept longer.
    marks = marks[max((place for place, mark in enumerate(marks) if mark.is_confirmed), default=0) :]
    reached = max(mark.at for mark in marks)
    own = [mark for mark in marks if mark.boot == reading.boot]
    # Processes of one boot mark in another order than they read: a reading from just before a mark is of that boot too.
    runs_on = bool(own) and own[-1].uptime_s <= reading.uptime_s + limits.tolerance.total_seconds()
    # A machine that was put back to an earlier moment of the same boot knows no better than one that was off.
    limit = _of_boot(own, reading, limits) if runs_on else reached + limits.silence
    now = max(reached, min(reading.wall, limit))
    surplus = reading.wall - now
    return Steady(now, _doubt(surplus, limits), surplus)


def _of_boot(own: Sequence[Mark], reading: Reading, limits: Limits) -> datetime:
    """How far this boot can have come: the tolerance counts once, from its first mark, and never adds up."""
    first, last = own[0], own[-1]
    return max(last.at + _ran(last, reading), first.at + _ran(first, reading) + limits.tolerance)


def _ran(since: Mark, reading: Reading) -> timedelta:
    return timedelta(seconds=max(reading.uptime_s - since.uptime_s, 0.0))


def _doubt(surplus: timedelta, limits: Limits) -> Doubt | None:
    if surplus > limits.tolerance:
        return Doubt.AHEAD
    return Doubt.BEHIND if surplus < -limits.tolerance else None
