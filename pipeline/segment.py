# SPDX-License-Identifier: Apache-2.0
"""This is where a recording is divided: half-open spans that begin where a decoder may begin.

Cuts fall on the first random-access point at or after every ten seconds, so that a segment can be
played and cut without what came before it. Sound has no such points and is cut at the ten seconds;
a photo or a document is one segment without length.
"""

from collections.abc import Sequence
from datetime import datetime
from fractions import Fraction

from evidence import media_time
from evidence.custody import Happening
from evidence.media_time import Span
from pipeline.inside import examination_of
from pipeline.outcome import Done, about
from pipeline.ports import Ports, Progress
from storage.register import search

TARGET = Fraction(10)


def segment(recording: str, *, ports: Ports, now: datetime, progress: Progress) -> Done:
    """Divide a sealed recording into segments.

    Repeat: the segments are a function of the packet table, and are written as a whole.
    """
    with ports.register.view() as connection:
        original = search.original(connection, recording)
    examination = examination_of(original)
    if examination is None:
        return Done(halt=True)
    spans = divide(examination.duration, examination.random_access)
    told = {"segments": [[media_time.to_text(span.start), media_time.to_text(span.end)] for span in spans]}
    return Done((Happening("segmented", about(recording), facts={"count": len(spans)}, detail=told),))


def divide(duration: Fraction, random_access: Sequence[Fraction], *, target: Fraction = TARGET) -> list[Span]:
    """Spans that cover `[0, duration)` without gap or overlap, cut at random-access points.

    Without any such point the cuts fall on multiples of `target`. A rest shorter than a third of
    the target joins the span before it.
    """
    points = list(random_access) or [target * number for number in range(1, int(duration / target) + 1)]
    cuts, wanted = [Fraction(0)], target
    for point in sorted(points):
        if point >= wanted and duration - point >= target / 3:
            cuts.append(point)
            wanted = point + target
    return [Span(start, end) for start, end in zip(cuts, [*cuts[1:], duration], strict=True)]
