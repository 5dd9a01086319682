# SPDX-License-Identifier: Apache-2.0
"""This is where what a whole recording of the same camera tells of a damaged one is a value.

A camera that lost its power wrote the pictures, but not the index that says where each begins, how they are decoded
and how fast they follow. All of that is the same in its other recordings.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Literal

from evidence.errors import Undecodable

Codec = Literal["h264", "hevc"]


@dataclass(frozen=True, slots=True)
class Pattern:
    """How a camera codes: the form of its units, its parameter sets, the length of a picture, what lies between.

    `sets` are parameter sets without start codes. `gap_max`: the most bytes between two pictures in the reference;
    `gap_starts`: what such bytes began with (the first byte of a sound packet), empty when that may be anything.
    """

    codec: Codec
    length_bytes: int
    sets: tuple[bytes, ...]
    frame: Fraction
    gap_max: int
    gap_starts: frozenset[int]

    def to_dict(self) -> dict[str, object]:
        """As a JSON object."""
        return {
            "codec": self.codec,
            "frame": str(self.frame),
            "gap_max": self.gap_max,
            "gap_starts": sorted(self.gap_starts),
            "length_bytes": self.length_bytes,
            "sets": [one.hex() for one in self.sets],
        }

    @classmethod
    def from_dict(cls, told: Mapping[str, Any]) -> "Pattern":
        """The pattern that `to_dict` wrote.

        Raises:
            Undecodable: it is something else.
        """
        try:
            pattern = cls(
                codec=told["codec"],
                length_bytes=int(told["length_bytes"]),
                sets=tuple(bytes.fromhex(one) for one in told["sets"]),
                frame=Fraction(told["frame"]),
                gap_max=int(told["gap_max"]),
                gap_starts=frozenset(told["gap_starts"]),
            )
        except (KeyError, TypeError, ValueError, ZeroDivisionError) as error:
            raise Undecodable(f"not the pattern of a recording: {error}") from error
        is_sane = pattern.codec in ("h264", "hevc") and pattern.length_bytes == 4 and pattern.sets
        if not is_sane or not 0 < pattern.frame <= 10 or pattern.gap_max < 0:
            raise Undecodable("a recording whose pattern does not help to repair another")
        return pattern


def parameter_sets(codec: str, extradata: bytes) -> tuple[int, tuple[bytes, ...]]:
    """The length of a unit's length field, and the parameter sets, of a decoder configuration record.

    Raises:
        Undecodable: it is no such record.

    Source: ISO/IEC 14496-15 §5.3.3.1 (avcC) and §8.3.3.1 (hvcC).
    """
    try:
        if codec == "h264":
            return _of_avc(extradata)
        if codec == "hevc":
            return _of_hevc(extradata)
    except IndexError as error:
        raise Undecodable("the decoder configuration is cut short") from error
    raise Undecodable(f"{codec} has no units that could be found again")


def _of_avc(data: bytes) -> tuple[int, tuple[bytes, ...]]:
    sets, at = [], 5
    for mask in (0x1F, 0xFF):
        count, at = data[at] & mask, at + 1
        for _ in range(count):
            one, at = _counted(data, at)
            sets.append(one)
    return (data[4] & 3) + 1, tuple(sets)


def _of_hevc(data: bytes) -> tuple[int, tuple[bytes, ...]]:
    sets, at = [], 23
    for _ in range(data[22]):
        count, at = int.from_bytes(data[at + 1 : at + 3], "big"), at + 3
        for _ in range(count):
            one, at = _counted(data, at)
            sets.append(one)
    return (data[21] & 3) + 1, tuple(sets)


def _counted(data: bytes, at: int) -> tuple[bytes, int]:
    length = data[at] << 8 | data[at + 1]
    one = data[at + 2 : at + 2 + length]
    if not one or len(one) != length:
        raise Undecodable("the decoder configuration is cut short")
    return one, at + 2 + length
