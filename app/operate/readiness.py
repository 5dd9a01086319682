# SPDX-License-Identifier: Apache-2.0
"""This is where it is found out whether a process can do its work now, need by need, in words.

Anybody who reaches the port may read the answer: the words are ours, and hold no path, address or name.
"""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from evidence.errors import EvidockError

# Answers are kept for a moment, so that asking often costs the engines nothing.
_FRESH_S = 1.0
_PATIENCE_S = 8.0


@dataclass(frozen=True, slots=True)
class Check:
    """One need: `look` returns when it is met and raises when not; `failing` says so in words."""

    name: str
    look: Callable[[], None]
    failing: str


@dataclass(frozen=True, slots=True)
class Found:
    """What became of one check; `code` is that of the error."""

    check: Check
    is_met: bool
    code: str | None = None

    def to_json(self) -> Mapping[str, Any]:
        """As `/readyz` tells it."""
        words = "well" if self.is_met else self.check.failing
        return {"check": self.check.name, "ok": self.is_met, "words": words, "code": self.code}


def look(check: Check) -> Found:
    """Do one check. Whatever it raises, the need is not met: a defect in a check is no readiness."""
    try:
        check.look()
    except EvidockError as error:
        return Found(check, is_met=False, code=error.code)
    except Exception:
        return Found(check, is_met=False, code="defect")
    return Found(check, is_met=True)


class Readiness:
    """Answers whether all needs are met. Threads may share it; one looks at a time, the others wait for it."""

    def __init__(self, checks: Sequence[Check], *, stop: threading.Event) -> None:
        self._checks = checks
        self._stop = stop
        self._lock = threading.Lock()
        self._at = float("-inf")
        self._found: Sequence[Found] = ()
        self._looking: threading.Thread | None = None

    def answer(self) -> tuple[bool, Mapping[str, Any]]:
        """True when work can be done, and what `/readyz` tells. Never later than some seconds."""
        if self._stop.is_set():
            return False, {"ready": False, "checks": [_told("stopping", "this process was told to stop")]}
        with self._lock:
            if self._looking is None and time.monotonic() - self._at > _FRESH_S:
                self._looking = threading.Thread(target=self._look, name="readiness", daemon=True)
                self._looking.start()
            looking = self._looking
        if looking is not None:
            looking.join(_PATIENCE_S)
            if looking.is_alive():
                return False, {"ready": False, "checks": [_told("checks", "a check does not end: an engine hangs")]}
        with self._lock:
            found = self._found
        is_ready = all(one.is_met for one in found)
        return is_ready, {"ready": is_ready, "checks": [one.to_json() for one in found]}

    def _look(self) -> None:
        found = [look(check) for check in self._checks]
        with self._lock:
            self._found, self._at, self._looking = found, time.monotonic(), None


def _told(name: str, words: str) -> Mapping[str, Any]:
    return {"check": name, "ok": False, "words": words, "code": None}
