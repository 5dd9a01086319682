# SPDX-License-Identifier: Apache-2.0
"""This is where two fingerprints are laid side by side, to say which seconds of one are in the other.

Every shift in time between the two is a line; on the right one, looks agree sample after sample, and
the same things move. Agreement of a single sample means little, so only a run counts. Motion decides
where looks cannot: all hours of a fixed camera look alike. Not covered: another speed, mirrored,
turned, or heavily cropped footage.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

from evidence.errors import BadInput
from evidence.fingerprint import LOOK_BITS, Fingerprint
from evidence.media_time import Span

# Unrelated pictures differ in about 128 of 256 bits, and in under 92 of them in no pair of 200,000
# measured; the same picture re-encoded in under 20, with a twentieth cut off its sides in about 45.
NEAR_BITS = 88
TEXTURE_MIN = 5  # sixteenths of a grey level: fog, a covered lens or black have less
RUN_MIN = 4  # samples that say something

_SAME_MOTION = 0.2  # share of moving cells in common; by chance it is about 0.05
_MOTION_CELLS_MIN = 12  # fewer moving cells in a run say nothing either way
_STRENGTH_MIN = 1.0
_LINES = 12
_ABSTAIN = -0.02
_DROP = 1.5  # agreement lost in a row: three or four samples of another picture


@dataclass(frozen=True, slots=True)
class Match:
    """These seconds of the query resemble these seconds of the reference.

    score: 0 to 1, share of agreement of what was seen. is_placed: False when other seconds of the
    reference resemble the query nearly as well, as when nothing moves: the scene is found, the time is not.
    """

    reference: Span
    query: Span
    score: float
    is_placed: bool


def match(query: Fingerprint, reference: Fingerprint) -> list[Match]:
    """Where parts of `query` are in `reference`, strongest first; each second of the query at most once.

    The query's rate is the reference's or a whole multiple of it: at four times the rate, footage that
    shakes is still found wherever its first frame fell between two samples. Flat pictures take no part.
    Spans are right to about one sample of the reference. Time grows with the product of both lengths.

    Raises:
        BadInput: the query's rate is not a whole multiple of the reference's.
    """
    ratio = query.rate / reference.rate
    if ratio.denominator != 1:
        raise BadInput(f"a query at {query.rate}/s cannot be laid over samples at {reference.rate}/s")
    phases = [_Phase.of(query, phase, int(ratio)) for phase in range(int(ratio))]
    seen = _Phase.of(reference, 0, 1)
    runs = [run for phase, line in _best_lines(phases, seen) for run in _runs(phase, seen, line)]
    runs.sort(key=lambda run: -run.strength)
    chosen: list[_Run] = []
    for run in runs:
        if not any(run.shares_query_with(better) for better in chosen):
            chosen.append(run)
    return [
        run.as_match(query, reference, is_placed=not any(run.is_rivalled_by(other) for other in runs)) for run in chosen
    ]


@dataclass(frozen=True, slots=True)
class _Phase:
    """Every n-th sample of a fingerprint; `start` is where the first lies, counted in such steps."""

    start: Fraction
    looks: Sequence[int]
    motions: Sequence[int]
    is_telling: Sequence[bool]

    @classmethod
    def of(cls, whole: Fingerprint, phase: int, step: int) -> "_Phase":
        return cls(
            Fraction(phase, step),
            whole.looks[phase::step],
            whole.motions[phase::step],
            [texture >= TEXTURE_MIN for texture in whole.textures[phase::step]],
        )


def _agreement(query: _Phase, i: int, reference: _Phase, j: int) -> float:
    """From -1.5 (another picture) over 0 (says nothing) to 2 (same picture, same motion)."""
    differing = (query.looks[i] ^ reference.looks[j]).bit_count()
    alike = 1 - differing / NEAR_BITS
    both, either = _motion(query, i, reference, j)
    if either == 0 or alike <= 0:
        return alike
    return alike + max(-1.0, min(1.0, (both - _SAME_MOTION * either) / 8))


def _motion(query: _Phase, i: int, reference: _Phase, j: int) -> tuple[int, int]:
    """Cells that changed the same way in both, and in at least one. Of a first sample nothing is known."""
    if i == 0 or j == 0:
        return 0, 0
    a, b = query.motions[i], reference.motions[j]
    return (a & b).bit_count(), (a | b).bit_count()


def _best_lines(phases: Sequence[_Phase], reference: _Phase) -> list[tuple[_Phase, int]]:
    """The shifts (reference index minus query index) with most agreement, each at least two samples apart."""
    found: list[tuple[float, Fraction, _Phase, int]] = []
    for phase in phases:
        for line, strength in enumerate(_strengths(phase, reference), start=1 - len(phase.looks)):
            if strength >= _STRENGTH_MIN / 2:
                found.append((strength, line - phase.start, phase, line))
    found.sort(key=lambda entry: (-entry[0], entry[1]))
    chosen: list[tuple[float, Fraction, _Phase, int]] = []
    for entry in found:
        if len(chosen) < _LINES and all(abs(entry[1] - other[1]) >= 2 for other in chosen):
            chosen.append(entry)
    return [(phase, line) for _, _, phase, line in chosen]


def _strengths(query: _Phase, reference: _Phase) -> list[float]:
    """Agreement summed over each line, from the most negative shift to the most positive."""
    strengths = [0.0] * (len(query.looks) + len(reference.looks))
    telling = [j for j, tells in enumerate(reference.is_telling) if tells]
    looks = [reference.looks[j] for j in telling]
    for i, look in enumerate(query.looks):
        if not query.is_telling[i]:
            continue
        first = len(query.looks) - 1 - i
        # The inner loop of everything: look for near pictures first, and weigh only those.
        near = [j for j, other in zip(telling, looks, strict=True) if (look ^ other).bit_count() < NEAR_BITS]
        for j in near:
            strengths[first + j] += _agreement(query, i, reference, j)
    return strengths


@dataclass(frozen=True, slots=True)
class _Run:
    """Samples `first` to `last` of a query's phase, on one line."""

    phase: _Phase
    line: int
    first: int
    last: int
    strength: float
    differing: float

    def shares_query_with(self, other: "_Run") -> bool:
        return self.first <= other.last and other.first <= self.last

    def is_rivalled_by(self, other: "_Run") -> bool:
        """True for another line that explains much of the same query nearly as well."""
        common = min(self.last, other.last) - max(self.first, other.first) + 1
        return (
            other.line != self.line and 2 * common > self.last - self.first + 1 and other.strength > 0.9 * self.strength
        )

    def as_match(self, query: Fingerprint, reference: Fingerprint, *, is_placed: bool) -> Match:
        rate = reference.rate
        start = (self.first + self.phase.start) / rate
        at = (self.first + self.line) / rate
        # A sample stands for the time until the next one, but the last of the query ends with it.
        length = min((self.last - self.first + 1) / rate, len(query) / query.rate - start)
        score = max(0.0, 1 - 2 * self.differing / LOOK_BITS)
        return Match(Span(at, at + length), Span(start, start + length), round(score, 3), is_placed)


