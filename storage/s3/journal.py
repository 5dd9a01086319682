# SPDX-License-Identifier: Apache-2.0
"""This is where an upload in parts is written down, so that a killed one goes on where it was.

One file for each upload, one JSON object a line, added to and never changed; a torn last line does not count:

    {"key": …, "sha256": …, "size_bytes": …, "part_size": …, "upload": …}
    {"part": 1, "sha256": …, "md5": …, "size_bytes": …}     before the part is sent
    {"part": 1, "etag": …}                                  when the service has it

A lost journal costs a second sending and nothing else, so it is not made durable. The kernel's lock on the file
says that the upload is at work.
"""

import contextlib
import fcntl
import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from evidence.digest import Digest
from storage.durable import store_errors, write_all

_SUFFIX = ".upload"
_LARGEST_BYTES = 16 << 20


@dataclass(frozen=True, slots=True)
class Part:
    """One part as it was cut from the source."""

    number: int
    sha256: str
    md5: str
    size_bytes: int


@dataclass(slots=True)
class Journal:
    """The journal of one upload, open and locked; `descriptor` None writes nothing."""

    descriptor: int | None
    upload: str | None = None
    parts: dict[int, Part] = field(default_factory=dict)
    etags: dict[int, str] = field(default_factory=dict)

    def begin(self, key: str, digest: Digest, *, part_size: int, upload: str) -> None:
        """Start anew with another upload."""
        self.clear()
        self.upload = upload
        self._write(
            {
                "key": key,
                "sha256": digest.hex,
                "size_bytes": digest.size_bytes,
                "part_size": part_size,
                "upload": upload,
            }
        )

    def clear(self) -> None:
        """Forget the upload: it is over, or not worth going on with."""
        self.upload = None
        self.parts.clear()
        self.etags.clear()
        if self.descriptor is not None:
            os.ftruncate(self.descriptor, 0)

    def will_send(self, part: Part) -> None:
        """Note a part before it is sent."""
        self.parts[part.number] = part
        self._write({"part": part.number, "sha256": part.sha256, "md5": part.md5, "size_bytes": part.size_bytes})

    def was_sent(self, number: int, etag: str) -> None:
        """Note that the service has a part."""
        self.etags[number] = etag
        self._write({"part": number, "etag": etag})

    def resume(self, key: str, digest: Digest, *, part_size: int) -> None:
        """Take up what the file says, when it speaks of this very upload."""
        if self.descriptor is None:
            return
        lines = _lines(os.pread(self.descriptor, _LARGEST_BYTES, 0))
        wanted = {"key": key, "sha256": digest.hex, "size_bytes": digest.size_bytes, "part_size": part_size}
        if not lines or {name: lines[0].get(name) for name in wanted} != wanted:
            return
        self.upload = str(lines[0].get("upload"))
        for line in lines[1:]:
            self._take(line)

    def _take(self, line: dict[str, Any]) -> None:
        try:
            number = int(line["part"])
            if "etag" in line:
                self.etags[number] = str(line["etag"])
            else:
                self.parts[number] = Part(number, str(line["sha256"]), str(line["md5"]), int(line["size_bytes"]))
        except (KeyError, TypeError, ValueError):
            return  # not ours; the part is sent again

    def _write(self, line: dict[str, Any]) -> None:
        if self.descriptor is not None:
            os.lseek(self.descriptor, 0, os.SEEK_END)
            # The newline first: it ends a line that a kill has torn.
            write_all(self.descriptor, b"\n" + json.dumps(line, sort_keys=True).encode())


def _lines(data: bytes) -> list[dict[str, Any]]:
    found = []
    for text in data.split(b"\n"):
        with contextlib.suppress(ValueError):
            line = json.loads(text)
            if isinstance(line, dict):
                found.append(line)
    return found


@contextmanager
def opened(folder: Path, address: str, key: str) -> Iterator[Journal]:
    """The journal of the upload of `key` to `address`; when another process is at it, one that writes nothing.

    The file is removed at the end when the journal was cleared, and kept for the next try otherwise.
    """
    name = hashlib.sha256(f"{address}\n{key}".encode()).hexdigest()[:40]
    with store_errors("cannot keep the journal of an upload"):
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{name}{_SUFFIX}"
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    is_ours = _locked(descriptor, path)
    journal = Journal(descriptor if is_ours else None)
    try:
        yield journal
    finally:
        if is_ours and journal.upload is None:
            path.unlink(missing_ok=True)
        os.close(descriptor)


def _locked(descriptor: int, path: Path) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # Its last holder may have removed the name between our open and our lock.
        return path.stat().st_ino == os.fstat(descriptor).st_ino
    except (BlockingIOError, FileNotFoundError):
        return False


def uploads_at_work(folder: Path) -> set[str]:
    """Upload ids whose journal is held by a running process of this machine."""
    found: set[str] = set()
    for path in folder.glob(f"*{_SUFFIX}"):
        with contextlib.suppress(FileNotFoundError), path.open("rb") as file:
            if not _is_free(file.fileno()):
                lines = _lines(file.read(_LARGEST_BYTES))
                found.update(str(line["upload"]) for line in lines[:1] if "upload" in line)
    return found


def sweep(folder: Path, *, before: datetime) -> int:
    """Remove the journals nobody has written to since `before`, those at work left alone; how many."""
    swept = 0
    for path in folder.glob(f"*{_SUFFIX}"):
        with contextlib.suppress(FileNotFoundError), path.open("rb") as file:
            if os.fstat(file.fileno()).st_mtime < before.timestamp() and _is_free(file.fileno()):
                path.unlink()
                swept += 1
    return swept


def _is_free(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
