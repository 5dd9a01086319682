# SPDX-License-Identifier: Apache-2.0
"""This is where a clip is proven to be whole coded packets of one recording, in order and in step.

A proof file holds, besides the custody parts that others fill in:

    {"format": "evidock/clip-proof/v1", "packet_root": hex,
     "streams": [stream line of packet_tree, ...], "ranges": [range of clip_range, ...]}

`verify_packets` proves: every stream of the clip is one unbroken run of packets of the stream it names, with
the original's parameter sets; all its packets moved in time by one constant; the streams stayed in step.
NOT proven here: that `packet_root` is the recording's (its signed record says so), where the edit lists make
a player start and stop, and what the container tells it besides packets and times (title, rotation).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from evidence.clip_range import MARK_SIZE, ClipRange, parse_range
from evidence.clip_timing import ObservedPacket, measured_shift
from evidence.errors import ProofInvalid, RecordMalformed
from evidence.media_time import Span
from evidence.merkle import leaf_hash, verify_inclusion, verify_range
from evidence.packet_tree import StreamLine, extradata_leaf, packet_leaf, packet_root, parse_stream

FORMAT = "evidock/clip-proof/v1"

MAX_UNPROVEN_SKEW = Fraction(1, 2)
"""Seconds that streams may be out of step when the original's own offsets are not given: about what encoder
delay and reordering make. More needs `source_offsets`."""


@dataclass(frozen=True, slots=True)
class ObservedStream:
    """One stream as demuxed from the clip file: packets in file order, raw ticks, edit lists ignored.

    `shown_offset`: seconds that the clip's container adds to this stream's raw time before a player shows it
    (its edit list). In an MP4 every track's raw time starts at 0: only edit lists keep the tracks in step.
    """

    index_in_original: int
    extradata_sha256: str
    extradata_size: int
    time_base: Fraction
    packets: Sequence[ObservedPacket] = field(repr=False)
    shown_offset: Fraction = Fraction(0)


@dataclass(frozen=True, slots=True)
class VerifiedStream:
    """One stream of a clip that holds: packets `[first, first + count)` of the original's stream `index`.

    `origin`: time of the original that stands at 0 of the clip. `covers`: from the earliest presentation time
    to the latest end of a packet, hidden ones included. Both are presentation times of the original where
    `source_offsets` were given, raw times otherwise.
    """

    index: int
    media_type: str
    codec: str
    first: int
    count: int
    origin: Fraction
    covers: Span


@dataclass(frozen=True, slots=True)
class VerifiedClip:
    """A clip whose packets are those of the original with this packet root.

    `skew`: seconds between the most different origins of its streams.
    """

    packet_root: bytes
    streams: tuple[VerifiedStream, ...]
    skew: Fraction


def packet_part(streams: Sequence[StreamLine], ranges: Sequence[ClipRange]) -> dict[str, object]:
    """The keys of a proof file that `verify_packets` reads.

    `streams` are all streams of the original, also those the clip leaves out.
    """
    return {
        "format": FORMAT,
        "packet_root": packet_root(streams).hex(),
        "streams": [stream.to_text() for stream in streams],
        "ranges": [one.to_json() for one in ranges],
    }


def verify_packets(
    proof: Mapping[str, object],
    observed: Sequence[ObservedStream],
    *,
    source_offsets: Mapping[int, Fraction] | None = None,
) -> VerifiedClip:
    """Return only when every packet of the clip is the original's, under `proof["packet_root"]`.

    `source_offsets`: for each stream the seconds that the ORIGINAL's container adds to raw time before a
    player shows it (its edit lists), from a source that is itself proven. With them the streams must be in
    step to one tick of the clip; without, to `MAX_UNPROVEN_SKEW`.

    Raises:
        ProofInvalid: something does not hold; names the stream and, where it can be told, the packet.
        RecordMalformed: the proof is not of this form.
    """
    lines = _stream_lines(proof)
    claims = _claims(proof)
    seen = {stream.index_in_original: stream for stream in observed}
    if not claims or len(seen) != len(observed) or sorted(claims) != sorted(seen):
        found = [stream.index_in_original for stream in observed]
        raise ProofInvalid(f"the proof speaks of streams {sorted(claims)}, the clip holds {sorted(found)}")
    offsets = source_offsets or {}
    streams = []
    for index, claim in sorted(claims.items()):
        if index not in lines:
            raise ProofInvalid(f"the original has no stream {index}", stream=index)
        _check_leaves(claim, lines[index], seen[index])
        streams.append(_timed(claim, lines[index], seen[index], offset=offsets.get(index, Fraction(0))))
    skew = _skew(streams)
    _check_step(skew, observed, is_exact=source_offsets is not None)
    return VerifiedClip(packet_root(list(lines.values())), tuple(streams), skew)


def _stream_lines(proof: Mapping[str, object]) -> dict[int, StreamLine]:
    """The original's streams, once they lead to the packet root that the proof states."""
    texts = proof.get("streams")
    if proof.get("format") != FORMAT or not isinstance(texts, list):
        raise RecordMalformed(f"not a clip proof of form {FORMAT}")
    if not all(isinstance(text, str) for text in texts):
        raise RecordMalformed("streams of a clip proof are not lines of text")
    lines = [parse_stream(text) for text in texts]
    if packet_root(lines).hex() != proof.get("packet_root"):
        raise ProofInvalid("the stream lines of the proof do not lead to its packet root")
    return {line.index: line for line in lines}


