# SPDX-License-Identifier: Apache-2.0
"""This is where clips are forged against their proofs: attacks 16 to 22 of the threat model, and kin."""

from collections.abc import Iterator, Sequence
from copy import deepcopy
from dataclasses import replace
from fractions import Fraction
from hashlib import sha256
from typing import Any

import pytest

from evidence.clip_proof import ObservedStream, packet_part, verify_packets
from evidence.clip_range import parse_range
from evidence.clip_timing import ObservedPacket
from evidence.errors import IntegrityError, ProofInvalid
from evidence.merkle import leaf_hash, reader_over, root_of_joined
from evidence.packet_tree import StreamLine
from tests.support.clip_proofs import MadeClip, clip_of, moved_by, reel, seen_stream

REEL, OTHER = reel("ours"), reel("another")
VIDEO, AUDIO = range(32, 64), range(50, 100)


@pytest.fixture
def clip() -> MadeClip:
    return deepcopy(clip_of(REEL, {0: VIDEO, 1: AUDIO}))


def refused(clip: MadeClip, match: str = ".") -> ProofInvalid:
    with pytest.raises(ProofInvalid, match=match) as caught:
        verify_packets(clip.proof, clip.observed)
    return caught.value


def with_packets(clip: MadeClip, stream: int, packets: Sequence[ObservedPacket]) -> MadeClip:
    observed = [*clip.observed]
    observed[stream] = replace(observed[stream], packets=packets)
    return MadeClip(clip.proof, observed)


def test_the_true_clip_holds(clip: MadeClip) -> None:
    verified = verify_packets(clip.proof, clip.observed)
    assert verified.packet_root.hex() == REEL.root


# --- 16, 17: another range -----------------------------------------------------------------


def test_16_a_clip_whose_proof_is_for_the_neighbouring_range_is_refused(clip: MadeClip) -> None:
    neighbour = clip_of(REEL, {0: range(64, 92), 1: range(100, 141)})
    refused(MadeClip(neighbour.proof, clip.observed))
    same_length = clip_of(REEL, {0: range(60, 92), 1: AUDIO})
    refused(MadeClip(same_length.proof, clip.observed), "stream 0, packet 60 .*31 more")


@pytest.mark.parametrize("step", [-1, 1])
def test_17_a_range_shifted_by_one_leaf_is_refused(clip: MadeClip, step: int) -> None:
    clip.proof["ranges"][0]["first"] += step
    refused(clip, "stream 0")


@pytest.mark.parametrize("step", [-1, 1])
def test_17_a_clip_shifted_by_one_packet_is_refused(clip: MadeClip, step: int) -> None:
    shifted = clip_of(REEL, {0: range(VIDEO.start + step, VIDEO.stop + step), 1: AUDIO})
    refused(MadeClip(clip.proof, shifted.observed), "stream 0, packet 32")


# --- 18: hashes missing, too many, changed ---------------------------------------------------


@pytest.mark.parametrize("stream", [0, 1])
@pytest.mark.parametrize("side", ["left", "right", "extradata_path"])
def test_18_a_proof_one_hash_short_or_one_too_long_is_refused(clip: MadeClip, stream: int, side: str) -> None:
    path = clip.proof["ranges"][stream][side]
    for forged in (
        path[1:],
        path[:-1],
        [*path, path[0]],
        [path[0], *path],
        path[::-1] if len(path) > 1 else [],
    ):
        clip.proof["ranges"][stream][side] = forged
        refused(clip, f"stream {stream}")


def test_18_every_changed_hash_of_a_proof_is_refused(clip: MadeClip) -> None:
    for claim in clip.proof["ranges"]:
        for side in ("left", "right", "extradata_path"):
            for at, honest in enumerate(claim[side]):
                claim[side][at] = sha256(honest.encode()).hexdigest()
                refused(clip, f"stream {claim['stream']}")
                claim[side][at] = honest


# --- 19: a node as a leaf --------------------------------------------------------------------


def test_19_an_interior_node_offered_as_a_leaf_is_refused() -> None:
    # The forger halves the tree: it claims one packet whose leaf is to be the node over two packets.
    hashed = REEL.streams[0]
    leaves = hashed.leaves[: 8 * 32]
    line = replace(hashed.line, leaf_count=8, root=root_of_joined(leaves))
    nodes = [reader_over(leaves)(1, index) for index in range(4)]
    halved = StreamLine(0, "video", "h264", line.time_base, 4, line.root)
    assert root_of_joined(b"".join(nodes)) == line.root
    claim = {
        "stream": 0,
        "first": 1,
        "count": 1,
        "shift": "0",
        "extradata_path": [nodes[1].hex(), leaf_hash(nodes[2] + nodes[3]).hex()],
        "left": [nodes[0].hex(), nodes[1].hex()],
        "right": [nodes[3].hex()],
        "packets": [[0, 0, 512]],
    }
    proof = packet_part([halved], [parse_range(claim)])
    seen = seen_stream(0, REEL.extradata[0], line.time_base, [(0, 0, 512, 64, nodes[2].hex())], Fraction(0))
    refused(MadeClip(proof, [seen]), "stream 0")


