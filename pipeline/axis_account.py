# SPDX-License-Identifier: Apache-2.0
"""This is where it is kept what a body worn system of Axis told us: containers, objects, users, devices.

    axis/<dock>/<container>/container     what was said of a container, JSON
    axis/<dock>/<container>/o-<object>    what was said of an object, JSON
    axis/<dock>/<container>/b-<sha256>    the bytes of an object that is no clip

Names that came from outside are told inside the files; on the disk they stand as digests. Everything lasts before a
method returns.
"""

import hashlib
import json
import os
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from evidence.errors import NotFound, RecordMalformed, StoreUnavailable
from storage.durable import store_errors, sync_folder, write_all

_DOCK = re.compile(r"dck-[a-z2-7]{16}", re.ASCII)
_LARGEST_BYTES = 64 << 20

Metadata = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Thing:
    """An object as we have it. `received`: where a clip's bytes came in; `offer`: its offer's id; both null for others.

    `claimed`: the marks that were claimed of a clip when it arrived. `earlier`: digests of what stood under its name.
    """

    name: str
    size_bytes: int
    md5: str
    sha256: str
    metadata: Metadata = field(default_factory=dict)
    received: str | None = None
    offer: str | None = None
    claimed: tuple[str, ...] = ()
    earlier: tuple[str, ...] = ()

    @property
    def is_clip(self) -> bool:
        """True when it is footage."""
        return self.received is not None


class Account:
    """What one dock of kind `axis` told. One process writes; that one thread at a time does is up to the caller."""

    def __init__(self, folder: Path, dock: str) -> None:
        if not _DOCK.fullmatch(dock):
            raise NotFound("no such account")
        self.folder = folder / dock

    def metadata(self, container: str) -> Metadata | None:
        """What was said of a container; None when there is none.

        Raises:
            StoreUnavailable, RecordMalformed: it cannot be read.
        """
        told = _read(self._at(container) / "container")
        return None if told is None else dict(told["metadata"])

    def keep_metadata(self, container: str, metadata: Metadata) -> None:
        """Put what is said of a container in place of what was said.

        Raises:
            StoreUnavailable: the disk refused.
        """
        _keep(self._at(container), "container", _json({"name": container, "metadata": dict(metadata)}))

    def thing(self, container: str, name: str) -> Thing | None:
        """An object; None when there is none.

        Raises:
            StoreUnavailable, RecordMalformed: it cannot be read.
        """
        told = _read(self._at(container) / f"o-{_digest(name)}")
        return None if told is None else _thing(told)

    def things(self, container: str) -> list[Thing]:
        """All objects of a container, by name.

        Raises:
            StoreUnavailable, RecordMalformed: they cannot be read.
        """
        with store_errors("what Axis docks told cannot be listed"):
            paths = [*self._at(container).glob("o-*")]
        found = [_thing(told) for path in paths if (told := _read(path)) is not None]
        return sorted(found, key=lambda one: one.name)

    def keep(self, container: str, thing: Thing, data: bytes | None = None) -> None:
        """Keep an object; `data`: its bytes, when it is no clip.

        Raises:
            StoreUnavailable: the disk refused.
        """
        folder = self._at(container)
        if data is not None:
            _keep(folder, f"b-{thing.sha256}", data)
        _keep(folder, f"o-{_digest(thing.name)}", _json(asdict(thing)))

    def forget(self, container: str, name: str) -> None:
        """An object is not here after all.

        Raises:
            StoreUnavailable: the disk refused.
        """
        with store_errors("an object of an Axis dock cannot be forgotten"), suppress(FileNotFoundError):
            (self._at(container) / f"o-{_digest(name)}").unlink()

    def data(self, container: str, sha256: str) -> bytes:
        """The bytes of an object that is no clip.

        Raises:
            StoreUnavailable: they cannot be read.
        """
        with store_errors("an object of an Axis dock cannot be read"):
            found = (self._at(container) / f"b-{sha256}").read_bytes()
        if len(found) > _LARGEST_BYTES or hashlib.sha256(found).hexdigest() != sha256:
            raise StoreUnavailable("an object of an Axis dock is not what was kept: its disk is not to be trusted")
        return found

    def _at(self, container: str) -> Path:
        return self.folder / _digest(container)


def _digest(name: str) -> str:
    return hashlib.sha256(name.encode("utf-8", "surrogateescape")).hexdigest()[:40]


def _json(told: Mapping[str, Any]) -> bytes:
    return json.dumps(told, sort_keys=True).encode()


def _thing(told: Mapping[str, Any]) -> Thing:
    try:
        lists = {name: tuple(told[name]) for name in ("claimed", "earlier")}
        return Thing(**{**told, **lists})
    except (KeyError, TypeError) as error:
        raise RecordMalformed(f"what an Axis dock told of an object cannot be read: {error}") from error


def _read(path: Path) -> dict[str, Any] | None:
    with store_errors("what an Axis dock told cannot be read"):
        try:
            text = path.read_bytes()
        except FileNotFoundError:
            return None
    try:
        told = json.loads(text)
    except ValueError as error:
        raise RecordMalformed(f"what an Axis dock told is no JSON: {path.name}") from error
    if not isinstance(told, dict):
        raise RecordMalformed(f"what an Axis dock told is no object of JSON: {path.name}")
    return told


def _keep(folder: Path, name: str, data: bytes) -> None:
    draft = folder / f".{name}"
    with store_errors("what an Axis dock told cannot be kept"):
        if not folder.is_dir():
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            for above in (folder.parent, folder.parent.parent, folder.parent.parent.parent):
                sync_folder(above)
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            write_all(descriptor, data)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        draft.replace(folder / name)
        sync_folder(folder)
