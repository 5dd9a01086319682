# SPDX-License-Identifier: Apache-2.0
"""This is where a segment of a proxy gets its viewer's name in every picture, in a process behind walls.

Only here are pictures of a proxy decoded again, so only here are walls needed. Sound stays as it is.
"""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from evidence.errors import Undecodable
from pipeline.media.boxes import ReadRange, in_memory
from pipeline.media.fragments import Run, fragment, init_segment
from pipeline.media.hls import Plan
from pipeline.media.media_child import ask, limits_for
from pipeline.media.sample_tables import Samples, read_tables

_CHILD = "pipeline.media.marking_child"
_OUT = "marked.mp4"
_OUT_MAX = 64 << 20


@dataclass(frozen=True, slots=True)
class Marked:
    """A segment with a name in its pictures, and the init segment that it is played with."""

    init: bytes
    data: bytes


def mark(told: Plan, number: int, text: str, *, read: ReadRange, folder: Path) -> Marked:
    """Segment `number` of a proxy that `read` reads, with `text` in every picture; `folder` is for what is made.

    Sound alone is left as it is.

    Raises:
        NotFound: there is no such segment. Undecodable: its pictures cannot be read.
        SandboxMissing, StoreUnavailable: worth another try.
    """
    runs = told.one(number).runs
    main = told.tracks[0]
    whole = told.segment(number)
    data = whole.read(0, whole.size_bytes, source=read)
    if main.kind != "video":
        return Marked(told.init(), data)
    made = _pictures(told, number, told.init() + data, text, folder=folder)
    video = _in_place(made, told, number)
    beside = [replace(run, samples=_moved(run.samples, len(made))) for run in runs[1:]]

    def both(at: int, length: int) -> bytes:
        first = made[at : at + length]
        return first + read(max(0, at - len(made)), length - len(first)) if len(first) < length else first

    cut = fragment(number + 1, [Run(video, 0, video.count), *beside])
    init = init_segment(told.tables.mvhd, [video, *told.tracks[1:]])
    return Marked(init, cut.read(0, cut.size_bytes, source=both))


def _pictures(told: Plan, number: int, segment: bytes, text: str, *, folder: Path) -> bytes:
    path, out = folder / "segment.mp4", folder / _OUT
    path.write_bytes(segment)
    place = "below" if number % 2 else "above"
    asked = [str(path), text, place, str(told.tracks[0].timescale), _OUT]
    found = ask(_CHILD, asked, reads=path, folder=folder, limits=limits_for(len(segment)), keeps={_OUT: out})
    run = told.one(number).runs[0]
    if found["frames"] != run.end - run.first or out.stat().st_size > _OUT_MAX:
        raise Undecodable(f"{found['frames']} pictures came out of {run.end - run.first}")
    return out.read_bytes()


def _in_place(made: bytes, told: Plan, number: int) -> Samples:
    """The marked pictures at the times of the segment: in the order they are shown, none skipped at the beginning."""
    video = read_tables(in_memory(made), len(made)).of("video")
    run, main = told.one(number).runs[0], told.tracks[0]
    shown = np.sort(main.shown()[run.first : run.end])
    if video is None or video.count != len(shown) or video.timescale != main.timescale:
        raise Undecodable("the pictures with a name in them are not those that went in")
    end = told.one(number).shown.end * main.timescale
    durations = np.diff(np.append(shown, max(int(end), int(shown[-1]) + 1)))
    return replace(video, shift=0, dts=shown, pts=shown, durations=durations)


def _moved(samples: Samples, by: int) -> Samples:
    return replace(samples, offsets=samples.offsets + by)