# --- 20: another recording -------------------------------------------------------------------


def test_20_a_right_clip_under_another_recordings_root_is_refused(clip: MadeClip) -> None:
    clip.proof["packet_root"] = OTHER.root
    refused(clip, "packet root")


def test_20_a_right_clip_with_another_recordings_streams_is_refused(clip: MadeClip) -> None:
    other = packet_part([one.line for one in OTHER.streams], [])
    clip.proof["packet_root"], clip.proof["streams"] = other["packet_root"], other["streams"]
    refused(clip, "stream 0")


def test_20_one_stream_line_taken_from_another_recording_is_refused(clip: MadeClip) -> None:
    clip.proof["streams"][1] = OTHER.streams[1].line.to_text()
    refused(clip, "packet root")


def test_20_another_recordings_clip_with_our_proof_is_refused(clip: MadeClip) -> None:
    refused(MadeClip(clip.proof, clip_of(OTHER, {0: VIDEO, 1: AUDIO}).observed), "extradata")


def test_20_another_recordings_sound_under_our_pictures_is_refused(clip: MadeClip) -> None:
    other = clip_of(OTHER, {0: VIDEO, 1: AUDIO}).observed
    refused(MadeClip(clip.proof, [clip.observed[0], other[1]]), "stream 1, packet 50 .*49 more")


# --- 21: re-encoded --------------------------------------------------------------------------


def test_21_a_reencoded_clip_labelled_exact_is_refused(clip: MadeClip) -> None:
    again = [
        (dts, pts, duration, size + 3, sha256(digest.encode()).hexdigest())
        for dts, pts, duration, size, digest in clip.observed[0].packets
    ]
    refused(with_packets(clip, 0, again), "stream 0, packet 32 .*31 more")


def test_21_one_changed_packet_is_named(clip: MadeClip) -> None:
    packets = [*clip.observed[0].packets]
    dts, pts, duration, size, _ = packets[5]
    packets[5] = (dts, pts, duration, size, "0" * 64)
    error = refused(with_packets(clip, 0, packets), "stream 0, packet 37 \\(number 5 of the clip\\): not")
    assert error.values == {"stream": 0, "packet": 37}


def test_21_one_changed_packet_is_refused_also_when_the_proof_carries_no_marks(clip: MadeClip) -> None:
    packets = [*clip.observed[0].packets]
    packets[5] = (*packets[5][:3], packets[5][3] + 1, packets[5][4])
    clip.proof["ranges"][0]["marks"] = ""
    refused(with_packets(clip, 0, packets), "packets 32 to 63 are not a run")


def test_21_marks_made_to_match_a_changed_packet_prove_nothing(clip: MadeClip) -> None:
    packets = [*clip.observed[0].packets]
    packets[5] = (*packets[5][:4], "0" * 64)
    forged = with_packets(clip, 0, packets)
    clip.proof["ranges"][0]["marks"] = "00000000" * 32
    refused(forged, "stream 0")


def test_21_parameter_sets_of_another_encoder_are_refused(clip: MadeClip) -> None:
    for size, digest in (
        (10, "0" * 64),
        (clip.observed[0].extradata_size + 1, clip.observed[0].extradata_sha256),
    ):
        seen = replace(clip.observed[0], extradata_size=size, extradata_sha256=digest)
        refused(MadeClip(clip.proof, [seen, clip.observed[1]]), "stream 0: its parameter sets")


# --- 22: spliced -----------------------------------------------------------------------------


def test_22_two_true_ranges_spliced_and_sold_as_one_are_refused(clip: MadeClip) -> None:
    spliced = [*REEL.packets[0][8:24], *REEL.packets[0][40:56]]
    packets = [(512 * n, 512 * n, *one[2:]) for n, one in enumerate(spliced)]
    refused(with_packets(clip, 0, packets), "stream 0, packet 32")
    honest_times = deepcopy(clip)
    honest_times.proof["ranges"][0]["packets"] = [list(one[:3]) for one in spliced]
    refused(with_packets(honest_times, 0, packets), "stream 0")


