# SPDX-License-Identifier: Apache-2.0
"""This is where letters are drawn into a picture, five by seven blocks each, without any font file."""

from functools import cache

import numpy as np
import numpy.typing as npt

ADVANCE = 6
LINE = 7
_INK, _PAPER = 235, 24

# Seven rows of five bits for each sign; the leftmost block is the highest bit.
_SIGNS = {
    "0": (14, 17, 19, 21, 25, 17, 14),
    "1": (4, 12, 4, 4, 4, 4, 14),
    "2": (14, 17, 1, 2, 4, 8, 31),
    "3": (31, 2, 4, 2, 1, 17, 14),
    "4": (2, 6, 10, 18, 31, 2, 2),
    "5": (31, 16, 30, 1, 1, 17, 14),
    "6": (6, 8, 16, 30, 17, 17, 14),
    "7": (31, 1, 2, 4, 8, 8, 8),
    "8": (14, 17, 17, 14, 17, 17, 14),
    "9": (14, 17, 17, 15, 1, 2, 12),
    "A": (14, 17, 17, 31, 17, 17, 17),
    "B": (30, 17, 17, 30, 17, 17, 30),
    "C": (14, 17, 16, 16, 16, 17, 14),
    "D": (28, 18, 17, 17, 17, 18, 28),
    "E": (31, 16, 16, 30, 16, 16, 31),
    "F": (31, 16, 16, 30, 16, 16, 16),
    "G": (14, 17, 16, 23, 17, 17, 15),
    "H": (17, 17, 17, 31, 17, 17, 17),
    "I": (14, 4, 4, 4, 4, 4, 14),
    "J": (7, 2, 2, 2, 2, 18, 12),
    "K": (17, 18, 20, 24, 20, 18, 17),
    "L": (16, 16, 16, 16, 16, 16, 31),
    "M": (17, 27, 21, 21, 17, 17, 17),
    "N": (17, 17, 25, 21, 19, 17, 17),
    "O": (14, 17, 17, 17, 17, 17, 14),
    "P": (30, 17, 17, 30, 16, 16, 16),
    "Q": (14, 17, 17, 17, 21, 18, 13),
    "R": (30, 17, 17, 30, 20, 18, 17),
    "S": (15, 16, 16, 14, 1, 1, 30),
    "T": (31, 4, 4, 4, 4, 4, 4),
    "U": (17, 17, 17, 17, 17, 17, 14),
    "V": (17, 17, 17, 17, 17, 10, 4),
    "W": (17, 17, 17, 21, 21, 21, 10),
    "X": (17, 17, 10, 4, 10, 17, 17),
    "Y": (17, 17, 17, 10, 4, 4, 4),
    "Z": (31, 1, 2, 4, 8, 16, 31),
    "-": (0, 0, 0, 31, 0, 0, 0),
    ":": (0, 12, 12, 0, 12, 12, 0),
    ".": (0, 0, 0, 0, 0, 12, 12),
    "*": (0, 4, 21, 14, 21, 4, 0),
    " ": (0, 0, 0, 0, 0, 0, 0),
}


@cache
def _sign(sign: str, scale: int) -> npt.NDArray[np.uint8]:
    rows = _SIGNS.get(sign.upper(), _SIGNS["-"])
    lit = [[row >> (4 - column) & 1 for column in range(5)] + [0] for row in rows]
    blocks = np.where(np.array(lit) == 1, _INK, _PAPER).astype(np.uint8)
    return np.repeat(np.repeat(blocks, scale, axis=0), scale, axis=1)


def write(luma: npt.NDArray[np.uint8], text: str, *, top: int, left: int, scale: int) -> None:
    """Draw `text` into `luma` (uint8, height × width) with its corner at (`top`, `left`).

    A sign is `5 * scale` wide and `7 * scale` high; signs we have no drawing for show as a
    dash; what does not fit into the picture is left away.
    """
    height, width = luma.shape
    if top < 0 or top + LINE * scale > height:
        return
    for place, sign in enumerate(text):
        x = left + place * ADVANCE * scale
        if x + ADVANCE * scale > width:
            return
        luma[top : top + LINE * scale, x : x + ADVANCE * scale] = _sign(sign, scale)
