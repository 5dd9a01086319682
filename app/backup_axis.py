# SPDX-License-Identifier: Apache-2.0
"""This is where what Axis systems told us, and no record holds, goes into a backup and comes back: `axis/` of the home.

A clip that came in is on record. Which container it was in, who its users are and what it was last called is here
alone; without it a system that goes on after a restore is told that its containers are not there.
"""

import base64
import binascii
import json
import re
from collections.abc import Iterator
from pathlib import Path

from app.backup_folder import BackupFolder
from evidence.errors import BackupInvalid
from storage.durable import store_errors
from storage.private_file import create_private

NAME = "axis.jsonl"
_FOLDER = "axis"
_PART = re.compile(r"[a-z0-9][a-z0-9-]{0,199}", re.ASCII)


def put_axis(folder: BackupFolder, home: Path) -> None:
    """Write one file with all of it, a line for each: its place and its bytes. None is written when there is nothing.

    Each file is one that was there at its moment; of a clip that came meanwhile it may be here and its record not.

    Raises:
        StoreUnavailable: it cannot be read or written.
    """
    if any(_files(home / _FOLDER)):
        folder.put(NAME, _lines(home / _FOLDER))


def bring_axis(backup: Path, home: Path) -> None:
    """Lay down what a backup holds of it; what is there already stays. Of a backup that was checked.

    Raises:
        BackupInvalid: it leads out of its folder, or is not of its form. StoreUnavailable: it cannot be written.
    """
    if not (backup / NAME).is_file():
        return
    with store_errors(f"cannot read {NAME} of the backup"), (backup / NAME).open("rb") as lines:
        for line in lines:
            place, data = _read(line)
            create_private(home.joinpath(_FOLDER, *place), data)


def _files(root: Path) -> Iterator[Path]:
    """All but the drafts of what is being written."""
    with store_errors(f"cannot read {root}"):
        found = sorted(root.rglob("*")) if root.is_dir() else []
        yield from (one for one in found if not one.name.startswith(".") and one.is_file() and not one.is_symlink())


def _lines(root: Path) -> Iterator[bytes]:
    for path in _files(root):
        with store_errors(f"cannot read {path}"):
            try:
                data = path.read_bytes()
            except FileNotFoundError:  # forgotten meanwhile
                continue
        told = {"data": base64.b64encode(data).decode(), "name": path.relative_to(root).as_posix()}
        yield json.dumps(told).encode() + b"\n"


def _read(line: bytes) -> tuple[list[str], bytes]:
    try:
        told = json.loads(line)
        place, data = told["name"].split("/"), base64.b64decode(told["data"], validate=True)
    except (ValueError, KeyError, TypeError, AttributeError, binascii.Error) as error:
        raise BackupInvalid(f"{NAME} is not of its form", file=NAME) from error
    if not all(_PART.fullmatch(part) for part in place):
        raise BackupInvalid(f"{NAME} names a file outside its folder", file=NAME)
    return place, data
