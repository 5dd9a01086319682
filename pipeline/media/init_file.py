# SPDX-License-Identifier: Apache-2.0
"""This is where a recording that is not MP4 gets the empty MP4 its clips are built around.

Of each stream a few packets are muxed into a small MP4 (QuickTime where MP4 has no place for the
codec); what is kept of it is the description of the track. MP4 sources bring their own.
"""

import io
from dataclasses import dataclass
from pathlib import Path

import av
from av.container import InputContainer
from av.stream import Stream

from pipeline.media.boxes import in_memory, make_box
from pipeline.media.demux import extradata_of, is_picture, open_media
from pipeline.media.mp4_tracks import read_movie

_PACKETS_PER_STREAM = 8
_PACKETS_IN_ALL = 4000


@dataclass(frozen=True, slots=True)
class Init:
    """`data`: an MP4 without samples; `tracks` and `extradata` by index of the streams it describes."""

    data: bytes
    tracks: dict[int, int]
    extradata: dict[int, bytes]


def make_init(path: Path, *, demuxer: str) -> Init:
    """The init file for the video and audio streams of `path` that MP4 or QuickTime can carry.

    Raises:
        Undecodable, CodecRefused: as `open_media`.
    """
    with open_media(path, demuxer=demuxer) as media:
        samples = _first_packets(media)
        made = {index: _mux_one(packets) for index, packets in samples.items()}
    tracks: dict[int, int] = {}
    extradata: dict[int, bytes] = {}
    templates = []
    mvhd = ftyp = b""
    for index, data in made.items():
        if data is None:
            continue
        movie = read_movie(in_memory(data), len(data))
        mvhd, ftyp = movie.mvhd, max(ftyp, movie.ftyp, key=lambda box: box[8:12] == b"qt  ")
        tracks[index] = len(tracks) + 1
        extradata[index] = _observed_extradata(data)
        templates.append(_renumbered(movie.tracks[0].template, tracks[index]))
    return Init(ftyp + make_box(b"moov", mvhd, *templates), tracks, extradata)


def _first_packets(media: InputContainer) -> "dict[int, list[av.Packet[Stream]]]":
    wanted = [stream for stream in media.streams if stream.type in ("video", "audio") and not is_picture(stream)]
    found: dict[int, list[av.Packet[Stream]]] = {stream.index: [] for stream in wanted}
    for number, packet in enumerate(media.demux(wanted)):
        if packet.size and len(found[packet.stream_index]) < _PACKETS_PER_STREAM:
            found[packet.stream_index].append(packet)
        if number > _PACKETS_IN_ALL or all(len(kept) == _PACKETS_PER_STREAM for kept in found.values()):
            break
    return found


def _mux_one(packets: list["av.Packet[Stream]"]) -> bytes | None:
    """A small file of one stream, or None where neither MP4 nor QuickTime takes its codec."""
    for name in ("mp4", "mov") if packets else ():
        out = io.BytesIO()
        try:
            with av.open(out, "w", format=name, options={"fflags": "+bitexact"}) as file:
                stream = file.add_stream_from_template(packets[0].stream)
                if stream.codec_context.name == "hevc":
                    stream.codec_context.codec_tag = "hvc1"
                for number, packet in enumerate(packets):
                    packet.dts = packet.pts = number * (packet.duration or 1)
                    packet.stream = stream
                    file.mux(packet)
            return out.getvalue()
        except (av.FFmpegError, ValueError):
            continue
    return None


def _observed_extradata(data: bytes) -> bytes:
    """What a reader of a clip will see: the same bytes must be hashed on both sides."""
    with av.open(io.BytesIO(data), format="mov") as file:
        return extradata_of(file.streams[0])


def _renumbered(template: bytes, track_id: int) -> bytes:
    """The `trak` box with another track number; `tkhd` is its first child (see `mp4_tracks`)."""
    at = 8 + 8 + (20 if template[16] == 1 else 12)
    return template[:at] + track_id.to_bytes(4, "big") + template[at + 4 :]
