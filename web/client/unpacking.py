# SPDX-License-Identifier: Apache-2.0
"""This is where the stream of a pack is unpacked: by a server that may lie, into a folder that nothing leaves.

The stream says what a file is called, never where it goes: names are of the form of a pack or the stream is refused
before anything is written. Sizes are held against what the server said the whole pack has, file by file, before the
file is opened; nothing is compressed, so nothing grows.

Source: POSIX.1-2017 pax, "ustar Interchange Format".
"""

import io
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

from evidence.errors import RecordMalformed, TooLarge, Truncated
from pipeline.pack import names
from storage.durable import store_errors

_MOST_FILES = 1_000_000
_BLOCK = tarfile.BLOCKSIZE
# The longest header there is of names as ours: the extended one, its text, and the file's own.
_LARGEST_TEXT = 4096


class _Blocks:
    """Bytes of a stream, so many at a time."""

    def __init__(self, blocks: Iterator[bytes]) -> None:
        self._blocks = blocks
        self._rest = b""

    def take(self, size: int) -> bytes:
        """The next `size` bytes.

        Raises:
            Truncated: the stream ends before.
        """
        return b"".join(self.pieces(size))

    def pieces(self, size: int) -> Iterator[bytes]:
        """The next `size` bytes, in pieces as they come."""
        while size:
            data = self._rest or next(self._blocks, b"")
            if not data:
                raise Truncated("the pack ended before it was whole: ask for it again")
            piece, self._rest = data[:size], data[size:]
            size -= len(piece)
            yield piece


def unpack(blocks: Iterator[bytes], into: Path, *, top: str, size_bytes: int, progress: Callable[[float], None]) -> int:
    """Unpack a stream of files in a folder `top` into the empty folder `into`; how many they are.

    Raises:
        RecordMalformed: something else than plain files by names of a pack, or one of them twice.
        TooLarge: more than `size_bytes` in all. Truncated: it ended early. StoreUnavailable: the disk refuses.
    """
    stream, seen, taken = _Blocks(blocks), set[str](), 0
    while (member := _next(stream)) is not None:
        name = member.name.removeprefix(f"{top}/")
        if not _is_plain(member) or name == member.name or not names.is_name(name):
            raise RecordMalformed(f"the stream holds what no pack holds: {member.name[:200]!a}")
        if name.casefold() in seen or len(seen) >= _MOST_FILES:
            raise RecordMalformed(f"the stream holds {name} a second time, or more files than any pack")
        taken += member.size
        if taken > size_bytes:
            raise TooLarge(f"the stream holds more than the {size_bytes:,} bytes that the pack is said to have")
        seen.add(name.casefold())
        _write(stream, into / name, member.size)
        progress(min(1.0, taken / max(size_bytes, 1)))
    return len(seen)


def _is_plain(member: tarfile.TarInfo) -> bool:
    """True for a file as `tar_of` writes it: no link, no device, no holes, and no size that runs backwards."""
    is_file = member.type in (tarfile.REGTYPE, tarfile.AREGTYPE) and not member.issparse()
    return is_file and member.size >= 0 and set(member.pax_headers) <= {"path", "size"}


def _write(stream: _Blocks, path: Path, size: int) -> None:
    with store_errors(f"{path.name} cannot be written"):
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("xb") as file:
            for piece in stream.pieces(size):
                file.write(piece)
    stream.take(-size % _BLOCK)


def _next(stream: _Blocks) -> tarfile.TarInfo | None:
    """The next file's header; an extended one before it gives its long name and size. None at the end."""
    head = stream.take(_BLOCK)
    if head == bytes(_BLOCK):
        return None
    told = _header(head)
    if told.type != tarfile.XHDTYPE:
        return told
    if not 0 <= told.size <= _LARGEST_TEXT:
        raise RecordMalformed("the stream holds a header that is longer than any of a pack")
    text = stream.take(told.size + -told.size % _BLOCK)
    file_head = stream.take(_BLOCK)
    # The two headers alone, read as an archive of one file: nothing of it is unpacked.
    try:
        with tarfile.open(fileobj=io.BytesIO(head + text + file_head), mode="r:") as one:
            member = one.next()
    except (tarfile.TarError, ValueError, OverflowError) as error:
        raise RecordMalformed(f"the stream holds a header that does not read: {error}") from error
    if member is None:
        raise RecordMalformed("the stream holds a header without its file")
    return member


def _header(head: bytes) -> tarfile.TarInfo:
    try:
        return tarfile.TarInfo.frombuf(head, "utf-8", "strict")
    except (tarfile.TarError, ValueError) as error:
        raise RecordMalformed(f"the stream is no archive of a pack: {error}") from error
