# SPDX-License-Identifier: Apache-2.0
"""This is where the clock of a docked device is compared with ours, set, and compared again.

The device read its clock at some moment between our question and its answer: the middle is assumed, and half
the round trip is the doubt, with the grain of what the clock shows on top. The quickest of several is taken.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

from devices.agent.control import Control
from devices.agent.server_port import Clock
from evidence.errors import SourceUnavailable

_TRIES = 5
_MS = timedelta(milliseconds=1)


def check_clock(control: Control, *, wall: Callable[[], datetime], monotonic: Callable[[], float]) -> Clock | None:
    """What was measured, and measured again after the clock was set; None when the device shows no clock.

    It is set only when it differs by more than the doubt; a device that cannot be set keeps its measurement.
    """
    try:
        before = measure(control, wall=wall, monotonic=monotonic)
    except SourceUnavailable:  # a device without a clock to ask: nothing is known, and nothing is claimed
        return None
    if abs(before.offset_ms) <= before.uncertainty_ms:
        return before
    try:
        control.set_clock(wall())
        after = measure(control, wall=wall, monotonic=monotonic)
    except SourceUnavailable:  # what was measured stands; that it was set is not claimed
        return before
    return replace(before, after_ms=after.offset_ms, uncertainty_ms=max(before.uncertainty_ms, after.uncertainty_ms))


def measure(control: Control, *, wall: Callable[[], datetime], monotonic: Callable[[], float]) -> Clock:
    """Offset and doubt, by the quickest of several questions.

    Raises:
        SourceUnavailable: the device does not tell its time.
    """
    return min((_once(control, wall, monotonic) for _ in range(_TRIES)), key=lambda found: found.uncertainty_ms)


def _once(control: Control, wall: Callable[[], datetime], monotonic: Callable[[], float]) -> Clock:
    asked_at, start = wall(), monotonic()
    shown = control.clock()
    half = timedelta(seconds=max(0.0, monotonic() - start) / 2)
    middle = asked_at + half
    # Rounding to whole milliseconds is one more doubt, hence the 1.
    doubt_ms = -(-half // _MS) + shown.grain_ms + 1
    return Clock(at=middle, offset_ms=round((shown.at - middle) / _MS), uncertainty_ms=doubt_ms)
