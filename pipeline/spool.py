# SPDX-License-Identifier: Apache-2.0
"""This is where a source is read, once: copied to the spool, and its digest taken in the same pass.

The spool lies beside the object store, so that sealing can adopt the copied file without writing
it a second time. A spool file is complete when it has its final name; anything else is a leftover.
"""

import os
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO

from evidence.chunk_tree import ChunkHasher, ChunkTree
from evidence.digest import Digest
from evidence.errors import NotFound, SourceUnavailable, StillChanging, StoreUnavailable
from pipeline.ports import Progress, unheard
from storage.durable import store_errors, write_all

# Two blocks are in flight: one is hashed while the next is read. A multiple of the chunk size.
_BLOCK_BYTES = 8 << 20


@dataclass(frozen=True, slots=True)
class Spooled:
    """The spool files of one recording: its bytes, its chunk leaves, its packet table."""

    original: Path
    chunks: Path
    packets: Path

    def clear(self) -> None:
        """Remove what is there, if that can be; what stays is no matter, and `sweep` finds it later."""
        for path in (self.original, self.chunks, self.packets):
            with suppress(OSError):
                path.unlink()


def spooled(spool: Path, recording: str) -> Spooled:
    """Names of a recording's spool files, whether they are there or not."""
    return Spooled(*(spool / f"{recording}.{part}" for part in ("original", "chunks", "packets")))


def copy_measured(
    source: BinaryIO, target: Path, *, size_bytes: int, progress: Progress = unheard, is_to_last: bool = False
) -> Digest:
    """Copy `source` to `target`, reading each byte once, and return the digest of what was read.

    Memory is flat: two blocks of 8 MiB. `target` has its name only when it is whole. With `is_to_last` its bytes
    would survive a power cut before it gets the name; otherwise only after `storage.durable.kept_durably`.

    Raises:
        StillChanging: the source was written to meanwhile, or has another size than was offered.
        SourceUnavailable: it cannot be read to its end.
        StoreUnavailable: the spool cannot be written: disk full, or worse.
    """
    before = seen(source)
    with placed(target) as draft:
        with _writing(draft) as out:
            digest = _pump(source, out, expect=size_bytes, progress=progress)
            if is_to_last:
                os.fsync(out.fileno())
        after = seen(source)
        if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
            raise StillChanging("the file was written to while it was read; it is taken when it is quiet")
        if digest.size_bytes != size_bytes:
            raise StillChanging(f"{size_bytes} bytes were offered, {digest.size_bytes} read: it is not quiet yet")
    return digest


def adopt_measured(source: Path, target: Path, *, size_bytes: int, progress: Progress = unheard) -> Digest:
    """Give a received file, which nobody writes to any more, the name `target` as well; the digest of its bytes.

    Raises:
        NotFound: it is not there (any more).
        StillChanging: it has another size than was offered.
        StoreUnavailable: the spool cannot be read or written.
    """
    sha, size = sha256(), 0
    buffer = memoryview(bytearray(_BLOCK_BYTES))
    with store_errors("a received file cannot be taken over"), placed(target) as draft:
        try:
            os.link(source, draft)
        except FileNotFoundError as error:
            raise NotFound("the received file is no longer there") from error
        with draft.open("rb", buffering=0) as file:
            while count := file.readinto(buffer):
                sha.update(buffer[:count])
                size += count
                progress(min(1.0, size / size_bytes) if size_bytes else 1.0)
        if size != size_bytes:
            raise StillChanging(f"{size_bytes} bytes were announced, {size} are there")
    return Digest(sha.digest(), size)


def seen(source: BinaryIO) -> os.stat_result:
    """What the system tells of an open source.

    Raises:
        SourceUnavailable: its medium has gone.
    """
    try:
        return os.fstat(source.fileno())
    except OSError as error:
        raise SourceUnavailable(f"the source can no longer be asked: {error.strerror}", errno=error.errno) from error


