# SPDX-License-Identifier: Apache-2.0
"""This is where the process works that writes a name into pictures: arguments SEGMENT TEXT PLACE TIMESCALE OUT ANSWER.

Every picture of the segment comes out once, at its own time; none refers to one before the first.
"""

import sys
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from evidence.errors import Undecodable
from pipeline.media.demux import open_media
from pipeline.media.letters import Dots, drawn, write_in
from pipeline.media.media_child import answer_with

# As the proxy's own (see transcode), but decodable in the order it is shown, and alike for every segment of a film.
_OPTIONS = {"preset": "veryfast", "crf": "26", "maxrate": "2000k", "bufsize": "4000k", "x264-params": "bframes=0"}
_NOMINAL_RATE = 25


def main(arguments: list[str]) -> None:
    """Write the marked pictures; answer with how many they are."""
    segment, text, place, timescale, out, answer = arguments
    av.logging.set_level(None)
    answer_with(
        lambda: _marked(Path(segment), text, is_below=place == "below", timescale=int(timescale), out=Path(out)),
        Path(answer),
    )


def _marked(segment: Path, text: str, *, is_below: bool, timescale: int, out: Path) -> dict[str, object]:
    count, first, dots = 0, 0, None
    muxing = {"movflags": "+faststart", "video_track_timescale": str(timescale), "use_editlist": "0"}
    with open_media(segment, demuxer="mov") as media, av.open(str(out), "w", format="mp4", options=muxing) as box:
        source = media.streams.video[0]
        source.thread_type = "NONE"
        made = box.add_stream("libx264", rate=_NOMINAL_RATE, options=_OPTIONS)
        made.width, made.height, made.pix_fmt = source.width, source.height, "yuv420p"
        made.codec_context.time_base = Fraction(1, timescale)
        made.codec_context.gop_size = 10_000
        made.codec_context.thread_count = 1
        for frame in media.decode(source):
            if frame.pts is None:
                raise Undecodable("a picture without a time")
            first = frame.pts if not count else first
            dots = drawn(text, width=frame.width) if dots is None else dots
            box.mux(made.encode(_written(frame, dots, is_below=is_below, pts=frame.pts - first, timescale=timescale)))
            count += 1
        box.mux(made.encode(None))
    return {"frames": count}


def _written(frame: av.VideoFrame, dots: Dots, *, is_below: bool, pts: int, timescale: int) -> av.VideoFrame:
    planes = np.ascontiguousarray(frame.to_ndarray(format="yuv420p"), dtype=np.uint8)
    write_in(planes[: frame.height], dots, is_below=is_below)
    made = av.VideoFrame.from_ndarray(planes, format="yuv420p")
    made.pts, made.time_base = pts, Fraction(1, timescale)
    return made


if __name__ == "__main__":
    main(sys.argv[1:])
