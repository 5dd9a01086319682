# SPDX-License-Identifier: Apache-2.0
"""This is where clips are measured: half a minute out of two hours, beside ffmpeg on the same file."""

import json
import random
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from statistics import median
from typing import Any

import imageio_ffmpeg

from app import clocks
from bench.footage import Footage, film_long
from bench.installation import Installation, installed
from bench.result import Goal, Result, at_most, figures_of, mib, milliseconds, paragraphs
from bench.timing import run_program, timed
from evidence import media_time
from evidence.media_time import Span
from pipeline.clip import Clip, clip
from pipeline.inside import examination_of
from pipeline.media.cut import Cut, cut
from storage import layout
from storage.register import search

_SECONDS, _LENGTH = 7200, 30
_CRF = 12  # about 4 Mb/s, so that two hours and their copy fit into 8 GiB
_SEED = 2026
_MIB = 1 << 20
_COLUMNS = ("30 s out of 2 h", "median", "least to most", "of ffmpeg")
_COMPARED = paragraphs("""
Both read the same file: the original as it rests in our store, in the page cache. At each position all five
take turns.

Ours in this process, as a server or worker does it: installation open, nothing of this recording kept from clip
to clip; `cut` reads the packet table and the packets, checks each digest and writes the MP4; `with its proof`
is the whole of `pipeline.clip`: cut, custody event, publication of the log, proof file. It is longer for what
it proves.

Ours as a command: the whole process `evidock clip`, most of which is the start of Python.

Theirs: the whole process `ffmpeg -ss T -t 30 -i FILE -map 0 -c copy OUT.mp4`, of the imageio-ffmpeg wheel;
`start alone` is the same program asked for its version. ffmpeg's clip is not exact at its end and has no proof.

Bytes read: of the original, and of the packet table beside it, as counted at the store's door, against the size
of the finished clip. Requests are ranged reads.
""")


@dataclass(slots=True)
class _Seen:
    """What was measured at all positions."""

    seconds: dict[str, list[float]] = field(default_factory=dict)
    cuts: list[Cut] = field(default_factory=list)
    positions: list[Fraction] = field(default_factory=list)

    def note(self, name: str, taken: float) -> None:
        self.seconds.setdefault(name, []).append(taken)

    def ratio(self, name: str) -> float:
        """Median of the ratios at each position, ours to ffmpeg's."""
        pairs = zip(self.seconds[name], self.seconds[_FFMPEG], strict=True)
        return median(ours / theirs for ours, theirs in pairs)


_FFMPEG, _START = "ffmpeg -ss -t -c copy", "ffmpeg, start alone"
_CUT, _PROOF, _COMMAND = "ours, cut", "ours, with its proof", "ours, as a command"


def measure_clips(folder: Path, *, positions: int) -> Result:
    """Clips of 30 s at random positions of a recording of 2 h."""
    source = film_long(folder / "source", seconds=_SECONDS, grain=0, crf=_CRF)
    with installed(folder / "home") as installation:
        recording = installation.take_in(source.path, steps=("fixity", "seal", "stamp"))
        source.path.unlink()
        seen = _Seen()
        chance = random.Random(_SEED)
        for number in range(positions + 1):
            start = Fraction(chance.randrange((_SECONDS - _LENGTH) * 1000), 1000)
            one = seen if number else _Seen()  # the first is not counted
            _all_at(start, one, installation=installation, recording=recording, folder=folder)
    return _result(source, seen)


def _all_at(start: Fraction, seen: _Seen, *, installation: Installation, recording: str, folder: Path) -> None:
    span = Span(start, start + _LENGTH)
    seen.positions.append(start)
    with installation.ports.register.view() as connection:
        original = search.original(connection, recording)
    with installation.ports.store.local_file(layout.original_key(original["sha256"])) as file:
        seen.note(_FFMPEG, timed(lambda: run_program(_ffmpeg(file, start, folder / "ffmpeg.mp4"))))
    seen.note(_CUT, timed(lambda: _cut(original, span, folder / "cut.mp4", installation)))
    made: list[Clip] = []
    seen.note(_PROOF, timed(lambda: made.append(_clip(recording, span, folder / "clip.mp4", installation))))
    seen.cuts.append(made[0].cut)
    command = _command(recording, span, folder / "command.mp4", installation)
    seen.note(_COMMAND, timed(lambda: json.loads(run_program(command))))
    seen.note(_START, timed(lambda: run_program([imageio_ffmpeg.get_ffmpeg_exe(), "-version"])))


