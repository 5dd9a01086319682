# SPDX-License-Identifier: Apache-2.0
"""This is where packet lines, stream lines and their trees are held against the written form."""

from fractions import Fraction
from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evidence.errors import RecordMalformed
from evidence.merkle import EMPTY_ROOT, leaf_hash, root_of
from evidence.packet_tree import (
    HashedStream,
    PacketLine,
    StreamLine,
    StreamTree,
    extradata_leaf,
    packet_leaf,
    packet_root,
    parse_packet,
    parse_stream,
)

HEX = sha256(b"payload").hexdigest()
ROOT = bytes(range(32))
LINE = StreamLine(0, "video", "h264", Fraction(1, 90_000), 5, ROOT)
TICKS = st.integers(-(2**63) + 1, 2**63 - 1)


def hashed(packets: list[tuple[int | None, int | None, int, int, str]], extradata: bytes = b"sps") -> HashedStream:
    tree = StreamTree(1, "audio", codec="aac", time_base=Fraction(1, 48_000), extradata=extradata)
    for dts, pts, duration, size, digest in packets:
        tree.packet(dts, pts, duration, size, digest)
    return tree.finish()


def test_the_lines_are_spelt_as_the_format_says() -> None:
    assert packet_leaf(0, 1024, 512, 7, HEX) == f"0 1024 512 7 {HEX}\n".encode()
    assert packet_leaf(None, -5, 0, 0, HEX) == f"- -5 0 0 {HEX}\n".encode()
    assert packet_leaf(3, None, 1, 2, HEX) == f"3 - 1 2 {HEX}\n".encode()
    assert extradata_leaf(3, HEX) == f"extradata 3 {HEX}\n".encode()
    assert LINE.to_text() == f"stream 0 video h264 1/90000 5 {ROOT.hex()}\n"


def test_a_stream_is_its_extradata_and_then_its_packets() -> None:
    found = hashed([(0, 0, 1024, 7, HEX), (1024, None, 1024, 9, HEX)])
    leaves = [
        leaf_hash(f"extradata 3 {sha256(b'sps').hexdigest()}\n".encode()),
        leaf_hash(f"0 0 1024 7 {HEX}\n".encode()),
        leaf_hash(f"1024 - 1024 9 {HEX}\n".encode()),
    ]
    assert found.leaves == b"".join(leaves)
    assert found.line == StreamLine(1, "audio", "aac", Fraction(1, 48_000), 3, root_of(leaves))
    assert found.line.packet_count == 2


def test_a_stream_without_packets_still_commits_to_its_extradata() -> None:
    assert hashed([]).line.leaf_count == 1
    assert hashed([], b"a").line.root != hashed([], b"b").line.root
    assert hashed([], b"").line.root == leaf_hash(extradata_leaf(0, sha256(b"").hexdigest()))


def test_finishing_early_disturbs_nothing() -> None:
    tree = StreamTree(0, "video", codec="h264", time_base=Fraction(1, 25), extradata=b"")
    tree.packet(0, 0, 1, 1, HEX)
    assert tree.finish() == tree.finish()
    tree.packet(1, 1, 1, 1, HEX)
    assert tree.finish().line.packet_count == 2


@pytest.mark.parametrize(
    "other",
    [
        [(0, 0, 1024, 7, HEX), (1024, 1024, 1024, 9, "0" * 64)],
        [(0, 0, 1024, 7, HEX), (1024, 1025, 1024, 9, HEX)],
        [(0, 0, 1024, 7, HEX), (1025, 1024, 1024, 9, HEX)],
        [(0, 0, 1024, 7, HEX), (1024, 1024, 1023, 9, HEX)],
        [(0, 0, 1024, 7, HEX), (1024, 1024, 1024, 8, HEX)],
        [(1024, 1024, 1024, 9, HEX), (0, 0, 1024, 7, HEX)],
        [(0, 0, 1024, 7, HEX)],
        [(0, 0, 1024, 7, HEX), (1024, 1024, 1024, 9, HEX), (1024, 1024, 1024, 9, HEX)],
    ],
    ids=["payload", "pts", "dts", "duration", "size", "order", "dropped", "doubled"],
)
def test_any_change_to_a_packet_changes_the_root(
    other: list[tuple[int | None, int | None, int, int, str]],
) -> None:
    whole = hashed([(0, 0, 1024, 7, HEX), (1024, 1024, 1024, 9, HEX)])
    assert hashed(other).line.root != whole.line.root


# --- Parsing --------------------------------------------------------------------------------


