# SPDX-License-Identifier: Apache-2.0
"""This is where the sound of a recording is told as a curve: how loud each tenth of a second is.

Made of the proxy, and only of the stretch that is asked for, in a process behind walls; nothing of it is kept at rest.
"""

import json
from fractions import Fraction

from evidence.errors import BadInput, NotFound
from evidence.media_time import Span, to_text
from pipeline.media.boxes import ReadRange
from pipeline.media.fragments import Run, fragment, init_segment
from pipeline.media.hls import Plan
from pipeline.media.media_child import ask, limits_for
from pipeline.media.sample_tables import Samples
from pipeline.ports import Ports
from pipeline.scratch import scratch
from storage.durable import store_errors

INTERVAL_MS = 100
_CHILD = "pipeline.media.waveform_child"
_BEFORE_S = 1  # a decoder needs a few frames to find its feet


def waveform(told: Plan, read: ReadRange, *, part: Span | None, longest_s: int, ports: Ports) -> bytes:
    """JSON: `interval_ms`, `from` in exact seconds, and `peaks` from 0 to 255; `read` reads the proxy of `told`.

    Raises:
        NotFound: it has no sound. BadInput: the stretch is longer than `longest_s`.
        Undecodable: the sound cannot be read. SandboxMissing, StoreUnavailable: worth another try.
    """
    sound = told.tables.of("audio")
    if sound is None:
        raise NotFound("this recording has no sound")
    wanted = _within(told, part)
    if wanted.length > longest_s:
        raise BadInput(f"at most {longest_s} s of sound at once: name from and to", longest_s=longest_s)
    first, end = _numbers(sound, wanted)
    cut = fragment(1, [Run(sound, first, end)])
    with store_errors("there is no working with files in the scratch folder"), scratch(ports.spool) as folder:
        path = folder / "sound.mp4"
        path.write_bytes(init_segment(told.tables.mvhd, [sound]) + cut.read(0, cut.size_bytes, source=read))
        start_ms, length_ms = int(wanted.start * 1000), -(-int(wanted.length * 1000) // 1)
        asked = [str(path), str(start_ms), str(max(1, length_ms))]
        found = ask(_CHILD, asked, reads=path, folder=folder, limits=limits_for(cut.size_bytes))
    shape = {"kind": "evidock/waveform/v1", "interval_ms": INTERVAL_MS, "from": to_text(wanted.start)}
    return json.dumps(shape | {"peaks": found["peaks"]}, separators=(",", ":")).encode()


def _within(told: Plan, part: Span | None) -> Span:
    whole = Span(Fraction(0), max(Fraction(0), told.segments[-1].shown.end))
    if part is None:
        return whole
    start = min(max(part.start, whole.start), whole.end)
    return Span(start, max(start, min(part.end, whole.end)))


def _numbers(sound: Samples, wanted: Span) -> tuple[int, int]:
    shown, scale = sound.shown(), sound.timescale
    first = int(shown.searchsorted(int((wanted.start - _BEFORE_S) * scale)))
    end = int(shown.searchsorted(int(wanted.end * scale) + 1))
    return first, max(first, end)
