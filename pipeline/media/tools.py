# SPDX-License-Identifier: Apache-2.0
"""This is where the ffmpeg program is found and named, so that every derivative can say what made it.

The machine's own ffmpeg comes first, because it gets the distribution's security fixes; else the static
program inside the `imageio-ffmpeg` wheel. Nothing is ever downloaded.
"""

import functools
import importlib.resources
import shutil
from dataclasses import dataclass
from pathlib import Path

from evidence.errors import ToolMissing
from pipeline.media.process import Limits, Streams, run_walled
from pipeline.media.sandbox.command import Walls

_WHEEL = "imageio_ffmpeg"
_LIMITS = Limits(wall_s=20, cpu_s=10, address_space_bytes=4 << 30, output_bytes=1 << 16)


@dataclass(frozen=True, slots=True)
class Tool:
    """A program that makes derivatives: its name and version go into each recipe, its path does not."""

    name: str
    version: str
    program: Path


def find_ffmpeg(setting: str | None = None) -> Tool:
    """The ffmpeg to use: `setting` (a path, or a name on PATH) when given, else PATH, else the wheel.

    A build without libx264, as some distributions ship it, is passed over.

    Raises:
        ToolMissing: none of them is there or fit; the message says what to do.
    """
    candidates = [_on_path(setting)] if setting else [_on_path("ffmpeg"), _in_wheel()]
    for program in candidates:
        version = _version_if_fit(program) if program else None
        if program and version:
            return Tool("ffmpeg", version, program)
    tried = repr(setting) if setting else "the one on PATH or in the imageio-ffmpeg wheel"
    raise ToolMissing(
        f"no ffmpeg that can encode H.264 (tried {tried}): install the system's ffmpeg package, "
        "or imageio-ffmpeg into this environment",
        program=setting or "ffmpeg",
    )


def _on_path(name: str) -> Path | None:
    found = shutil.which(name)
    return Path(found).absolute() if found else None


def _in_wheel() -> Path | None:
    # The folder is read directly: the wheel's own finder would run whatever its environment variable
    # names. The name of the file holds the platform and the version.
    try:
        folder = importlib.resources.files(_WHEEL) / "binaries"
    except ModuleNotFoundError:
        return None
    if not isinstance(folder, Path) or not folder.is_dir():
        return None
    programs = sorted(path for path in folder.glob("ffmpeg-*") if shutil.which(path))
    return programs[-1] if programs else None


def _version_if_fit(program: Path) -> str | None:
    facts = program.stat()
    return _ask(program, facts.st_mtime_ns, facts.st_size)


@functools.lru_cache(maxsize=8)
def _ask(program: Path, _mtime_ns: int, _size_bytes: int) -> str | None:
    """What the program calls its version, None when it is not ffmpeg or cannot make H.264.

    Asked once for each program; one that was upgraded in place has another time or size.
    """
    words = _answer(program, "-version").split()
    if words[:2] != ["ffmpeg", "version"] or " libx264 " not in _answer(program, "-encoders"):
        return None
    return words[2]


def _answer(program: Path, question: str) -> str:
    # Without walls: it is a program of this machine, and it is given nothing to read.
    walls, command = Walls("off", may_fork=True), [str(program), "-hide_banner", question]
    ended = run_walled(command, walls=walls, limits=_LIMITS, cwd=program.parent, streams=Streams(), env={})
    return ended.stdout.decode("utf-8", "replace") if ended.returncode == 0 else ""
