# SPDX-License-Identifier: Apache-2.0
"""This is where the boxes of MP4 and QuickTime files are walked and built, without trusting a length.

Source: ISO/IEC 14496-12 §4.2. Only headers are read: a walk over a 12-hour file touches a few kilobytes.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from evidence.errors import Truncated, Undecodable

ReadRange = Callable[[int, int], bytes]
"""`read(offset, length)` gives the bytes from `offset` on; fewer only where the file ends."""

_BOXES_MAX = 4_000_000


@dataclass(frozen=True, slots=True)
class Box:
    """One box: where it starts, how long its header is, and how long it claims to be in all."""

    kind: bytes
    offset: int
    header_bytes: int
    size_bytes: int

    @property
    def body(self) -> int:
        """Offset of the first byte after the header."""
        return self.offset + self.header_bytes

    @property
    def end(self) -> int:
        """Offset of the first byte after the box."""
        return self.offset + self.size_bytes


def boxes(read: ReadRange, start: int, end: int) -> Iterator[Box]:
    """The boxes side by side in `[start, end)`, in order.

    Raises:
        Truncated: a box claims to reach beyond `end`.
        Undecodable: a length is nonsense, or there are more boxes than any recorder writes.
    """
    for _ in range(_BOXES_MAX):
        # QuickTime ends a list of atoms with four zero bytes, and cameras pad; less than a header is no box.
        if end - start < 8:
            return
        box = _box(read(start, 16), start, end)
        yield box
        start = box.end
    raise Undecodable(f"more than {_BOXES_MAX} boxes")


def _box(header: bytes, start: int, end: int) -> Box:
    size, header_bytes = int.from_bytes(header[:4], "big"), 8
    if size == 1:
        size, header_bytes = int.from_bytes(header[8:16], "big"), 16
    elif size == 0:
        size = end - start
    if size < header_bytes or len(header) < header_bytes:
        raise Undecodable(f"a box at byte {start} claims a length of {size}", offset=start)
    if start + size > end:
        raise Truncated(
            f"the file ends {start + size - end} bytes before its {header[4:8]!r} box does",
            expected=start + size,
            actual=end,
        )
    return Box(bytes(header[4:8]), start, header_bytes, size)


def children(read: ReadRange, box: Box, *, skip: int = 0) -> list[Box]:
    """The boxes inside `box`, after `skip` bytes of its own fields.

    Raises:
        Truncated, Undecodable: as `boxes`.
    """
    return list(boxes(read, box.body + skip, box.end))


def find(read: ReadRange, box: Box, *path: bytes) -> Box | None:
    """The first box reached by going down `path` from `box`, or None.

    Raises:
        Truncated, Undecodable: as `boxes`.
    """
    found: Box | None = box
    for kind in path:
        found = next((child for child in children(read, found) if child.kind == kind), None) if found else None
    return found


def body_of(read: ReadRange, box: Box, *, at_most: int = 1 << 20) -> bytes:
    """The bytes inside `box`.

    Raises:
        Undecodable: there are more than `at_most`.
    """
    length = box.size_bytes - box.header_bytes
    if length > at_most:
        raise Undecodable(f"a {box.kind!r} box of {length} bytes", offset=box.offset)
    return read(box.body, length)


def in_memory(data: bytes) -> ReadRange:
    """A `ReadRange` over bytes already here."""
    return lambda offset, length: data[offset : offset + length]


def make_box(kind: bytes, *parts: bytes) -> bytes:
    """A box of `kind` around `parts`; the 64-bit length is used only when it is needed."""
    size = 8 + sum(map(len, parts))
    if size < 1 << 32:
        return b"".join((size.to_bytes(4, "big"), kind, *parts))
    return b"".join((b"\0\0\0\1", kind, (size + 8).to_bytes(8, "big"), *parts))


def make_full_box(kind: bytes, version: int, flags: int, *parts: bytes) -> bytes:
    """A box that begins with a version and flags (ISO/IEC 14496-12 §4.2)."""
    return make_box(kind, bytes((version,)), flags.to_bytes(3, "big"), *parts)
