# SPDX-License-Identifier: Apache-2.0
"""This is where a camera's view is painted: a textured place, panned over, with people walking by.

Cheap on purpose (a copy per frame out of a prepared picture), so that making footage costs little
more than coding it; varied on purpose, so that two cameras, or two moments, do not look alike.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from pipeline.media.encode import Planes

TURN_FRAMES = 240  # the wearer turns to another part of the place after so many frames
_WALKERS = 3
_PATCHES = 160

Bytes = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class _Turn:
    """What one turn shows: mirrored or not, from one corner of the place to another (even offsets)."""

    is_mirrored: bool
    start: tuple[int, int]
    end: tuple[int, int]

    def corner(self, step: int) -> tuple[int, int]:
        """Top and left of the view at `step`, even, so that the half-size planes move along exactly."""
        pairs = zip(self.start, self.end, strict=True)
        top, left = (2 * ((a * (TURN_FRAMES - step) + b * step) // (2 * TURN_FRAMES)) for a, b in pairs)
        return top, left


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """A place half as large again as the view each way; `place[1]` is its mirror image."""

    seed: tuple[int, ...]
    width: int
    height: int
    place: tuple[Planes, Planes]

    def paint(self, number: int, planes: Planes) -> None:
        """Draw what the camera sees in frame `number`; a pure function of the seed and the number."""
        turn_number, step = divmod(number, TURN_FRAMES)
        turn = _turn(self.seed, turn_number, self.height // 2, self.width // 2)
        place = self.place[turn.is_mirrored]
        top, left = turn.corner(step)
        planes.y[:] = place.y[top : top + self.height, left : left + self.width]
        rows, columns = planes.u.shape
        view = (slice(top // 2, top // 2 + rows), slice(left // 2, left // 2 + columns))
        planes.u[:], planes.v[:] = place.u[view], place.v[view]
        self._people(number, planes.y)

    def _people(self, number: int, luma: Bytes) -> None:
        tall, wide = self.height // 3, self.height // 12
        for walker in range(_WALKERS):
            lane = self.seed[-1] * 7 + walker * 13
            travel = number * (1 + walker) * max(1, self.width // 640) + lane * wide
            left = travel % (self.width + wide) - wide
            top = self.height // 2 + (lane % 5) * self.height // 40
            west, east = max(0, left), max(0, left + wide)
            luma[top : top + tall, west:east] = 60 + 50 * walker
            luma[top : top + wide, west:east] = 170 - 30 * walker


def scene(seed: tuple[int, ...], *, width: int, height: int) -> Scene:
    """A place to film, the same for the same seed (whole numbers from 0) and even size."""
    rng = np.random.default_rng(seed)
    rows, columns = height * 3 // 2, width * 3 // 2
    half = ((rows + 1) // 2, (columns + 1) // 2)
    luma = _as_shades(_texture(rng, (rows, columns), octaves=(6, 24, 80)), low=70, high=150)
    _build_up(rng, luma)
    plain = Planes(
        y=luma,
        u=_as_shades(_texture(rng, half, octaves=(4,)), low=114, high=138),
        v=_as_shades(_texture(rng, half, octaves=(4,)), low=116, high=140),
    )
    mirrored = Planes(*(np.ascontiguousarray(plane[:, ::-1]) for plane in (plain.y, plain.u, plain.v)))
    return Scene(seed=seed, width=width, height=height, place=(plain, mirrored))


def _build_up(rng: np.random.Generator, luma: Bytes) -> None:
    # Walls, windows, signs: plain patches with sharp corners, lighter or darker than what they cover.
    rows, columns = luma.shape
    for _ in range(_PATCHES):
        tall, wide = (int(size) for size in rng.integers(rows // 60, rows // 6, 2))
        top, left = int(rng.integers(0, rows - tall)), int(rng.integers(0, columns - wide))
        patch = luma[top : top + tall, left : left + wide]
        patch[:] = patch // 2 + int(rng.integers(0, 120))


@lru_cache(maxsize=64)
def _turn(seed: tuple[int, ...], number: int, rows: int, columns: int) -> _Turn:
    rng = np.random.default_rng([*seed, number])
    tops, lefts = rng.integers(0, rows, 2), rng.integers(0, columns, 2)
    return _Turn(
        is_mirrored=bool(rng.integers(0, 2)),
        start=(int(tops[0]), int(lefts[0])),
        end=(int(tops[1]), int(lefts[1])),
    )


def _texture(rng: np.random.Generator, shape: tuple[int, int], *, octaves: tuple[int, ...]) -> npt.NDArray[np.float32]:
    total = np.zeros(shape, dtype=np.float32)
    for octave in octaves:
        coarse = rng.random((octave + 1, 2 * octave + 1), dtype=np.float32)
        total += _stretched(coarse, shape) / np.float32(np.sqrt(octave))
    return total


def _stretched(coarse: npt.NDArray[np.float32], shape: tuple[int, int]) -> npt.NDArray[np.float32]:
    # Bilinear, one axis after the other.
    for axis, size in enumerate(shape):
        place = np.linspace(0, coarse.shape[axis] - 1, size, dtype=np.float32)
        low = np.minimum(place.astype(np.intp), coarse.shape[axis] - 2)
        part = (place - low).astype(np.float32).reshape((-1, 1) if axis == 0 else (1, -1))
        coarse = np.take(coarse, low, axis) * (1 - part) + np.take(coarse, low + 1, axis) * part
    return coarse


def _as_shades(field: npt.NDArray[np.float32], *, low: int, high: int) -> Bytes:
    least, most = float(field.min()), float(field.max())
    return (low + (field - least) * ((high - low) / (most - least))).astype(np.uint8)
