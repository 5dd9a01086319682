# SPDX-License-Identifier: Apache-2.0
"""This is where the ffmpeg program is told what it may do, run, and its failures become ours.

ffmpeg-python builds the graph and the argument list, and is used for nothing else. Three guards go with
every input, and all three are needed: the demuxer is forced, from our own reading of the bytes (a
playlist named .mp4 would otherwise make ffmpeg open other files, even with a protocol list); protocols are
limited to file and pipe; decoders are limited to those a recorder plausibly writes (rare decoders are where
memory errors are found: CVE-2026-8461 was in one).
"""

import errno
import math
import os
import re
from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, TypeAlias

import ffmpeg

from evidence.errors import (
    BadInput,
    CodecRefused,
    SourceUnavailable,
    StoreUnavailable,
    Unacceptable,
    Unavailable,
    Undecodable,
)
from pipeline.media.codecs import DECODER_WHITELIST
from pipeline.media.limits import Completed, Limits, run_limited
from pipeline.media.recipes import INPUT
from pipeline.media.tools import Tool

# ffmpeg-python has no types; a Stream is one of its nodes.
Stream: TypeAlias = Any

DEMUXERS = "aac,ac3,amr,amrnb,amrwb,asf,avi,flac,flv,jpeg_pipe,matroska,mov,mp3,mpeg,mpegts,ogg,png_pipe,wav,webp_pipe"
# Bare pictures, as we write them ourselves of a file that has no index.
BARE = "h264,hevc"
# 8K video; a photo may be larger. Above it the decoder refuses before it takes memory.
VIDEO_MAX_PIXELS = 36_000_000
PHOTO_MAX_PIXELS = 140_000_000

# One decode and one encode at a time on two threads: the count is fixed because x264's output depends on it.
THREADS = 2

_GLOBAL = ("-nostdin", "-hide_banner", "-v", "error", "-filter_threads", "1", "-filter_complex_threads", "1")
_PROGRESS = ("-progress", "pipe:1", "-stats_period", "0.5")
_REASON_MAX_CHARS = 300
_LONGEST_NUMBER = 20
_ADDRESS = re.compile(r"\[[^\[\]\n]{1,80} @ 0x[0-9a-f]+\] ?")


def guarded_input(*, demuxer: str, max_pixels: int = VIDEO_MAX_PIXELS, **options: str | None) -> Stream:
    """The input node every graph starts from, its path left open as `{input}`.

    `demuxer` may be a list of libav names separated by commas; the first counts.

    Raises:
        BadInput: the demuxer is not one that reads a single file of media.
    """
    name = demuxer.split(",")[0]
    if name not in f"{DEMUXERS},{BARE}".split(","):
        raise BadInput(f"not a demuxer we use: {name!r}", demuxer=name)
    guards = {
        "protocol_whitelist": "file,pipe",
        "codec_whitelist": DECODER_WHITELIST,
        "max_pixels": str(max_pixels),
        "threads": str(THREADS),
    }
    return ffmpeg.input(INPUT, format=name, **guards, **options)


def seconds_option(seconds: Fraction) -> str:
    """`seconds` as ffmpeg's options take them: decimal, rounded up to the microsecond, never by a float."""
    whole, millionths = divmod(math.ceil(seconds * 1_000_000), 1_000_000)
    return f"{whole}.{millionths:06d}"


def output(streams: Sequence[Stream], name: str, *, container: str, **options: str) -> Stream:
    """An output file `name` in the folder the program runs in, the same bytes each time it is made.

    No metadata of the input goes over, no time and no version of the writer is put in.
    """
    plain = {
        "map_metadata": "-1",
        "map_chapters": "-1",
        "fflags": "+bitexact",
        "flags": "+bitexact",
        "threads": str(THREADS),
    }
    return ffmpeg.output(*streams, name, format=container, **{**plain, **options})


def arguments(outputs: Iterable[Stream]) -> tuple[str, ...]:
    """The arguments for `outputs`, without the program; the input is still `{input}`."""
    graph = ffmpeg.merge_outputs(*outputs)
    return (*_GLOBAL, *(str(word) for word in ffmpeg.get_args(graph, overwrite_output=True)))


