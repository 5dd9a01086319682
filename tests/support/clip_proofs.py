# SPDX-License-Identifier: Apache-2.0
"""This is where tests get a recording made of packets alone, and true clips of it to be forged."""

import random
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from hashlib import sha256
from typing import Any

from evidence.clip_proof import ObservedStream, packet_part
from evidence.clip_range import build_range
from evidence.clip_timing import ObservedPacket
from evidence.merkle import reader_over
from evidence.packet_tree import HashedStream, StreamTree

VIDEO_BASE, AUDIO_BASE = Fraction(1, 15_360), Fraction(1, 48_000)
REORDERED = (2, 5, 3, 4)  # presentation slots of four packets in decode order: a P-frame, then two B-frames


@dataclass(frozen=True, slots=True)
class Reel:
    """A recording in memory: for each stream its packets, its parameter sets and its hashed tree."""

    packets: tuple[tuple[ObservedPacket, ...], ...]
    extradata: tuple[bytes, ...]
    streams: tuple[HashedStream, ...]

    @property
    def root(self) -> str:
        return str(packet_part([one.line for one in self.streams], [])["packet_root"])


def reel(name: str) -> Reel:
    """Three seconds of H.264 at 30/s with B-frames and of AAC; other names have other payloads."""
    dice = random.Random(name)
    video = [packet(dice, 512 * n, 512 * (n // 4 * 4 + REORDERED[n % 4]), 512) for n in range(92)]
    audio = [packet(dice, 1024 * n, 1024 * n, 1024) for n in range(141)]
    kinds = (("video", "h264", VIDEO_BASE), ("audio", "aac", AUDIO_BASE))
    runs, sets = (tuple(video), tuple(audio)), (f"sps of {name}".encode(), b"\x11\x90")
    hashed = []
    for index, (run, extradata, (kind, codec, base)) in enumerate(zip(runs, sets, kinds, strict=True)):
        tree = StreamTree(index, kind, codec=codec, time_base=base, extradata=extradata)
        for one in run:
            tree.packet(*one)
        hashed.append(tree.finish())
    return Reel(runs, sets, tuple(hashed))


def packet(dice: random.Random, dts: int, pts: int, duration: int) -> ObservedPacket:
    payload = dice.randbytes(dice.randrange(20, 60))
    return dts, pts, duration, len(payload), sha256(payload).hexdigest()


@dataclass(frozen=True, slots=True)
class MadeClip:
    """A clip as a proof and what a reader finds in its file; both JSON-like parts may be forged by a test."""

    proof: dict[str, Any]
    observed: list[ObservedStream]


def clip_of(source: Reel, runs: Mapping[int, range], *, origin: Fraction = Fraction(1)) -> MadeClip:
    """The true clip of these runs of packets; `origin`, in the recording, is its time 0.

    As in an MP4 the raw time of each track starts at 0, and an edit list puts it in its place.
    """
    ranges, observed = [], []
    for index, run in runs.items():
        hashed, packets = source.streams[index], [source.packets[index][at] for at in run]
        start = packets[0][0] or 0
        leaves = [hashed.leaves[(at + 1) * 32 : (at + 2) * 32] for at in run]
        ranges.append(
            build_range(
                hashed.line,
                first=run.start,
                times=[(dts, pts, duration) for dts, pts, duration, _, _ in packets],
                shift=origin,
                subtree=reader_over(hashed.leaves),
                leaf_hashes=leaves,
            )
        )
        extradata, base = source.extradata[index], hashed.line.time_base
        moved = [moved_by(one, -start) for one in packets]
        observed.append(seen_stream(index, extradata, base, moved, start * base - origin))
    return MadeClip(packet_part([one.line for one in source.streams], ranges), observed)


def moved_by(one: ObservedPacket, ticks: int) -> ObservedPacket:
    dts, pts, duration, size, digest = one
    return (
        (None if dts is None else dts + ticks),
        (None if pts is None else pts + ticks),
        duration,
        size,
        digest,
    )


def seen_stream(
    index: int, extradata: bytes, base: Fraction, packets: list[ObservedPacket], offset: Fraction
) -> ObservedStream:
    digest = sha256(extradata).hexdigest()
    return ObservedStream(index, digest, len(extradata), base, packets, offset)