def _runs(query: _Phase, reference: _Phase, line: int) -> Iterator[_Run]:
    """The parts of one line where agreement adds up, best first, none overlapping."""
    begin, end = max(0, -line), min(len(query.looks), len(reference.looks) - line)
    weights = [
        _agreement(query, i, reference, i + line)
        if query.is_telling[i] and reference.is_telling[i + line]
        else _ABSTAIN
        for i in range(begin, end)
    ]
    stack = [(0, len(weights))]
    while stack:
        low, high = stack.pop()
        if high - low < RUN_MIN:
            continue
        first, last, strength = _heaviest(weights, low, high)
        if strength < _STRENGTH_MIN:
            continue
        stack += [(low, first), (last + 1, high)]
        run = _weighed(query, reference, line, begin + first, begin + last, strength)
        if run:
            yield run


def _heaviest(weights: Sequence[float], low: int, high: int) -> tuple[int, int, float]:
    """First and last index, and sum, of the stretch of `weights[low:high]` with the greatest sum.

    Seconds that disagree end a stretch, however much agreement follows: they were replaced.
    """
    best = (low, low, weights[low])
    start, total, peak = low, 0.0, 0.0
    for index in range(low, high):
        if total <= 0 or total < peak - _DROP:
            start, total, peak = index, 0.0, 0.0
        total += weights[index]
        peak = max(peak, total)
        if total > best[2]:
            best = (start, index, total)
    return best


def _weighed(query: _Phase, reference: _Phase, line: int, first: int, last: int, strength: float) -> _Run | None:
    """The run, unless it is too short, or things move in it that moved otherwise in the reference."""
    pairs = [(i, i + line) for i in range(first, last + 1)]
    telling = [(i, j) for i, j in pairs if query.is_telling[i] and reference.is_telling[j]]
    if len(telling) < RUN_MIN:
        return None
    motion = [_motion(query, i, reference, j) for i, j in telling]
    both, either = sum(b for b, _ in motion), sum(e for _, e in motion)
    if either >= _MOTION_CELLS_MIN and both < _SAME_MOTION * either:
        return None
    differing = sum((query.looks[i] ^ reference.looks[j]).bit_count() for i, j in telling)
    return _Run(query, line, first, last, strength, differing / len(telling))
