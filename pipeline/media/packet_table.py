# SPDX-License-Identifier: Apache-2.0
"""This is where the packet table has its form: each coded packet of a recording, found by time, provable.

With it a clip is planned, cut and proven by reading a few ranges of the original, never its index.
All numbers are little endian; hashes are raw SHA-256.

| part    | bytes       | content                                                                   |
|---------|-------------|---------------------------------------------------------------------------|
| magic   | 8           | `EVDKPKT1`                                                                |
| length  | 8           | length of the header                                                      |
| seal    | 32          | SHA-256 of the header                                                     |
| header  | length      | canonical JSON (`TableHeader.to_json`); offsets count from the end of it  |
| records | 72 each     | per stream: leaf 0 (extradata), then its packets in demux order           |
| blocks  | 96 each     | per stream: one for every 256 records, the last one for what remains      |
| init    | header says | an MP4/QuickTime file of the streams without samples                      |

A record: dts, pts, duration (i64 ticks, the lowest i64 for "none"), offset in the original (i64, -1 for
none), payload size (u32), flags (u32), SHA-256 of the payload. Record k is leaf k of the stream.

A block: first dts, lowest pts, highest pts, newest key record so far (i64 each, -1 for none), root of
the leaves of its records, SHA-256 of its records.

The seal binds the header, the header binds blocks and init, a block binds its records: whoever knows
the seal finds any byte changed, also when only parts are read. The leaves bind records to the packet root.
"""

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from evidence import canonical_json
from evidence.errors import EvidockError, ProofInvalid
from evidence.media_time import from_text, to_text
from pipeline.media.coded_form import Form

MAGIC = b"EVDKPKT1"
FORMAT = "evidock/packet-table/v1"
PREFIX = struct.Struct("<8sQ32s")
RECORD = struct.Struct("<qqqqII32s")
BLOCK = struct.Struct("<qqqq32s32s")
BLOCK_LEVEL = 8
BLOCK_RECORDS = 1 << BLOCK_LEVEL
NONE = -(1 << 63)
HEADER_MAX_BYTES = 1 << 20

KEY = 1
"""Flag: decoding may begin here."""
SCATTERED = 2
"""Flag: the payload does not lie in one piece at `offset`; there only begins what a demuxer makes it from."""


@dataclass(frozen=True, slots=True)
class Part:
    """A run of bytes of the table, counted from the end of its header."""

    offset: int
    size_bytes: int


@dataclass(frozen=True, slots=True)
class TableStream:
    """One stream. Shown time = ticks × `time_base` + `shift`, in seconds, within `[start, end)`.

    `count` is packets, without the extradata leaf. `track_id` is its track in the init file, None
    where MP4 cannot carry it. `is_direct`: every payload lies in one piece in the original.
    """

    index: int
    media_type: str
    codec: str
    time_base: Fraction
    form: Form
    count: int
    line: str
    root: str
    shift: Fraction
    start: Fraction
    end: Fraction
    track_id: int | None
    is_direct: bool
    is_main: bool
    records: Part
    blocks: Part
    blocks_sha256: str

    @property
    def leaf_count(self) -> int:
        """Leaves of the stream's tree: its packets and its extradata."""
        return self.count + 1


@dataclass(frozen=True, slots=True)
class TableHeader:
    """What the table says before its records."""

    container: str
    demuxer: str
    size_bytes: int
    packet_root: str
    streams: tuple[TableStream, ...]
    init: Part
    init_sha256: str

    def to_json(self) -> bytes:
        """Canonical JSON of this header."""
        return canonical_json.dumps(
            {
                "format": FORMAT,
                "container": self.container,
                "demuxer": self.demuxer,
                "size_bytes": self.size_bytes,
                "packet_root": self.packet_root,
                "streams": [_stream_to_dict(stream) for stream in self.streams],
                "init": [self.init.offset, self.init.size_bytes],
                "init_sha256": self.init_sha256,
            }
        )

    @classmethod
    def from_json(cls, data: bytes) -> "TableHeader":
        """The header that `to_json` wrote.

        Raises:
            ProofInvalid: it is not of this form.
        """
        try:
            fields: Any = canonical_json.loads(data)
            if fields["format"] != FORMAT:
                raise ProofInvalid(f"not a packet table of ours: {fields['format']!r}")
            return cls(
                container=str(fields["container"]),
                demuxer=str(fields["demuxer"]),
                size_bytes=int(fields["size_bytes"]),
                packet_root=str(fields["packet_root"]),
                streams=tuple(_stream_from_dict(stream) for stream in fields["streams"]),
                init=Part(*map(int, fields["init"])),
                init_sha256=str(fields["init_sha256"]),
            )
        except (KeyError, TypeError, ValueError, EvidockError) as error:
            raise ProofInvalid(f"the header of the packet table does not read: {error}") from error


def _stream_to_dict(stream: TableStream) -> dict[str, object]:
    return {
        "index": stream.index,
        "type": stream.media_type,
        "codec": stream.codec,
        "time_base": to_text(stream.time_base),
        "form": stream.form,
        "count": stream.count,
        "line": stream.line,
        "root": stream.root,
        "shift": to_text(stream.shift),
        "start": to_text(stream.start),
        "end": to_text(stream.end),
        "track_id": stream.track_id,
        "direct": stream.is_direct,
        "main": stream.is_main,
        "records": [stream.records.offset, stream.records.size_bytes],
        "blocks": [stream.blocks.offset, stream.blocks.size_bytes],
        "blocks_sha256": stream.blocks_sha256,
    }


def _stream_from_dict(fields: Mapping[str, Any]) -> TableStream:
    track_id = fields["track_id"]
    return TableStream(
        index=int(fields["index"]),
        media_type=str(fields["type"]),
        codec=str(fields["codec"]),
        time_base=from_text(fields["time_base"]),
        form=fields["form"],
        count=int(fields["count"]),
        line=str(fields["line"]),
        root=str(fields["root"]),
        shift=from_text(fields["shift"]),
        start=from_text(fields["start"]),
        end=from_text(fields["end"]),
        track_id=None if track_id is None else int(track_id),
        is_direct=bool(fields["direct"]),
        is_main=bool(fields["main"]),
        records=Part(*map(int, fields["records"])),
        blocks=Part(*map(int, fields["blocks"])),
        blocks_sha256=str(fields["blocks_sha256"]),
    )
