# SPDX-License-Identifier: Apache-2.0
r"""This is where the coded packets of every stream are committed to, so that a clip can be proven.

Two levels. Each stream is an RFC 6962 tree: leaf 0 is its extradata (parameter sets), leaf k + 1 its packet k
in the order the demuxer gives, with times in ticks of the stream's time base, edit lists ignored:

    extradata {size} {sha256 hex}\n
    {dts} {pts} {duration} {size} {sha256 hex}\n           (`-` for a dts or pts that is absent)

The packet root of a file is the RFC 6962 root over one line for each stream, in the order of their indexes:

    stream {index} {media type} {codec} {time base num}/{den} {leaf count} {root hex}\n

Not committed to: edit lists, and whatever else of a container is not packets. The digest of the file is.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from hashlib import sha256

from evidence.errors import RecordMalformed
from evidence.merkle import HASH_SIZE, leaf_hash, root_of, root_of_joined

_MAX_TICK = 2**63 - 1
_TICK = rb"(0|-?[1-9][0-9]{0,18})"
_SIZE = rb"(0|[1-9][0-9]{0,18})"
_HEX = rb"([0-9a-f]{64})"
_PACKET = re.compile(rb"(?:-|" + _TICK + rb") (?:-|" + _TICK + rb") " + _TICK + b" " + _SIZE + b" " + _HEX + rb"\n")
_WORD = re.compile(r"[A-Za-z0-9_.+-]{1,64}")
_COUNT = r"([1-9][0-9]{0,18})"
_STREAM = re.compile(rf"stream (0|[1-9][0-9]{{0,8}}) (\S+) (\S+) {_COUNT}/{_COUNT} {_COUNT} ([0-9a-f]{{64}})\n")


def extradata_leaf(size: int, sha256_hex: str) -> bytes:
    """The bytes of a stream's leaf 0, not yet hashed."""
    return f"extradata {size} {sha256_hex}\n".encode("ascii")


def packet_leaf(dts: int | None, pts: int | None, duration: int, size: int, sha256_hex: str) -> bytes:
    """The bytes of a packet's leaf, not yet hashed. Nothing is checked: this is for the loop over a file.

    Times in ticks; a duration of 0 is unknown; `sha256_hex` is of the packet's payload.
    """
    times = f"{'-' if dts is None else dts} {'-' if pts is None else pts} {duration}"
    return f"{times} {size} {sha256_hex}\n".encode("ascii")


@dataclass(frozen=True, slots=True)
class PacketLine:
    """One coded packet as a leaf: times in ticks of its stream, size in bytes, SHA-256 of its payload."""

    dts: int | None
    pts: int | None
    duration: int
    size: int
    sha256: str

    def to_bytes(self) -> bytes:
        """The leaf's bytes."""
        return packet_leaf(self.dts, self.pts, self.duration, self.size, self.sha256)


def parse_packet(data: bytes) -> PacketLine:
    """The packet whose `to_bytes` is exactly `data`.

    Raises:
        RecordMalformed: another form, or a number beyond 63 bits.
    """
    match = _PACKET.fullmatch(data)
    if match is None:
        raise RecordMalformed(f"not a packet line: {data[:80]!r}")
    dts, pts, duration, size, digest = match.groups()
    times = [None if text is None else int(text) for text in (dts, pts)]
    numbers = [int(duration), int(size), *(time for time in times if time is not None)]
    if any(abs(number) > _MAX_TICK for number in numbers):
        raise RecordMalformed(f"a packet line with a number beyond 63 bits: {data[:80]!r}")
    return PacketLine(times[0], times[1], numbers[0], numbers[1], digest.decode())


@dataclass(frozen=True, slots=True)
class StreamLine:
    """One stream of a file: what it is, how many leaves its tree has (packets + 1) and their root.

    Raises:
        RecordMalformed: a value that no line can carry.
    """

    index: int
    media_type: str
    codec: str
    time_base: Fraction
    leaf_count: int
    root: bytes

    def __post_init__(self) -> None:
        if not all(_WORD.fullmatch(word) for word in (self.media_type, self.codec)):
            raise RecordMalformed(f"not a media type and codec: {self.media_type!r} {self.codec!r}")
        if self.index < 0 or self.time_base <= 0 or self.leaf_count < 1 or len(self.root) != HASH_SIZE:
            raise RecordMalformed(f"no stream has this line: {self.to_text()!r}")

    @property
    def packet_count(self) -> int:
        """Number of coded packets: the leaves without the extradata."""
        return self.leaf_count - 1

    def to_text(self) -> str:
        """The line, newline included."""
        base = f"{self.time_base.numerator}/{self.time_base.denominator}"
        words = f"{self.index} {self.media_type} {self.codec} {base} {self.leaf_count}"
        return f"stream {words} {self.root.hex()}\n"


def parse_stream(text: str) -> StreamLine:
    """The stream whose `to_text` is exactly `text`.

    Raises:
        RecordMalformed: another form, or a time base that is not in lowest terms.
    """
    match = _STREAM.fullmatch(text)
    if match is None:
        raise RecordMalformed(f"not a stream line: {text[:160]!r}")
    index, media_type, codec, num, den, leaf_count, root = match.groups()
    base = Fraction(int(num), int(den))
    line = StreamLine(int(index), media_type, codec, base, int(leaf_count), bytes.fromhex(root))
    if line.to_text() != text:
        raise RecordMalformed(f"a stream line in another spelling than its own: {text[:160]!r}")
    return line


@dataclass(frozen=True, slots=True)
class HashedStream:
    """A stream's line, and its leaf hashes joined end to end, extradata first: what proves clips."""

    line: StreamLine
    leaves: bytes = field(repr=False)


class StreamTree:
    """Hashes one stream as its packets are read. 32 bytes of memory a packet.

    The extradata is leaf 0 and therefore given at construction; a stream without any has b"".
    """

    __slots__ = ("_codec", "_index", "_leaves", "_media_type", "_time_base")

    def __init__(self, index: int, media_type: str, *, codec: str, time_base: Fraction, extradata: bytes) -> None:
        self._index, self._media_type = index, media_type
        self._codec, self._time_base = codec, time_base
        leaf = extradata_leaf(len(extradata), sha256(extradata).hexdigest())
        self._leaves = bytearray(leaf_hash(leaf))

    def packet(self, dts: int | None, pts: int | None, duration: int, size: int, sha256_hex: str) -> None:
        """Add the next packet in demux order; arguments as of `packet_leaf`."""
        leaf = packet_leaf(dts, pts, duration, size, sha256_hex)
        self._leaves += sha256(b"\x00" + leaf).digest()

    def finish(self) -> HashedStream:
        """The stream as it stands.

        Raises:
            RecordMalformed: index, media type, codec or time base that no line can carry.
        """
        leaves = bytes(self._leaves)
        line = StreamLine(
            self._index,
            self._media_type,
            self._codec,
            self._time_base,
            len(leaves) // HASH_SIZE,
            root_of_joined(leaves),
        )
        return HashedStream(line, leaves)


def packet_root(streams: Sequence[StreamLine]) -> bytes:
    """The packet root of a file with these streams; without any stream, the root of the empty tree.

    Raises:
        RecordMalformed: the indexes do not strictly ascend.
    """
    indexes = [stream.index for stream in streams]
    if indexes != sorted(set(indexes)):
        raise RecordMalformed(f"stream indexes that do not ascend: {indexes}")
    return root_of(leaf_hash(stream.to_text().encode("ascii")) for stream in streams)
