# SPDX-License-Identifier: Apache-2.0
"""This is where a file's media is looked into, and whatever is wrong with it becomes a named problem."""

import hashlib
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from evidence.claims import Claims
from evidence.errors import Unacceptable
from pipeline.media.container_claims import claims_of
from pipeline.media.examine import Examination, examine
from pipeline.media.sniff import sniff


@dataclass(frozen=True, slots=True)
class Inside:
    """What the media of a file is; with a `problem`, as much of it as could be read.

    `examined` is the examination as JSON; `table_sha256` the digest of the packet table that was
    written, None for what has no packets.
    """

    kind: str | None
    container: str | None
    duration: Fraction | None
    packet_root: str | None
    table_sha256: str | None
    examined: dict[str, Any] | None
    claims: Claims
    problem: dict[str, str] | None


def look_inside(path: Path, *, name: str, table: Path) -> Inside:
    """Examine the file at `path` that was called `name`; the packet table goes to `table`.

    Never raises for what the bytes are: that is `problem`, with the code of our error.
    """
    container = None
    try:
        container = sniff(path, name=name)
        examination = examine(path, container=container, table=table)
    except Unacceptable as error:
        table.unlink(missing_ok=True)
        problem = {"code": error.code, "text": error.message}
        kind, form = (None, None) if container is None else (container.kind, container.name)
        return Inside(kind, form, None, None, None, None, Claims(), problem)
    return _whole(examination, table)


def _whole(examination: Examination, table: Path) -> Inside:
    table_sha256 = None
    if examination.packet_root is not None:
        with table.open("rb") as file:
            table_sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    return Inside(
        kind=examination.kind,
        container=examination.container.name,
        duration=examination.duration,
        packet_root=examination.packet_root,
        table_sha256=table_sha256,
        examined=examination.to_json(),
        claims=claims_of(examination),
        problem=None,
    )
