# SPDX-License-Identifier: Apache-2.0
"""This is where fingerprints made of chosen bits are found in one another, or not."""

import random
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evidence.errors import BadInput, RecordMalformed
from evidence.fingerprint import Fingerprint, from_bytes
from evidence.likeness import NEAR_BITS, match
from evidence.media_time import Span

TWO = Fraction(2)


def footage(seed: int, samples: int = 40, *, rate: Fraction = TWO) -> Fingerprint:
    """Another picture and other motion in each sample."""
    rng = random.Random(seed)
    motions = [rng.getrandbits(128) & rng.getrandbits(128) & rng.getrandbits(128) for _ in range(samples)]
    return Fingerprint(rate, tuple(rng.getrandbits(256) for _ in range(samples)), tuple(motions), bytes([20] * samples))


def part(whole: Fingerprint, first: int, last: int, *, step: int = 1) -> Fingerprint:
    cut = slice(first, last, step)
    return Fingerprint(whole.rate / step, whole.looks[cut], whole.motions[cut], whole.textures[cut])


def joined(*parts: Fingerprint) -> Fingerprint:
    return Fingerprint(
        parts[0].rate,
        tuple(look for part in parts for look in part.looks),
        tuple(motion for part in parts for motion in part.motions),
        b"".join(part.textures for part in parts),
    )


def noisy(clean: Fingerprint, bits: int, seed: int = 5) -> Fingerprint:
    """`bits` of each look the other way round."""
    rng = random.Random(seed)
    flips = [sum(1 << bit for bit in rng.sample(range(256), bits)) for _ in clean.looks]
    looks = tuple(look ^ flip for look, flip in zip(clean.looks, flips, strict=True))
    return Fingerprint(clean.rate, looks, clean.motions, clean.textures)


def scene(samples: int, seed: int, *, moving: bool) -> Fingerprint:
    """One picture throughout, as a fixed camera sees it; with `moving`, something moves in it."""
    motions = footage(seed, samples).motions if moving else (0,) * samples
    return Fingerprint(TWO, (random.Random(0).getrandbits(256),) * samples, motions, bytes([20] * samples))


def seconds(start: float, end: float) -> Span:
    return Span(Fraction(start), Fraction(end))


def test_an_excerpt_is_found_at_its_seconds() -> None:
    whole = footage(1)
    (found,) = match(part(whole, 10, 22), whole)

    assert (found.reference, found.query) == (seconds(5, 11), seconds(0, 6))
    assert (found.score, found.is_placed) == (1.0, True)


def test_a_coarse_copy_is_found_with_a_lower_score() -> None:
    whole = footage(1)
    (found,) = match(noisy(part(whole, 10, 22), 50), whole)

    assert found.reference == seconds(5, 11)
    assert 0.5 < found.score < 0.7


def test_too_coarse_a_copy_is_not_found() -> None:
    whole = footage(1)

    assert match(noisy(part(whole, 10, 22), NEAR_BITS + 2), whole) == []


def test_other_footage_is_not_found() -> None:
    assert [match(footage(seed, 24), footage(99, 400)) for seed in range(10)] == [[]] * 10


def test_a_run_shorter_than_two_seconds_says_nothing() -> None:
    whole = footage(1)

    assert match(part(whole, 10, 13), whole) == []
    assert match(joined(footage(7, 5), part(whole, 10, 13), footage(8, 5)), whole) == []


def test_an_excerpt_with_strange_footage_around_it_is_found_without_that() -> None:
    whole = footage(1)
    (found,) = match(joined(footage(7, 10), part(whole, 10, 22), footage(8, 10)), whole)

    assert (found.reference, found.query) == (seconds(5, 11), seconds(5, 11))


def test_seconds_taken_out_of_an_excerpt_leave_two_parts() -> None:
    whole = footage(1)
    found = match(joined(part(whole, 4, 14), part(whole, 24, 32)), whole)

    assert [(m.reference, m.query) for m in found] == [
        (seconds(2, 7), seconds(0, 5)),
        (seconds(12, 16), seconds(5, 9)),
    ]


def test_seconds_replaced_in_an_excerpt_leave_the_parts_around_them() -> None:
    whole = footage(1)
    found = match(joined(part(whole, 4, 14), footage(7, 8), part(whole, 22, 32)), whole)

    assert sorted(m.query for m in found) == [seconds(0, 5), seconds(9, 14)]
    assert {m.reference.start - m.query.start for m in found} == {Fraction(2)}


