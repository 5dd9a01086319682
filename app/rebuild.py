# SPDX-License-Identifier: Apache-2.0
"""This is where a register is replaced by one remade from the object store and the log: beside it, then in its place.

The old register is never opened: it may be lost, damaged or lying. It is kept under another name.
"""

import os
from dataclasses import dataclass
from pathlib import Path

from app import clocks
from app.settings import Settings
from app.wiring import in_use, open_keys, open_log, open_register_at, open_store, wired
from pipeline.reconcile import open_missing_jobs
from storage.register.rebuild import Rebuilt, rebuild

_SQLITE = "sqlite:///"
_SIDE_FILES = ("-wal", "-shm")


@dataclass(frozen=True, slots=True)
class Replaced:
    """A register that was remade: from what, where it is and where the old one is now, and the jobs opened again."""

    rebuilt: Rebuilt
    register: str
    old: str | None
    jobs: int


def rebuild_register(settings: Settings) -> Replaced:
    """Remake the register of an installation whose processes are stopped.

    Repeat: a rebuild that was killed is started over; until the last moment the old register stands.

    Raises:
        BadInput: there is no engine for the register's URL.
        InUse: processes of the installation are running.
        Refused: this role may not replace the register.
        LogInconsistent, SignatureInvalid, RecordMalformed: what rests does not hold; nothing was replaced.
    """
    settings.home.mkdir(parents=True, exist_ok=True)
    with in_use(settings, alone=True):
        if settings.register_url.startswith(_SQLITE):
            place = Path(settings.register_url.removeprefix(_SQLITE))
            found, old = _replace(place, settings)
            told = (str(place), None if old is None else str(old))
        else:
            found, schema = _replace_shared(settings)
            told = ("the register's database", None if schema is None else f"schema {schema}")
    with wired(settings, actor="doctor") as ports:
        opened = open_missing_jobs(ports=ports, now=clocks.now())
    return Replaced(found, *told, len(opened))


def _replace_shared(settings: Settings) -> tuple[Rebuilt, str | None]:
    # Its driver costs its import.
    from storage.register.replace_postgres import replace_register

    keys, store = open_keys(settings), open_store(settings)
    log = open_log(settings, store, keys)
    return replace_register(
        settings.register_url,
        lambda register: rebuild(register, store=store, log=log, verifiers=keys.verifiers),
        store=store,
        signer=keys.records.signer(),
        chance=clocks.chance,
        now=clocks.now(),
    )


def _replace(place: Path, settings: Settings) -> tuple[Rebuilt, Path | None]:
    fresh = place.with_name(place.name + ".rebuilt")
    _remove(fresh)
    keys, store = open_keys(settings), open_store(settings)
    register = open_register_at(f"{_SQLITE}{fresh}", store=store, keys=keys)
    try:
        found = rebuild(register, store=store, log=open_log(settings, store, keys), verifiers=keys.verifiers)
    finally:
        register.close()
    return found, _put_in_place(fresh, place)


def _put_in_place(fresh: Path, place: Path) -> Path | None:
    """Swap the files: under its name there is the old register or the new one, never none.

    The old write-ahead log goes first: replayed over the new file it would ruin it. A kill right after
    leaves the old file without its last commits, which the next publication refuses as rolled back.
    """
    old = None
    if place.exists():
        old = place.with_name(f"{place.name}.before-{clocks.now():%Y%m%dT%H%M%S%f}")
        for suffix in _SIDE_FILES:
            _move(Path(f"{place}{suffix}"), Path(f"{old}{suffix}"))
        os.link(place, old)
    fresh.replace(place)
    folder = os.open(place.parent, os.O_RDONLY)
    os.fsync(folder)
    os.close(folder)
    return old


def _move(source: Path, target: Path) -> None:
    if source.exists():
        source.replace(target)


def _remove(path: Path) -> None:
    for suffix in ("", *_SIDE_FILES, ".migrate", ".publish"):
        Path(f"{path}{suffix}").unlink(missing_ok=True)
