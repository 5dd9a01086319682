# SPDX-License-Identifier: Apache-2.0
"""This is where a dock station sees which ports have a device in them.

A port is a folder in the folder of ports. It is taken when something is mounted there, or when it has content.
Mounts are read from the kernel's list: that never waits for a device that hangs.
"""

import os
import re
from dataclasses import dataclass
from pathlib import Path

_PORT = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,31}", re.ASCII)
_MOUNTS = Path("/proc/self/mountinfo")
_OCTAL = re.compile(rb"\\([0-7]{3})")


@dataclass(frozen=True, slots=True)
class Plug:
    """A device in a port; another one, or the same after it was taken out, is another plug."""

    port: str
    root: Path
    mark: str


def look(ports: Path) -> dict[str, Plug]:
    """The ports that have a device in them now, by name. A folder of ports that is not there has none."""
    folder = os.path.realpath(ports)
    mounts = _mounts_in(os.fsencode(folder))
    found = {}
    for name in _names(folder):
        root = Path(folder, name)
        mark = mounts.get(name) or _content(root)
        if mark is not None:
            found[name] = Plug(name, root, mark)
    return found


def _names(folder: str) -> list[str]:
    try:
        return sorted(one.name for one in Path(folder).iterdir() if _PORT.fullmatch(one.name))
    except OSError:
        return []


def _mounts_in(folder: bytes) -> dict[str, str]:
    """What is mounted right beneath `folder`: name to a mark that changes with every mount.

    Source: proc_pid_mountinfo(5): (1) mount ID, (3) device, (5) mount point with blanks as octal.
    """
    found = {}
    try:
        lines = _MOUNTS.read_bytes().splitlines()
    except OSError:
        return {}
    for line in lines:
        identifier, _, device, _, place, *_ = line.split(b" ")
        at = _OCTAL.sub(lambda match: bytes((int(match[1], 8),)), place)
        above, _, name = at.rpartition(b"/")
        if above == folder:
            found[os.fsdecode(name)] = f"mount {identifier.decode()} {device.decode()}"
    return found


def _content(root: Path) -> str | None:
    try:
        if root.is_symlink():
            return None
        with os.scandir(root) as listing:
            if next(listing, None) is None:
                return None
        seen = root.stat()
    except OSError:
        return None
    return f"folder {seen.st_dev} {seen.st_ino}"
