# SPDX-License-Identifier: Apache-2.0
"""This is where a backup becomes an installation again, on either engine of the register and of the store.

(1) The backup is checked, signature and every byte. (2) Keys and objects are laid down where none are.
(3) The register is filled in one transaction. (4) What rests in the store since the backup was made,
published or in a receipt, is brought back. (5) The jobs that are still to be done are opened. Nothing is
ever overwritten, and each part may be repeated: a restore that was killed is run again.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from app import clocks
from app.backup_axis import NAME as AXIS
from app.backup_axis import bring_axis
from app.backup_manifest import Manifest, check_files, check_signature, read_manifest
from app.backup_objects import bring_objects
from app.settings import Settings
from app.wiring import Keys, in_use, open_keys, open_log, open_register_at, open_store, wired
from evidence.errors import BackupInvalid, BadInput, Conflict, LogInconsistent, NotFound
from pipeline.ports import Progress, unheard
from pipeline.reconcile import open_missing_jobs
from storage.custody_log import CustodyLog, open_checkpoint
from storage.durable import store_errors
from storage.enveloped.store import at_rest
from storage.objects import ObjectStore
from storage.private_file import create_private, read_private
from storage.register import portable
from storage.register.migrate import newest_revision
from storage.register.rebuild import Rebuilt, bring_forward
from storage.register.register import Register
from storage.signing import KeyFile

_KEYS = "keys/"


@dataclass(frozen=True, slots=True)
class Restored:
    """What a restore did: rows from the backup, events brought back since, jobs opened, objects that are not there.

    `is_vouched` is True when a key that was installed before checked the signature, and not the backup's own.
    """

    manifest: Manifest
    is_vouched: bool
    rows: int
    since: Rebuilt
    jobs: int
    missing: tuple[str, ...]


def restore_backup(
    folder: Path, settings: Settings, *, progress: Progress = unheard, with_objects: bool = True
) -> Restored:
    """Restore a backup into the installation that the settings name, which must be empty.

    `with_objects` False leaves the objects of the backup where they are: the settings name them as the store.

    Raises:
        NotFound: there is no backup. BackupInvalid: it is not whole; nothing was touched.
        Conflict: the installation has a register, keys or objects of its own. InUse: it is running.
        BadInput: keys or a setting are missing.
        LogInconsistent, SignatureInvalid, RecordMalformed: the store is not that of the backup, or does not hold.
    """
    manifest = read_manifest(folder)
    with store_errors(f"cannot make {settings.home}"):
        settings.home.mkdir(parents=True, exist_ok=True)
    with in_use(settings, alone=True):
        is_vouched = _check(folder, manifest, settings)
        _bring_keys(folder, manifest, settings)
        if any(mark.name == AXIS for mark in manifest.files):  # what nobody signed is not brought
            bring_axis(folder, settings.home)
        keys, store = open_keys(settings), open_store(settings)
        _check_name(keys, manifest)
        if manifest.has_objects and with_objects:
            bring_objects(folder / "objects", store, progress=progress)
        log = open_log(settings, store, keys)
        _check_log(folder, manifest, log, keys)
        register = open_register_at(settings.register_url, store=store, keys=keys)
        try:
            rows = _fill(register, folder, manifest)
            since = bring_forward(register, store=store, log=log, verifiers=keys.verifiers)
        finally:
            register.close()
        missing = tuple(_missing(folder, store))
    with wired(settings, actor="restore") as ports:
        opened = open_missing_jobs(ports=ports, now=clocks.now())
    return Restored(manifest, is_vouched, rows, since, len(opened), missing)


def _check(folder: Path, manifest: Manifest, settings: Settings) -> bool:
    """The backup is whole, and signed; True when by a key that was here before."""
    if manifest.revision != newest_revision():
        raise Conflict(
            f"the backup is of evidock {manifest.version}, whose register is of revision {manifest.revision}, not "
            f"{newest_revision()}: restore it with that version and upgrade, or rebuild the register from the store"
        )
    own, kept = settings.keys / "records.pem", folder / _KEYS / "records.pem"
    is_vouched = own.exists()
    if not (is_vouched or manifest.has_keys):
        raise BadInput(f"the backup was made without keys: put yours into {settings.keys} first")
    for mark in manifest.files:
        _check_same(folder / mark.name, settings.keys / mark.name.removeprefix(_KEYS), mark.name)
    path = own if is_vouched else kept
    check_signature(folder, KeyFile.load(path, f"{manifest.origin}/records").verifier())
    check_files(folder, manifest)
    return is_vouched


def _check_same(source: Path, target: Path, name: str) -> None:
    """A key that is here already must be the backup's."""
    if name.startswith(_KEYS) and target.exists() and source.exists() and target.read_bytes() != source.read_bytes():
        raise Conflict(f"{target} is another key than the backup's: restore into an empty installation")


def _bring_keys(folder: Path, manifest: Manifest, settings: Settings) -> None:
    for mark in manifest.files:
        if mark.name.startswith(_KEYS):
            create_private(settings.keys / mark.name.removeprefix(_KEYS), read_private(folder / mark.name))
    create_private(settings.home / "place", read_private(folder / manifest.file("place").name))


def _check_name(keys: Keys, manifest: Manifest) -> None:
    if keys.log.name != manifest.origin:
        wanted = f"set EVIDOCK_AGENCY={manifest.agency}" if manifest.agency else "leave EVIDOCK_AGENCY unset"
        raise BadInput(f"the backup is of the log {manifest.origin}, not of {keys.log.name}: {wanted}")


def _check_log(folder: Path, manifest: Manifest, log: CustodyLog, keys: Keys) -> None:
    """The store's log goes on from where the backup saw it: it was neither set back nor exchanged."""
    if manifest.checkpoint == 0:
        return
    note = (folder / manifest.file("checkpoint").name).read_bytes()
    seen = open_checkpoint(note, origin=log.origin, verifiers=[keys.log.verifier()])
    newest = log.newest()
    if newest is None or newest.size < seen.size:
        raise LogInconsistent(
            f"the object store's log has {newest.size if newest else 0} entries, and had {seen.size} when the backup "
            "was made: it is another store, or was set back. Restore the objects first"
        )
    try:
        root = log.checkpoint(seen.size).root
    except NotFound as error:
        raise LogInconsistent(f"the object store has no checkpoint of size {seen.size}, the backup's") from error
    if root != seen.root:
        raise LogInconsistent(f"the object store's log is another than the backup's at size {seen.size}")


def _fill(register: Register, folder: Path, manifest: Manifest) -> int:
    try:
        return portable.load(register, lambda table: _lines(folder / "register" / f"{table}.jsonl"))
    except Conflict:
        # A restore that was killed after this point has filled it: then there is nothing left to do here.
        if manifest.newest_event is not None and portable.holds_event(register, manifest.newest_event):
            return 0
        raise


def _lines(path: Path) -> Iterator[bytes]:
    if not path.is_file():
        raise BackupInvalid(f"the backup has no {path.name}", file=path.name)
    with path.open("rb") as file:
        yield from file


def _missing(folder: Path, store: ObjectStore) -> Iterator[str]:
    """Keys that were in the store when the backup was made, and are not now."""
    present = set(at_rest(store).keys(""))
    with (folder / "objects.list").open(encoding="ascii") as listed:
        for line in listed:
            key = line.split()[-1]
            if key not in present:
                yield key
