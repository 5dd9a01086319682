# SPDX-License-Identifier: Apache-2.0
"""This is where it is tried that random-access points are told from other key frames."""

from pipeline.media.random_access import may_begin


def units(*kinds: bytes) -> bytes:
    return b"".join((len(kind) + 2).to_bytes(4, "big") + kind + b"xx" for kind in kinds)


def test_an_idr_picture_or_a_recovery_point_may_begin() -> None:
    assert may_begin("h264", units(b"\x67", b"\x65"))
    assert may_begin("h264", units(b"\x06\x06", b"\x41"))
    assert not may_begin("h264", units(b"\x06\x05", b"\x41"))
    assert not may_begin("h264", units(b"\x09", b"\x41"))


def test_of_h265_an_irap_picture_may_begin() -> None:
    assert may_begin("hevc", units(bytes((19 << 1, 1))))
    assert not may_begin("hevc", units(bytes((1 << 1, 1))))


def test_lengths_of_two_bytes_are_read() -> None:
    assert may_begin("h264", b"\0\2\x65x", length_bytes=2)


def test_a_length_that_leads_outside_ends_the_search() -> None:
    assert not may_begin("h264", b"\xff\xff\xff\xff\x65")
    assert not may_begin("h264", b"")


def test_every_packet_of_another_codec_may_begin() -> None:
    assert may_begin("mjpeg", b"")
