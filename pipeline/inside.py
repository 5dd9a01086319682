# SPDX-License-Identifier: Apache-2.0
"""This is where a file's media is looked into, and whatever is wrong with it becomes a named problem."""

import errno
import hashlib
import json
import os
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from evidence.claims import Claims
from evidence.errors import EmptyFile, Unacceptable, Undecodable
from evidence.media_time import to_text
from evidence.offer import showable
from pipeline.media.container_claims import claims_of, claims_of_unreadable
from pipeline.media.examination import Examination
from pipeline.media.examine import examine
from pipeline.media.sniff import Container, sniff_bytes
from pipeline.spool import Spooled, placed
from storage.durable import store_errors
from storage.register import search

_HEAD_BYTES = 1 << 16


@dataclass(frozen=True, slots=True)
class Inside:
    """What the media of a file is; with a `problem`, as much of it as could be read.

    `examined` is the examination as a JSON object; `table_sha256` the digest of the packet table that
    was written, None for what has no packets. `shifts`: by stream number, the exact seconds
    between a packet's stored time and the time it is shown: what keeps sound and picture in step,
    which the packet tree does not commit to.
    """

    kind: str | None
    container: str | None
    duration: Fraction | None
    packet_root: str | None
    table_sha256: str | None
    examined: dict[str, Any] | None
    shifts: dict[str, str]
    claims: Claims
    problem: dict[str, str] | None


def look_inside(files: Spooled, *, name: str) -> Inside:
    """Examine the spooled original that was offered as `name`; its packet table goes beside it.

    Never raises for what the bytes are: that becomes `problem`, with the code of our error.

    Raises:
        StoreUnavailable: the spool cannot be read or written: nothing was judged.
    """
    container = None
    with store_errors("the spool cannot be used"):
        try:
            container = _sniff(files.original, name)
            examination = _examine_surely(files, container)
        except Unacceptable as error:
            problem = {"code": error.code, "text": error.message}
            kind, form = (None, None) if container is None else (container.kind, container.name)
            said = claims_of_unreadable(_head(files.original))
            return Inside(kind, form, None, None, None, None, {}, said, problem)
        return _whole(files.original, examination, files.packets)


def _examine_surely(files: Spooled, container: Container) -> Examination:
    """The examination. A disk that failed for a moment looks like a file that does not read: it gets a second look.

    Not more than one: libav calls some damaged files an input/output error, too. A disk that goes on
    failing is noticed where the copy's chunks are hashed.
    """
    try:
        return _examine(files, container)
    except Undecodable as error:
        if not _may_be_the_disk(error):
            raise
        return _examine(files, container)


def _may_be_the_disk(error: Undecodable) -> bool:
    """True when it was a failed read, or the child ended by an error of Python's: its own code may not have read."""
    return error.values.get("status") == 1 or os.strerror(errno.EIO) in error.message


def _examine(files: Spooled, container: Container) -> Examination:
    """The examination; the packet table takes its name when it is whole. What has no packets has none."""
    with placed(files.packets) as draft:
        return examine(files.original, container=container, table=draft)


def examination_of(original: search.Row) -> Examination | None:
    """The examination of an original as the register holds it; None when its media could not be read."""
    told = json.loads(original["facts"])
    return None if told is None else Examination.from_dict(told)


def table_seal_of(original: search.Row) -> str | None:
    """The seal of the packet table alone: a long recording's examination takes longer to read than a clip to cut."""
    told = json.loads(original["facts"])
    return None if told is None else told["table_seal"]


def _sniff(path: Path, name: str) -> Container:
    head = _head(path)
    if not head:
        raise EmptyFile(f"{showable(name)} has no bytes")
    return sniff_bytes(head, name=showable(name))


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(_HEAD_BYTES)


def _whole(path: Path, examination: Examination, table: Path) -> Inside:
    table_sha256 = None
    if examination.packet_root is not None:
        with table.open("rb") as file:
            table_sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    return Inside(
        kind=examination.kind,
        container=examination.container,
        duration=examination.duration,
        packet_root=examination.packet_root,
        table_sha256=table_sha256,
        examined=examination.to_dict(),
        shifts={str(stream.index): to_text(stream.shift) for stream in examination.streams},
        claims=claims_of(path, examination),
        problem=None,
    )