def run(
    graph: Sequence[str],
    *,
    tool: Tool,
    source: Path,
    scratch: Path,
    limits: Limits,
    seconds: Fraction | None = None,
    on_progress: Callable[[float], None] | None = None,
    on_bytes: Callable[[bytes], None] | None = None,
) -> Completed:
    """Run `graph` (see `arguments`) over `source`, in the folder `scratch`, where its outputs appear.

    With `on_bytes` the graph writes to `pipe:1` and the bytes are handed on. Without, and with `seconds`
    of media known, `on_progress` gets fractions from 0 to 1, never falling.

    Raises:
        Undecodable: hostile or broken media, or a limit reached; the reason is ffmpeg's last word.
        CodecRefused: a stream we would have to decode is of a codec outside the list.
        SourceUnavailable: `source` is not there.
        StoreUnavailable: the disk under `scratch` is full. Worth another try.
        ToolMissing: the program cannot be started.
        SandboxMissing: walls are required, and none stand on this machine.
        Unavailable: it was killed from outside, or the machine has no room for its threads.
    """
    if not source.is_file():
        raise SourceUnavailable(f"no such file: {source.name}", file=source.name)
    # "file:" first, or a name such as "concat:…" or "-y" would be read as something else.
    path = source.resolve()  # a link would lead out of what may be read
    filled = [f"file:{path}" if word == INPUT else word for word in graph]
    progress = [] if on_bytes else [*_PROGRESS]
    ended = run_limited(
        [str(tool.program), *progress, *filled],
        limits=limits,
        cwd=scratch,
        reads=(path,),
        writes=(scratch.absolute(),),
        on_line=None if on_bytes else _Progress(seconds, on_progress).take,
        on_bytes=on_bytes,
    )
    # ffmpeg 5.1 ends with 0 after it could not write the end of a file.
    if ended.returncode != 0 or _is_disk_full(ended):
        raise _failure(ended, path, source.name)
    return ended


class _Progress:
    """Reads the `key=value` lines of `-progress`."""

    __slots__ = ("_best", "_seconds", "_tell")

    def __init__(self, seconds: Fraction | None, tell: Callable[[float], None] | None) -> None:
        self._seconds = seconds
        self._tell = tell
        self._best = 0.0

    def take(self, line: str) -> None:
        key, _, value = line.partition("=")
        if self._tell is None:
            return
        if (key, value) == ("progress", "end"):
            self._tell(1.0)
        # Before the first packet the value is "N/A", and it may be negative. A captured ffmpeg writes what it likes:
        # there are digits that are no number, and numbers too long to read.
        elif key == "out_time_us" and value.isdecimal() and len(value) < _LONGEST_NUMBER and self._seconds:
            self._best = max(self._best, min(1.0, float(Fraction(int(value), 1_000_000) / self._seconds)))
            self._tell(self._best)


def _is_disk_full(ended: Completed) -> bool:
    return any(os.strerror(code) in ended.stderr for code in (errno.ENOSPC, errno.EDQUOT))


def _failure(ended: Completed, path: Path, name: str) -> Unacceptable | Unavailable:
    """What a failed run means for the caller. ffmpeg has no codes for it, so its words decide."""
    # Neither our paths nor the addresses in memory that ffmpeg prints belong in a reason that is kept.
    words = _ADDRESS.sub("", ended.stderr.replace(f"file:{path}", name))
    words = words.replace(f" '{DECODER_WHITELIST}'", "")
    # Text in a file can end up in a message: nothing that could steer a terminal goes on.
    reason = "".join(c if c.isprintable() else " " for c in words.strip()[-_REASON_MAX_CHARS:])
    if _is_disk_full(ended):
        return StoreUnavailable("no space left for derivatives", reason=reason)
    if os.strerror(errno.EAGAIN) in words:
        return Unavailable("the machine lets ffmpeg start no more threads", reason=reason)
    if "not on whitelist" in words:
        return CodecRefused(f"a codec we do not decode: {reason}", reason=reason)
    limit = {"limit": "address_space_bytes"} if os.strerror(errno.ENOMEM) in words else {}
    return Undecodable(f"ffmpeg ended with {ended.returncode}: {reason}", **limit, reason=reason)
