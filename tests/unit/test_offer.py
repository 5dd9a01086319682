# SPDX-License-Identifier: Apache-2.0
"""This is where an offer's identity and the keeping of odd names are tested."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evidence.errors import BadInput
from evidence.offer import (
    Offer,
    check_relative,
    from_raw,
    from_showable,
    is_showable,
    raw,
    showable,
)

NAME = "DSJ_36NCC009910_000000_20260619_100324_SOS_enc.mp4"
OFFER = Offer(dock="north", path=f"DCIM/SOS/2026-06-19/{NAME}", name=NAME, size_bytes=7, mtime_ns=1_781_834_604 * 10**9)


def test_the_id_of_an_offer_is_the_same_for_ever() -> None:
    assert OFFER.id == "ofr-z5fzir6plv4yo3i2dc7i"


@pytest.mark.parametrize(
    "other",
    [
        replace(OFFER, dock="south"),
        replace(OFFER, path="DCIM/x.mp4"),
        replace(OFFER, name="x.mp4"),
        replace(OFFER, size_bytes=8),
        replace(OFFER, mtime_ns=OFFER.mtime_ns + 1),
    ],
    ids=["dock", "path", "name", "size", "mtime"],
)
def test_another_value_in_any_field_is_another_offer(other: Offer) -> None:
    assert other.id != OFFER.id


def test_text_moved_from_one_field_to_the_next_is_another_offer() -> None:
    assert replace(OFFER, dock="a", path="bc").id != replace(OFFER, dock="ab", path="c").id
    assert replace(OFFER, path="b", name="1:c").id != replace(OFFER, path="b,1:1", name="c").id


def test_names_that_are_not_utf8_have_ids_of_their_own() -> None:
    gbk = from_raw("视频.mp4".encode("gb18030"))
    broken = from_raw(b"\xff.mp4")
    offers = {replace(OFFER, path=name, name=name).id for name in (gbk, broken, "视频.mp4", "\ufffd.mp4")}
    assert len(offers) == 4


@pytest.mark.parametrize(
    "path", ["", "/etc/passwd", "../x", "a/../x", "a//b", "./a", "a/.", "a/", "a\x00b", "a\ud800b"]
)
def test_a_path_that_does_not_stay_beneath_the_dock_is_no_offer(path: str) -> None:
    with pytest.raises(BadInput):
        replace(OFFER, path=path)


def test_parts_with_dots_inside_are_ordinary() -> None:
    assert check_relative("a/..b/c..d/...") == ("a", "..b", "c..d", "...")


def test_an_offer_comes_back_from_json() -> None:
    odd = from_raw(b"a\nb\xff\\\xe2\x80\xaegpj.mp4")
    offer = replace(OFFER, path=f"x/{odd}", name=odd)
    told = offer.to_json()
    assert Offer.from_json(told) == offer
    assert told["name"] == "a\\u000ab\\xff\\\\\\u202egpj.mp4"


def test_json_that_is_no_offer_is_refused() -> None:
    with pytest.raises(BadInput):
        Offer.from_json({"dock": "a"})
    with pytest.raises(BadInput):
        Offer.from_json({**OFFER.to_json(), "size_bytes": "many"})


@given(st.binary(min_size=1, max_size=300))
def test_any_bytes_survive_as_a_name_and_are_shown_on_one_line(name: bytes) -> None:
    text = from_raw(name)
    shown = showable(text)
    assert raw(text) == name
    assert from_showable(shown) == text
    assert is_showable(shown)
    assert len(shown.splitlines()) <= 1
    shown.encode("utf-8")


def test_a_name_that_looks_escaped_is_not_read_as_the_escape() -> None:
    assert showable("\\x0a") == "\\\\x0a"
    assert from_showable("\\\\x0a") == "\\x0a"


@pytest.mark.parametrize("text", ["a\\", "\\q", "\\x41", "\\u0041", "a\nb", "\\xFF"])
def test_text_that_we_never_write_is_refused(text: str) -> None:
    with pytest.raises(BadInput):
        from_showable(text)
