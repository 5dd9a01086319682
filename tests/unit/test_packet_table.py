# SPDX-License-Identifier: Apache-2.0
"""This is where it is tried that the packet table is written, read in parts, and checked whole."""

import random
from collections.abc import Callable
from fractions import Fraction
from hashlib import sha256
from pathlib import Path

import av
import pytest

from evidence.errors import BadInput, ProofInvalid
from evidence.merkle import inclusion_proof, verify_inclusion
from evidence.packet_tree import StreamTree, packet_root, parse_stream
from pipeline.media.boxes import in_memory
from pipeline.media.packet_reader import check_table, leaves_of, open_table
from pipeline.media.packet_table import BLOCK_RECORDS, PREFIX, RECORD
from pipeline.media.packet_writer import StreamSpool
from tests.support.cameras import tiny_clip
from tests.support.shown_frames import Examined, examined


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Examined:
    return examined(tiny_clip("bframes"), tmp_path_factory.mktemp("tables"))


def root_of(recording: Examined) -> str:
    assert recording.examination.packet_root is not None
    return recording.examination.packet_root


def check(recording: Examined, data: bytes) -> int:
    seal = recording.examination.table_seal
    return check_table(in_memory(data), size_bytes=len(data), packet_root=root_of(recording), seal=seal)


def test_the_packet_root_is_the_one_that_a_plain_reading_gives(recording: Examined) -> None:
    trees = []
    with av.open(recording.path, options={"ignore_editlist": "1", "fflags": "nofillin+noparse"}) as media:
        for stream in media.streams:
            assert stream.time_base is not None
            trees.append(
                StreamTree(
                    stream.index,
                    stream.type,
                    codec=stream.codec_context.name,
                    time_base=stream.time_base,
                    extradata=bytes(stream.codec_context.extradata or b""),
                )
            )
        for packet in media.demux():
            if packet.size:
                digest = sha256(bytes(packet)).hexdigest()
                trees[packet.stream_index].packet(packet.dts, packet.pts, packet.duration or 0, packet.size, digest)
    lines = [tree.finish().line for tree in trees]
    assert packet_root(lines).hex() == root_of(recording)
    assert tuple(line.to_text() for line in lines) == recording.examination.lines


def test_the_same_bytes_give_the_same_table(recording: Examined, tmp_path: Path) -> None:
    again = examined(recording.path, tmp_path)
    assert again.table.read_bytes() == recording.table.read_bytes()
    assert again.examination == recording.examination


def test_a_whole_table_checks(recording: Examined) -> None:
    assert check(recording, recording.table.read_bytes()) == sum(
        stream.packets for stream in recording.examination.streams
    )


def test_one_flipped_bit_anywhere_in_the_table_is_found(recording: Examined) -> None:
    whole = recording.table.read_bytes()
    chance = random.Random(7)
    places = {*range(PREFIX.size), *chance.sample(range(len(whole)), 400), len(whole) - 1}
    for at in places:
        flipped = whole[:at] + bytes((whole[at] ^ (1 << chance.randrange(8)),)) + whole[at + 1 :]
        with pytest.raises(ProofInvalid):
            check(recording, flipped)


@pytest.mark.parametrize("change", [lambda data: data[:-1], lambda data: data + b"\0", lambda data: data[:40]])
def test_a_table_cut_short_or_grown_is_found(recording: Examined, change: Callable[[bytes], bytes]) -> None:
    with pytest.raises(ProofInvalid):
        check(recording, change(recording.table.read_bytes()))


def test_the_table_of_another_recording_is_refused(recording: Examined, tmp_path: Path) -> None:
    other = examined(tiny_clip("plain"), tmp_path)
    with pytest.raises(ProofInvalid, match="another recording"):
        open_table(in_memory(other.table.read_bytes()), packet_root=root_of(recording))


def test_every_packet_is_provable_from_a_few_reads(recording: Examined) -> None:
    table = open_table(in_memory(recording.table.read_bytes()), packet_root=root_of(recording))
    for stream in table.header.streams:
        line = parse_stream(stream.line)
        leaves = list(leaves_of(table.records(stream, 0, stream.leaf_count), 0))
        for number in range(0, stream.leaf_count, 7):
            proof = inclusion_proof(number, stream.leaf_count, table.subtree(stream))
            verify_inclusion(leaves[number], number, stream.leaf_count, proof, line.root)


def test_records_beyond_the_end_are_not_invented(recording: Examined) -> None:
    table = open_table(in_memory(recording.table.read_bytes()), packet_root=root_of(recording))
    with pytest.raises(BadInput):
        table.records(table.main, 0, table.main.leaf_count + 1)


@pytest.mark.parametrize("packets", [0, 1, BLOCK_RECORDS - 1, BLOCK_RECORDS, 2 * BLOCK_RECORDS + 5])
def test_a_tree_by_blocks_has_the_root_of_the_tree_by_leaves(packets: int, tmp_path: Path) -> None:
    tree = StreamTree(0, "video", codec="h264", time_base=Fraction(1, 25), extradata=b"sps")
    with (tmp_path / "spool").open("wb") as file:
        spool = StreamSpool(file, extradata=b"sps")
        for number in range(packets):
            digest = number.to_bytes(32, "big")
            spool.take(number, number, 1, 0, 5, 0, digest)
            tree.packet(number, number, 1, 5, digest.hex())
        spool.finish()
    assert spool.count == packets
    assert spool.root == tree.finish().line.root


def test_a_packet_lasts_until_the_next_is_decoded_and_the_last_as_it_says(tmp_path: Path) -> None:
    path = tmp_path / "spool"
    with path.open("wb") as file:
        spool = StreamSpool(file, extradata=b"")
        for dts in (0, 10, 30):
            spool.take(dts, dts, 7, 0, 1, 0, bytes(32))
        spool.finish()
    durations = [record[2] for record in RECORD.iter_unpack(path.read_bytes())]
    assert durations == [0, 10, 20, 7]
