# SPDX-License-Identifier: Apache-2.0
"""A worker process for tests in which one step of one recording does the worst.

    python -m tests.support.worst_worker STEP FOLDER die|oom|keep RECORDING [SECONDS]

The step is the real one, and SECONDS longer for all other recordings. `die` ends the process by SIGKILL, as the
kernel does when memory runs out; `oom` meets the end of an address space; `keep` stops inside the transaction
that records the step, until `FOLDER/open` exists. Each start leaves a file in FOLDER.
"""

import os
import resource
import secrets
import signal
import sys
import time
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from sqlalchemy import Connection

from evidence.custody import Happening
from pipeline import flow
from pipeline.outcome import Done
from pipeline.ports import Ports, Progress
from storage.register import engine_sqlite
from tests.support import worker_process

BUSY = "WORST_BUSY_S"
_ROOM_BYTES = 64 << 20


def die(done: Done, folder: Path) -> Done:
    os.kill(os.getpid(), signal.SIGKILL)
    return done


def oom(done: Done, folder: Path) -> Done:
    before = resource.getrlimit(resource.RLIMIT_AS)
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + _ROOM_BYTES, before[1]))
    try:
        held = []
        while True:
            held.append(bytearray(1 << 20))
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


def keep(done: Done, folder: Path) -> Done:
    def decide(connection: Connection) -> tuple[Happening, ...]:
        (folder / "inside").touch()
        while not (folder / "open").exists():
            time.sleep(0.02)
        return () if done.decide is None else done.decide(connection)

    return replace(done, decide=decide)


_WORST = {"die": die, "oom": oom, "keep": keep}


def worst(step: flow.Step, folder: Path, *, how: str, only: str, seconds: float) -> flow.Step:
    def run(recording: str, *, ports: Ports, now: datetime, progress: Progress) -> Done:
        done = step(recording, ports=ports, now=now, progress=progress)
        if recording != only:
            time.sleep(seconds)
            return done
        (folder / f"start-{secrets.token_hex(4)}").touch()
        return _WORST[how](done, folder)

    return run


def main() -> int:
    name, folder, how, only, *seconds = sys.argv[1:]
    wait_s = float(seconds[0]) if seconds else 0.0
    flow.STEPS = {**flow.STEPS, name: worst(flow.STEPS[name], Path(folder), how=how, only=only, seconds=wait_s)}
    if BUSY in os.environ:
        engine_sqlite.BUSY_S = int(os.environ[BUSY])  # type: ignore[attr-defined]
    return worker_process.main(grace_s=2.0)


if __name__ == "__main__":
    sys.exit(main())
