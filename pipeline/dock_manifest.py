# SPDX-License-Identifier: Apache-2.0
"""This is where the list of all that a device held, made before anything was copied, has its form.

One line a name, taken or not and why, in the order of the names' bytes: the same folder gives the same text
and the same digest. Lines are written and read as they come, so a million names need no more memory than one.

    evidock-manifest-v1 TAB dock
    kind TAB fate TAB size TAB mtime_ns TAB path        (a line for each name)
    end TAB names TAB sha256                            (over all lines above)

`kind` is what the name stands for (`file`, `folder`, `symlink` …, `unknown`), `fate` is `taken` or why not;
size and mtime_ns are decimal, or `-` when not even they could be asked. Dock and path are written as
`evidence.offer.showable` does, so that a name with a tab, a line feed or broken bytes keeps its line. The
text is UTF-8, lines end in LF.
"""

import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import BinaryIO

from evidence.digest import Digest
from evidence.errors import BadInput, RecordMalformed
from evidence.offer import from_showable, showable

_FORM = "evidock-manifest-v1"
_WORD = re.compile(r"[a-z][a-z0-9-]{0,39}", re.ASCII)
_NUMBER = re.compile(r"-?[0-9]{1,19}", re.ASCII)
TAKEN = "taken"
MAX_LINE_BYTES = 1 << 17  # a path of the greatest depth, every byte of it escaped


@dataclass(frozen=True, slots=True)
class Row:
    """One name of the folder; `ignored` is None for a file that is taken, else the word for why not."""

    kind: str
    path: str
    size_bytes: int | None
    mtime_ns: int | None
    ignored: str | None


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


def write_rows(dock: str, rows: Iterable[Row], out: BinaryIO) -> Summary:
    """Write the manifest of `rows`, the names of `dock` in the order of their bytes, to `out`.

    What `rows` raises comes through, and leaves a text without its last line, which no reader accepts.
    """
    told, bytes_written, whole = Summary(), 0, hashlib.sha256()
    for line, row in _lines(dock, rows):
        bytes_written += out.write(line)
        whole.update(line)
        told = told if row is None else told.plus(row)
    last = f"end\t{told.names}\t{whole.hexdigest()}\n".encode()
    bytes_written += out.write(last)
    whole.update(last)
    return replace(told, digest=Digest(whole.digest(), bytes_written))


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


def _lines(dock: str, rows: Iterable[Row]) -> Iterator[tuple[bytes, Row | None]]:
    yield f"{_FORM}\t{showable(dock)}\n".encode(), None
    for row in rows:
        size, mtime = _number(row.size_bytes), _number(row.mtime_ns)
        yield f"{row.kind}\t{row.ignored or TAKEN}\t{size}\t{mtime}\t{showable(row.path)}\n".encode(), row


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
        if not (_WORD.fullmatch(kind) and _WORD.fullmatch(fate)):
            raise BadInput("a kind or a fate is no word")
        return Row(kind, from_showable(path), _value(size), _value(mtime), None if fate == TAKEN else fate)
    except (ValueError, BadInput) as error:
        raise RecordMalformed(f"not a line of a manifest: {line[:200]!r}") from error


def _value(text: str) -> int | None:
    if text == "-":
        return None
    if not _NUMBER.fullmatch(text):
        raise BadInput("no number")
    return int(text)
