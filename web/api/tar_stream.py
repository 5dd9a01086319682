# SPDX-License-Identifier: Apache-2.0
"""This is where a folder leaves as one tar stream: its length known before, its files as they lie, read once.

Equal folders give equal bytes: no owner, no times, names in order. The names were made by us.

Source: POSIX.1-2017 pax, "ustar Interchange Format".
"""

import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from evidence.errors import SourceUnavailable
from storage.durable import store_errors

_BLOCK = tarfile.BLOCKSIZE
_READ = 1 << 20
_END = bytes(2 * _BLOCK)


@dataclass(frozen=True, slots=True)
class TarStream:
    """What leaves: each file with its header, and how many bytes that is in all."""

    folder: Path
    files: tuple[tuple[str, int, bytes], ...]
    """name, size, header"""
    size_bytes: int

    def blocks(self) -> Iterator[bytes]:
        """The stream.

        Raises:
            SourceUnavailable, StoreUnavailable: a file is not what it was; what left is no whole stream.
        """
        for name, size, header in self.files:
            yield header
            yield from self._file(name, size)
        yield _END

    def _file(self, name: str, size: int) -> Iterator[bytes]:
        left = size
        with store_errors(f"{name} cannot be read"), (self.folder / name).open("rb") as file:
            while left:
                data = file.read(min(_READ, left))
                if not data:
                    raise SourceUnavailable(f"{name} has become shorter")
                left -= len(data)
                yield data
        yield bytes(-size % _BLOCK)


def tar_of(folder: Path, *, top: str) -> TarStream:
    """The plain files of `folder` as a stream in which they lie in a folder `top`.

    Raises:
        StoreUnavailable: it cannot be looked through.
    """
    with store_errors(f"{folder} cannot be read"):
        found = sorted((str(path.relative_to(folder)), path.stat().st_size) for path in folder.rglob("*") if _is(path))
    files = tuple((name, size, _header(f"{top}/{name}", size)) for name, size in found)
    padded = sum(len(header) + size + -size % _BLOCK for _, size, header in files)
    return TarStream(folder, files, padded + len(_END))


def _is(path: Path) -> bool:
    return path.is_file() and not path.is_symlink()


def _header(name: str, size: int) -> bytes:
    told = tarfile.TarInfo(name)
    told.size, told.mode = size, 0o644
    return told.tobuf(tarfile.PAX_FORMAT, "utf-8", "strict")
