# SPDX-License-Identifier: Apache-2.0
"""This is where tests get disks of their own, in a file, whose power can be cut: what was not made to last is gone.

`cut` asks the file system to go down at once (the ioctl that XFS and ext4 know for this) without writing
what it still holds: from then on every call fails, and what a later mount finds is what had been made
durable, or had happened to be written already. A drive that loses its own cache is not played: what
reached the drive stays.
"""

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Literal

import pytest

from tests.support.footage import missing

Kind = Literal["xfs", "ext4"]
_SIZES = {"xfs": 320 << 20, "ext4": 128 << 20}  # sparse; XFS takes no less
_PATIENCE_S = 30.0


def need_disks() -> None:
    """Skip, or fail in CI, where no disk can be made and mounted."""
    if os.geteuid() != 0:
        pytest.skip("only root mounts disks")
    for program in ("mkfs.xfs", "mkfs.ext4", "xfs_io", "mount"):
        if shutil.which(program) is None:
            missing(program, remedy="apt-get install xfsprogs e2fsprogs mount")


class Disk:
    """A file system of its own, mounted at `root`."""

    def __init__(self, image: Path, root: Path) -> None:
        self._image, self.root = image, root

    def mount(self) -> None:
        _run("mount", "-o", "loop", self._image, self.root)

    def cut(self) -> None:
        """Cut the power: nothing is written any more, and every call fails from now on."""
        _run("xfs_io", "-x", "-c", "shutdown", self.root)

    def unmount(self) -> None:
        """Give the disk back, once those who still use it have been ended."""
        deadline = time.monotonic() + _PATIENCE_S
        while self._is_used():
            for pid in users_of(self.root) | behind_walls(self.root):
                with suppress(ProcessLookupError):
                    os.kill(pid, 9)
            said = ""
            if self._is_mounted():
                done = subprocess.run(["umount", str(self.root)], capture_output=True, text=True, check=False)  # noqa: S607
                said = done.stderr
            assert time.monotonic() < deadline, (said, users_of(self.root), behind_walls(self.root))
            time.sleep(0.01)

    def _is_used(self) -> bool:
        # A disk that nobody has mounted here may still be held by who was put behind walls of his own, and
        # mounting it again would then give the one that went down.
        return self._is_mounted() or bool(_run("losetup", "-j", self._image))

    def _is_mounted(self) -> bool:
        # Asked of the kernel's list: a path on a disk that went down cannot be looked at.
        return f" {self.root} " in Path("/proc/self/mounts").read_text("utf-8")

    def power_cycle(self) -> None:
        """What a machine does that comes back: all that ran is gone, and the disk is mounted again."""
        self.unmount()
        self.mount()


@contextmanager
def disk(folder: Path, kind: Kind) -> Iterator[Disk]:
    """A new disk mounted at `folder`/home; it is gone at the end."""
    image, root = folder / f"{kind}.img", folder / "home"
    root.mkdir(parents=True)
    with image.open("wb") as file:
        file.truncate(_SIZES[kind])
    _run(f"mkfs.{kind}", "-q", *(["-F"] if kind == "ext4" else []), image)
    made = Disk(image, root)
    made.mount()
    try:
        yield made
    finally:
        made.unmount()
        image.unlink()


def users_of(root: Path) -> set[int]:
    """Processes but this one that have something open, or run, or map something, at or beneath `root`.

    They are to be ended, as a power cut would: only what our own disk is used by.
    """
    inside = f"{root}/"
    found = set()
    for process in Path("/proc").glob("[0-9]*"):
        if int(process.name) != os.getpid() and any(f"{name}/".startswith(inside) for name in _held(process)):
            found.add(int(process.name))
    return found


def behind_walls(root: Path) -> set[int]:
    """Processes that were told of `root` and live in a world of mounts of their own, as a sandbox makes it.

    Whoever else has such a world, and was not told, is somebody else's: he is waited for.
    """
    ours, found = Path("/proc/self/ns/mnt").readlink(), set()
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            is_told = os.fsencode(root) in (process / "cmdline").read_bytes()
            if is_told and (process / "ns" / "mnt").readlink() != ours:
                found.add(int(process.name))
    return found


def _held(process: Path) -> Iterator[str]:
    with suppress(OSError):
        for link in (process / "cwd", process / "root", *(process / "fd").iterdir()):
            with suppress(OSError):
                yield str(link.readlink())
    with suppress(OSError):
        for line in (process / "maps").read_text("utf-8", "replace").splitlines():
            yield line.partition("/")[1] + line.partition("/")[2]


def _run(*command: str | Path) -> str:
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout
