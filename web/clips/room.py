# SPDX-License-Identifier: Apache-2.0
"""This is where clips that were made wait in files, each with its proof and the name of whoever may fetch it.

Nothing of it is evidence: what was served is in the custody log, and the same clip can be cut again.
"""

import json
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from evidence import ids
from evidence.errors import NotFound, Overloaded
from pipeline.ports import Ports
from storage.durable import store_errors
from web.api.figures import shipped_figures

_FIGURES = shipped_figures()
_TOLD = "told.json"


@dataclass(frozen=True, slots=True)
class Waiting:
    """A clip that waits: its file, its proof, and what was answered of it."""

    id: str
    file: Path
    proof: Path
    told: dict[str, Any]


@dataclass(frozen=True, slots=True)
class ClipRoom:
    """The clips of one server. Threads may share it."""

    folder: Path
    _gate: threading.BoundedSemaphore = field(
        default_factory=lambda: threading.BoundedSemaphore(_FIGURES.clips_at_once), repr=False
    )

    @contextmanager
    def cutting(self) -> Iterator[None]:
        """Leave to cut a clip, while the block runs.

        Raises:
            Overloaded: others are being cut.
        """
        if not self._gate.acquire(blocking=False):
            raise Overloaded("other clips are being cut: ask again in a moment")
        try:
            yield
        finally:
            self._gate.release()

    def place(self, ports: Ports, now: datetime) -> Waiting:
        """A place for a new clip; what waited too long is taken away first.

        Raises:
            Overloaded: too many wait. StoreUnavailable: there can be no folder.
        """
        with store_errors("no place for a clip"):
            self.sweep(now)
            if sum(1 for _ in self.folder.glob("clp-*")) >= _FIGURES.clips_kept:
                raise Overloaded("too many clips wait to be fetched: fetch yours, or wait until they are taken away")
            made = ids.opaque("clp", ports.chance(15))
            (self.folder / made).mkdir(parents=True, mode=0o700)
        return self._waiting(made, {})

    def keep(self, waiting: Waiting, told: dict[str, Any], *, actor: str) -> None:
        """Have a clip fetched by `actor`, and by nobody else.

        Raises:
            StoreUnavailable: it cannot be written.
        """
        with store_errors("the clip cannot be kept"):
            waiting.file.with_name(_TOLD).write_text(json.dumps({"actor": actor, "told": told}), "utf-8")

    def find(self, identifier: str, *, actor: str, now: datetime) -> Waiting:
        """The clip of this id that `actor` made.

        Raises:
            NotFound: there is none, or not any more, or it is somebody else's.
        """
        path = self.folder / identifier / _TOLD
        try:
            known = json.loads(path.read_text("utf-8"))
            is_old = self._is_old(path, now)
        except (OSError, ValueError):
            known, is_old = {}, True
        if is_old or known["actor"] != actor:
            raise NotFound("no such clip waits for you: it may have been taken away; cut it again")
        return self._waiting(identifier, known["told"])

    def give_up(self, waiting: Waiting) -> None:
        """Take away a place where no clip was made."""
        shutil.rmtree(waiting.file.parent, ignore_errors=True)

    def sweep(self, now: datetime) -> None:
        """Take away what waited too long."""
        for path in self.folder.glob("clp-*"):
            if self._is_old(path, now):
                shutil.rmtree(path, ignore_errors=True)

    def _is_old(self, path: Path, now: datetime) -> bool:
        return now.timestamp() - path.stat().st_mtime > timedelta(minutes=_FIGURES.clip_minutes).total_seconds()

    def _waiting(self, identifier: str, told: dict[str, Any]) -> Waiting:
        file = self.folder / identifier / f"{identifier}.mp4"
        return Waiting(identifier, file, file.with_name(f"{file.name}.proof.json"), told)
