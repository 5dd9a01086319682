# SPDX-License-Identifier: Apache-2.0
"""This is where one stream's part of a clip is claimed: which run of the original's packets it is.

In a proof file a range is a JSON object:

    {"stream": index in the original, "first": first packet, "count": packets,
     "shift": seconds subtracted from the original's raw time to get the clip's presentation time,
     "extradata_path": [hex, ...]   inclusion proof of the stream's leaf 0,
     "left": [hex, ...], "right": [hex, ...]   range proof of the packets' leaves, lowest hash first,
     "packets": [[dts, pts, duration], ...]   the ORIGINAL's times, in ticks of the original's stream,
     "marks": hex, optional   the first 4 bytes of each packet's leaf hash, joined}

Marks prove nothing: when a proof fails they let the check name the packet.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TypeGuard

from evidence import media_time
from evidence.errors import BadInput, RecordMalformed
from evidence.merkle import SubtreeReader, inclusion_proof, range_proof
from evidence.packet_tree import StreamLine

Times = tuple[int | None, int | None, int]
"""dts, pts and duration of one packet, in ticks; None for an absent time."""

MARK_SIZE = 4
_MAX_PATH = 128  # twice the depth of the deepest tree
_MAX_TICK = 2**63
_HASH = re.compile(r"[0-9a-f]{64}")
_SECONDS = re.compile(r"-?[0-9]{1,19}(/[0-9]{1,19})?")


@dataclass(frozen=True, slots=True)
class ClipRange:
    """The claim that one stream of a clip is packets `[first, first + count)` of `stream`, with its proof."""

    stream: int
    first: int
    shift: Fraction
    times: tuple[Times, ...] = field(repr=False)
    extradata_path: tuple[bytes, ...]
    left: tuple[bytes, ...]
    right: tuple[bytes, ...]
    marks: bytes = b""

    @property
    def count(self) -> int:
        """Number of packets; never 0."""
        return len(self.times)

    def to_json(self) -> dict[str, object]:
        """The range as it stands in a proof file."""
        return {
            "stream": self.stream,
            "first": self.first,
            "count": self.count,
            "shift": media_time.to_text(self.shift),
            "extradata_path": [one.hex() for one in self.extradata_path],
            "left": [one.hex() for one in self.left],
            "right": [one.hex() for one in self.right],
            "packets": [list(times) for times in self.times],
            "marks": self.marks.hex(),
        }


def build_range(
    line: StreamLine,
    *,
    first: int,
    times: Sequence[Times],
    shift: Fraction,
    subtree: SubtreeReader,
    leaf_hashes: Sequence[bytes] = (),
) -> ClipRange:
    """The provable claim for packets `first`, `first + 1`, … of the stream, whose original times are `times`.

    `subtree` reads the stream's tree (its leaf 0 is the extradata) and is asked for O(log n) subtrees.
    `leaf_hashes` of the same packets, when given, become the marks.

    Raises:
        BadInput: no packets, packets that the stream does not have, or leaf hashes of another number.
    """
    if first < 0 or not 0 < len(times) <= line.packet_count - first:
        raise BadInput(f"stream {line.index} has no packets {first} to {first + len(times)}")
    if len(leaf_hashes) not in (0, len(times)):
        raise BadInput(f"{len(leaf_hashes)} leaf hashes for {len(times)} packets")
    left, right = range_proof(first + 1, first + 1 + len(times), line.leaf_count, subtree)
    return ClipRange(
        stream=line.index,
        first=first,
        shift=shift,
        times=tuple(times),
        extradata_path=tuple(inclusion_proof(0, line.leaf_count, subtree)),
        left=tuple(left),
        right=tuple(right),
        marks=b"".join(one[:MARK_SIZE] for one in leaf_hashes),
    )


def parse_range(claim: object) -> ClipRange:
    """The range that a proof file states; keys it does not know are left alone.

    Raises:
        RecordMalformed: a part missing or of another form.
    """
    if not isinstance(claim, Mapping):
        raise RecordMalformed("a range of a clip proof is not an object")
    times = tuple(map(_times, _list(claim, "packets")))
    if not times or claim.get("count") != len(times):
        raise RecordMalformed(f"a range that counts {claim.get('count')!r} packets and lists {len(times)}")
    return ClipRange(
        stream=_number(claim, "stream"),
        first=_number(claim, "first"),
        shift=_seconds(claim.get("shift")),
        times=times,
        extradata_path=_hashes(claim, "extradata_path"),
        left=_hashes(claim, "left"),
        right=_hashes(claim, "right"),
        marks=_marks(claim.get("marks", ""), len(times)),
    )


def _list(claim: Mapping[str, object], key: str) -> list[object]:
    value = claim.get(key)
    if not isinstance(value, list):
        raise RecordMalformed(f"{key} of a clip proof is not a list")
    return value


def _number(claim: Mapping[str, object], key: str) -> int:
    value = claim.get(key)
    if not _is_tick(value) or value < 0:
        raise RecordMalformed(f"{key} of a clip proof is not a number of packets or streams")
    return value


def _times(value: object) -> Times:
    if not isinstance(value, list) or len(value) != 3:
        raise RecordMalformed(f"not the times of a packet: {str(value)[:80]}")
    dts, pts, duration = value
    if not all(time is None or _is_tick(time) for time in (dts, pts)) or not _is_tick(duration):
        raise RecordMalformed(f"not the times of a packet: {str(value)[:80]}")
    return dts, pts, duration


def _seconds(value: object) -> Fraction:
    # Measured before it is read: a fraction may be written in a few letters that fill the memory.
    if not isinstance(value, str) or _SECONDS.fullmatch(value) is None:
        raise RecordMalformed(f"shift of a clip proof is not a rational number: {str(value)[:80]}")
    try:
        return media_time.from_text(value)
    except BadInput as error:
        raise RecordMalformed(f"shift of a clip proof is not a rational number: {value}") from error


def _hashes(claim: Mapping[str, object], key: str) -> tuple[bytes, ...]:
    found = _list(claim, key)
    if len(found) > _MAX_PATH or not all(isinstance(one, str) and _HASH.fullmatch(one) for one in found):
        raise RecordMalformed(f"{key} of a clip proof is not a list of hashes")
    return tuple(bytes.fromhex(str(one)) for one in found)


def _marks(value: object, count: int) -> bytes:
    if not isinstance(value, str) or re.fullmatch(r"[0-9a-f]*", value) is None:
        raise RecordMalformed("marks of a clip proof are not hexadecimal")
    if len(value) not in (0, 2 * MARK_SIZE * count):
        raise RecordMalformed(f"marks of a clip proof are not {MARK_SIZE} bytes for each packet")
    return bytes.fromhex(value)


def _is_tick(value: object) -> TypeGuard[int]:
    # bool is an int to Python, and true is no number of packets.
    return type(value) is int and abs(value) < _MAX_TICK