def _ffmpeg(file: Path, start: Fraction, out: Path) -> list[str]:
    timing = ["-ss", f"{float(start):.3f}", "-t", str(_LENGTH)]
    program = [imageio_ffmpeg.get_ffmpeg_exe(), "-nostdin", "-v", "error", "-y"]
    # Objects have no ending: told the format, ffmpeg need not look for it.
    return [*program, *timing, "-f", "mov", "-i", str(file), "-map", "0", "-c", "copy", str(out)]


def _cut(original: search.Row, span: Span, out: Path, installation: Installation) -> Cut:
    store, sha256 = installation.ports.store, original["sha256"]
    examination = examination_of(original)
    return cut(
        table_read=lambda start, length: store.read_range(layout.packets_key(sha256), start, length),
        media_read=lambda start, length: store.read_range(layout.original_key(sha256), start, length),
        packet_root=original["packet_root"],
        seal=None if examination is None else examination.table_seal,
        span=span,
        out=out,
    )


def _clip(recording: str, span: Span, out: Path, installation: Installation) -> Clip:
    return clip(recording, span, out, ports=installation.ports, now=clocks.now(), keys=installation.keys)


def _command(recording: str, span: Span, out: Path, installation: Installation) -> list[str]:
    start, end = (media_time.show(time) for time in (span.start, span.end))
    home = str(installation.settings.home)
    evidock = [sys.executable, "-m", "app", "clip", recording, "--home", home, "--json"]
    return [*evidock, "--from", start, "--to", end, "-o", str(out)]


def _result(source: Footage, seen: _Seen) -> Result:
    rows = [
        (name, *milliseconds(seen.seconds[name]), f"{seen.ratio(name):.2f}")
        for name in (_FFMPEG, _START, _CUT, _PROOF, _COMMAND)
    ]
    told = (
        f"The recording: {float(source.seconds) / 3600:.1f} h, {source.size_bytes / (1 << 30):.2f} GiB, "
        f"{source.bits_per_s / 1e6:.1f} Mb/s of 1080p H.264, a key frame each second, AAC, moov at the end. "
        f"{len(seen.positions)} random positions to the millisecond (seed {_SEED})."
    )
    figures = {
        "positions": [media_time.to_text(start) for start in seen.positions],
        "seconds": {name: figures_of(values) for name, values in seen.seconds.items()},
        "of_ffmpeg": {name: round(seen.ratio(name), 3) for name in (_CUT, _PROOF, _COMMAND)},
        "reading": [_reading(one) for one in seen.cuts],
    }
    title = "A clip of 30 s out of 2 h, against ffmpeg's stream copy"
    reading = tuple(_reading_rows(seen.cuts))
    return Result("clip", title, (*_COMPARED, told), _COLUMNS, (*rows, *reading), figures, _goals(seen))


def _reading(one: Cut) -> dict[str, Any]:
    return {
        "clip_bytes": one.size_bytes,
        "original_bytes_read": one.bytes_read,
        "original_requests": one.requests,
        "table_bytes_read": one.table_bytes_read,
    }


def _reading_rows(cuts: Sequence[Cut]) -> list[tuple[str, ...]]:
    sizes = {
        "size of the clip": [one.size_bytes for one in cuts],
        "read of the original": [one.bytes_read for one in cuts],
        "read of the packet table": [one.table_bytes_read for one in cuts],
    }
    rows = [(name, mib(median(all_)), f"{mib(min(all_))} to {mib(max(all_))}", "") for name, all_ in sizes.items()]
    requests = [one.requests for one in cuts]
    return [*rows, ("requests to the original", f"{median(requests):g}", f"{min(requests)} to {max(requests)}", "")]


def _goals(seen: _Seen) -> tuple[Goal, ...]:
    beyond = max(one.bytes_read + one.table_bytes_read - 1.2 * one.size_bytes for one in seen.cuts)
    is_met = beyond <= _MIB
    told = f"{median((one.bytes_read + one.table_bytes_read) / one.size_bytes for one in seen.cuts):.2f} ×"
    requests = max(one.requests for one in seen.cuts)
    return (
        at_most("clip with its proof, in process, of ffmpeg's time", 1.0, seen.ratio(_PROOF)),
        at_most("cut alone, in process, of ffmpeg's time", 1.0, seen.ratio(_CUT)),
        at_most("whole command, of ffmpeg's time", 1.0, seen.ratio(_COMMAND)),
        Goal("bytes read, table included, of the clip's, at every position", "≤ 1.2 × + 1 MiB", told, is_met),
        Goal("requests to the original, at most", "≤ 4", str(requests), requests <= 4),
    )
