# SPDX-License-Identifier: Apache-2.0
"""This is where a backup is tried: restored beside the installation, verified whole, measured, and taken away again."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import quote

from app.backup_folder import draft_folder
from app.backup_manifest import read_manifest
from app.backup_restore import Restored, restore_backup
from app.settings import Settings
from app.wiring import wired
from evidence.verdict import CheckReport
from pipeline.audit import verify_all
from pipeline.ports import Progress
from storage.durable import store_errors
from storage.register import portable


@dataclass(frozen=True, slots=True)
class Drilled:
    """How a drill went: what was restored, the rows of each table then, what the audit found, and the seconds."""

    restored: Restored
    rows: Mapping[str, int]
    report: CheckReport
    restore_s: float
    verify_s: float


def drill(folder: Path, settings: Settings, *, progress: Progress) -> Drilled:
    """Restore a backup into a temporary installation with a register of its own, and verify it whole.

    Its objects are those of the backup when it has them, else those of the installation; neither is written.

    Raises:
        As `restore_backup`; nothing is left of it.
    """
    manifest = read_manifest(folder)
    with store_errors(f"cannot make {settings.home}"):
        settings.home.mkdir(parents=True, exist_ok=True)
    with draft_folder(settings.home, "drill") as scratch:
        trial = replace(
            settings,
            home=scratch,
            register_url=f"sqlite:///{scratch}/register.db",
            objects_url=f"file://{quote(str(folder.absolute() / 'objects'))}"
            if manifest.has_objects
            else settings.objects_url,
            keys=scratch / "keys" if manifest.has_keys else settings.keys,
        )
        began = time.monotonic()
        restored = restore_backup(folder, trial, with_objects=False)
        between = time.monotonic()
        with wired(trial, actor="drill") as ports:
            report = verify_all(ports, progress=progress)
            with ports.register.view() as connection:
                rows = portable.counts(connection)
        return Drilled(restored, rows, report, between - began, time.monotonic() - between)
