# SPDX-License-Identifier: Apache-2.0
"""This is where the process works that demuxes a stretch: arguments STRETCH NAME DEMUXER PAYLOADS ANSWER."""

import sys
from hashlib import sha256
from pathlib import Path

import av

from pipeline.media.coded_form import FORMS, form_of
from pipeline.media.demux import codec_name, extradata_of, open_media
from pipeline.media.media_child import answer_with


def main(arguments: list[str]) -> None:
    """Write the payload of every packet of the stretch; answer with hash, offset and size of each."""
    stretch, name, demuxer, payloads, answer = arguments
    av.logging.set_level(None)
    answer_with(lambda: _take_apart(Path(stretch), name, demuxer, Path(payloads)), Path(answer))


def _take_apart(stretch: Path, name: str, demuxer: str, payloads: Path) -> dict[str, object]:
    packets: list[list[object]] = []
    with open_media(stretch, demuxer=demuxer) as media, payloads.open("wb") as file:
        shapes = {
            stream.index: FORMS[form_of(codec_name(stream), extradata_of(stream), container=name)]
            for stream in media.streams
        }
        for packet in media.demux():
            if packet.dts is None and not packet.size:
                continue
            payload = shapes[packet.stream_index](memoryview(packet))
            packets.append([sha256(payload).hexdigest(), file.tell(), memoryview(payload).nbytes])
            file.write(payload)
    return {"packets": packets}


if __name__ == "__main__":
    main(sys.argv[1:])
