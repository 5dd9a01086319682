# SPDX-License-Identifier: Apache-2.0
"""This is where a camera's microphone is imitated: tones that change, and a click at each whole second."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

Samples = npt.NDArray[np.float32]

_NOTES_PER_SECOND = 4
_MELODY = 4096
_CLICK_PARTS = 100  # the click fills a hundredth of a second


def voice(seed: tuple[int, ...], *, rate: int) -> Callable[[int, int], Samples]:
    """A function giving samples [first, first + count) of this seed's sound, from -1 to 1, mono.

    The click begins exactly at each whole second: it shows whether sound and picture are in step.
    """
    rng = np.random.default_rng(seed)
    notes = rng.integers(180, 1400, _MELODY).astype(np.float64)

    def wave(first: int, count: int) -> Samples:
        at = np.arange(first, first + count)
        hertz = notes[at * _NOTES_PER_SECOND // rate % _MELODY]
        tone = 0.25 * np.sin(2 * np.pi * hertz * (at % rate) / rate)
        click = np.where(at % rate < rate // _CLICK_PARTS, 0.6 * np.sin(at * (np.pi / 6)), 0.0)
        return (tone + click).astype(np.float32)

    return wave
