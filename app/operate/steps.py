# SPDX-License-Identifier: Apache-2.0
"""This is where runs of steps are followed: each becomes lines of the log, and counts."""

import threading
import time

from app.operate.figures import Figures
from app.operate.lines import Notes, Value
from evidence.errors import EvidockError
from pipeline.ending import Ending, Result
from storage.register.jobs import Lease


class StepFollower:
    """Follows the runs of one process. Threads may share it."""

    def __init__(self, notes: Notes, figures: Figures) -> None:
        self._notes = notes
        self._figures = figures
        self._lock = threading.Lock()
        self._began: dict[tuple[str, int], float] = {}

    def started(self, lease: Lease) -> None:
        """A line: the step begins."""
        with self._lock:
            self._began[lease.job, lease.fence] = time.monotonic()
        self._notes.step("step-started", _ids(lease))

    def ended(self, lease: Lease, ending: Ending) -> None:
        """A line, and counts: how it ended, after how long."""
        seconds = self._took(lease)
        self._figures.ended(lease, ending, seconds)
        is_done = ending.result is Result.DONE
        told: dict[str, Value] = {"result": ending.result.value, "seconds": round(seconds, 3)}
        if ending.code is not None:
            told["code"] = ending.code
        self._notes.step("step-done" if is_done else "step-failed", _ids(lease) | told, is_bad=not is_done)

    def broke_off(self, lease: Lease, error: BaseException) -> None:
        """A line, and a count: nothing of the run was recorded. The error's words may hold names: its kind is told."""
        seconds = self._took(lease)
        self._figures.broke_off(lease, seconds)
        code = error.code if isinstance(error, EvidockError) else type(error).__name__
        told: dict[str, Value] = {"result": "broke-off", "seconds": round(seconds, 3), "code": code}
        self._notes.step("step-failed", _ids(lease) | told, is_bad=True)

    def _took(self, lease: Lease) -> float:
        with self._lock:
            began = self._began.pop((lease.job, lease.fence), None)
        return 0.0 if began is None else time.monotonic() - began


def _ids(lease: Lease) -> dict[str, Value]:
    return {
        "recording": lease.subject,
        "job": lease.job,
        "step": lease.step,
        "attempt": lease.attempts,
        "owner": lease.owner,
    }
