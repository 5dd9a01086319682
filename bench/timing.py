# SPDX-License-Identifier: Apache-2.0
"""This is where time is taken and other people's programs are run: the same way for them and for us."""

import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch

from evidence.errors import ToolMissing, Unavailable
from pipeline.media.limits import run_limited

_BLOCK = 8 << 20


def timed(work: Callable[[], object]) -> float:
    """Seconds that `work` takes on the wall."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def run_program(command: Sequence[str]) -> str:
    """Run a program to its end and return what it printed.

    Raises:
        ToolMissing: there is no such program. Unavailable: it failed.
    """
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True, stdin=subprocess.DEVNULL)
    except FileNotFoundError as error:
        raise ToolMissing(f"{command[0]} is needed to compare with, and is not on PATH") from error
    except subprocess.CalledProcessError as error:
        told = str(error.stderr)[-400:]
        raise Unavailable(f"{Path(command[0]).name} ended with {error.returncode}: {told}") from error
    return done.stdout


def openssl_sha256(path: Path) -> float:
    """Seconds that `openssl dgst -sha256` takes over `path`, process start included."""
    return timed(lambda: run_program(["openssl", "dgst", "-sha256", str(path)]))


def warm(path: Path) -> None:
    """Bring the bytes of `path` into the page cache."""
    buffer = bytearray(_BLOCK)
    with path.open("rb", buffering=0) as file:
        while file.readinto(buffer):
            pass


@dataclass(slots=True)
class Programs:
    """Seconds spent waiting for the programs that steps start, by name."""

    seconds: dict[str, float] = field(default_factory=dict)

    def take(self) -> dict[str, float]:
        """What was counted since the last call."""
        taken, self.seconds = self.seconds, {}
        return taken


@contextmanager
def counting_programs() -> Iterator[Programs]:
    """Count the time of every program that a step runs, start and end included.

    All of them go through one door, `run_limited`; it is replaced by itself and a stopwatch
    wherever it was imported to.
    """
    counted = Programs()

    def counting(argv: Sequence[str], **options: Any) -> object:
        began = time.perf_counter()
        try:
            return run_limited(argv, **options)
        finally:
            name = "ffmpeg" if "ffmpeg" in Path(argv[0]).name else "examining child"
            counted.seconds[name] = counted.seconds.get(name, 0.0) + time.perf_counter() - began

    with ExitStack() as patches:
        for module in ("ffmpeg", "media_child"):
            patches.enter_context(patch(f"pipeline.media.{module}.run_limited", counting))
        yield counted
