# SPDX-License-Identifier: Apache-2.0
"""This is where tests get a card that is pulled at a chosen byte: a read-only file system that shows a folder.

Run as a script it serves FOLDER at MOUNT in the kernel's own words (FUSE), until it is killed. A read that
reaches byte PULL_AT of any file, and all that is asked after it, fails with an input/output error; with `dies`
the file system itself goes away at that moment. The script imports nothing of ours.

Source: <linux/fuse.h>, protocol 7.31; fuse(4).
"""

import ctypes
import errno
import os
import stat
import struct
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_IN, _OUT = struct.Struct("=IIQQIIIHH"), struct.Struct("=IiQ")
_ATTR, _ENTRY = struct.Struct("=6Q10I"), struct.Struct("=4Q2I")
_INIT_OUT = struct.Struct("=4I2H2I2HI28x")
_READ_IN = struct.Struct("=QQI")
_LOOKUP, _FORGET, _GETATTR, _OPEN, _READ, _STATFS, _RELEASE, _FLUSH = 1, 2, 3, 14, 15, 17, 18, 25
_INIT, _OPENDIR, _READDIR, _RELEASEDIR, _INTERRUPT, _BATCH_FORGET = 26, 27, 28, 29, 36, 42
_NO_ANSWER = (_FORGET, _BATCH_FORGET, _INTERRUPT)
_RDONLY_NOSUID_NODEV = 1 | 2 | 4
_ROOT = 1
_LARGEST_REQUEST = 1 << 20


# --- as the tests see it ----------------------------------------------------------------------------


class Card:
    """A card in its dock, shown at `root`; take it out with `pull`."""

    def __init__(self, folder: Path, root: Path, *, pull_at: int | None, dies: bool) -> None:
        self.root = root
        self._tally = root.with_name(f"{root.name}.tally")
        words = (folder, root, self._tally, "" if pull_at is None else pull_at, "dies" if dies else "")
        command = [sys.executable, "-S", "-I", __file__, *map(str, words)]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE)
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == b"docked\n"

    @property
    def given_bytes(self) -> int:
        """How many bytes of files it gave, those included that the kernel read ahead."""
        return int(self._tally.read_bytes() or b"0")

    def pull(self) -> None:
        """Safe to repeat."""
        if self._process.returncode is None:
            self._process.kill()
            self._process.communicate()
            subprocess.run(["umount", "-l", str(self.root)], check=False, capture_output=True)  # noqa: S607


@contextmanager
def docked(folder: Path, root: Path, *, pull_at: int | None = None, dies: bool = False) -> Iterator[Card]:
    """The card `folder` shown at `root`, gone at byte `pull_at` of a file; at the end it is taken out."""
    root.mkdir(exist_ok=True)
    card = Card(folder, root, pull_at=pull_at, dies=dies)
    try:
        yield card
    finally:
        card.pull()


# --- the file system --------------------------------------------------------------------------------


