# SPDX-License-Identifier: Apache-2.0
"""A worker process for tests in which one step, its work done, waits at a gate or dies before it can record.

    python -m tests.support.gated_worker STEP FOLDER wait|die

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


def gated(step: flow.Step, folder: Path, *, dies: bool) -> flow.Step:
    def run(recording: str, *, ports: Ports, now: datetime, progress: Progress) -> Done:
        done = step(recording, ports=ports, now=now, progress=progress)
        (folder / f"{recording}.{os.getpid()}").touch()
        if dies:
            os.kill(os.getpid(), signal.SIGKILL)
        while not (folder / "open").exists():
            time.sleep(0.02)
        return done

    return run


def main() -> int:
    name, folder, how = sys.argv[1:]
    flow.STEPS = {**flow.STEPS, name: gated(flow.STEPS[name], Path(folder), dies=how == "die")}
    return worker_process.main()


if __name__ == "__main__":
    sys.exit(main())
