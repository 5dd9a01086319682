# SPDX-License-Identifier: Apache-2.0
"""This is where each port of a dock station shows what it does: to who listens, and in one small file.

status.json     {"at", "dock", "waiting", "ports": {port: state}}, replaced whole, never half
"""

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from pathlib import Path

from evidence.instant import to_text
from storage.durable import store_errors


class Phase(StrEnum):
    """What a port does; the words for people are under `port.<phase>` in the languages' files."""

    IDLE = "idle"
    IDENTIFYING = "identifying"
    REFUSED = "refused"
    COPYING = "copying"
    VERIFYING = "verifying"
    UPLOADING = "uploading"
    WAITING_NETWORK = "waiting-network"
    WAITING_ROOM = "waiting-room"
    ERASING = "erasing"
    REMOVABLE = "removable"
    FAULT = "fault"
    INTERRUPTED = "interrupted"


@dataclass(frozen=True, slots=True)
class PortState:
    """What is shown of a port. `is_removable`: taken out now, nothing is lost and nothing has to be begun again.

    Bytes and files are those of this docking: `copied` rest in the spool or were received before.
    """

    port: str
    phase: Phase
    since: datetime
    device: str | None = None
    docking: str | None = None
    files: int = 0
    bytes: int = 0
    copied_files: int = 0
    copied_bytes: int = 0
    received_files: int = 0
    erased_files: int = 0
    is_priority: bool = False
    is_removable: bool = True
    code: str = ""
    why: str = ""

    def to_json(self) -> dict[str, object]:
        """The state as the status file has it."""
        told: dict[str, object] = {name: getattr(self, name) for name in self.__slots__ if name != "port"}
        return told | {"phase": str(self.phase), "since": to_text(self.since)}


class Board:
    """The states of all ports. Safe to use from several threads; times are readings of the clocks passed in.

    A change of phase is told at once; progress within a phase is told to `on_state` as it comes, and in the
    file at most every `file_s` seconds.
    """

    def __init__(
        self,
        dock: str,
        path: Path,
        *,
        on_state: Callable[[PortState], None],
        wall: Callable[[], datetime],
        monotonic: Callable[[], float],
        file_s: float = 0.5,
    ) -> None:
        self._dock, self._path, self._file_s = dock, path, file_s
        self._on_state, self._wall, self._monotonic = on_state, wall, monotonic
        self._states: dict[str, PortState] = {}
        self._written_at = float("-inf")
        self._lock = threading.Lock()
        self.waiting = 0

    def state(self, port: str) -> PortState:
        """What the port shows; one that was never heard of is idle."""
        with self._lock:
            return self._states.get(port) or PortState(port, Phase.IDLE, self._wall())

    def states(self) -> dict[str, PortState]:
        """All ports, by name."""
        with self._lock:
            return dict(sorted(self._states.items()))

    def show(self, port: str, phase: Phase, *, of_docking: str | None = None, **changes: object) -> None:
        """Change what a port shows. `of_docking`: only while the port still shows this docking.

        A task whose device is gone may still be on its way; it must not paint over what came after it.

        Raises:
            StoreUnavailable: the status file cannot be written.
        """
        with self._lock:
            before = self._states.get(port) or PortState(port, Phase.IDLE, self._wall())
            if of_docking is not None and (before.docking != of_docking or before.phase is Phase.INTERRUPTED):
                return
            is_news = before.phase is not phase or port not in self._states
            since = self._wall() if is_news else before.since
            after = replace(before, phase=phase, since=since, **changes)  # type: ignore[arg-type]
            self._states[port] = after
            self._on_state(after)
            self._write(is_due=is_news)

    def begin(self, port: str, docking: str) -> None:
        """A device was plugged in: all that the port showed before is forgotten. Raises: StoreUnavailable."""
        with self._lock:
            after = PortState(port, Phase.IDENTIFYING, self._wall(), docking=docking, is_removable=False)
            self._states[port] = after
            self._on_state(after)
            self._write(is_due=True)

    def leave(self, port: str, docking: str) -> None:
        """The device of this docking left in peace: the port is idle. Raises: StoreUnavailable."""
        with self._lock:
            if port in self._states and self._states[port].docking == docking:
                self._states[port] = PortState(port, Phase.IDLE, self._wall())
                self._on_state(self._states[port])
                self._write(is_due=True)

    def write(self) -> None:
        """Bring the file up to date. Raises: StoreUnavailable."""
        with self._lock:
            self._write(is_due=False)

    def _write(self, *, is_due: bool) -> None:
        now = self._monotonic()
        if not is_due and now - self._written_at < self._file_s:
            return
        self._written_at = now
        ports = {name: state.to_json() for name, state in sorted(self._states.items())}
        told = {"at": to_text(self._wall()), "dock": self._dock, "waiting": self.waiting, "ports": ports}
        with store_errors("the dock's status cannot be written"):
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            draft = self._path.with_name(f".{self._path.name}")
            draft.write_text(json.dumps(told, ensure_ascii=False, indent=1) + "\n", "utf-8")
            draft.replace(self._path)
