# SPDX-License-Identifier: Apache-2.0
"""This is where the clock of a docked device is compared with ours, set, and compared again.

The device read its clock at some moment between our question and its answer, and shows it cut to its grain: each
answer leaves an interval for the offset. What all answers leave is narrow once the clock turned between two of them.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from devices.agent.control import Control
from devices.agent.server_port import Clock
from evidence.errors import SourceUnavailable

_TRIES = 5
_MOST = 200
_LONGEST = timedelta(seconds=2)
_PAUSE_S = 0.02
_MS = timedelta(milliseconds=1)


def check_clock(control: Control, *, wall: Callable[[], datetime], monotonic: Callable[[], float]) -> Clock | None:
    """What was measured, and measured again after the clock was set; None when the device shows no clock.

    It is set only when it differs by more than the doubt, and by more than it shows: one that shows seconds is set to
    a second, no finer. A device that cannot be set keeps its measurement.
    """
    try:
        left = _left(control, wall, monotonic)
    except SourceUnavailable:  # a device without a clock to ask: nothing is known, and nothing is claimed
        return None
    before = left.clock()
    if abs(before.offset_ms) <= max(before.uncertainty_ms, left.grain // _MS):
        return before
    try:
        control.set_clock(wall())
        after = measure(control, wall=wall, monotonic=monotonic)
    except SourceUnavailable:  # what was measured stands; that it was set is not claimed
        return before
    return replace(before, after_ms=after.offset_ms, uncertainty_ms=max(before.uncertainty_ms, after.uncertainty_ms))


def measure(control: Control, *, wall: Callable[[], datetime], monotonic: Callable[[], float]) -> Clock:
    """Offset and doubt: the middle of what all answers leave, and half of it.

    A clock that shows seconds is asked until it turns to the next: then it is known to a question's length.

    Raises:
        SourceUnavailable: the device does not tell its time.
    """
    return _left(control, wall, monotonic).clock()


def _left(control: Control, wall: Callable[[], datetime], monotonic: Callable[[], float]) -> "_Left":
    begun, left = monotonic(), _once(control, wall, monotonic)
    for turn in range(_MOST):
        longest = min(left.grain, _LONGEST) / timedelta(seconds=1)
        if monotonic() - begun > longest * 1.1 and turn >= _TRIES:
            break
        if turn >= _TRIES:
            time.sleep(_PAUSE_S)
        left = left.met(_once(control, wall, monotonic))
    return left


@dataclass(frozen=True, slots=True)
class _Left:
    """Between what offsets the answers leave the truth, the latest of them given at `at`."""

    at: datetime
    low: timedelta
    high: timedelta
    grain: timedelta

    def met(self, other: "_Left") -> "_Left":
        """What both leave; only the newer, when a clock that jumped in between lets them not meet."""
        low, high = max(self.low, other.low), min(self.high, other.high)
        return other if low > high else _Left(other.at, low, high, other.grain)

    def clock(self) -> Clock:
        # Rounding to whole milliseconds is one more doubt, hence the 1.
        middle = self.low + (self.high - self.low) / 2
        return Clock(self.at, offset_ms=round(middle / _MS), uncertainty_ms=-(-(self.high - self.low) // (2 * _MS)) + 1)


def _once(control: Control, wall: Callable[[], datetime], monotonic: Callable[[], float]) -> _Left:
    """One question: what is shown is cut to the grain, and was read between the question and its answer."""
    asked_at, start = wall(), monotonic()
    shown = control.clock()
    trip, grain = timedelta(seconds=max(0.0, monotonic() - start)), timedelta(milliseconds=shown.grain_ms)
    return _Left(asked_at + trip, shown.at - asked_at - trip, shown.at + grain - asked_at, grain)
