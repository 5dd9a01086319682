# SPDX-License-Identifier: Apache-2.0
"""This is where a clip file is read for its proof: packets as stored, and what its edit lists add.

Auditors read clips that strangers gave them, so the file is opened in a process under limits.
"""

import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from evidence.clip_proof import ObservedStream
from evidence.errors import BadInput, ProofInvalid
from evidence.media_time import Span
from pipeline.media.examine import examine
from pipeline.media.packet_reader import PacketTable, none_or, open_table
from pipeline.media.packet_table import TableStream
from pipeline.media.sniff import sniff


@dataclass(frozen=True, slots=True)
class ObservedClip:
    """A clip as its file says it. `shown`: what a player shows of its main track, from its own time 0."""

    streams: tuple[ObservedStream, ...]
    shown: Span
    packet_root: str


def observe(path: Path, *, indexes: Sequence[int], scratch: Path) -> ObservedClip:
    """The packets of the clip at `path`; track k is taken to be stream `indexes[k]` of the original.

    `indexes` are the streams of the proof's ranges, in order. `scratch` is a folder to work in.

    Raises:
        ProofInvalid: its edit lists jump, or it has another number of tracks than the proof has ranges.
        BadInput: it is no MP4.
        Unacceptable: it does not read; as `sniff` and `examine`.
    """
    container = sniff(path)
    if not container.is_mp4_family:
        raise BadInput(f"a clip is an MP4 file, not {container.name}", container=container.name)
    with tempfile.TemporaryDirectory(dir=scratch, prefix=".clip-") as folder:
        table_file = Path(folder) / "table"
        examination = examine(path, container=container, table=table_file)
        jumps = [warning for warning in examination.warnings if warning.startswith("edit-list")]
        if jumps:
            raise ProofInvalid(f"the clip does not play straight through: {', '.join(jumps)}")
        with table_file.open("rb") as file:
            table = open_table(
                lambda offset, length: os.pread(file.fileno(), length, offset),
                packet_root=examination.packet_root or "",
                seal=examination.table_seal,
            )
            return _observed(table, indexes, examination.packet_root or "")


def _observed(table: PacketTable, indexes: Sequence[int], packet_root: str) -> ObservedClip:
    streams = table.header.streams
    if len(streams) != len(indexes):
        raise ProofInvalid(f"the clip has {len(streams)} tracks; its proof speaks of {len(indexes)}")
    pairs = zip(streams, indexes, strict=True)
    return ObservedClip(
        streams=tuple(_observed_stream(table, stream, index) for stream, index in pairs),
        shown=Span(table.main.start, table.main.end),
        packet_root=packet_root,
    )


def _observed_stream(table: PacketTable, stream: TableStream, index: int) -> ObservedStream:
    extradata, *packets = table.records(stream, 0, stream.leaf_count).tolist()
    return ObservedStream(
        index_in_original=index,
        extradata_sha256=extradata[-1].hex(),
        extradata_size=extradata[4],
        time_base=stream.time_base,
        packets=[
            (none_or(dts), none_or(pts), duration, size, digest.hex())
            for dts, pts, duration, _, size, _, digest in packets
        ],
        shown_offset=stream.shift,
    )