class _Server:
    def __init__(self, folder: str, tally: str, *, pull_at: int | None, dies: bool) -> None:
        self._paths, self._numbers = {_ROOT: folder}, {folder: _ROOT}
        self._pull_at, self._dies, self._is_pulled = pull_at, dies, False
        self._tally, self._given = os.open(tally, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), 0

    def serve(self, device: int) -> None:
        while True:
            request = os.read(device, _LARGEST_REQUEST)
            _, code, unique, node, *_ = _IN.unpack_from(request)
            if code in _NO_ANSWER:
                continue
            try:
                answer, error = self._answer(code, node, request[_IN.size :]), 0
            except OSError as failure:
                answer, error = b"", failure.errno or errno.EIO
            os.write(device, _OUT.pack(_OUT.size + len(answer), -error, unique) + answer)

    def _answer(self, code: int, node: int, body: bytes) -> bytes:
        if code == _INIT:
            _, minor, readahead = struct.unpack_from("=III", body)
            return _INIT_OUT.pack(7, min(minor, 31), readahead, 0, 16, 12, 1 << 17, 1, 32, 0, 0)
        if self._is_pulled:
            raise OSError(errno.EIO, "pulled")
        if code == _LOOKUP:
            return self._entry(self._paths[node] + "/" + os.fsdecode(body.partition(b"\0")[0]))
        if code == _GETATTR:
            return struct.pack("=QII", 1, 0, 0) + self._attributes(self._paths[node])
        if code in (_OPEN, _OPENDIR):
            return bytes(16)
        if code == _READ:
            return self._read(self._paths[node], *_READ_IN.unpack_from(body)[1:])
        if code == _READDIR:
            return self._listing(self._paths[node], *_READ_IN.unpack_from(body)[1:])
        if code == _STATFS:
            return struct.pack("=5Q4I24x", 1 << 20, 0, 0, 1000, 0, 4096, 255, 4096, 0)
        if code in (_RELEASE, _RELEASEDIR, _FLUSH):
            return b""
        raise OSError(errno.ENOSYS, "not known here")

    def _entry(self, path: str) -> bytes:
        attributes = self._attributes(path)
        number = self._numbers.setdefault(path, len(self._numbers) + 1)
        self._paths[number] = path
        return _ENTRY.pack(number, 0, 1, 1, 0, 0) + attributes

    def _attributes(self, path: str) -> bytes:
        seen = os.lstat(path)
        times = [divmod(at, 10**9) for at in (seen.st_atime_ns, seen.st_mtime_ns, seen.st_ctime_ns)]
        wholes, parts = [whole for whole, _ in times], [part for _, part in times]
        rest = (seen.st_mode, seen.st_nlink, 0, 0, 0, 4096, 0)
        return _ATTR.pack(seen.st_ino, seen.st_size, seen.st_blocks, *wholes, *parts, *rest)

    def _read(self, path: str, start: int, size: int) -> bytes:
        with open(path, "rb") as file:  # noqa: PTH123
            file.seek(start)
            data = file.read(size)
        # A page is the least that is read: what is pulled at byte n gives none of the page of n.
        if self._pull_at is not None and start + len(data) > self._pull_at:
            self._pull(start)
        self._given += len(data)
        os.pwrite(self._tally, b"%020d" % self._given, 0)
        return data

    def _pull(self, start: int) -> None:
        assert self._pull_at is not None
        if start > self._pull_at - 4096:  # else a larger request failed: the kernel asks again, page by page
            if self._dies:
                os._exit(0)
            self._is_pulled = True
        raise OSError(errno.EIO, "pulled")

    def _listing(self, path: str, start: int, size: int) -> bytes:
        listed = b""
        for place, entry in enumerate(sorted(os.scandir(path), key=lambda entry: entry.name), start=1):
            name = os.fsencode(entry.name)
            kind = stat.S_IFMT(entry.stat(follow_symlinks=False).st_mode) >> 12
            one = struct.pack("=QQII", entry.inode(), place, len(name), kind) + name
            one += bytes(-len(one) % 8)
            if place > start and len(listed) + len(one) <= size:
                listed += one
        return listed


def main(folder: str, root: str, tally: str, pull_at: str, dies: str) -> None:
    device = os.open("/dev/fuse", os.O_RDWR)
    libc = ctypes.CDLL(None, use_errno=True)
    options = f"fd={device},rootmode=40000,user_id=0,group_id=0,allow_other"
    what, where = b"pulled-card", os.fsencode(root)
    if libc.mount(what, where, b"fuse", ctypes.c_ulong(_RDONLY_NOSUID_NODEV), options.encode()) != 0:
        raise OSError(ctypes.get_errno(), "mount")
    sys.stdout.write("docked\n")
    sys.stdout.flush()
    _Server(folder, tally, pull_at=int(pull_at) if pull_at else None, dies=bool(dies)).serve(device)


if __name__ == "__main__":
    main(*sys.argv[1:])