def test_22_two_ranges_given_for_one_stream_are_refused(clip: MadeClip) -> None:
    first, second = clip_of(REEL, {0: range(8, 24)}), clip_of(REEL, {0: range(40, 56)})
    ranges = [*first.proof["ranges"], *second.proof["ranges"]]
    proof = {**first.proof, "ranges": ranges}
    refused(MadeClip(proof, first.observed), "more than one run")
    refused(MadeClip(proof, [*first.observed, *second.observed]), "more than one run")


@pytest.mark.parametrize("at", [0, 1, 15, 31])
def test_22_a_packet_dropped_doubled_or_swapped_is_refused(clip: MadeClip, at: int) -> None:
    run = [*clip.observed[0].packets]
    dropped = [*run[:at], *run[at + 1 :]]
    doubled = [*run[: at + 1], *run[at:]]
    swapped = [*run]
    swapped[at], swapped[at - 1] = (*run[at][:3], *run[at - 1][3:]), (*run[at - 1][:3], *run[at][3:])
    for forged in (dropped, doubled, swapped):
        refused(with_packets(clip, 0, forged), "stream 0")


def test_22_a_packet_dropped_from_clip_and_proof_alike_is_refused(clip: MadeClip) -> None:
    claim = clip.proof["ranges"][0]
    del claim["packets"][10]
    claim["count"], claim["marks"] = 31, ""
    run = [*clip.observed[0].packets]
    refused(with_packets(clip, 0, [*run[:10], *run[11:]]), "stream 0")


# --- Streams -----------------------------------------------------------------------------------


def test_a_stream_added_to_the_clip_is_refused(clip: MadeClip) -> None:
    extra = replace(clip.observed[1], index_in_original=2)
    refused(MadeClip(clip.proof, [*clip.observed, extra]), "clip holds \\[0, 1, 2\\]")
    refused(MadeClip(clip.proof, [*clip.observed, clip.observed[1]]), "clip holds \\[0, 1, 1\\]")


def test_a_stream_taken_out_of_the_clip_but_not_of_its_proof_is_refused(clip: MadeClip) -> None:
    refused(MadeClip(clip.proof, clip.observed[:1]), "clip holds \\[0\\]")


def test_a_proof_of_nothing_is_refused(clip: MadeClip) -> None:
    clip.proof["ranges"] = []
    refused(MadeClip(clip.proof, []))


def test_a_stream_the_original_never_had_is_refused(clip: MadeClip) -> None:
    clip.proof["ranges"][1]["stream"] = 7
    seen = [clip.observed[0], replace(clip.observed[1], index_in_original=7)]
    refused(MadeClip(clip.proof, seen), "no stream 7")


def test_two_streams_that_change_places_are_refused(clip: MadeClip) -> None:
    swapped = [replace(one, index_in_original=1 - one.index_in_original) for one in clip.observed]
    refused(MadeClip(clip.proof, swapped), "stream 0")


# --- Times -------------------------------------------------------------------------------------


@pytest.mark.parametrize("field", [0, 1])
@pytest.mark.parametrize("at", [0, 9, 31])
def test_one_packet_shown_or_decoded_at_another_time_is_named(clip: MadeClip, field: int, at: int) -> None:
    packets = [*clip.observed[0].packets]
    dts, pts = packets[at][:2]
    late = ((dts or 0) + (field == 0), (pts or 0) + (field == 1))
    packets[at] = (*late, packets[at][2], packets[at][3], packets[at][4])
    refused(with_packets(clip, 0, packets), "stream 0, packet 3" if at == 0 else f"stream 0, packet {32 + at}")


def test_footage_slowed_down_with_its_own_packets_is_refused(clip: MadeClip) -> None:
    slow = [(2 * (d or 0), 2 * (p or 0), 2 * n, size, digest) for d, p, n, size, digest in clip.observed[0].packets]
    refused(with_packets(clip, 0, slow), "stream 0, packet 3[23]")
    slower = replace(clip.observed[0], time_base=clip.observed[0].time_base * 2)
    refused(MadeClip(clip.proof, [slower, clip.observed[1]]), "stream 0")


def test_footage_slowed_down_in_clip_and_proof_alike_is_refused(clip: MadeClip) -> None:
    claim = clip.proof["ranges"][0]
    claim["packets"] = [[2 * dts, 2 * pts, 2 * duration] for dts, pts, duration in claim["packets"]]
    slow = [(2 * (d or 0), 2 * (p or 0), 2 * n, size, digest) for d, p, n, size, digest in clip.observed[0].packets]
    refused(with_packets(clip, 0, slow), "stream 0")


def test_a_time_base_so_coarse_that_any_time_fits_is_refused(clip: MadeClip) -> None:
    coarse = [(0, 0, 0, size, digest) for _, _, _, size, digest in clip.observed[0].packets]
    seen = replace(clip.observed[0], time_base=Fraction(10), packets=coarse)
    refused(MadeClip(clip.proof, [seen, clip.observed[1]]), "coarse")
    for base in (Fraction(0), Fraction(-1, 15_360)):
        refused(MadeClip(clip.proof, [replace(clip.observed[0], time_base=base), clip.observed[1]]))


