# SPDX-License-Identifier: Apache-2.0
"""This is where the object store is a directory: embedded, durable, and tamper-evident (not WORM).

    ROOT/<key>        an object: a plain file, mode 0444
    ROOT/.tmp/<name>  a write that has not finished; swept when a day old

An object appears by hard link, which never replaces a name, from a file that is already durable.
So a kill or a power cut leaves either no object or the whole one, and at worst an orphan in `.tmp`.
"""

import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path

from evidence.digest import Digest
from evidence.errors import BadInput, Conflict, FixityMismatch, NotFound, RecordMalformed
from storage import layout
from storage.durable import store_errors, write_all
from storage.folders import FolderTree
from storage.objects import BLOCK_SIZE, check_key, check_prefix
from storage.reading import blocks_of, blocks_of_source, copied_to, digest_of, opened_source, read_at
from storage.unlocked import Unlocked

_DRAFTS = ".tmp"
_STALE_AFTER_NS = 24 * 3600 * 10**9
_CANNOT_LINK = (errno.EXDEV, errno.EPERM, errno.EOPNOTSUPP, errno.EMLINK)


class DirectoryStore(Unlocked):
    """The ObjectStore promises over one folder of one file system (which must know hard links).

    Nothing is written before the first put: a store on read-only media can be read.
    `create=False` refuses a folder that is not there, as an auditor or a dock on a removable disk wants.
    """

    def __init__(self, root: Path, *, create: bool = True) -> None:
        self._tree = FolderTree(root, create=create)
        self._is_swept = False

    # --- writing ----------------------------------------------------------------------------

    def put_once(self, key: str, source: Path, *, digest: Digest, give: bool = False) -> None:
        """As the port says. `give` keeps the file itself when it is ours, of one name and on this disk."""
        with store_errors(f"cannot store {check_key(key)}"):
            if (give and self._is_this_file(key, source)) or self._rests(key, digest):
                return
            with opened_source(source) as incoming:
                if not (give and self._adopt(key, source, incoming, digest)):
                    self._copy(key, source, incoming, digest)

    def put_bytes_once(self, key: str, data: bytes) -> None:
        """As the port says."""
        with store_errors(f"cannot store {check_key(key)}"):
            if self._rests_bytes(key, data):
                return
            with self._draft() as (drafts, name, draft):
                write_all(draft, data)
                _finish(draft)
                if not (self._link(key, name, from_folder=drafts) or self._rests_bytes(key, data)):
                    raise _taken(key)

    def replace(self, key: str, data: bytes) -> None:
        """As the port says: a rename, which is atomic."""
        if not layout.is_pointer(check_key(key)):
            raise Conflict(f"{key} is written once; only a pointer is ever replaced", key=key)
        with store_errors(f"cannot replace {key}"), self._draft() as (drafts, name, draft):
            write_all(draft, data)
            _finish(draft)
            parent, _, last = key.rpartition("/")
            with self._tree.folder(parent, create=True) as folder:
                os.rename(name, last, src_dir_fd=drafts, dst_dir_fd=folder)
                os.fsync(folder)

    # --- reading ----------------------------------------------------------------------------

    def read(self, key: str, *, limit: int) -> bytes:
        """As the port says."""
        with self._opened(key) as descriptor:
            data = read_at(descriptor, 0, limit + 1)
        if len(data) > limit:
            raise RecordMalformed(f"{key} is larger than the {limit} bytes it may have", key=key, limit=limit)
        return data

    def read_range(self, key: str, start: int, length: int) -> bytes:
        """As the port says."""
        if start < 0 or length < 0:
            raise BadInput(f"no range of {key} starts at {start} and has {length} bytes", key=key)
        with self._opened(key) as descriptor:
            return read_at(descriptor, start, length)

    def blocks(self, key: str, size: int = BLOCK_SIZE) -> Iterator[bytes]:
        """As the port says. One descriptor is held while the iterator lives."""
        if size <= 0:
            raise BadInput(f"no block of {key} has {size} bytes", key=key)
        with self._opened(key) as descriptor:
            at = 0
            while block := read_at(descriptor, at, size):
                yield block
                at += len(block)

    def measure(self, key: str) -> Digest:
        """As the port says. The page cache is asked to forget the file first (posix_fadvise is a request)."""
        with self._opened(key) as descriptor:
            if hasattr(os, "posix_fadvise"):
                os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
                os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_SEQUENTIAL)
            return digest_of(blocks_of(descriptor))

    def size(self, key: str) -> int:
        """As the port says."""
        with self._opened(key) as descriptor:
            return os.fstat(descriptor).st_size

    def exists(self, key: str) -> bool:
        """As the port says."""
        try:
            with self._opened(key):
                return True
        except NotFound:
            return False

    def keys(self, prefix: str = "") -> Iterator[str]:
        """As the port says. What stands under a key but is no plain file is listed; reading it says so."""
        check_prefix(prefix)
        return (name for name in self._names(prefix) if _is_key(name))

    def strays(self) -> Iterator[str]:
        """Names in the store's folder that no key could have: nothing of ours put them there."""
        return (name for name in self._names("") if not _is_key(name))

    @contextmanager
    def local_file(self, key: str) -> Iterator[Path]:
        """As the port says: it is the object itself."""
        with self._opened(key):
            pass
        yield self._tree.root / key

    # --- within -----------------------------------------------------------------------------

    @contextmanager
    def _opened(self, key: str) -> Iterator[int]:
        with store_errors(f"cannot read {check_key(key)}"), self._tree.opened(key) as descriptor:
            yield descriptor

    def _is_this_file(self, key: str, source: Path) -> bool:
        """True when an earlier put of the same given file got as far as the link."""
        try:
            given = source.lstat()
            with self._tree.opened(key) as descriptor:
                resting = os.fstat(descriptor)
        except (FileNotFoundError, NotFound):
            return False
        if (given.st_dev, given.st_ino) != (resting.st_dev, resting.st_ino):
            return False
        self._settle(key)
        return True

    def _rests(self, key: str, digest: Digest) -> bool:
        """True when the object is there already; never mind who put it there, it is durable on return."""
        if not self.exists(key):
            return False
        resting = self.measure(key)
        if resting != digest:
            raise _conflict(key, resting=resting, offered=digest)
        self._settle(key)
        return True

    def _rests_bytes(self, key: str, data: bytes) -> bool:
        if not self.exists(key):
            return False
        if self.size(key) != len(data) or self.read_range(key, 0, len(data)) != data:
            raise _conflict(key, resting=self.size(key), offered=len(data))
        self._settle(key)
        return True

    def _settle(self, key: str) -> None:
        # Another writer may have made the name a moment ago and not yet made it durable.
        with self._tree.folder(key.rpartition("/")[0], create=True) as folder:
            os.fsync(folder)

    def _adopt(self, key: str, source: Path, incoming: int, digest: Digest) -> bool:
        """Give the caller's file its second name, and say whether that was possible."""
        facts = os.fstat(incoming)
        if facts.st_size != digest.size_bytes:
            raise FixityMismatch(
                f"{source} has {facts.st_size} bytes, measured were {digest.size_bytes}", expected=digest
            )
        # A second name elsewhere is a second hand that could write: such a file is copied.
        if facts.st_nlink != 1 or facts.st_uid != os.geteuid() or facts.st_dev != self._tree.device:
            return False
        _finish(incoming)
        try:
            is_new = self._link(key, str(source))
        except OSError as error:
            if error.errno in _CANNOT_LINK:
                return False
            raise
        if not (is_new or self._rests(key, digest)):
            raise _taken(key)
        return True

    def _copy(self, key: str, source: Path, incoming: int, digest: Digest) -> None:
        with self._draft() as (drafts, name, draft):
            actual = digest_of(copied_to(draft, blocks_of_source(incoming, source)))
            if actual != digest:
                raise FixityMismatch(
                    f"{source} measures {actual}, not {digest}", key=key, expected=digest, actual=actual
                )
            _finish(draft)
            if not (self._link(key, name, from_folder=drafts) or self._rests(key, digest)):
                raise _taken(key)

    def _link(self, key: str, name: str, *, from_folder: int | None = None) -> bool:
        """Publish the durable file `name` under `key`, durably; False when the key was taken before us."""
        parent, _, last = key.rpartition("/")
        with self._tree.folder(parent, create=True) as folder:
            try:
                os.link(name, last, src_dir_fd=from_folder, dst_dir_fd=folder, follow_symlinks=False)
            except FileExistsError:
                return False
            os.fsync(folder)
        return True

    @contextmanager
    def _draft(self) -> Iterator[tuple[int, str, int]]:
        """A new empty file, which loses its own name at the end: (its folder, its name, a descriptor)."""
        name = secrets.token_hex(16)
        with self._tree.folder(_DRAFTS, create=True) as drafts:
            draft = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600, dir_fd=drafts)
            try:
                if not self._is_swept:
                    self._sweep(drafts, now_ns=os.fstat(draft).st_mtime_ns)
                yield drafts, name, draft
            finally:
                os.close(draft)
                with suppress(FileNotFoundError):  # a renamed draft has no name left
                    os.unlink(name, dir_fd=drafts)

    def sweep(self, *, now: datetime) -> int:
        """As the port says."""
        with store_errors("cannot sweep unfinished writes"), self._tree.folder(_DRAFTS, create=True) as drafts:
            return self._sweep(drafts, now_ns=int(now.timestamp() * 10**9))

    def _sweep(self, drafts: int, *, now_ns: int) -> int:
        self._is_swept = True
        swept = 0
        for name in os.listdir(drafts):
            with suppress(FileNotFoundError):  # another process sweeps too
                if os.lstat(name, dir_fd=drafts).st_mtime_ns < now_ns - _STALE_AFTER_NS:
                    os.unlink(name, dir_fd=drafts)
                    swept += 1
        return swept

    def _names(self, prefix: str) -> Iterator[str]:
        folders = [prefix.rpartition("/")[0]]
        while folders:
            parent = folders.pop()
            with store_errors(f"cannot list {parent or 'the store'}"):
                listing = self._tree.listing(parent)
            for name, is_folder in listing:
                path = f"{parent}/{name}" if parent else name
                if is_folder and path != _DRAFTS:
                    folders.append(path)
                elif not is_folder and path.startswith(prefix):
                    yield path


def _finish(descriptor: int) -> None:
    # (1) Read-only, (2) durable with its mode, and only then (3) a name: the caller's next line.
    os.fchmod(descriptor, 0o444)
    os.fsync(descriptor)


def _is_key(name: str) -> bool:
    try:
        check_key(name)
    except BadInput:
        return False
    return True


def _taken(key: str) -> Conflict:
    return Conflict(f"a folder stands at {key}, where an object is wanted", key=key)


def _conflict(key: str, *, resting: Digest | int, offered: Digest | int) -> Conflict:
    return Conflict(
        f"other bytes rest under {key}: {resting}, offered {offered}",
        key=key,
        actual=resting,
        expected=offered,
    )
