# SPDX-License-Identifier: Apache-2.0
"""This is where tests get a few seconds of made-up media whose content tells its time."""

import subprocess
from pathlib import Path

from pipeline.media.tools import Tool, find_ffmpeg


def tool() -> Tool:
    """The ffmpeg the tests run with."""
    return find_ffmpeg()


def make(path: Path, *arguments: str) -> Path:
    """Run ffmpeg with `arguments` and `path` as its output."""
    command = [str(tool().program), "-nostdin", "-v", "error", "-y", *arguments, str(path)]
    subprocess.run(command, check=True, timeout=60)
    return path


def stairs(path: Path, seconds: int, *, size: str = "96x64", extra: tuple[str, ...] = ()) -> Path:
    """Grey video at 10 fps that gets brighter by 8 levels at 0.2 s, 1.2 s, 2.2 s …, starting at 32."""
    picture = f"color=black:s={size}:r=10:d={seconds},format=gray,geq=lum='32+8*floor(T+0.85)'"
    coded = ("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-crf", "10")
    return make(path, "-f", "lavfi", "-i", picture, *extra, *coded)


def moving(path: Path, seconds: int, *, seed: int = 1, size: str = "160x120") -> Path:
    """Textured video at 10 fps in which much moves; another `seed`, other content."""
    picture = f"cellauto=s={size}:r=10:rule=110:random_seed={seed}:scroll=1,gblur=sigma=4"
    return make(path, "-f", "lavfi", "-i", f"{picture},trim=duration={seconds}", "-c:v", "libx264", "-crf", "18")
