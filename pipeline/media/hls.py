# SPDX-License-Identifier: Apache-2.0
"""This is where a proxy is told as HLS: which segments there are, and the bytes of each, cut between key pictures.

No picture is decoded and none is coded: the samples are the proxy's own, moved. No library of media is asked, so
that no walls are needed: boxes are walked in Python, whatever the decoder left behind that made the proxy.

Source: RFC 8216 §3.3 (fragmented MPEG-4), §4.3.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from evidence.errors import NotFound
from evidence.media_time import Span
from pipeline.media.boxes import ReadRange
from pipeline.media.fragments import Fragment, Run, fragment, init_segment
from pipeline.media.sample_tables import Samples, Tables, read_tables

INIT, ENDING, PLAYLIST = "init.mp4", ".m4s", "hls.m3u8"
PLAYLIST_TYPE, SEGMENT_TYPE = "application/vnd.apple.mpegurl", "video/mp4"


@dataclass(frozen=True, slots=True)
class Segment:
    """One segment: what of the recording it shows, and the samples of each track."""

    shown: Span
    runs: tuple[Run, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """All segments of a proxy, in order; the first track is the one that they are cut by."""

    tables: Tables
    tracks: tuple[Samples, ...]
    segments: tuple[Segment, ...]

    @property
    def cost(self) -> int:
        """How many samples it holds in memory."""
        return sum(one.count for one in self.tracks)

    def init(self) -> bytes:
        """The init segment."""
        return init_segment(self.tables.mvhd, self.tracks)

    def numbers(self, wanted: Span | None = None) -> range:
        """The segments that show anything of a stretch; all, without one."""
        if wanted is None:
            return range(len(self.segments))
        inside = [number for number, one in enumerate(self.segments) if one.shown.overlaps(wanted)]
        return range(inside[0], inside[-1] + 1) if inside else range(0)

    def segment(self, number: int) -> Fragment:
        """A segment.

        Raises:
            NotFound: there is none of that number. Undecodable: it would be larger than any of ours.
        """
        return fragment(number + 1, self.one(number).runs)

    def one(self, number: int) -> Segment:
        """The segment of this number, from 0.

        Raises:
            NotFound: there is none.
        """
        if not 0 <= number < len(self.segments):
            raise NotFound(f"no segment {number}")
        return self.segments[number]


def plan(read: ReadRange, size_bytes: int, *, segment_s: int) -> Plan:
    """How an MP4 of ours is cut: at the first key picture after every `segment_s` seconds.

    Raises:
        IndexMissing, Truncated, Undecodable: it is no such MP4.
    """
    tables = read_tables(read, size_bytes)
    main = tables.of("video") or tables.tracks[0]
    tracks = (main, *(one for one in tables.tracks if one is not main))
    cuts = _cuts(main, segment_s)
    shown = main.shown()
    times = [Fraction(int(shown[cut]), main.timescale) for cut in cuts]
    ends = [*times[1:], _end_of(main)]
    segments = []
    for number, (start, end) in enumerate(zip(times, ends, strict=True)):
        until = cuts[number + 1] if number + 1 < len(cuts) else main.count
        others = (_beside(one, times, number) for one in tracks[1:])
        segments.append(Segment(Span(start, max(start, end)), (Run(main, cuts[number], until), *others)))
    return Plan(tables, tracks, tuple(segments))


def playlist(told: Plan, numbers: Sequence[int]) -> str:
    """The playlist of these segments, a run of them."""
    lengths = [told.segments[number].shown.length for number in numbers]
    longest = max((round(length) for length in lengths), default=1)
    lines = [
        "#EXTM3U",
        "#EXT-X-VERSION:7",
        f"#EXT-X-TARGETDURATION:{max(1, longest)}",
        f"#EXT-X-MEDIA-SEQUENCE:{numbers[0] if numbers else 0}",
        "#EXT-X-PLAYLIST-TYPE:VOD",
        "#EXT-X-INDEPENDENT-SEGMENTS",
        f'#EXT-X-MAP:URI="{INIT}"',
    ]
    for number, length in zip(numbers, lengths, strict=True):
        lines += [f"#EXTINF:{float(length):.6f},", f"{number}{ENDING}"]
    return "\n".join([*lines, "#EXT-X-ENDLIST", ""])


def _cuts(main: Samples, segment_s: int) -> list[int]:
    """The samples that segments begin with: the first, and key pictures at least so many seconds apart."""
    shown = main.shown()
    cuts, last = [0], int(shown[0])
    for key in np.flatnonzero(main.is_key):
        if int(shown[key]) - last >= segment_s * main.timescale:
            cuts.append(int(key))
            last = int(shown[key])
    return cuts


def _end_of(main: Samples) -> Fraction:
    last = int((main.shown() + main.durations).max())
    return Fraction(last, main.timescale)


def _beside(one: Samples, times: Sequence[Fraction], number: int) -> Run:
    """The samples of another track that belong to a segment: those decoded while it is shown."""

    def first_from(at: Fraction) -> int:
        return int(np.searchsorted(one.dts - one.shift, -(-at.numerator * one.timescale // at.denominator)))

    first = first_from(times[number]) if number else 0
    end = first_from(times[number + 1]) if number + 1 < len(times) else one.count
    return Run(one, first, max(first, end))
