# SPDX-License-Identifier: Apache-2.0
"""This is where a register is replaced by one remade from the object store and the log: beside it, then in its place.

The old register is never opened: it may be lost, damaged or lying. It is kept under another name.
"""

import os
from dataclasses import dataclass
from pathlib import Path

from app import clocks
from app.settings import Settings
from app.wiring import open_keys, open_log, open_register_at, open_store, wired
from evidence.errors import BadInput
from pipeline.reconcile import open_missing_jobs
from storage.register.rebuild import Rebuilt, rebuild

_SQLITE = "sqlite:///"
_SIDE_FILES = ("", "-wal", "-shm")


@dataclass(frozen=True, slots=True)
class Replaced:
    """A register that was remade: from what, where the old one went, and the jobs that were opened again."""

    rebuilt: Rebuilt
    register: Path
    old: Path | None
    jobs: int


def rebuild_register(settings: Settings) -> Replaced:
    """Remake the register of an installation whose processes are stopped.

    Repeat: a rebuild that was killed is started over; until the last moment the old register stands.

    Raises:
        BadInput: the register is not one we can put in place (only SQLite files are).
        LogInconsistent, SignatureInvalid, RecordMalformed: what rests does not hold; nothing was replaced.
    """
    if not settings.register_url.startswith(_SQLITE):
        raise BadInput(f"cannot replace the register at {settings.register_url}: only {_SQLITE}PATH")
    place = Path(settings.register_url.removeprefix(_SQLITE))
    fresh = place.with_name(place.name + ".rebuilt")
    _remove(fresh)
    keys, store = open_keys(settings), open_store(settings)
    register = open_register_at(f"{_SQLITE}{fresh}", store=store, keys=keys)
    try:
        found = rebuild(register, store=store, log=open_log(settings, store, keys), verifiers=keys.verifiers)
    finally:
        register.close()
    old = _put_in_place(fresh, place)
    with wired(settings, actor="doctor") as ports:
        opened = open_missing_jobs(ports=ports, now=clocks.now())
    return Replaced(found, place, old, len(opened))


def _put_in_place(fresh: Path, place: Path) -> Path | None:
    """Swap the files; a write-ahead log belongs to its own database and moves with it."""
    old = None
    if place.exists():
        old = place.with_name(f"{place.name}.before-{clocks.now():%Y%m%dT%H%M%S}")
        for suffix in reversed(_SIDE_FILES):
            _move(Path(f"{place}{suffix}"), Path(f"{old}{suffix}"))
    for suffix in reversed(_SIDE_FILES):
        _move(Path(f"{fresh}{suffix}"), Path(f"{place}{suffix}"))
    folder = os.open(place.parent, os.O_RDONLY)
    os.fsync(folder)
    os.close(folder)
    return old


def _move(source: Path, target: Path) -> None:
    if source.exists():
        source.replace(target)


def _remove(path: Path) -> None:
    for suffix in (*_SIDE_FILES, ".migrate", ".publish"):
        Path(f"{path}{suffix}").unlink(missing_ok=True)
