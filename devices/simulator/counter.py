# SPDX-License-Identifier: Apache-2.0
"""This is where each frame is given a number that a program can read back from the picture alone.

The mark is a block of 18 × 2 cells with a grey quiet zone around it, sized relative to the
frame, so that it survives lossy coding and scaling:

    row 0: white, bits 23 … 8 of the number, black
    row 1: black, bits 7 … 0 of the number, the eight check bits, white

The four corner cells say what black and white look like in this copy. A cell that is
neither, or check bits that do not fit, make the mark unreadable rather than wrong.
"""

from functools import cache

import numpy as np
import numpy.typing as npt

from devices.simulator.lettering import LINE, write
from evidence.errors import BadInput

LIMIT = 1 << 24

_COLUMNS, _ROWS = 32, 24  # the frame is so many cells wide and high
_BITS = 16  # data cells in a row
_BLACK, _GREY, _WHITE = 24, 128, 232
_LEAST_CONTRAST = 60.0
_POLYNOMIAL = 0x07  # CRC-8, x^8 + x^2 + x + 1

Luma = npt.NDArray[np.uint8]
Edges = tuple[int, int, int, int]


def draw(frame: Luma, number: int) -> None:
    """Burn `number` (0 ≤ number < `LIMIT`) into `frame`: uint8 luma, height × width, changed in place.

    Works from 160 × 96 up. Below the mark stand the same number's digits, for people.

    Raises:
        BadInput: the number does not fit into 24 bits.
    """
    if not 0 <= number < LIMIT:
        raise BadInput(f"a frame number is 0 … {LIMIT - 1}, not {number}")
    top, bottom, left, right = _quiet_zone(*frame.shape)
    frame[top:bottom, left:right] = _GREY
    for (upper, lower, west, east), is_white in zip(_cells(*frame.shape), _pattern(number), strict=True):
        frame[upper:lower, west:east] = _WHITE if is_white else _BLACK
    scale = max(1, (bottom - top) // (3 * LINE))
    write(frame, f"{number:08d}", top=bottom, left=left, scale=scale)


def read(luma: Luma) -> int | None:
    """The number burnt into `luma` (uint8, height × width, any scale of the drawn frame).

    None when there is no mark, or its check bits do not fit: never a guess.
    """
    if luma.shape[0] < 2 * _ROWS or luma.shape[1] < 2 * _COLUMNS:
        return None
    cells = [_middle_of(luma, edges) for edges in _cells(*luma.shape)]
    upper, lower = cells[: _BITS + 2], cells[_BITS + 2 :]
    white = (upper[0] + lower[-1]) / 2
    black = (lower[0] + upper[-1]) / 2
    if white - black < _LEAST_CONTRAST:
        return None
    shades = [(cell - black) / (white - black) for cell in cells]
    # A third of the way from either end is doubtful: scaling and coding blur, they do not swap.
    if any(1 / 3 < shade < 2 / 3 for shade in shades):
        return None
    return _decode([shade > 1 / 2 for shade in shades])


def _decode(lit: list[bool]) -> int | None:
    word = 0
    for bit in lit[1 : _BITS + 1] + lit[_BITS + 3 : -1]:
        word = word << 1 | bit
    number = word >> 8
    return number if lit == _pattern(number) else None  # check bits and corners included


def _pattern(number: int) -> list[bool]:
    word = number << 8 | _check_bits(number)
    bits = [bool(word >> (2 * _BITS - 1 - place) & 1) for place in range(2 * _BITS)]
    return [True, *bits[:_BITS], False, False, *bits[_BITS:], True]


def _check_bits(number: int) -> int:
    # Starts from all ones, so that a dark strip is not the valid mark of number 0.
    check = 0xFF
    for byte in number.to_bytes(3, "big"):
        check ^= byte
        for _ in range(8):
            check = (check << 1 ^ (_POLYNOMIAL if check & 0x80 else 0)) & 0xFF
    return check


def _middle_of(luma: Luma, edges: Edges) -> float:
    # Only the middle half counts: the rim of a cell is where coding and scaling smear.
    top, bottom, left, right = edges
    y, x = (bottom - top) // 4, (right - left) // 4
    return float(luma[top + y : bottom - y, left + x : right - x].mean())


def _edge(cell: int, cells: int, size: int) -> int:
    return cell * size // cells


@cache
def _quiet_zone(height: int, width: int) -> Edges:
    return (
        _edge(1, _ROWS, height),
        _edge(5, _ROWS, height),
        _edge(1, _COLUMNS, width),
        _edge(5 + _BITS, _COLUMNS, width),
    )


@cache
def _cells(height: int, width: int) -> list[Edges]:
    return [
        (
            _edge(row, _ROWS, height),
            _edge(row + 1, _ROWS, height),
            _edge(column, _COLUMNS, width),
            _edge(column + 1, _COLUMNS, width),
        )
        for row in (2, 3)
        for column in range(2, _BITS + 4)
    ]
