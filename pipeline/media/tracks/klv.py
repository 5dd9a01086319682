# SPDX-License-Identifier: Apache-2.0
"""This is where GPMF is taken apart: keys, types, lengths and values, one inside the other.

Source: GoPro, "GPMF Introduction" (gpmf-parser README): four letters, a type, the size of one element, how many of
them, big-endian, padded to four bytes; type 0 holds further entries.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

_DEEPEST = 8
_ENTRIES_MAX = 20_000
# GPMF's letters as `struct` knows them; F, U and c are text.
_FORMS = {"b": "b", "B": "B", "s": "h", "S": "H", "l": "i", "L": "I", "j": "q", "J": "Q", "f": "f", "d": "d"}


@dataclass(frozen=True, slots=True)
class Entry:
    """One key with its value; `size` is that of one element, `count` how many there are."""

    key: str
    type: str
    size: int
    count: int
    value: bytes

    @property
    def text(self) -> str:
        """The value as text, without what cannot be printed."""
        told = self.value.split(b"\0")[0].decode("latin-1")
        return "".join(char for char in told if char.isprintable()).strip()

    def rows(self, form: str | None = None) -> Iterator[tuple[Fraction, ...]]:
        """Each element as exact numbers; `form` names the types of one element when it is of several (TYPE).

        An element that is not of the form, or not a number, is left out.
        """
        types = form if self.type == "?" else self.type * (self.size // _size(self.type) if _size(self.type) else 0)
        if not types or any(letter not in _FORMS for letter in types):
            return
        shape = struct.Struct(">" + "".join(_FORMS[letter] for letter in types))
        if shape.size != self.size:
            return
        for number in range(self.count):
            values = shape.unpack_from(self.value, number * self.size)
            if all(value - value == 0 for value in values):  # neither infinite nor no number
                yield tuple(Fraction(value) for value in values)


def entries(data: bytes) -> Iterator[Entry]:
    """The entries side by side in `data`; it ends where they cease to make sense."""
    at = 0
    for _ in range(_ENTRIES_MAX):
        head = data[at : at + 8]
        if len(head) < 8 or head[:4] == b"\0\0\0\0":
            return
        size, count = head[5], int.from_bytes(head[6:8], "big")
        length = size * count
        value = data[at + 8 : at + 8 + length]
        if len(value) < length or not head[:4].isalnum():
            return
        yield Entry(head[:4].decode("ascii"), "" if head[4] == 0 else chr(head[4]), size, count, value)
        at += 8 + (length + 3) // 4 * 4


def streams(data: bytes, depth: int = 0) -> Iterator[list[Entry]]:
    """Every list of entries that holds values, however deep: each `STRM` is one."""
    here = list(entries(data))
    if depth < _DEEPEST:
        for entry in here:
            if not entry.type:
                yield from streams(entry.value, depth + 1)
    plain = [entry for entry in here if entry.type]
    if plain:
        yield plain


def _size(letter: str) -> int:
    return struct.calcsize(">" + _FORMS[letter]) if letter in _FORMS else 0
