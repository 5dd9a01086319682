# SPDX-License-Identifier: Apache-2.0
"""This is where what the server only has to be told waits for a network: in order, through kills and power cuts.

    outbox/000000000007.json    one thing to tell: method, path, body, perhaps a file that is put after it
    outbox/refused/…            what the server would not hear, for a person to look at

Order of writes: an entry is whole and durable before the caller goes on. It is removed after the server had it; what
was told twice, because a cut came between, changes nothing there.
"""

import json
import os
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evidence.errors import RecordMalformed
from storage.durable import store_errors, sync_folder, write_all

_ENDING = ".json"


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing to tell; `file` is put at `file_path` after it, if the server wants it."""

    number: int
    method: str
    path: str
    body: Mapping[str, Any]
    file: str | None = None
    file_path: str | None = None

    def mentions(self, docking: str) -> bool:
        """True when it is about this docking."""
        return f"/{docking}/" in self.path or self.body.get("docking") == docking


class Outbox:
    """The outbox in a folder. Threads share it; one process at a time."""

    def __init__(self, folder: Path) -> None:
        """Open it, made when it is not there. Raises: StoreUnavailable."""
        self._folder = folder
        self._lock = threading.Lock()
        with store_errors("the dock's outbox cannot be opened"):
            (folder / "refused").mkdir(mode=0o700, parents=True, exist_ok=True)
            self._next = max((_number(path) for path in folder.rglob(f"*{_ENDING}")), default=0) + 1

    def put(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any],
        *,
        file: Path | None = None,
        file_path: str | None = None,
    ) -> None:
        """Have something told later; when this returned, it will be.

        Raises:
            StoreUnavailable: the disk refused.
        """
        told = {"method": method, "path": path, "body": body, "file": file and str(file), "file_path": file_path}
        data = json.dumps(told, ensure_ascii=True).encode()
        with self._lock, store_errors("the dock's outbox cannot be written"):
            final = self._path(self._next)
            draft = final.with_name(f".{final.name}")
            descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            try:
                write_all(descriptor, data)
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            draft.replace(final)
            sync_folder(self._folder)
            self._next += 1

    def first(self) -> Entry | None:
        """The oldest that was not told yet.

        Raises:
            StoreUnavailable: it cannot be read. RecordMalformed: it is not as it was written.
        """
        with store_errors("the dock's outbox cannot be read"):
            numbers = self._numbers()
            if not numbers:
                return None
            text = self._path(min(numbers)).read_bytes()
        return _entry(min(numbers), text)

    def numbers_of(self, wanted: Callable[[Entry], bool]) -> list[int]:
        """Which entries are of a kind. Raises: as `first`."""
        with store_errors("the dock's outbox cannot be read"):
            found = [_entry(one, self._path(one).read_bytes()) for one in sorted(self._numbers())]
        return [entry.number for entry in found if wanted(entry)]

    def remove(self, number: int) -> None:
        """It was told. Raises: StoreUnavailable."""
        with store_errors("the dock's outbox cannot be written"):
            self._path(number).unlink(missing_ok=True)

    def set_aside(self, number: int) -> None:
        """The server will not hear it: a person may. Raises: StoreUnavailable."""
        with store_errors("the dock's outbox cannot be written"):
            path = self._path(number)
            path.replace(self._folder / "refused" / path.name)

    def count(self) -> int:
        """How much waits. Raises: StoreUnavailable."""
        with store_errors("the dock's outbox cannot be read"):
            return len(self._numbers())

    def _numbers(self) -> list[int]:
        return [_number(path) for path in self._folder.glob(f"[0-9]*{_ENDING}")]

    def _path(self, number: int) -> Path:
        return self._folder / f"{number:012d}{_ENDING}"


def _number(path: Path) -> int:
    digits = path.name.lstrip(".").removesuffix(_ENDING)
    return int(digits) if digits.isascii() and digits.isdigit() else 0


def _entry(number: int, text: bytes) -> Entry:
    try:
        return Entry(number, **json.loads(text))
    except (ValueError, TypeError) as error:
        raise RecordMalformed(f"entry {number} of the dock's outbox cannot be read") from error
