# SPDX-License-Identifier: Apache-2.0
"""A worker process for tests in which one step, its work done, waits at a gate or dies before it can record.

    python -m tests.support.gated_worker STEP FOLDER wait|die [RECORDING]

With RECORDING, only that one dies, a moment later, and all others are slow.
GATED_GRACE_S is the time it has to end once the worker is told to stop.
The step itself is the real one. At the gate it leaves `FOLDER/SUBJECT.PID`; it goes on when `FOLDER/open` exists.
"""

import os
import signal
import sys
import time
from datetime import datetime
from pathlib import Path

from pipeline import flow
from pipeline.outcome import Done
from pipeline.ports import Ports, Progress
from tests.support import worker_process


def gated(step: flow.Step, folder: Path, *, dies: bool, only: str | None) -> flow.Step:
    def run(recording: str, *, ports: Ports, now: datetime, progress: Progress) -> Done:
        done = step(recording, ports=ports, now=now, progress=progress)
        (folder / f"{recording}.{os.getpid()}").touch()
        if only is not None:
            time.sleep(0.3 if recording == only else 1.0)
        if dies and only in (None, recording):
            os.kill(os.getpid(), signal.SIGKILL)
        while not dies and not (folder / "open").exists():
            time.sleep(0.02)
        return done

    return run


def main() -> int:
    name, folder, how, *only = sys.argv[1:]
    step = gated(flow.STEPS[name], Path(folder), dies=how == "die", only=only[0] if only else None)
    flow.STEPS = {**flow.STEPS, name: step}
    return worker_process.main(grace_s=float(os.environ.get("GATED_GRACE_S", "2")))


if __name__ == "__main__":
    sys.exit(main())
