# SPDX-License-Identifier: Apache-2.0
"""This is where an installation is copied to a safe place: register, keys, settings, and a list of its objects.

Watchers and workers go on meanwhile. (1) The register is read, as it is at one moment; (2) then the
log's newest checkpoint; (3) then the objects: the store is never older than the register of a backup,
and what is newer in it a restore brings back.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from urllib.parse import urlsplit

from app import clocks
from app.backup_axis import put_axis
from app.backup_folder import BackupFolder, new_backup
from app.backup_manifest import NAME, Manifest
from app.examination import origins
from app.settings import Settings
from app.wiring import open_keys
from evidence.errors import BadInput
from pipeline.ports import Ports, Progress
from storage.durable import store_errors
from storage.enveloped.store import at_rest
from storage.layout import CHECKPOINT_KEY, ENVELOPES_PREFIX
from storage.register import portable
from storage.register.migrate import newest_revision

_LARGEST_NOTE = 1 << 20
# Of the bar: what reading the register is taken to be, beside the objects.
_REGISTER = 0.3


@dataclass(frozen=True, slots=True)
class Made:
    """A backup that was made; of the objects in it, how many are second names of the store's own files."""

    folder: Path
    manifest: Manifest
    linked: int


def make_backup(
    target: Path, *, ports: Ports, settings: Settings, with_keys: bool, with_objects: bool, progress: Progress
) -> Made:
    """Write a backup of the installation to `target`, which appears when it is whole.

    Raises:
        Conflict: something is at `target` already.
        BadInput: the objects are wanted, and lie in no folder.
        StoreUnavailable, RegisterUnavailable: nothing is left of the attempt.
    """
    if with_objects and urlsplit(settings.objects_url).scheme != "file":
        raise BadInput("the objects are in a bucket, which is their copy: replicate it there, and leave out --objects")
    keys = open_keys(settings)
    with new_backup(target) as folder:
        with ports.register.view(is_long=True) as connection:
            reaches = portable.extent(connection)
            for number, table in enumerate(portable.TABLES):
                folder.put(f"register/{table}.jsonl", portable.dumped(connection, table))
                progress(_REGISTER * number / len(portable.TABLES))
        newest = ports.log.newest()
        if newest is not None:
            folder.put("checkpoint", [newest.note.encode()])
        folder.put("settings.json", [_settings(settings)])
        folder.put("place", [ports.place.encode()])
        put_axis(folder, settings.home)
        if with_keys:
            _put_keys(folder, settings.keys)
        objects = _Objects(folder, ports, is_sized=_is_folder(settings))
        objects.list_all()
        linked = objects.copy_all(progress) if with_objects else 0
        manifest = Manifest(
            made_at=clocks.now(),
            version=_version(),
            revision=newest_revision(),
            origin=keys.log.name,
            agency=settings.agency,
            checkpoint=0 if newest is None else newest.size,
            events=reaches.events,
            newest_event=reaches.newest,
            objects=objects.count,
            has_objects=with_objects,
            has_keys=with_keys,
            files=tuple(sorted(folder.marks, key=lambda mark: mark.name)),
        )
        folder.put(NAME, [manifest.to_note(keys.records.signer()).encode()])
        progress(1.0)
    return Made(target, manifest, linked)


class _Objects:
    """The object store, as a backup takes it down."""

    def __init__(self, folder: BackupFolder, ports: Ports, *, is_sized: bool) -> None:
        self.count = 0
        self._folder = folder
        # As it lies there: a backup holds envelopes and wrapped keys, and never what is in them.
        self._store = at_rest(ports.store)
        self._is_sized = is_sized
        # Before all others: what it speaks of rests already when they are listed.
        is_begun = self._store.exists(CHECKPOINT_KEY)
        self._pointer = self._store.read(CHECKPOINT_KEY, limit=_LARGEST_NOTE) if is_begun else None

    def list_all(self) -> None:
        self._folder.put("objects.list", self._lines())

    def _lines(self) -> Iterator[bytes]:
        for key in self._keys():
            self.count += 1
            # A bucket would have to be asked for each: an hour for a million.
            size = self._store.size(key) if self._is_sized else "-"
            yield f"{size} {key}\n".encode()

    def _keys(self) -> Iterator[str]:
        # Wrapped data keys last: each rests before its envelope, so that none of those listed lacks its own.
        yield from (key for key in self._store.keys("") if not key.startswith(ENVELOPES_PREFIX))
        yield from self._store.keys(ENVELOPES_PREFIX)

    def copy_all(self, progress: Progress) -> int:
        """Copy what was listed; how many are links."""
        linked = done = 0
        with (self._folder.root / "objects.list").open(encoding="ascii") as listed:
            for line in listed:
                key = line.split()[1]
                if key != CHECKPOINT_KEY:
                    with self._store.local_file(key) as path:
                        linked += self._folder.link_or_copy(f"objects/{key}", path)
                done += 1
                progress(_REGISTER + (1 - _REGISTER) * done / self.count)
        if self._pointer is not None:
            marks = list(self._folder.marks)
            self._folder.put(f"objects/{CHECKPOINT_KEY}", [self._pointer])
            self._folder.marks = marks  # as all objects: proven by what they are, not by the manifest
        return linked


def _put_keys(folder: BackupFolder, keys: Path) -> None:
    with store_errors(f"cannot read {keys}"):
        for path in sorted(path for path in keys.rglob("*") if path.is_file() and not path.name.startswith(".")):
            folder.put(f"keys/{path.relative_to(keys).as_posix()}", [path.read_bytes()])


def _settings(settings: Settings) -> bytes:
    told = [{"setting": n, "value": v, "origin": o} for n, v, o in origins(settings)]
    return json.dumps(told, ensure_ascii=False, indent=1).encode() + b"\n"


def _is_folder(settings: Settings) -> bool:
    return urlsplit(settings.objects_url).scheme == "file"


def _version() -> str:
    try:
        return version("evidock")
    except PackageNotFoundError:
        return "unknown"
