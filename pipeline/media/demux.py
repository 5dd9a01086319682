# SPDX-License-Identifier: Apache-2.0
"""This is where libav is let near a file: one forced demuxer, no other files, few decoders.

Call this in a process of its own, under limits: whatever a demuxer can be talked into stays there.
"""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import av
from av.container import InputContainer
from av.stream import Discard, Disposition

from evidence.errors import CodecRefused, Undecodable
from pipeline.media.codecs import DECODER_WHITELIST, is_willing

_SAFE = {"protocol_whitelist": "file", "codec_whitelist": DECODER_WHITELIST}
# MP4 says all there is to say: packets as stored, each exactly once, times as stored, nothing inferred.
_AS_STORED = {"ignore_editlist": "1", "fflags": "nofillin+noparse"}
STREAMS_MAX = 32


@contextmanager
def open_media(path: Path, *, demuxer: str) -> Iterator[InputContainer]:
    """Open `path` with `demuxer` and nothing else. MP4 and QuickTime are read as stored, edit lists ignored.

    Raises:
        Undecodable: libav cannot make sense of the file, then or while it is read.
        CodecRefused: a video or audio stream has a codec outside our list.
    """
    options = _SAFE | (_AS_STORED if demuxer == "mov" else {})
    try:
        with av.open(f"file:{path}", format=demuxer, options=options) as media:
            _check_streams(media, is_photo=demuxer.endswith("_pipe"))
            yield media
    except (av.FFmpegError, OSError, ValueError, MemoryError) as error:
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise  # of the table that is written meanwhile: no fault of the file
        raise Undecodable(f"libav cannot read it as {demuxer}: {error}", demuxer=demuxer) from error


def codec_name(stream: av.stream.Stream) -> str:
    """The codec's own name, not its decoder's; `none` when libav knows no codec for the stream."""
    context = getattr(stream, "codec_context", None)
    return str(context.codec.canonical_name) if context is not None else "none"


def extradata_of(stream: av.stream.Stream) -> bytes:
    """The decoder configuration of `stream`; empty where there is none."""
    context = getattr(stream, "codec_context", None)
    return bytes(context.extradata or b"") if context is not None else b""


def is_picture(stream: av.stream.Stream) -> bool:
    """True for a cover picture: libav shows it as a video stream, but it is no footage and never decoded."""
    return bool(stream.disposition & Disposition.attached_pic)


def _check_streams(media: InputContainer, *, is_photo: bool) -> None:
    if not media.streams or len(media.streams) > STREAMS_MAX:
        raise Undecodable(f"{len(media.streams)} streams; from 1 to {STREAMS_MAX} are read")
    for stream in media.streams:
        codec = codec_name(stream)
        if not is_willing(stream.type, codec, is_photo=is_photo) and not is_picture(stream):
            raise CodecRefused(f"{stream.type} codec {codec} is not one we decode", codec=codec, stream=stream.index)
        # Telemetry that libav would skip by itself is evidence too.
        stream.discard = Discard.default