def _claims(proof: Mapping[str, object]) -> dict[int, ClipRange]:
    ranges = proof.get("ranges")
    if not isinstance(ranges, list):
        raise RecordMalformed("ranges of a clip proof are not a list")
    claims = [parse_range(claim) for claim in ranges]
    found = {claim.stream: claim for claim in claims}
    if len(found) != len(claims):
        # Two true runs after one another are a splice, whatever each of them proves.
        raise ProofInvalid("the proof gives one stream of the clip in more than one run of packets")
    return found


def _check_leaves(claim: ClipRange, line: StreamLine, seen: ObservedStream) -> None:
    """The clip's packets and parameter sets, with the original's times, must lead to the stream's root."""
    if len(seen.packets) != claim.count:
        held = len(seen.packets)
        raise _broken(claim, f"the proof speaks of {claim.count} packets, the clip holds {held}")
    extradata = leaf_hash(extradata_leaf(seen.extradata_size, seen.extradata_sha256))
    leaves = [
        leaf_hash(packet_leaf(*times, packet[3], packet[4]))
        for times, packet in zip(claim.times, seen.packets, strict=True)
    ]
    try:
        verify_inclusion(extradata, 0, line.leaf_count, claim.extradata_path, line.root)
    except ProofInvalid as error:
        raise _broken(claim, "its parameter sets (extradata) are not the original's") from error
    try:
        verify_range(leaves, claim.first + 1, line.leaf_count, claim.left, claim.right, line.root)
    except ProofInvalid as error:
        raise _not_the_original(claim, leaves) from error


def _broken(claim: ClipRange, what: str) -> ProofInvalid:
    return ProofInvalid(f"stream {claim.stream}: {what}", stream=claim.stream)


def _not_the_original(claim: ClipRange, leaves: Sequence[bytes]) -> ProofInvalid:
    """The error for packets that do not lead to the root; marks, when honest, tell which ones."""
    marks = [claim.marks[at : at + MARK_SIZE] for at in range(0, len(claim.marks), MARK_SIZE)]
    wrong = [
        claim.first + number
        for number, (leaf, mark) in enumerate(zip(leaves, marks, strict=False))
        if leaf[:MARK_SIZE] != mark
    ]
    if not wrong:
        last = claim.first + claim.count - 1
        return _broken(claim, f"packets {claim.first} to {last} are not a run of the original")
    more = f" and {len(wrong) - 1} more" if len(wrong) > 1 else ""
    where = f"packet {wrong[0]} (number {wrong[0] - claim.first} of the clip)"
    what = f"stream {claim.stream}, {where}{more}: not the original's"
    return ProofInvalid(what, stream=claim.stream, packet=wrong[0])


def _timed(claim: ClipRange, line: StreamLine, seen: ObservedStream, *, offset: Fraction) -> VerifiedStream:
    moved = measured_shift(claim, seen.packets, original_base=line.time_base, clip_base=seen.time_base)
    shift = -(moved + seen.shown_offset)
    if abs(shift - claim.shift) > seen.time_base:
        raise _broken(claim, f"0 of the clip is {shift} s of the original, the proof says {claim.shift}")
    return VerifiedStream(
        index=line.index,
        media_type=line.media_type,
        codec=line.codec,
        first=claim.first,
        count=claim.count,
        origin=shift + offset,
        covers=_covered(claim, line, offset=offset),
    )


def _covered(claim: ClipRange, line: StreamLine, *, offset: Fraction) -> Span:
    starts = [(dts if pts is None else pts) or 0 for dts, pts, _ in claim.times]
    ends = [start + max(0, times[2]) for start, times in zip(starts, claim.times, strict=True)]
    return Span(min(starts) * line.time_base + offset, max(ends) * line.time_base + offset)


def _skew(streams: Sequence[VerifiedStream]) -> Fraction:
    origins = [stream.origin for stream in streams]
    return max(origins) - min(origins)


def _check_step(skew: Fraction, observed: Sequence[ObservedStream], *, is_exact: bool) -> None:
    allowed = max(stream.time_base for stream in observed) if is_exact else MAX_UNPROVEN_SKEW
    if skew > allowed:
        raise ProofInvalid(f"the streams of the clip are {skew} s out of step; {allowed} s is allowed")
