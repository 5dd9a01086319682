# SPDX-License-Identifier: Apache-2.0
"""This is where it is tried that packets lose their transport form, and only that."""

import pytest

from pipeline.media.coded_form import form_of, lengths, raw_aac


@pytest.mark.parametrize(
    ("stream", "units"),
    [
        (b"\0\0\0\1\x67abc\0\0\1\x65def", [b"\x67abc", b"\x65def"]),
        (b"\0\0\1\x67abc\0\0\0\0\0\1\x65def\0\0", [b"\x67abc", b"\x65def"]),
        (b"\0\0\1\x65\0\0\3\1x", [b"\x65\0\0\3\1x"]),
        (b"", []),
    ],
)
def test_start_codes_become_lengths(stream: bytes, units: list[bytes]) -> None:
    assert lengths(stream) == b"".join(len(unit).to_bytes(4, "big") + unit for unit in units)


def test_an_aac_frame_loses_its_header_of_seven_or_nine_bytes() -> None:
    assert raw_aac(b"\xff\xf1\x50\x80\x02\x1f\xfcpayload") == b"payload"
    assert raw_aac(b"\xff\xf0\x50\x80\x02\x1f\xfc\0\0payload") == b"payload"
    assert raw_aac(b"payload") == b"payload"


def test_only_wrapped_streams_are_unwrapped() -> None:
    assert form_of("h264", b"\0\0\0\1\x67", container="mpegts") == "lengths"
    assert form_of("h264", b"\1\x64\0\x28", container="matroska") == "stored"
    assert form_of("h264", b"", container="mp4") == "stored"
    assert form_of("aac", b"", container="mpegts") == "raw-aac"
    assert form_of("aac", b"\x11\x90", container="matroska") == "stored"
