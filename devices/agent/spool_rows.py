# SPDX-License-Identifier: Apache-2.0
"""This is where a row of the dock's journal is a file as people and the uploader see it."""

import json
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

from devices.agent.journal import Row
from evidence.claims import Claims
from evidence.offer import from_showable


class FileState(StrEnum):
    """How far a file has come."""

    COPYING = "copying"
    COPIED = "copied"
    UPLOADING = "uploading"
    UPLOADED = "uploaded"
    RECEIPTED = "receipted"
    ERASED = "erased"


@dataclass(frozen=True, slots=True)
class SpoolFile:
    """A file of a device: `path` is what the server is told, the device's name and the path on it.

    `sha256` (hex) is there once all its bytes rest in the spool and last; until then pieces may be uploaded
    as they come. `tail` is the SHA-256 of its last bytes; `read_in` the last docking in which every byte of it
    was read from the device; `boot` the start of the machine it was last written in.
    """

    offer: str
    device: str
    docking: str
    port: str
    path: str
    name: str
    size_bytes: int
    mtime_ns: int
    claims: Claims
    is_priority: bool
    sha256: str | None
    tail: str | None
    read_in: str | None
    boot: str | None
    kept_bytes: int
    upload_url: str | None
    uploaded_bytes: int
    recording: str | None
    is_receipted: bool
    is_backed_up: bool
    is_resting: bool
    is_erased: bool

    @property
    def state(self) -> FileState:
        """The furthest it has come."""
        if self.is_erased:
            return FileState.ERASED
        if self.is_receipted:
            return FileState.RECEIPTED
        if self.sha256 is None:
            return FileState.COPYING
        if self.upload_url is None:
            return FileState.COPIED
        return FileState.UPLOADED if self.uploaded_bytes >= self.size_bytes else FileState.UPLOADING


def file_of(row: Row) -> SpoolFile:
    """The file that a row tells of."""
    told = {name: row[name] for name in row.keys()}  # noqa: SIM118 (a row of sqlite3 iterates over its values)
    flags = {name: bool(value) for name, value in told.items() if name.startswith("is_")}
    names = {name: from_showable(str(told[name])) for name in ("path", "name")}
    return SpoolFile(**(told | flags | names | {"claims": _claims(str(told["claims"]))}))


@lru_cache(maxsize=4096)
def _claims(text: str) -> Claims:
    """Rows are looked at again and again while their files are uploaded; their claims stay what they were."""
    return Claims.from_json(json.loads(text))


def claims_text(claims: Claims) -> str:
    """Claims as the journal keeps them."""
    return json.dumps(claims.to_json(), ensure_ascii=False)
