# SPDX-License-Identifier: Apache-2.0
"""This is where a program that touches hostile bytes is let run: behind walls, with limits, or not at all.

`run_limited` is the only door through which this package starts a program.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from pipeline.media.process import Completed, Limits, Streams, run_walled
from pipeline.media.sandbox.command import Walls
from pipeline.media.sandbox.probe import level_in_force

__all__ = ["Completed", "Limits", "run_limited"]


def run_limited(
    argv: Sequence[str],
    *,
    limits: Limits,
    cwd: Path,
    reads: Sequence[Path] = (),
    writes: Sequence[Path] = (),
    stdin: Path | None = None,
    stdout: Path | None = None,
    on_line: Callable[[str], None] | None = None,
    on_bytes: Callable[[bytes], None] | None = None,
    env: Mapping[str, str] | None = None,
    stdout_max_bytes: int = 16 << 20,
) -> Completed:
    """Run `argv` to its end within `limits`; when this returns or raises, its whole process group is gone.

    It reads what is in `reads`, reads and writes what is in `writes` (files, or folders with all beneath, absolute),
    and beside that sees only the programs and libraries of the system: no other file, no network, no
    other process; unless a person decided that this process decodes without walls (`sandbox.probe.decided`).

    Standard output goes to the file `stdout`, or line by line to `on_line`, or in pieces to
    `on_bytes`, or (up to `stdout_max_bytes`) into the result. Standard input is `stdin` or nothing.
    The environment is PATH, LANG and what `env` adds: nothing secret is inherited, nor any open file.
    A program that fails by itself is not an error here: look at `returncode`.

    Raises:
        Undecodable: a limit was reached; `limit` in its values names it (`wall_s`, `cpu_s`,
            `output_bytes`, `stdout_bytes`, `line_bytes`).
        ToolMissing: there is no such program, or it cannot be started on this machine.
        SandboxMissing: walls are required, and none stand on this machine.
        Unavailable: it was killed from outside, as the kernel does when memory runs out.
    """
    walls = Walls(level_in_force(), tuple(reads), tuple(writes), may_fork=limits.may_fork)
    streams = Streams(stdin, stdout, on_line, on_bytes, stdout_max_bytes)
    return run_walled(argv, walls=walls, limits=limits, cwd=cwd, streams=streams, env=env or {})
