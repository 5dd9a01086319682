# SPDX-License-Identifier: Apache-2.0
"""This is where secrets rest: small files made once, mode 0600, refused when others can use them."""

import os
import secrets
import stat
from contextlib import suppress
from pathlib import Path

from evidence.errors import BadInput, NotFound
from storage.durable import store_errors, sync_folder, write_all

_LARGEST = 65_536


def create_private(path: Path, data: bytes) -> None:
    """Rest `data` at `path`, whole and durable, unless a file is there already: the first one stays.

    Safe to race. A missing folder is made with mode 0700. What stands at `path` afterwards is for
    `read_private` to say.

    Raises:
        StoreUnavailable: it cannot be written now.

    """
    with store_errors(f"cannot make {path}"):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            # (1) Whole and durable, (2) then named, never over another file, (3) then the name durable.
            write_all(descriptor, data)
            os.fsync(descriptor)
            with suppress(FileExistsError):  # another process was first
                os.link(draft, path, follow_symlinks=False)
        finally:
            os.close(descriptor)
            draft.unlink()
        sync_folder(path.parent)


def read_private(path: Path) -> bytes:
    """The bytes at `path` (at most 64 KiB), when it is a plain file that only its owner, us or root, can use.

    Raises:
        NotFound: nothing is there.
        BadInput: others can use it, it is not ours, or it is no plain file; says what to do.
        StoreUnavailable: it cannot be read now.

    """
    with store_errors(f"cannot read {path}"):
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except FileNotFoundError as error:
            raise NotFound(f"there is no file {path}", path=str(path)) from error
        try:
            _check(os.fstat(descriptor), path)
            return os.read(descriptor, _LARGEST)
        finally:
            os.close(descriptor)


def _check(facts: os.stat_result, path: Path) -> None:
    if not stat.S_ISREG(facts.st_mode):
        raise BadInput(f"{path} is not a plain file", path=str(path))
    if facts.st_uid not in (os.geteuid(), 0):
        raise BadInput(f"{path} belongs to another user (number {facts.st_uid})", path=str(path))
    if facts.st_mode & 0o077:
        mode = stat.S_IMODE(facts.st_mode)
        raise BadInput(
            f"the private key in {path} can be used by others (mode {mode:04o}): chmod 600 it, "
            "and make a new key if another person may have read it",
            path=str(path),
        )
