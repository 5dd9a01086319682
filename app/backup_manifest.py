# SPDX-License-Identifier: Apache-2.0
"""This is where a backup says what it is: every file with its digest, in a note that the records key signs.

DIR/manifest            the signed note: form, one line of canonical JSON (mode 0600, as all files here)
DIR/register/T.jsonl    each table of facts
DIR/objects.list        what the object store holds: SIZE KEY, a line each (SIZE `-`: not asked)
DIR/checkpoint          the newest checkpoint of the custody log
DIR/settings.json       settings and where they came from, without passwords
DIR/place               the installation's name among those that share a register
DIR/axis.jsonl          what docks of Axis systems told, when any did
DIR/keys/…              the signing keys, unless they were left out
DIR/objects/…           the objects themselves, when asked for: they prove themselves, by `verify`
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Any

from evidence import canonical_json, instant
from evidence.errors import BackupInvalid, IntegrityError, NotFound
from evidence.note import Signer, Verifier, open_note, sign_note, split_note
from storage.durable import store_errors

FORM = "evidock/backup/v1"
NAME = "manifest"
_LARGEST = 1 << 20
_BLOCK = 1 << 20


@dataclass(frozen=True, slots=True)
class Mark:
    """A file of a backup: its name, with slashes, its SHA-256 and its size."""

    name: str
    sha256: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a backup holds and of what; `checkpoint` is the size of the log then, `newest_event` a leaf hash."""

    made_at: datetime
    version: str
    revision: str
    origin: str
    agency: str
    checkpoint: int
    events: int
    newest_event: str | None
    objects: int
    has_objects: bool
    has_keys: bool
    files: tuple[Mark, ...]

    def to_note(self, signer: Signer) -> str:
        """The signed note."""
        body = {name: getattr(self, name) for name in _PLAIN} | {
            "files": [[mark.name, mark.sha256, mark.size_bytes] for mark in self.files],
            "made_at": instant.to_text(self.made_at),
        }
        return sign_note(f"{FORM}\n{canonical_json.dumps(body).decode()}\n", [signer])

    def file(self, name: str) -> Mark:
        """The mark of a file.

        Raises:
            BackupInvalid: there is none of this name.
        """
        for mark in self.files:
            if mark.name == name:
                return mark
        raise BackupInvalid(f"the backup has no {name}", file=name)


_PLAIN: Mapping[str, type | tuple[type, ...]] = {
    "agency": str,
    "checkpoint": int,
    "events": int,
    "has_keys": bool,
    "has_objects": bool,
    "newest_event": (str, type(None)),
    "objects": int,
    "origin": str,
    "revision": str,
    "version": str,
}


def read_manifest(folder: Path) -> Manifest:
    """What the backup says of itself. NOTHING IS VERIFIED: to believe it, `check_signature` and `check_files`.

    Raises:
        NotFound: the folder is no backup.
        BackupInvalid: its manifest cannot be read.
    """
    try:
        text, _ = split_note(_note(folder))
        return _parsed(text)
    except (IntegrityError, KeyError, TypeError, ValueError) as error:
        raise BackupInvalid(f"{folder / NAME} is no manifest of a backup: {error}", file=NAME) from error


def check_signature(folder: Path, verifier: Verifier) -> None:
    """The manifest is what the holder of this key signed.

    Raises:
        BackupInvalid: it is not.
    """
    try:
        open_note(_note(folder), [verifier])
    except IntegrityError as error:
        raise BackupInvalid(f"{folder / NAME} is not as it was signed: {error.message}", file=NAME) from error


def check_files(folder: Path, manifest: Manifest) -> None:
    """Every file of the manifest is there, byte for byte.

    Raises:
        BackupInvalid: names the first that is not.
    """
    for mark in manifest.files:
        path = folder / mark.name
        if not path.is_file() or path.is_symlink():
            raise BackupInvalid(f"{mark.name} is missing from the backup", file=mark.name)
        with store_errors(f"cannot read {path}"):
            digest = _sha256(path)
        if digest != mark.sha256:
            raise BackupInvalid(f"{mark.name} is not as it was written", file=mark.name, expected=mark.sha256)


def _note(folder: Path) -> bytes:
    path = folder / NAME
    if not path.is_file():
        raise NotFound(f"{folder} is no backup: it has no file called {NAME}", path=str(path))
    with store_errors(f"cannot read {path}"), path.open("rb") as file:
        return file.read(_LARGEST + 1)


def _parsed(text: str) -> Manifest:
    form, _, rest = text.partition("\n")
    if form != FORM:
        raise BackupInvalid(f"its form is {form[:40]!r}, not {FORM}")
    body: Any = canonical_json.loads(rest.removesuffix("\n").encode())
    if set(body) != {*_PLAIN, "files", "made_at"}:
        raise BackupInvalid("it has other fields than its form")
    for name, kind in _PLAIN.items():
        if not isinstance(body[name], kind):
            raise BackupInvalid(f"its field {name} cannot be {body[name]!r}")
    plain = {name: body[name] for name in _PLAIN}
    return Manifest(made_at=instant.from_text(body["made_at"]), files=tuple(_marks(body["files"])), **plain)


def _marks(rows: Any) -> Iterator[Mark]:
    for name, sha256, size_bytes in rows:
        # A name leads nowhere but into the backup.
        if not isinstance(name, str) or PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
            raise BackupInvalid(f"it names a file outside the backup: {name!r}")
        yield Mark(name, str(sha256), int(size_bytes))


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()