def measure_chunks(files: Spooled) -> ChunkTree:
    """The chunk tree of the copy, whose leaves are put into the spool, whole or not at all.

    Not of what was read from the source: sealing proves that what rests has the digest of that.

    Raises:
        StoreUnavailable: the spool cannot be read or written.
    """
    hasher, buffer = ChunkHasher(), memoryview(bytearray(_BLOCK_BYTES))
    with store_errors("the spool cannot be read"), files.original.open("rb", buffering=0) as copy:
        while count := copy.readinto(buffer):
            hasher.update(buffer[:count])
    tree = hasher.finish()
    with placed(files.chunks) as draft, _writing(draft) as out:
        write_all(out.fileno(), tree.leaves)
    return tree


@contextmanager
def placed(target: Path) -> Iterator[Path]:
    """A draft that takes the name `target` when the block ends well, if anything was written, and else is gone.

    Each draft is a file of its own: a worker that was frozen, lost its lease and wakes up again goes on
    writing into its own draft, never into a file that its successor has sealed.

    Raises:
        StoreUnavailable: the draft cannot be given its name.
    """
    draft = target.with_name(f"{target.name}.{uuid.uuid4().hex}.part")
    try:
        yield draft
        with store_errors("the spool cannot be written"):
            if draft.exists():
                draft.replace(target)
    finally:
        with suppress(OSError):  # as with `clear`
            draft.unlink()


@contextmanager
def _writing(part: Path) -> Iterator[BinaryIO]:
    try:
        with part.open("xb", buffering=0) as raw:
            yield raw
    except StoreUnavailable:
        raise
    except OSError as error:
        raise StoreUnavailable(f"the spool cannot be written: {error}") from error


def _pump(source: BinaryIO, out: BinaryIO, *, expect: int, progress: Progress) -> Digest:
    sha, size = sha256(), 0
    buffers = [bytearray(_BLOCK_BYTES), bytearray(_BLOCK_BYTES)]
    hashing: list[Future[None] | None] = [None, None]
    # hashlib lets go of the interpreter lock: hashing and copying go on at once. One thread, for the
    # blocks must go into the digest one after another, in the order they were read.
    with ThreadPoolExecutor(1) as pool:
        turn = 0
        while True:
            if (before := hashing[turn]) is not None:
                before.result()
            view = memoryview(buffers[turn])[: _fill(source, buffers[turn])]
            if not view:
                break
            hashing[turn] = pool.submit(sha.update, view)
            write_all(out.fileno(), view)
            _forget(source, size, len(view))
            size += len(view)
            progress(min(1.0, size / expect) if expect else 1.0)
            turn = 1 - turn
    return Digest(sha.digest(), size)


def _forget(source: BinaryIO, start: int, length: int) -> None:
    """Ask the page cache to let go of what was read: nobody reads it again, and the copy can have its memory.

    New memory costs more than all hashing does where a virtual machine has to get it from its host.
    """
    if hasattr(os, "posix_fadvise"):
        with suppress(OSError):  # a request: what is no file on a disk may not know it
            os.posix_fadvise(source.fileno(), start, length, os.POSIX_FADV_DONTNEED)


def _fill(source: BinaryIO, buffer: bytearray) -> int:
    """Read until the buffer is full or the source ends: only the last block may be short."""
    view, filled = memoryview(buffer), 0
    try:
        while filled < len(buffer):
            count = source.readinto(view[filled:])  # type: ignore[attr-defined]
            if not count:
                break
            filled += count
    except OSError as error:
        raise SourceUnavailable(f"the source cannot be read on: {error}") from error
    return filled


def sweep(spool: Path, *, is_wanted: Callable[[str], bool]) -> list[Path]:
    """Remove what killed steps left, and return it; `is_wanted` tells whether a recording is still worked on.

    It is asked after the files were seen: a file whose recording needs it by then was not made later.

    Raises:
        StoreUnavailable: the spool cannot be read or written.
    """
    removed = []
    with store_errors("the spool cannot be cleared"):
        for path in [path for path in spool.glob("rec-*") if path.is_file()]:
            if not is_wanted(path.name.partition(".")[0]):
                path.unlink(missing_ok=True)
                removed.append(path)
    return removed
