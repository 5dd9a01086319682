# SPDX-License-Identifier: Apache-2.0
"""This is where it is read which bytes a client asks for: one range or the whole, and nothing in between.

A range that cannot be read is as if it were not there, as the standard has it. Several ranges at once are refused:
a few hundred of them, overlapping, would have us send a recording many times over.

Source: RFC 9110 §13.1.5 (If-Range), §14.1.2 (byte ranges), §14.2 (Range), §15.5.17 (416).
"""

import re
from dataclasses import dataclass

_BYTES = re.compile(r"bytes=(.*)", re.ASCII | re.IGNORECASE | re.DOTALL)
_ONE = re.compile(r"[ \t]*(\d*)-(\d*)[ \t]*", re.ASCII)
_DIGITS_MAX = 18  # more than any file has
_LONGEST = 4096


@dataclass(frozen=True, slots=True)
class Part:
    """Bytes `[first, end)` of a thing of `size_bytes`; an empty part of a thing that has bytes is a refusal (416)."""

    first: int
    end: int
    size_bytes: int

    @property
    def length(self) -> int:
        """How many bytes that are."""
        return self.end - self.first

    @property
    def content_range(self) -> str:
        """The value of `Content-Range`."""
        return f"bytes {self.first}-{self.end - 1}/{self.size_bytes}" if self.length else f"bytes */{self.size_bytes}"


def wanted(header: str | None, size_bytes: int, *, if_range: str | None, etag: str) -> Part | None:
    """The part that a `Range` header asks for; None: the whole is to be sent, as if nobody had asked for a part.

    An empty part: none of the bytes asked for is there, or several ranges were asked for; the answer is 416.
    `if_range` of another thing than `etag` (a strong one), or a date, asks for the whole.
    """
    if header is None or (if_range is not None and if_range.strip() != etag):
        return None
    said = _BYTES.fullmatch(header.strip()[:_LONGEST])
    if said is None:
        return None
    if "," in said[1]:
        return Part(0, 0, size_bytes)
    one = _ONE.fullmatch(said[1])
    return None if one is None else _part(one[1], one[2], size_bytes)


def _part(first: str, last: str, size_bytes: int) -> Part | None:
    if not first:
        suffix = min(_number(last), size_bytes) if last else None
        return None if suffix is None else Part(size_bytes - suffix, size_bytes, size_bytes)
    begin, end = _number(first), _number(last) + 1 if last else size_bytes
    if last and end <= begin:
        return None
    return Part(begin, min(end, size_bytes), size_bytes) if begin < size_bytes else Part(0, 0, size_bytes)


def _number(digits: str) -> int:
    return int(digits) if len(digits) <= _DIGITS_MAX else 10**_DIGITS_MAX
