# SPDX-License-Identifier: Apache-2.0
"""This is where true clips are shown to hold, and the limits of what is compared are pinned down."""

import json
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

import pytest

from evidence.clip_proof import MAX_UNPROVEN_SKEW, ObservedStream, verify_packets
from evidence.clip_range import MARK_SIZE, ClipRange, Times, build_range, parse_range
from evidence.clip_timing import FINE_ENOUGH, ObservedPacket, measured_shift
from evidence.errors import BadInput, ProofInvalid, RecordMalformed
from evidence.media_time import Span
from evidence.merkle import reader_over
from tests.support.clip_proofs import AUDIO_BASE, VIDEO_BASE, MadeClip, clip_of, reel

REEL = reel("ours")


def verified(clip: MadeClip) -> list[tuple[int, int, int]]:
    return [(one.index, one.first, one.count) for one in verify_packets(clip.proof, clip.observed).streams]


@pytest.mark.parametrize(
    ("video", "audio"),
    [
        (range(92), range(141)),
        (range(1), range(1)),
        (range(91, 92), range(140, 141)),
        (range(32, 64), range(50, 100)),
        (range(1, 92), range(3, 140)),
    ],
)
def test_a_true_clip_holds_wherever_it_is_cut(video: range, audio: range) -> None:
    clip = clip_of(REEL, {0: video, 1: audio})
    assert verified(clip) == [(0, video.start, len(video)), (1, audio.start, len(audio))]


def test_a_clip_may_leave_a_stream_out_when_its_proof_does_too() -> None:
    assert verified(clip_of(REEL, {1: range(5, 9)})) == [(1, 5, 4)]


def test_a_proof_survives_being_written_and_other_keys_are_left_alone() -> None:
    clip = clip_of(REEL, {0: range(32, 64), 1: range(50, 100)})
    clip.proof["checkpoint"] = "filled in by others"
    again = json.loads(json.dumps(clip.proof))
    verify_packets(again, clip.observed)
    for claim in again["ranges"]:
        assert parse_range(claim).to_json() == claim


def test_the_order_in_which_streams_are_found_does_not_matter() -> None:
    clip = clip_of(REEL, {1: range(50, 100), 0: range(32, 64)})
    assert verified(clip) == [(0, 32, 32), (1, 50, 50)]


def test_what_a_clip_covers_and_where_it_starts_is_told_in_the_originals_time() -> None:
    clip = clip_of(REEL, {0: range(32, 64), 1: range(50, 100)}, origin=Fraction(11, 10))
    found = verify_packets(clip.proof, clip.observed)
    video, audio = found.streams
    assert {video.origin, audio.origin} == {Fraction(11, 10)}
    assert found.skew == 0
    assert video.covers == Span(34 * 512 * VIDEO_BASE, 66 * 512 * VIDEO_BASE)
    assert audio.covers == Span(50 * 1024 * AUDIO_BASE, 100 * 1024 * AUDIO_BASE)


def test_the_originals_own_offsets_bring_its_streams_into_step() -> None:
    # The original's edit list starts its sound 2112 samples in: a player's time is raw time minus that.
    priming = 2112 * AUDIO_BASE
    clip = clip_of(REEL, {0: range(32, 64), 1: range(50, 100)})
    clip.proof["ranges"][1]["shift"] = str(1 + priming)
    sound = replace(clip.observed[1], shown_offset=clip.observed[1].shown_offset - priming)
    observed = [clip.observed[0], sound]
    assert verify_packets(clip.proof, observed).skew == priming
    found = verify_packets(clip.proof, observed, source_offsets={0: Fraction(0), 1: -priming})
    assert found.skew == 0
    assert found.streams[1].covers.start == 50 * 1024 * AUDIO_BASE - priming


def test_streams_may_be_out_of_step_by_the_limit_and_no_more() -> None:
    clip = clip_of(REEL, {0: range(32, 64), 1: range(50, 100)})
    for skew, is_held in ((MAX_UNPROVEN_SKEW, True), (MAX_UNPROVEN_SKEW + AUDIO_BASE, False)):
        clip.proof["ranges"][1]["shift"] = str(1 - skew)
        late = replace(clip.observed[1], shown_offset=clip.observed[1].shown_offset + skew)
        try:
            assert verify_packets(clip.proof, [clip.observed[0], late]).skew == skew
            assert is_held
        except ProofInvalid:
            assert not is_held


