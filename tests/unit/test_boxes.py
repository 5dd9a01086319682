# SPDX-License-Identifier: Apache-2.0
"""This is where it is tried that MP4 boxes are read, also those that lie about their size."""

import pytest

from evidence.errors import Truncated, Undecodable
from pipeline.media.boxes import Box, body_of, boxes, children, find, in_memory, make_box


def walk(data: bytes) -> list[Box]:
    return list(boxes(in_memory(data), 0, len(data)))


def test_boxes_are_read_back_as_they_were_made() -> None:
    data = make_box(b"moov", make_box(b"trak", make_box(b"tkhd", b"abc"))) + make_box(b"free")
    moov, free = walk(data)
    assert (moov.kind, free.kind, free.end) == (b"moov", b"free", len(data))
    tkhd = find(in_memory(data), moov, b"trak", b"tkhd")
    assert tkhd is not None
    assert body_of(in_memory(data), tkhd) == b"abc"
    assert find(in_memory(data), moov, b"trak", b"edts") is None
    assert [box.kind for box in children(in_memory(data), moov)] == [b"trak"]


def test_a_length_of_64_bits_and_one_to_the_end_are_read() -> None:
    assert [box.end for box in walk(b"\0\0\0\1mdat" + (20).to_bytes(8, "big") + b"abcd")] == [20]
    assert [box.end for box in walk(b"\0\0\0\0mdatabcd")] == [12]


def test_less_than_a_header_at_the_end_is_padding() -> None:
    assert len(walk(make_box(b"free") + b"\0\0\0\0")) == 1


@pytest.mark.parametrize("length", [2, 7])
def test_a_length_shorter_than_its_own_header_is_nonsense(length: int) -> None:
    with pytest.raises(Undecodable, match="claims a length"):
        walk(length.to_bytes(4, "big") + b"free" + b"\0" * 8)


def test_a_box_that_ends_after_the_file_is_cut_short() -> None:
    with pytest.raises(Truncated) as caught:
        walk(b"\0\0\1\0mdatabcd")
    assert caught.value.values == {"expected": 256, "actual": 12}


def test_a_body_larger_than_expected_is_not_read() -> None:
    data = make_box(b"stsd", b"x" * 100)
    with pytest.raises(Undecodable):
        body_of(in_memory(data), walk(data)[0], at_most=99)
