# SPDX-License-Identifier: Apache-2.0
"""This is where small grey pictures become the bits of a fingerprint.

Look: signs, against their median, of 16 × 16 low coefficients of the cosine transform (the form of
PDQ's hash, 256 bits). Motion: which of 8 × 8 cells became brighter, and which darker, over the
half second before, once a change of the whole picture (exposure) is taken away. Texture: how strong the
coefficients are; of a flat picture their signs say nothing.
"""

from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from evidence.fingerprint import Fingerprint
from pipeline.media import luma
from pipeline.media.tools import Tool

REFERENCE_RATE = Fraction(2)
QUERY_RATE = Fraction(8)  # in footage that shakes, a quarter of a second is too far from the next sample

_MOTION_S = Fraction(1, 2)
_LOW = 16
_CELLS = 8
_CHANGE_LEVELS = 2.5  # of 255, in the mean of a cell: above what encoders do to a still picture


def fingerprint_of(
    source: Path,
    *,
    demuxer: str,
    duration: Fraction,
    scratch: Path,
    tool: Tool,
    rate: Fraction = REFERENCE_RATE,
) -> Fingerprint:
    """The fingerprint of the video in `source`, `rate` samples a second from position 0.

    What is kept is taken at `REFERENCE_RATE`; footage whose origin is asked for at `QUERY_RATE`.

    Raises:
        Undecodable, CodecRefused, SourceUnavailable, ToolMissing: as `ffmpeg.run`.
    """
    hashed = Hashed(rate)
    luma.watch(
        source,
        demuxer=demuxer,
        duration=duration,
        rate=rate,
        scratch=scratch,
        tool=tool,
        on_frames=hashed.take,
    )
    return hashed.fingerprint()


class Hashed:
    """Collects the samples of one recording as its pictures come by."""

    __slots__ = ("_before", "_looks", "_motions", "_rate", "_textures")

    def __init__(self, rate: Fraction) -> None:
        self._rate = rate
        self._looks: list[int] = []
        self._motions: list[int] = []
        self._textures = bytearray()
        self._before: NDArray[np.float32] | None = None

    def take(self, frames: NDArray[np.uint8]) -> None:
        """Add pictures. frames: uint8, frames × 64 × 64, in order."""
        levels = frames.astype(np.float32)
        coefficients: NDArray[np.float32] = np.matmul(np.matmul(_DCT, levels), _DCT.T)
        self._looks += _integers(_above_median(coefficients))
        self._textures += _texture(coefficients).tobytes()
        self._motions += _integers(self._changes(levels))

    def fingerprint(self) -> Fingerprint:
        """All samples so far."""
        return Fingerprint(self._rate, tuple(self._looks), tuple(self._motions), bytes(self._textures))

    def _changes(self, levels: NDArray[np.float32]) -> NDArray[np.bool_]:
        cell = luma.SIDE // _CELLS
        means = levels.reshape(-1, _CELLS, cell, _CELLS, cell).mean(axis=(2, 4)).reshape(-1, _CELLS**2)
        lag = max(1, round(_MOTION_S * self._rate))
        # Before the first picture nothing moved: it stands still for as long as is looked back.
        earlier = np.repeat(means[:1], lag, axis=0) if self._before is None else self._before
        together = np.concatenate([earlier, means])
        change = together[lag:] - together[:-lag]
        change -= np.median(change, axis=1, keepdims=True)
        self._before = together[-lag:]
        return np.concatenate([change > _CHANGE_LEVELS, change < -_CHANGE_LEVELS], axis=1)


def _dct_rows() -> NDArray[np.float32]:
    """Rows 1 to 16 of the orthonormal DCT-II over 64 points, scaled so that results are in grey levels."""
    frequency = np.arange(1, _LOW + 1)[:, None]
    position = np.arange(luma.SIDE)[None, :]
    rows: NDArray[np.float64] = (
        np.cos(np.pi * frequency * (2 * position + 1) / (2 * luma.SIDE)) * np.sqrt(2) / luma.SIDE
    )
    return rows.astype(np.float32)


_DCT = _dct_rows()


def _above_median(coefficients: NDArray[np.float32]) -> NDArray[np.bool_]:
    flat = coefficients.reshape(len(coefficients), -1)
    return flat > np.median(flat, axis=1, keepdims=True)


def _texture(coefficients: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Root mean square of the coefficients in sixteenths of a grey level, at most 255."""
    strength = np.sqrt(np.mean(np.square(coefficients), axis=(1, 2)))
    sixteenths: NDArray[np.float32] = np.minimum(255, np.round(strength * 16))
    return sixteenths.astype(np.uint8)


def _integers(bits: NDArray[np.bool_]) -> list[int]:
    return [int.from_bytes(row.tobytes(), "big") for row in np.packbits(bits, axis=1)]