# --- Ranges ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("first", "count"), [(-1, 2), (0, 0), (92, 1), (90, 3)])
def test_a_range_the_stream_does_not_have_cannot_be_claimed(first: int, count: int) -> None:
    hashed = REEL.streams[0]
    times: list[Times] = [(0, 0, 0)] * count
    with pytest.raises(BadInput):
        build_range(hashed.line, first=first, times=times, shift=Fraction(0), subtree=reader_over(hashed.leaves))


def test_leaf_hashes_of_another_number_make_no_marks() -> None:
    hashed = REEL.streams[0]
    with pytest.raises(BadInput):
        build_range(
            hashed.line,
            first=0,
            times=[(0, 0, 0)],
            shift=Fraction(0),
            subtree=reader_over(hashed.leaves),
            leaf_hashes=[bytes(32)] * 2,
        )


def test_a_clip_without_marks_holds_as_well() -> None:
    clip = clip_of(REEL, {0: range(32, 64)})
    assert len(clip.proof["ranges"][0]["marks"]) == 32 * MARK_SIZE * 2
    clip.proof["ranges"][0]["marks"] = ""
    verify_packets(clip.proof, clip.observed)
    del clip.proof["ranges"][0]["marks"]
    verify_packets(clip.proof, clip.observed)


def test_a_range_of_no_packets_is_refused_as_malformed() -> None:
    claim = clip_of(REEL, {0: range(32, 34)}).proof["ranges"][0]
    with pytest.raises(RecordMalformed):
        parse_range({**claim, "count": 0, "packets": [], "marks": ""})


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("stream", "0"),
        ("stream", True),
        ("first", 1.0),
        ("first", -1),
        ("count", 3),
        ("count", None),
        ("packets", []),
        ("packets", [[0, 0], [0, 0, 0]]),
        ("packets", [[0, 0, None], [0, 0, 0]]),
        ("packets", [[2**63, 0, 0], [0, 0, 0]]),
        ("packets", [[True, 0, 0], [0, 0, 0]]),
        ("packets", [{"dts": 0}, [0, 0, 0]]),
        ("packets", "ab"),
        ("shift", 1),
        ("shift", "1/0"),
        ("shift", "1e999999999"),
        ("shift", " 1"),
        ("shift", "1_0"),
        ("shift", "0.5"),
        ("shift", "1" * 50),
        ("left", None),
        ("left", ["AB" * 32]),
        ("left", ["ab" * 31]),
        ("left", [0]),
        ("left", ["ab" * 32] * 129),
        ("marks", "zz" * 8),
        ("marks", "ab" * 7),
        ("marks", 7),
    ],
)
def test_a_range_in_another_form_is_refused_as_malformed(key: str, value: object) -> None:
    claim = clip_of(REEL, {0: range(32, 34)}).proof["ranges"][0]
    parse_range(claim)
    with pytest.raises(RecordMalformed):
        parse_range({**claim, key: value})


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("format", "evidock/clip-proof/v2"),
        ("format", None),
        ("streams", None),
        ("streams", [7]),
        ("streams", ["stream 0 video\n"]),
        ("ranges", None),
        ("ranges", {}),
        ("ranges", [None]),
    ],
)
def test_a_proof_in_another_form_is_refused_as_malformed(key: str, value: object) -> None:
    clip = clip_of(REEL, {0: range(32, 34)})
    with pytest.raises(RecordMalformed):
        verify_packets({**clip.proof, key: value}, clip.observed)


# --- Times ----------------------------------------------------------------------------------


def shift_of(
    times: Sequence[Times],
    packets: Sequence[Times],
    *,
    original: Fraction = Fraction(1, 1000),
    clip: Fraction = Fraction(1, 1000),
) -> Fraction:
    claim = ClipRange(0, 0, Fraction(0), tuple(times), (), (), ())
    seen: list[ObservedPacket] = [(*one, 1, "00" * 32) for one in packets]
    return measured_shift(claim, seen, original_base=original, clip_base=clip)


