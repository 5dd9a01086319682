# SPDX-License-Identifier: Apache-2.0
"""This is where coded pictures are found again in bytes that have no index.

In an MP4 each picture lies as units, a length before each; sound lies between them without any mark. A unit is
believed when its header is one that this camera writes, and when another unit follows it where one must: at once,
or behind no more bytes than the camera ever put between two pictures.

Source: ITU-T H.264 §7.3.1, §7.3.3 and H.265 §7.3.1.2, §7.3.6.1 (unit and slice headers); ISO/IEC 14496-15 §5.3.2.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from pipeline.media.salvage_pattern import Pattern

UNIT_MAX = 8 << 20
_HEAD_BYTES = 24
# H.265 leaves these to others; Dolby Vision puts its own beside the pictures.
_BESIDE = (62, 63)
_HEVC_HEADS = b"\x00\x02\x10\x12\x20\x22\x24\x26\x28\x2a\x40\x42\x44\x46\x4e\x50\x7c\x7e"
_AVC_HEADS = b"\x01\x21\x41\x61\x25\x45\x65\x06\x09\x27\x28\x67\x68"


@dataclass(frozen=True, slots=True)
class Unit:
    """One unit: where its bytes begin (behind its length), how many, and whether a picture begins with it.

    `is_entry`: decoding can begin here. `is_after_hole`: bytes before it could not be made sense of.
    """

    at: int
    size: int
    is_picture: bool
    is_first: bool
    is_entry: bool
    is_after_hole: bool


Data = bytes | memoryview


class Salvage:
    """The units in the bytes of one damaged file, of a camera whose `pattern` is known."""

    def __init__(self, data: Data, pattern: Pattern) -> None:
        self._data = memoryview(data)
        self._pattern = pattern
        self._is_hevc = pattern.codec == "hevc"
        self._ids = {_set_id(one) for one in pattern.sets if not self._is_hevc and one[0] & 31 == 8}
        heads = _HEVC_HEADS if self._is_hevc else _AVC_HEADS
        self._candidate = re.compile(b"(?=\\x00[\\x00-\\x7f]..[" + re.escape(heads) + b"])", re.DOTALL)

    def release(self) -> None:
        """Let go of the bytes; nothing can be asked any more."""
        self._data.release()

    def units(self, start: int, end: int) -> Iterator[Unit]:
        """Every unit that is believed in `[start, end)`, in order; the last one may not be whole and is left out."""
        at, is_after_hole = start, False
        while at < end:
            found = self._next(at, min(end, at + self._pattern.gap_max + 1), end)
            if found is None:
                found, is_after_hole = self._entry_after(at, end), True
                if found is None:
                    return
            unit = self._read(found, end)
            if unit is None:
                return
            yield Unit(*unit, is_after_hole=is_after_hole)
            at, is_after_hole = unit[0] + unit[1], False

    def _next(self, at: int, limit: int, end: int) -> int | None:
        """Where the next unit begins: here, or behind sound."""
        if self._read(at, end) is not None:
            return at
        starts = self._pattern.gap_starts
        if starts and self._data[at] not in starts:
            return None
        for match in self._candidate.finditer(self._data, at + 1, min(limit + 5, end)):
            if match.start() <= limit and self._is_believed(match.start(), end):
                return match.start()
        return None

    def _entry_after(self, at: int, end: int) -> int | None:
        for match in self._candidate.finditer(self._data, at + 1, end):
            unit = self._read(match.start(), end)
            if unit is not None and unit[4] and self._is_believed(match.start(), end):
                return match.start()
        return None

    def _is_believed(self, at: int, end: int) -> bool:
        """True when a unit is here, and another one behind it where one must be."""
        unit = self._read(at, end)
        if unit is None:
            return False
        after = unit[0] + unit[1]
        if after >= end - _HEAD_BYTES or self._read(after, end) is not None:
            return True
        if self._pattern.gap_starts:
            return self._data[after] in self._pattern.gap_starts
        found = self._candidate.finditer(self._data, after, min(after + self._pattern.gap_max + 6, end))
        return any(self._read(match.start(), end) is not None for match in found)

    def _read(self, at: int, end: int) -> tuple[int, int, bool, bool, bool] | None:
        """The unit whose length field is at `at`: begin, size, is a picture's, its first, needs no other; or None."""
        if at + 6 > end:
            return None
        size = int.from_bytes(self._data[at : at + 4], "big")
        if not 2 <= size <= UNIT_MAX or at + 4 + size > end:
            return None
        head = bytes(self._data[at + 4 : at + 4 + min(size, _HEAD_BYTES)])
        told = _hevc(head, size) if self._is_hevc else self._avc(head, size)
        return None if told is None else (at + 4, size, *told)

    def _avc(self, head: bytes, size: int) -> tuple[bool, bool, bool] | None:
        kind, weight = head[0] & 31, head[0] >> 5
        if head[0] & 0x80:
            return None
        if kind in (6, 9, 12):
            return (False, False, False) if weight == 0 and (kind != 9 or size == 2) else None
        if kind in (7, 8):
            return (False, False, False) if self._is_known_set(size, head) else None
        if kind not in (1, 5) or (kind == 5 and weight == 0):
            return None
        first, slice_type, set_id = _slice_of(head)
        is_right = slice_type is not None and slice_type <= 9 and set_id in self._ids
        if not is_right or (kind == 5 and slice_type not in (2, 4, 7, 9)):
            return None
        return True, first == 0, kind == 5

    def _is_known_set(self, size: int, head: bytes) -> bool:
        return any(len(one) == size and one.startswith(head) for one in self._pattern.sets)


def _hevc(head: bytes, size: int) -> tuple[bool, bool, bool] | None:
    kind, layer, temporal = head[0] >> 1 & 63, (head[0] & 1) << 5 | head[1] >> 3, head[1] & 7
    if head[0] & 0x80 or layer or not temporal or size < 3:
        return None
    if kind in range(32, 41) or kind in _BESIDE:
        return False, False, False
    if kind in range(10) or kind in range(16, 22):
        return True, bool(head[2] & 0x80), kind in range(16, 22)
    return None


def _slice_of(head: bytes) -> tuple[int | None, int | None, int | None]:
    """The first three Exp-Golomb numbers of a slice header: first macroblock, type, picture parameter set."""
    bits = int.from_bytes(head[1:], "big")
    left = 8 * (len(head) - 1)
    numbers: list[int | None] = []
    for _ in range(3):
        number, bits, left = _exp_golomb(bits, left)
        numbers.append(number)
    return numbers[0], numbers[1], numbers[2]


def _exp_golomb(bits: int, left: int) -> tuple[int | None, int, int]:
    """The next number of a bit string, and the rest; None when there is none. Source: H.264 §9.1."""
    zeros = left - bits.bit_length()
    width = 2 * zeros + 1
    if zeros > 20 or width > left:
        return None, bits, left
    left -= width
    return (bits >> left) - 1, bits & ((1 << left) - 1), left


def _set_id(pps: bytes) -> int | None:
    body = pps[1 : 1 + _HEAD_BYTES]
    return _exp_golomb(int.from_bytes(body, "big"), 8 * len(body))[0]
