# SPDX-License-Identifier: Apache-2.0
"""This is where a clip's packet times are held against the original's: all moved by one constant, or refused.

Times are compared as whole numbers, in units of 1 / (denominator of one base × denominator of the other).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

from evidence.clip_range import ClipRange
from evidence.errors import ProofInvalid

ObservedPacket = tuple[int | None, int | None, int, int, str]
"""dts, pts, duration (ticks), size (bytes) and SHA-256 (hex) of a packet as the clip file holds it."""

FINE_ENOUGH = Fraction(1, 1000)
"""The coarsest time base, in seconds, of a clip whose original has a finer one."""


@dataclass(frozen=True, slots=True)
class _Scale:
    """What makes ticks of the original and of the clip comparable, and how far apart they may be."""

    original: int
    clip: int
    slack: int
    unit: Fraction

    @classmethod
    def between(cls, original: Fraction, clip: Fraction) -> "_Scale":
        # Where every original tick falls on a clip tick, copying is exact; else it rounds, by up to a tick.
        is_exact = (original / clip).denominator == 1
        scaled = clip.numerator * original.denominator
        return cls(
            original=original.numerator * clip.denominator,
            clip=scaled,
            slack=0 if is_exact else scaled,
            unit=Fraction(1, original.denominator * clip.denominator),
        )


def measured_shift(
    claim: ClipRange, packets: Sequence[ObservedPacket], *, original_base: Fraction, clip_base: Fraction
) -> Fraction:
    """Seconds that every packet of the clip stands later than in the original, both in raw time.

    `packets` are the clip's, as many as the claim has. Each dts and pts that the original has must have moved
    by the same constant: exactly, or within a tick of the clip when its time base cannot hold the original's
    ticks. A duration must be the original's, or the original's gap to the next dts; the last one is free, and
    an original duration of 0 is unknown. A time that the original lacks is NOT checked.

    Raises:
        ProofInvalid: a packet that moved otherwise, or that has no time to compare; it names the packet.
    """
    if not 0 < clip_base <= max(original_base, FINE_ENOUGH):
        # A base of whole seconds would make any retiming "within one tick".
        raise ProofInvalid(f"stream {claim.stream}: time base {clip_base} is too coarse", stream=claim.stream)
    scale = _Scale.between(original_base, clip_base)
    low = high = None
    for number, moved in _moves(claim, packets, scale):
        low = moved if low is None else min(low, moved)
        high = moved if high is None else max(high, moved)
        if high - low > scale.slack:
            raise _wrong(claim, number, "has another time than the rest of the clip")
    _check_durations(claim, packets, scale)
    return Fraction((low or 0) + (high or 0), 2) * scale.unit


def _moves(claim: ClipRange, packets: Sequence[ObservedPacket], scale: _Scale) -> Iterator[tuple[int, int]]:
    """How far each dts and pts moved, with the number of its packet."""
    for number, (times, packet) in enumerate(zip(claim.times, packets, strict=True)):
        if times[0] is None and times[1] is None:
            raise _wrong(claim, number, "has no time in the original that could be compared")
        for before, after in zip(times[:2], packet[:2], strict=True):
            if before is not None and after is None:
                raise _wrong(claim, number, "has lost its time")
            if before is not None and after is not None:
                yield number, after * scale.clip - before * scale.original


def _check_durations(claim: ClipRange, packets: Sequence[ObservedPacket], scale: _Scale) -> None:
    for number, (times, following) in enumerate(zip(claim.times, claim.times[1:], strict=False)):
        allowed = [times[2]]
        if times[0] is not None and following[0] is not None:
            allowed.append(following[0] - times[0])  # some containers hold no durations, only the next dts
        shown = packets[number][2] * scale.clip
        if times[2] and all(abs(shown - one * scale.original) > scale.slack for one in allowed):
            raise _wrong(claim, number, "lasts another time than in the original")


def _wrong(claim: ClipRange, number: int, what: str) -> ProofInvalid:
    packet = claim.first + number
    return ProofInvalid(
        f"stream {claim.stream}, packet {packet} (number {number} of the clip) {what}",
        stream=claim.stream,
        packet=packet,
    )