def test_flat_pictures_match_nothing_not_even_themselves() -> None:
    black = Fingerprint(TWO, (0,) * 40, (0,) * 40, bytes(40))

    assert match(black, black) == []
    assert match(black, footage(1)) == []


def test_a_flat_stretch_does_not_tear_an_excerpt_apart() -> None:
    whole = footage(1)
    dark = Fingerprint(TWO, whole.looks, whole.motions, bytes([20] * 14 + [0] * 6 + [20] * 20))
    (found,) = match(part(dark, 8, 28), dark)

    assert found.reference == seconds(4, 14)


def test_a_fixed_camera_is_placed_by_what_moves() -> None:
    day = scene(200, 3, moving=True)
    (found,) = match(part(day, 50, 70), day)

    assert found.reference.start - found.query.start == 25
    assert found.is_placed


def test_the_same_scene_at_another_time_is_not_the_same_footage() -> None:
    assert match(scene(24, 3, moving=True), scene(200, 4, moving=True)) == []


def test_a_scene_in_which_nothing_moves_is_found_but_not_placed() -> None:
    still = scene(200, 0, moving=False)
    found = match(part(still, 50, 70), still)

    assert found
    assert not any(m.is_placed for m in found)


def test_footage_that_comes_twice_is_reported_once_and_not_placed() -> None:
    whole = joined(footage(1, 20), footage(2, 20), footage(1, 20))
    (found,) = match(part(whole, 2, 18), whole)

    assert found.query == seconds(0, 8)
    assert not found.is_placed


@pytest.mark.parametrize("first", [40, 41, 42, 43])
def test_a_query_sampled_four_times_as_often_is_found_wherever_it_starts(first: int) -> None:
    fine = footage(1, 200, rate=Fraction(8))
    (found,) = match(part(fine, first, first + 60), part(fine, 0, 200, step=4))

    assert found.reference.start - found.query.start == Fraction(first, 8)
    assert found.query.end <= Fraction(60, 8)
    assert found.query.length >= 7


def test_rates_that_do_not_fit_are_refused() -> None:
    with pytest.raises(BadInput, match="3/s"):
        match(footage(1, rate=Fraction(3)), footage(1))


def test_an_empty_fingerprint_matches_nothing() -> None:
    nothing = part(footage(1), 0, 0)

    assert match(nothing, footage(1)) == match(footage(1), nothing) == match(nothing, nothing) == []


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 60), st.integers(8, 30), st.integers(0, 60), st.integers(0, 1000))
def test_any_excerpt_is_found_where_it_was_cut(first: int, length: int, bits: int, seed: int) -> None:
    whole = footage(seed, 100)
    found = match(noisy(part(whole, first, first + length), bits), whole)

    assert [m.reference for m in found] == [Span(Fraction(first, 2), Fraction(first + length, 2))]


# --- bytes ------------------------------------------------------------------------------------


def test_a_fingerprint_reads_back_as_it_was_written() -> None:
    whole = footage(1, rate=Fraction(30000, 1001))

    assert from_bytes(whole.to_bytes()) == whole
    assert len(whole.to_bytes()) == 20 + 49 * len(whole)


def test_the_bytes_are_as_documented() -> None:
    one = Fingerprint(TWO, (1,), (2,), b"\x03")

    assert one.to_bytes().hex() == (
        b"EVDKFPR1".hex() + "00000002" + "00000001" + "00000001" + "00" * 31 + "01" + "00" * 15 + "02" + "03"
    )


def test_malformed_bytes_are_refused() -> None:
    good = footage(1, 3).to_bytes()
    bad = [
        b"",
        good[:-1],
        good + b"\0",
        b"X" + good[1:],
        good[:8] + bytes(8) + good[16:],  # rate 0/0
        good[:8] + bytes.fromhex("0000000400000002") + good[16:],  # 4/2
        good[:16] + bytes.fromhex("ffffffff") + good[20:],
    ]
    for data in bad:
        with pytest.raises(RecordMalformed):
            from_bytes(data)


def test_columns_that_do_not_fit_are_refused() -> None:
    for looks, motions, textures in (((1,), (), b""), ((1 << 256,), (0,), b"1"), ((0,), (-1,), b"1")):
        with pytest.raises(RecordMalformed):
            Fingerprint(TWO, looks, motions, textures)
