# SPDX-License-Identifier: Apache-2.0
"""This is where the process works that measures how loud sound is: arguments SOUND START_MS LENGTH_MS ANSWER."""

import sys
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from pipeline.media.demux import open_media
from pipeline.media.media_child import answer_with

_RATE = 48_000
_PER_S = 10


def main(arguments: list[str]) -> None:
    """Answer with the highest of each tenth of a second, from 0 to 255."""
    sound, start_ms, length_ms, answer = arguments
    av.logging.set_level(None)
    answer_with(lambda: _peaks(Path(sound), int(start_ms), int(length_ms)), Path(answer))


def _peaks(sound: Path, start_ms: int, length_ms: int) -> dict[str, object]:
    tenths = -(-length_ms * _PER_S // 1000)
    loud = np.zeros(tenths * (_RATE // _PER_S), np.uint8)
    with open_media(sound, demuxer="mov") as media:
        resampler = av.AudioResampler(format="fltp", layout="mono", rate=_RATE)
        for frame in media.decode(media.streams.audio[0]):
            for plain in resampler.resample(frame):
                _put(loud, plain, Fraction(start_ms, 1000))
    return {"peaks": [int(one) for one in loud.reshape(tenths, -1).max(axis=1)]}


def _put(loud: "np.typing.NDArray[np.uint8]", frame: av.AudioFrame, start: Fraction) -> None:
    if frame.pts is None or frame.time_base is None:
        return
    at = round((frame.pts * frame.time_base - start) * _RATE)
    values = np.minimum(255, np.abs(frame.to_ndarray()[0]) * 255 + 0.5).astype(np.uint8)
    values = values[max(0, -at) :]
    at = max(0, at)
    room = loud[at : at + len(values)]
    np.maximum(room, values[: len(room)], out=room)


if __name__ == "__main__":
    main(sys.argv[1:])
