# SPDX-License-Identifier: Apache-2.0
"""A worker or a command of ours under a clock that is set while it runs: see `faked_clock`.

    python -m tests.support.clocked worker SECONDS [FOLDER]
    python -m tests.support.clocked evidock WORDS…

The worker's `segment` takes SECONDS longer; with FOLDER it fails at its first try, because "the world is down".
"""

import sys
import threading
import time
from datetime import datetime
from pathlib import Path

from evidence.errors import StoreUnavailable
from pipeline import flow
from pipeline.outcome import Done
from pipeline.ports import Ports, Progress


def _sleep(seconds: float) -> None:
    """Sleep by the monotonic clock: libfaketime takes the deadline of Python's own for one of the wall clock."""
    threading.Event().wait(seconds)


def slow(step: flow.Step, seconds: float, tried: Path | None) -> flow.Step:
    def run(recording: str, *, ports: Ports, now: datetime, progress: Progress) -> Done:
        if tried is not None and not (tried / recording).exists():
            (tried / recording).touch()
            raise StoreUnavailable("the world is down, once")
        done = step(recording, ports=ports, now=now, progress=progress)
        threading.Event().wait(seconds)
        return done

    return run


def main() -> int:
    what, *words = sys.argv[1:]
    if what == "evidock":
        sys.argv = ["evidock", *words]
        from app.cli.main import run

        run()
    from tests.support import worker_process

    seconds, *tried = words
    step = slow(flow.STEPS["segment"], float(seconds), Path(tried[0]) if tried else None)
    flow.STEPS = {**flow.STEPS, "segment": step}
    return worker_process.main(grace_s=2.0)


if __name__ == "__main__":
    # Each wait of a thread for its turn asks the clock, which reads its file: let them ask less often.
    sys.setswitchinterval(0.05)
    time.sleep = _sleep  # type: ignore[assignment]  # before anybody imports it by name
    sys.exit(main())
