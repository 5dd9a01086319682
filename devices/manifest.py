# SPDX-License-Identifier: Apache-2.0
"""This is where everything that a dock's folder lists is written down before anything is copied.

The form is `pipeline.dock_manifest`'s; what the walk found becomes its rows here.
"""

from collections.abc import Iterable
from typing import BinaryIO

from devices.settle import Reason
from devices.walk import Entry
from pipeline.dock_manifest import MAX_LINE_BYTES as MAX_LINE_BYTES
from pipeline.dock_manifest import TAKEN as TAKEN
from pipeline.dock_manifest import Row as Row
from pipeline.dock_manifest import Summary as Summary
from pipeline.dock_manifest import read_manifest as read_manifest
from pipeline.dock_manifest import write_rows

# These say what the thing is; other reasons say why a file is not taken.
_KINDS = frozenset(
    {
        Reason.FOLDER,
        Reason.SYMLINK,
        Reason.FIFO,
        Reason.SOCKET,
        Reason.DEVICE_NODE,
        Reason.UNKNOWN_TYPE,
        Reason.TOO_DEEP,
        Reason.LOOP,
    }
)
_FOLDERS = frozenset({Reason.TOO_DEEP, Reason.LOOP})


def write_manifest(dock: str, entries: Iterable[Entry], out: BinaryIO) -> Summary:
    """Write the manifest of `entries`, the names of `dock` in order (`walk(at, in_order=True)`), to `out`.

    What the walk raises comes through, and leaves a text without its last line, which no reader accepts.
    """
    return write_rows(dock, map(row_of, entries), out)


def row_of(entry: Entry) -> Row:
    """The row for an entry of the walk."""
    size, mtime = (entry.seen.size_bytes, entry.seen.mtime_ns) if entry.seen else (None, None)
    ignored = None if entry.ignored is None else str(entry.ignored)
    return Row(_kind(entry), entry.path, size, mtime, ignored)


def _kind(entry: Entry) -> str:
    if entry.ignored in _FOLDERS:
        return Reason.FOLDER
    if entry.ignored in _KINDS:
        return str(entry.ignored)
    return "file" if entry.seen else "unknown"
