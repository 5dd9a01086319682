# SPDX-License-Identifier: Apache-2.0
"""This is where letters are drawn without any font on the machine: five dots by seven, for names and times."""

from collections.abc import Mapping
from fractions import Fraction

import numpy as np
import numpy.typing as npt

Dots = npt.NDArray[np.bool_]

_WIDTH, _HEIGHT, _GAP = 5, 7, 1
_SHARE = Fraction(1, 2)  # of the width of a picture that a line takes at most
_LIGHT, _DARK = 235, 16

# Seven rows of five dots, from above; each row a number, its leftmost dot the highest bit.
_ROWS: Mapping[str, str] = {
    " ": "00 00 00 00 00 00 00",
    "0": "0e 11 13 15 19 11 0e",
    "1": "04 0c 04 04 04 04 0e",
    "2": "0e 11 01 02 04 08 1f",
    "3": "1f 02 04 02 01 11 0e",
    "4": "02 06 0a 12 1f 02 02",
    "5": "1f 10 1e 01 01 11 0e",
    "6": "06 08 10 1e 11 11 0e",
    "7": "1f 01 02 04 08 08 08",
    "8": "0e 11 11 0e 11 11 0e",
    "9": "0e 11 11 0f 01 02 0c",
    "a": "0e 11 11 1f 11 11 11",
    "b": "1e 11 11 1e 11 11 1e",
    "c": "0e 11 10 10 10 11 0e",
    "d": "1c 12 11 11 11 12 1c",
    "e": "1f 10 10 1e 10 10 1f",
    "f": "1f 10 10 1e 10 10 10",
    "g": "0e 11 10 17 11 11 0f",
    "h": "11 11 11 1f 11 11 11",
    "i": "0e 04 04 04 04 04 0e",
    "j": "07 02 02 02 02 12 0c",
    "k": "11 12 14 18 14 12 11",
    "l": "10 10 10 10 10 10 1f",
    "m": "11 1b 15 15 11 11 11",
    "n": "11 19 15 13 11 11 11",
    "o": "0e 11 11 11 11 11 0e",
    "p": "1e 11 11 1e 10 10 10",
    "q": "0e 11 11 11 15 12 0d",
    "r": "1e 11 11 1e 14 12 11",
    "s": "0f 10 10 0e 01 01 1e",
    "t": "1f 04 04 04 04 04 04",
    "u": "11 11 11 11 11 11 0e",
    "v": "11 11 11 11 11 0a 04",
    "w": "11 11 11 15 15 1b 11",
    "x": "11 11 0a 04 0a 11 11",
    "y": "11 11 0a 04 04 04 04",
    "z": "1f 01 02 04 08 10 1f",
    ".": "00 00 00 00 00 0c 0c",
    "-": "00 00 00 1f 00 00 00",
    "_": "00 00 00 00 00 00 1f",
    ":": "00 0c 0c 00 0c 0c 00",
    "@": "0e 11 17 15 17 10 0e",
    "+": "00 04 04 1f 04 04 00",
}
_UNKNOWN = "1f 11 11 11 11 11 1f"


def drawn(text: str, *, width: int) -> Dots:
    """`text` as dots for a picture of `width` pixels, over several lines where it must be. Capitals are small ones.

    A letter that is not among ours is an empty box.
    """
    per_letter = _WIDTH + _GAP
    scale = max(1, int(width * _SHARE) // (per_letter * max(1, len(text))))
    letters = max(1, width // (per_letter * scale) - 1)
    lines = [text[at : at + letters] for at in range(0, len(text), letters)]
    made = np.zeros((len(lines) * (_HEIGHT + 2), letters * per_letter), np.bool_)
    for row, line in enumerate(lines):
        for column, letter in enumerate(line):
            top, left = row * (_HEIGHT + 2), column * per_letter
            made[top : top + _HEIGHT, left : left + _WIDTH] = _dots(letter)
    return np.kron(made, np.ones((scale, scale), np.bool_)).astype(np.bool_)


def write_in(luma: npt.NDArray[np.uint8], dots: Dots, *, is_below: bool) -> None:
    """Write dots into the brightness of a picture: light, with a dark edge; what does not fit is cut off."""
    height, width = luma.shape
    place = dots[: max(0, height - 4), : max(0, width - 4)]
    top = height - place.shape[0] - 2 if is_below else 2
    for down, right, shade in ((1, 1, _DARK), (-1, -1, _DARK), (1, -1, _DARK), (-1, 1, _DARK), (0, 0, _LIGHT)):
        part = luma[top + down : top + down + place.shape[0], 2 + right : 2 + right + place.shape[1]]
        part[place[: part.shape[0], : part.shape[1]]] = shade


def _dots(letter: str) -> Dots:
    rows = bytes.fromhex(_ROWS.get(letter.lower(), _UNKNOWN))
    return np.unpackbits(np.frombuffer(rows, np.uint8)[:, None], axis=1)[:, 8 - _WIDTH :].astype(np.bool_)
