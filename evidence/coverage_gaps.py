# SPDX-License-Identifier: Apache-2.0
"""This is where a full-process record (全过程音像记录) is searched for gaps (记录间断), explained or not."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta

from evidence import instant
from evidence.coverage_terms import Code, Explained, Filmed, Finding

Span = tuple[datetime, datetime]
_EXPLAINED = (("spoken", Code.GAP_SPOKEN), ("written", Code.GAP_WRITTEN))
_SECOND = timedelta(seconds=1)
_PHOTO = "photo"


def gap_findings(
    stated: Span | None, valid: Sequence[Filmed], explained: Sequence[Explained], *, ignored: timedelta
) -> Iterator[Finding]:
    """Seconds that nothing was filmed of, explained by word, in writing, or by nobody.

    `stated` is from when to when there should be film; None: from the first to the last there is. Interruptions no
    longer than `ignored` are none, and no more is what is left of one around its explanations.
    """
    spans = [span for one in valid if (span := one.span) is not None]
    if not spans:
        return
    whole = stated or (min(span[0] for span in spans), max(span[1] for span in spans))
    # A photo says what was at one instant, whatever length its file claims.
    films = [span for one in valid if one.kind != _PHOTO and (span := one.span) is not None]
    open_ = [gap for gap in without([whole], films) if _length(gap) > ignored]
    for how, code in _EXPLAINED:
        left = without(open_, [(one.start, one.end) for one in explained if one.how == how])
        told = total(open_) - total(left)
        if told > timedelta(0):
            yield Finding(code, {"seconds": told // _SECOND})
        open_ = left
    missing = [gap for gap in open_ if _length(gap) > ignored]
    if missing:
        first = min(missing)
        yield Finding(Code.GAP, {"seconds": total(missing) // _SECOND, "first": instant.to_text(first[0])})


def _length(span: Span) -> timedelta:
    return span[1] - span[0]


def total(spans: Iterable[Span]) -> timedelta:
    """How long spans are together."""
    return sum((_length(span) for span in spans), timedelta(0))


def without(spans: Sequence[Span], taken: Iterable[Span]) -> list[Span]:
    """What is left of `spans`, which share nothing, when all of `taken` is cut out; in order."""
    left = sorted(spans)
    for start, end in taken:
        if start < end:
            left = [piece for span in left for piece in _cut(span, start, end)]
    return left


def _cut(span: Span, start: datetime, end: datetime) -> Iterator[Span]:
    if end <= span[0] or span[1] <= start:
        yield span
        return
    if span[0] < start:
        yield span[0], start
    if end < span[1]:
        yield end, span[1]
