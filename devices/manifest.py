# SPDX-License-Identifier: Apache-2.0
"""This is where everything that a dock's folder lists is written down before anything is copied.

One line a name, taken or not and why, in the order of the names' bytes: the same folder gives the same text
and the same digest. Lines are written as they come, so a million names need no more memory than the names of
one folder.

    evidock-manifest-v1 TAB dock
    kind TAB fate TAB size TAB mtime_ns TAB path        (a line for each name)
    end TAB names TAB sha256                            (over all lines above)

`kind` is what the name stands for (`file`, `folder`, `symlink` …, `unknown`), `fate` is `taken` or why not;
size and mtime_ns are decimal, or `-` when not even they could be asked. Dock and path are written as
`evidence.offer.showable` does, so that a name with a tab, a line feed or broken bytes keeps its line. The
text is UTF-8, lines end in LF.
"""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import BinaryIO

from devices.settle import Reason
from devices.walk import Entry
from evidence.digest import Digest
from evidence.errors import BadInput, RecordMalformed
from evidence.offer import from_showable, showable

_FORM = "evidock-manifest-v1"
TAKEN = "taken"
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
MAX_LINE_BYTES = 1 << 17  # a path of the greatest depth, every byte of it escaped


@dataclass(frozen=True, slots=True)
class Row:
    """One name of the folder; `ignored` is None for a file that is taken."""

    kind: str
    path: str
    size_bytes: int | None
    mtime_ns: int | None
    ignored: Reason | None

    @classmethod
    def of(cls, entry: Entry) -> "Row":
        """The row for an entry of the walk."""
        size, mtime = (entry.seen.size_bytes, entry.seen.mtime_ns) if entry.seen else (None, None)
        return cls(_kind(entry), entry.path, size, mtime, entry.ignored)


@dataclass(frozen=True, slots=True)
class Summary:
    """What a manifest amounts to; `digest` is over all its bytes, the last line included."""

    names: int = 0
    taken: int = 0
    taken_bytes: int = 0
    digest: Digest | None = None

    def plus(self, row: Row) -> "Summary":
        """The summary with one more row."""
        taken = row.ignored is None
        size = (row.size_bytes or 0) if taken else 0
        return replace(self, names=self.names + 1, taken=self.taken + taken, taken_bytes=self.taken_bytes + size)


def write_manifest(dock: str, entries: Iterable[Entry], out: BinaryIO) -> Summary:
    """Write the manifest of `entries`, the names of `dock` in order (`walk(at, in_order=True)`), to `out`.

    What the walk raises comes through, and leaves a text without its last line, which no reader accepts.
    """
    rows, bytes_written, whole = Summary(), 0, hashlib.sha256()
    for line, row in _lines(dock, entries):
        bytes_written += out.write(line)
        whole.update(line)
        rows = rows if row is None else rows.plus(row)
    last = f"end\t{rows.names}\t{whole.hexdigest()}\n".encode()
    bytes_written += out.write(last)
    whole.update(last)
    return replace(rows, digest=Digest(whole.digest(), bytes_written))


def read_manifest(source: BinaryIO) -> Iterator[Row]:
    """The rows that `write_manifest` wrote, as they are read; believe none before the last came.

    Raises:
        RecordMalformed: not a manifest, cut short, changed, or followed by anything.
    """
    whole = hashlib.sha256()
    line = _line(source)
    if not line.startswith(f"{_FORM}\t".encode()):
        raise RecordMalformed("not a dock manifest")
    names = 0
    while True:
        whole.update(line)
        line = _line(source)
        if line.startswith(b"end\t"):
            break
        yield _row(line)
        names += 1
    if line != f"end\t{names}\t{whole.hexdigest()}\n".encode() or source.read(1):
        raise RecordMalformed("the manifest was changed, or cut short", names=names)


def _lines(dock: str, entries: Iterable[Entry]) -> Iterator[tuple[bytes, Row | None]]:
    yield f"{_FORM}\t{showable(dock)}\n".encode(), None
    for entry in entries:
        row = Row.of(entry)
        size, mtime = _number(row.size_bytes), _number(row.mtime_ns)
        yield f"{row.kind}\t{row.ignored or TAKEN}\t{size}\t{mtime}\t{showable(row.path)}\n".encode(), row


def _kind(entry: Entry) -> str:
    if entry.ignored in _FOLDERS:
        return Reason.FOLDER
    if entry.ignored in _KINDS:
        return str(entry.ignored)
    return "file" if entry.seen else "unknown"


def _number(value: int | None) -> str:
    return "-" if value is None else str(value)


def _line(source: BinaryIO) -> bytes:
    line = source.readline(MAX_LINE_BYTES)
    if not line.endswith(b"\n"):
        raise RecordMalformed("the manifest was cut short, or a line is longer than any path")
    return line


def _row(line: bytes) -> Row:
    try:
        kind, fate, size, mtime, path = line[:-1].decode().split("\t")
        return Row(kind, from_showable(path), _value(size), _value(mtime), None if fate == TAKEN else Reason(fate))
    except (ValueError, BadInput) as error:
        raise RecordMalformed(f"not a line of a manifest: {line[:200]!r}") from error


def _value(text: str) -> int | None:
    return None if text == "-" else int(text)