@settings(max_examples=200, deadline=None)
@given(st.none() | TICKS, st.none() | TICKS, TICKS, st.integers(0, 2**63 - 1))
def test_a_packet_line_is_read_back_as_it_was_written(
    dts: int | None, pts: int | None, duration: int, size: int
) -> None:
    line = PacketLine(dts, pts, duration, size, HEX)
    assert parse_packet(line.to_bytes()) == line


@pytest.mark.parametrize(
    "text",
    [
        "",
        f"0 0 0 0 {HEX}",
        f"0 0 0 0 {HEX}\n\n",
        f"0 0 0 0 {HEX}\r\n",
        f" 0 0 0 0 {HEX}\n",
        f"0  0 0 0 {HEX}\n",
        f"0 0 0 {HEX}\n",
        f"0 0 0 0 0 {HEX}\n",
        f"00 0 0 0 {HEX}\n",
        f"-0 0 0 0 {HEX}\n",
        f"+1 0 0 0 {HEX}\n",
        f"1.0 0 0 0 {HEX}\n",
        f"0 0 - 0 {HEX}\n",
        f"0 0 0 - {HEX}\n",
        f"0 0 0 -1 {HEX}\n",
        f"{2**63} 0 0 0 {HEX}\n",
        f"{'9' * 5000} 0 0 0 {HEX}\n",
        f"0 0 0 0 {HEX.upper()}\n",
        f"0 0 0 0 {HEX[:-1]}\n",
        f"0 0 0 0 {HEX}0\n",
        "0 0 0 0 \u0661\n",
    ],
)
def test_a_packet_line_in_another_form_is_refused(text: str) -> None:
    with pytest.raises(RecordMalformed):
        parse_packet(text.encode())


@pytest.mark.parametrize("base", [Fraction(1, 90_000), Fraction(1001, 30_000), Fraction(1), Fraction(2)])
def test_a_stream_line_is_read_back_as_it_was_written(base: Fraction) -> None:
    line = StreamLine(3, "video", "hevc", base, 7, ROOT)
    assert parse_stream(line.to_text()) == line


@pytest.mark.parametrize(
    "text",
    [
        "",
        LINE.to_text()[:-1],
        LINE.to_text() + "\n",
        LINE.to_text().replace("stream", "Stream"),
        LINE.to_text().replace("stream 0", "stream 00"),
        LINE.to_text().replace("stream 0", "stream -1"),
        LINE.to_text().replace("video", "vi deo"),
        LINE.to_text().replace("video", "视频"),
        LINE.to_text().replace("h264", ""),
        LINE.to_text().replace("h264", "h" * 65),
        LINE.to_text().replace("1/90000", "2/180000"),
        LINE.to_text().replace("1/90000", "1/0"),
        LINE.to_text().replace("1/90000", "0/1"),
        LINE.to_text().replace("1/90000", "-1/90000"),
        LINE.to_text().replace("1/90000", "90000"),
        LINE.to_text().replace(" 5 ", " 0 "),
        LINE.to_text().replace(" 5 ", " 05 "),
        LINE.to_text().replace(ROOT.hex(), ROOT.hex().upper()),
        LINE.to_text().replace(ROOT.hex(), ROOT.hex()[2:]),
    ],
)
def test_a_stream_line_in_another_form_is_refused(text: str) -> None:
    with pytest.raises(RecordMalformed):
        parse_stream(text)


@pytest.mark.parametrize("codec", ["", "two words", "new\nline", "例"])
def test_a_codec_that_would_break_the_line_is_refused(codec: str) -> None:
    tree = StreamTree(0, "video", codec=codec, time_base=Fraction(1, 25), extradata=b"")
    with pytest.raises(RecordMalformed):
        tree.finish()


# --- The root of a file ---------------------------------------------------------------------


def test_the_packet_root_is_over_the_stream_lines_in_order() -> None:
    second = StreamLine(2, "audio", "aac", Fraction(1, 48_000), 3, ROOT)
    lines = [leaf_hash(line.to_text().encode()) for line in (LINE, second)]
    assert packet_root([LINE, second]) == root_of(lines)
    assert packet_root([LINE]) == lines[0]
    assert packet_root([]) == EMPTY_ROOT


def test_streams_out_of_order_or_named_twice_are_refused() -> None:
    second = StreamLine(2, "audio", "aac", Fraction(1, 48_000), 3, ROOT)
    for streams in ([second, LINE], [LINE, LINE]):
        with pytest.raises(RecordMalformed, match="ascend"):
            packet_root(streams)
