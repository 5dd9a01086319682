# SPDX-License-Identifier: Apache-2.0
"""This is where a command line gets its walls: the launcher around it, and bubblewrap around the launcher."""

import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pipeline.media.sandbox import calls, launcher

Level = Literal["full", "landlock", "off"]
"""`full`: namespaces of its own by bubblewrap, Landlock within, and the filter of system calls. `landlock`: without the
namespaces. `off`: limits, no new privileges, an end with its parent; it sees what our account sees."""

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

_ROOT = Path(launcher.__file__).parents[3]
# Programs and libraries of the system: the same on every machine of a distribution, so nobody's secret.
_SYSTEM = ("/usr/bin", "/usr/lib", "/usr/lib32", "/usr/lib64", "/usr/libexec", "/bin", "/lib", "/lib32", "/lib64")
# Without these two a program that chooses its libraries by `update-alternatives` does not start in bubblewrap.
_SYSTEM_FILES = ("/etc/ld.so.cache", "/etc/alternatives")
_DEVICES = (("w", "/dev/null"), ("r", "/dev/zero"), ("r", "/dev/random"), ("r", "/dev/urandom"))
_LAUNCHER_CODE = ("pipeline/__init__.py", "pipeline/media/__init__.py", "pipeline/media/sandbox")
_NEWEST_ABI = 99


@dataclass(frozen=True, slots=True)
class Walls:
    """What stands around one run. `abi` caps the version of Landlock: older kernels can be tried on newer ones."""

    level: Level
    reads: tuple[Path, ...] = ()
    writes: tuple[Path, ...] = ()
    may_fork: bool = False
    abi: int = _NEWEST_ABI
    has_filter: bool = True


def bubblewrap() -> str | None:
    """Path of the bubblewrap program, when there is one."""
    return shutil.which("bwrap", path=PATH)


def interpreter() -> tuple[Path, ...]:
    """What a child in Python must be able to read: this interpreter, its environment, and the code of ours it runs."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    # A Python of the system shares its prefix with everything else there.
    shared = {Path("/usr"), Path("/usr/local"), Path("/")}
    homes = [
        part
        for prefix in map(Path, dict.fromkeys((sys.prefix, sys.base_prefix)))
        for part in ([prefix / "bin", prefix / "lib" / version] if prefix in shared else [prefix])
    ]
    libraries = [Path(sys.base_prefix) / "lib"] if Path(sys.base_prefix) == Path("/usr/local") else []
    ours = [_ROOT / name for name in ("evidence", "pipeline")]
    return tuple(path for path in (*homes, *libraries, *ours) if path.exists())


def walled(program: Path, arguments: Sequence[str], *, walls: Walls, figures: Sequence[str], cwd: Path) -> list[str]:
    """The command that runs `program` inside `walls`. `figures` tell the launcher limits and where to report."""
    is_walled = walls.level != "off"
    paths = list(_paths(program, walls)) if is_walled else []
    orders = [
        *figures,
        f"parent={0 if walls.level == 'full' else os.getpid()}",
        f"report={int(walls.level == 'full')}",
        f"abi={walls.abi if is_walled else 0}",
        f"filter={int(is_walled and walls.has_filter)}",
        f"fork={int(walls.may_fork)}",
        *(f"{may}:{path}" for may, path in paths),
    ]
    # -I and -S: no variable, no folder and no package of anybody's takes part in setting walls.
    launch = [sys.executable, "-I", "-S", "-B", launcher.__file__, *orders, "--", str(program), *arguments]
    return launch if walls.level != "full" else [*_namespaces(program, walls, cwd), "--", *launch]


def has_filter() -> bool:
    """True when system calls can be filtered on this machine."""
    return calls.is_known_machine()


def _paths(program: Path, walls: Walls) -> Iterator[tuple[str, Path | str]]:
    yield from (("x", name) for name in _SYSTEM if Path(name).is_dir())
    yield "x", program.resolve()
    yield from (("r", name) for name in _SYSTEM_FILES if Path(name).exists())
    yield from ((may, name) for may, name in _DEVICES if Path(name).exists())
    yield from (("r", path) for path in walls.reads)
    yield from (("w", path) for path in walls.writes)


def _namespaces(program: Path, walls: Walls, cwd: Path) -> Iterator[str]:
    """Words of bubblewrap: nothing shared, an empty root, and mounted there what is wanted, parents first."""
    wrapper = bubblewrap()
    yield from (str(wrapper), "--unshare-all", "--die-with-parent", "--cap-drop", "ALL")
    # No /proc: through it the launcher's own processes could be reached where there is no Landlock.
    yield from ("--dev", "/dev", "--remount-ro", "/dev")
    for name in _SYSTEM:
        if Path(name).is_symlink():
            yield from ("--symlink", str(Path(name).readlink()), name)
    code = [_ROOT / name for name in _LAUNCHER_CODE]
    seen = [Path(name) for name in (*_SYSTEM, *_SYSTEM_FILES) if Path(name).exists() and not Path(name).is_symlink()]
    mounts = dict.fromkeys((*seen, *interpreter(), *code, *walls.reads), "--ro-bind")
    if not any(program.is_relative_to(path) for path in mounts):
        mounts[program] = "--ro-bind"
    mounts |= dict.fromkeys(walls.writes, "--bind")
    for path, how in sorted(mounts.items(), key=lambda mount: len(mount[0].parts)):
        yield from (how, str(path.resolve()), str(path))
    if not any(cwd.is_relative_to(path) for path in mounts):
        yield from ("--dir", str(cwd))
    yield from ("--remount-ro", "/", "--chdir", str(cwd))