def test_a_constant_shift_is_measured_exactly_across_time_bases() -> None:
    times = [(40 * n, 40 * n, 40) for n in range(10)]
    seen = [(3600 * n - 7, 3600 * n - 7, 3600) for n in range(10)]
    assert shift_of(times, seen, clip=Fraction(1, 90_000)) == Fraction(-7, 90_000)


def test_one_tick_is_too_much_where_the_clips_ticks_hold_the_originals() -> None:
    seen = [(0, 0, 3600), (3601, 3601, 3600)]
    with pytest.raises(ProofInvalid, match="packet 1"):
        shift_of([(0, 0, 40), (40, 40, 40)], seen, clip=Fraction(1, 90_000))


def test_rounding_to_the_clips_own_ticks_is_allowed_and_two_ticks_are_not() -> None:
    # 21 ms steps of a Matroska file in an MP4 track of 44,100 ticks a second.
    times = [(21 * n, 21 * n, 21) for n in range(200)]
    ticks = [round(Fraction(21 * n * 44_100, 1000)) for n in range(201)]
    seen = [(ticks[n], ticks[n], ticks[n + 1] - ticks[n]) for n in range(200)]
    assert abs(shift_of(times, seen, clip=Fraction(1, 44_100))) <= Fraction(1, 44_100)
    seen[100] = (ticks[100] + 2, ticks[100], seen[100][2])
    with pytest.raises(ProofInvalid, match="packet 100"):
        shift_of(times, seen, clip=Fraction(1, 44_100))


def test_a_clip_coarser_than_its_original_must_still_hold_a_millisecond() -> None:
    times = [(90 * n, 90 * n, 90) for n in range(3)]
    seen = [(n, n, 1) for n in range(3)]
    assert shift_of(times, seen, original=Fraction(1, 90_000), clip=FINE_ENOUGH) == 0
    with pytest.raises(ProofInvalid, match="coarse"):
        shift_of(times, seen, original=Fraction(1, 90_000), clip=FINE_ENOUGH * 2)
    assert shift_of(seen, seen, original=Fraction(1, 25), clip=Fraction(1, 25)) == 0


def test_a_time_the_original_lacks_is_not_compared() -> None:
    assert shift_of([(None, 5, 1), (6, None, 1)], [(4, 5, 1), (6, 9, 1)]) == 0


def test_a_packet_without_any_time_in_the_original_is_refused() -> None:
    with pytest.raises(ProofInvalid, match="no time"):
        shift_of([(0, 0, 1), (None, None, 1)], [(0, 0, 1), (1, 1, 1)])


def test_a_packet_that_lost_its_time_in_the_clip_is_refused() -> None:
    for lost in ((None, 1, 1), (1, None, 1)):
        with pytest.raises(ProofInvalid, match="lost"):
            shift_of([(0, 0, 1), (1, 1, 1)], [(0, 0, 1), lost])


def test_only_the_last_duration_is_free() -> None:
    times = [(0, 0, 2), (2, 2, 2), (4, 4, 2)]
    shift_of(times, [(0, 0, 2), (2, 2, 2), (4, 4, 9)])
    with pytest.raises(ProofInvalid, match=r"packet 1 .* lasts"):
        shift_of(times, [(0, 0, 2), (2, 2, 9), (4, 4, 2)])


def test_a_duration_may_be_the_gap_to_the_next_packet_as_an_mp4_writes_it() -> None:
    times = [(0, 0, 33), (34, 34, 33), (500, 500, 33), (533, 533, 33)]
    shift_of(times, [(0, 0, 34), (34, 34, 466), (500, 500, 33), (533, 533, 33)])


def test_an_unknown_duration_is_not_compared() -> None:
    shift_of([(0, 0, 0), (2, 2, 0)], [(0, 0, 7), (2, 2, 7)])


def test_an_observed_stream_keeps_its_packets_out_of_its_text() -> None:
    seen = ObservedStream(0, "00" * 32, 0, VIDEO_BASE, [(0, 0, 1, 1, "00" * 32)])
    assert "packets" not in repr(seen)
