# SPDX-License-Identifier: Apache-2.0
"""This is where a damaged file becomes something that plays: a copy to look at, never the Original.

Without its index, with the help of a whole recording of the same camera: its pictures are found again, put one after
another at the camera's rate, and coded anew; sound is left out, for nothing says where its pieces begin. With an
index, and cut short: what it still holds is coded anew, with sound.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from evidence.digest import Digest
from evidence.errors import Undecodable
from pipeline.media import ffmpeg
from pipeline.media.limits import Limits
from pipeline.media.made import length_of
from pipeline.media.media_child import ask, limits_for
from pipeline.media.recipes import Recipe
from pipeline.media.salvage_pattern import Pattern
from pipeline.media.tools import Tool
from pipeline.media.transcode import LONGEST_S, Made

_CHILD = "pipeline.media.salvage_child"
_UNITS, _REPAIRED = "units", "repaired.mp4"
_MEMORY_BYTES = 4 << 30
_CODING = {"c:v": "libx264", "preset": "veryfast", "crf": "20", "pix_fmt": "yuv420p", "movflags": "+faststart"}
_SOUND = {"c:a": "aac", "b:a": "128k"}


@dataclass(frozen=True, slots=True)
class Salvaged:
    """The copy that plays, how long it is, and what of the damaged file it was made from.

    `stretches`: runs of bytes whose pictures follow each other; between two of them something is missing.
    """

    made: Made
    seconds: Fraction
    frames: int | None
    stretches: tuple[dict[str, int], ...]


def salvage(
    damaged: Path,
    reference: Path,
    *,
    digest: Digest,
    scratch: Path,
    tool: Tool,
    on_progress: Callable[[float], None] | None = None,
) -> Salvaged:
    """Make a copy of the pictures in `damaged`, an MP4 without its index; `reference` is whole, of the same camera.

    Raises:
        Undecodable, CodecRefused: nothing of this camera is in it, or the reference does not help.
        SourceUnavailable, StoreUnavailable, ToolMissing, SandboxMissing: worth another try.
    """
    told = ask(
        _CHILD,
        ["pattern", str(reference.resolve())],
        reads=reference.resolve(),
        folder=scratch,
        limits=limits_for(reference.stat().st_size),
    )
    pattern = Pattern.from_dict(told)
    units = scratch / _UNITS
    found = ask(
        _CHILD,
        ["units", str(damaged.resolve()), json.dumps(pattern.to_dict()), _UNITS],
        reads=damaged.resolve(),
        folder=scratch,
        limits=limits_for(damaged.stat().st_size),
        keeps={_UNITS: units},
    )
    frames = _count(found["frames"])
    length = frames * pattern.frame
    if length > LONGEST_S:
        raise Undecodable(f"longer than {LONGEST_S} s", limit="duration_s")
    rate = 1 / pattern.frame
    media = ffmpeg.guarded_input(demuxer=pattern.codec, framerate=f"{rate.numerator}/{rate.denominator}")
    run = _Coding(units, scratch, tool, length, on_progress)
    made, seconds = run.coded([media["v:0"]], digest=digest, recipe="salvaged/v1", options=_CODING)
    return Salvaged(made, seconds, frames, tuple(_stretches(found)))


def shorten(
    damaged: Path,
    *,
    digest: Digest,
    demuxer: str,
    scratch: Path,
    tool: Tool,
    on_progress: Callable[[float], None] | None = None,
) -> Salvaged:
    """Make a copy of what a file still holds that ends before its index says.

    Raises:
        Undecodable, CodecRefused: nothing of it decodes.
        SourceUnavailable, StoreUnavailable, ToolMissing, SandboxMissing: worth another try.
    """
    media = ffmpeg.guarded_input(demuxer=demuxer)
    streams = [media["v:0"], media["a:0?"]]  # sound, if there is any
    run = _Coding(damaged, scratch, tool, Fraction(damaged.stat().st_size, 10_000), on_progress)
    made, seconds = run.coded(streams, digest=digest, recipe="shortened/v1", options={**_CODING, **_SOUND})
    return Salvaged(made, seconds, None, ())


@dataclass(frozen=True, slots=True)
class _Coding:
    source: Path
    scratch: Path
    tool: Tool
    longest: Fraction
    on_progress: Callable[[float], None] | None

    def coded(
        self, streams: list[Any], *, digest: Digest, recipe: str, options: dict[str, str]
    ) -> tuple[Made, Fraction]:
        outputs = [ffmpeg.output(streams, _REPAIRED, container="mp4", **options)]
        graph = ffmpeg.arguments(outputs)
        time_s = 120 + 20 * min(int(self.longest), LONGEST_S)
        size = (64 << 20) + 4 * self.source.stat().st_size
        limits = Limits(float(time_s), time_s, _MEMORY_BYTES, size)
        ffmpeg.run(
            graph,
            tool=self.tool,
            source=self.source,
            scratch=self.scratch,
            limits=limits,
            seconds=self.longest,
            on_progress=self.on_progress,
        )
        path = self.scratch / _REPAIRED
        seconds = length_of(path, "video")
        return Made("repaired", path, Recipe(recipe, self.tool.name, self.tool.version, graph, digest.hex)), seconds


def _count(told: object) -> int:
    if not isinstance(told, int) or not 0 < told < 1 << 40:
        raise Undecodable("no count of pictures came of it")
    return told


def _stretches(found: dict[str, Any]) -> list[dict[str, int]]:
    names = ("first_frame", "frames", "byte", "end")
    try:
        return [{name: int(one[name]) for name in names} for one in found["stretches"]][:1000]
    except (KeyError, TypeError, ValueError) as error:
        raise Undecodable("what was found in it cannot be read") from error