def test_sound_moved_against_the_pictures_is_refused(clip: MadeClip) -> None:
    late = replace(clip.observed[1], shown_offset=clip.observed[1].shown_offset + 3)
    refused(MadeClip(clip.proof, [clip.observed[0], late]), "stream 1: 0 of the clip is -2 s")


def test_sound_moved_against_the_pictures_with_a_proof_that_says_so_is_refused(clip: MadeClip) -> None:
    clip.proof["ranges"][1]["shift"] = "-2"
    late = replace(clip.observed[1], shown_offset=clip.observed[1].shown_offset + 3)
    refused(MadeClip(clip.proof, [clip.observed[0], late]), "out of step")


def test_sound_moved_a_little_is_refused_when_the_originals_own_offsets_are_known(clip: MadeClip) -> None:
    clip.proof["ranges"][1]["shift"] = "9/10"
    late = replace(clip.observed[1], shown_offset=clip.observed[1].shown_offset + Fraction(1, 10))
    forged = [clip.observed[0], late]
    assert verify_packets(clip.proof, forged).skew == Fraction(1, 10)
    with pytest.raises(ProofInvalid, match="out of step"):
        verify_packets(clip.proof, forged, source_offsets={})


def test_a_stated_shift_that_is_not_the_clips_is_refused(clip: MadeClip) -> None:
    clip.proof["ranges"][0]["shift"] = clip.proof["ranges"][1]["shift"] = "5"
    refused(clip, "stream 0: 0 of the clip is 1 s")


# --- Everything, a little ------------------------------------------------------------------------


WRONG_VALUES: tuple[object, ...] = (None, True, -1, 7, "7", "", [], {}, 1.5, "00" * 32, 2**70)


def leaves_of(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Paths to every number, text and None inside a JSON value."""
    if isinstance(value, dict | list):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for key, inner in items:
            yield from leaves_of(inner, (*path, key))
    else:
        yield path


def test_no_value_of_a_proof_can_be_changed_but_its_marks() -> None:
    small = clip_of(REEL, {0: range(32, 35), 1: range(50, 53)})
    paths = [path for path in leaves_of(small.proof) if "marks" not in path]
    assert len(paths) > 40
    for path in paths:
        for value in WRONG_VALUES:
            assert_changed_proof_is_refused(small, path, value)


def assert_changed_proof_is_refused(clip: MadeClip, path: tuple[Any, ...], value: object) -> None:
    forged = deepcopy(clip.proof)
    holder: Any = forged
    for key in path[:-1]:
        holder = holder[key]
    if holder[path[-1]] == value and type(holder[path[-1]]) is type(value):
        return
    holder[path[-1]] = value
    with pytest.raises(IntegrityError):
        verify_packets(forged, clip.observed)


def test_no_value_of_an_observed_clip_can_be_changed() -> None:
    small = clip_of(REEL, {0: range(32, 35), 1: range(50, 53)})
    for stream, seen in enumerate(small.observed):
        for forged in forged_streams(seen):
            observed = [*small.observed]
            observed[stream] = forged
            refused(MadeClip(small.proof, observed))


def forged_streams(seen: ObservedStream) -> Iterator[ObservedStream]:
    """`seen` with one thing changed; the duration of the last packet is free and left out."""
    yield replace(seen, index_in_original=seen.index_in_original + 1)
    yield replace(seen, extradata_size=seen.extradata_size + 1)
    yield replace(seen, extradata_sha256="0" * 64)
    yield replace(seen, time_base=seen.time_base * Fraction(1001, 1000))
    yield replace(seen, shown_offset=seen.shown_offset + 2 * seen.time_base)
    yield replace(seen, packets=[moved_by(one, 2) for one in seen.packets])
    for at, one in enumerate(seen.packets):
        for changed in forged_packets(one, is_last=at == len(seen.packets) - 1):
            yield replace(seen, packets=[*seen.packets[:at], changed, *seen.packets[at + 1 :]])


def forged_packets(one: ObservedPacket, *, is_last: bool) -> Iterator[ObservedPacket]:
    dts, pts, duration, size, digest = one
    yield None, pts, duration, size, digest
    yield dts, None, duration, size, digest
    yield (dts or 0) + 1, pts, duration, size, digest
    yield dts, (pts or 0) - 1, duration, size, digest
    yield dts, pts, duration, size + 1, digest
    yield dts, pts, duration, size, digest[::-1]
    if not is_last:
        yield dts, pts, duration + 1, size, digest
