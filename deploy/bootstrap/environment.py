# SPDX-License-Identifier: Apache-2.0
"""This is where `.venv` is made to hold exactly what a lock says, and left alone while it does.

Two levels: `run` is what the program needs, `dev` adds the tools of tests and checks. An environment grows
from `run` to `dev` in place and is never cut back, so that a demo between two test runs costs nothing.
"""

import fcntl
import hashlib
import json
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from deploy.bootstrap.installer import Installer
from deploy.bootstrap.surroundings import Stop, say

LOCKS = {"run": "requirements.lock", "dev": "requirements-dev.lock"}
STAMP = ".evidock.json"
CHANGING = {"state": "changing"}

Finder = Callable[[Mapping[str, str]], Installer]

NOT_INSTALLED = """the packages of {lock} could not be installed; the lines above say why.
  no network:         fetch the wheels elsewhere (CONTRIBUTING.md), then: make WHEELS=DIR …
  behind a proxy:     set https_proxy, and PIP_CERT to its certificates
  with a mirror:      set PIP_INDEX_URL to it
  a digest differs:   the mirror gave other bytes than the lock names; do not go on with it"""


def wanted(root: Path, level: str) -> dict[str, str]:
    """What a finished environment of this level is stamped with: everything it depends on.

    The folder and the Python are part of it, since the commands inside `.venv` name both by path.
    """
    inputs = {name: digest(root / name) for name in (LOCKS[level], "pyproject.toml")}
    python = f"{Path(sys.executable).resolve()} {sys.version.split()[0]}"
    return {"state": "whole", "level": level, "root": str(root), "python": python, **inputs}


def digest(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def read_stamp(venv: Path) -> dict[str, str]:
    """What the environment was last stamped with; nothing when it has no readable stamp."""
    try:
        stamp = json.loads((venv / STAMP).read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return stamp if isinstance(stamp, dict) else {}


def level_to_hold(asked: str, stamp: Mapping[str, str]) -> str:
    """The level to bring the environment to: never below what it already holds."""
    return "dev" if "dev" in {asked, stamp.get("level")} else "run"


def ensure(root: Path, level: str, find: Finder, env: Mapping[str, str]) -> bool:
    """Make `.venv` under `root` hold `level`; True when anything had to be done. Safe to run twice at once.

    Raises:
        Stop: something cannot be had; the message says what to do about it.

    """
    venv = root / ".venv"
    with one_at_a_time(root / ".boot"):
        stamp = read_stamp(venv)
        level = level_to_hold(level, stamp)
        if stamp == wanted(root, level) and (venv / "bin" / "python").exists():
            return False
        fill(root, level, stamp, find(env), env)
        return True


def fill(root: Path, level: str, stamp: Mapping[str, str], installer: Installer, env: Mapping[str, str]) -> None:
    """Bring the environment to `level`: in place when it is whole, from nothing otherwise."""
    venv, lock = root / ".venv", root / LOCKS[level]
    goal = wanted(root, level)
    say(f"making .venv hold {lock.name} (Python {goal['python'].split()[-1]})")
    grows = can_grow(venv, stamp, goal)
    holds = grows and stamp.get(lock.name) == goal[lock.name]
    if not grows and not installer.make_venv(venv, env):
        raise Stop(f"the environment {venv} could not be made; the lines above say why.")
    # (1) Mark it as unfinished, so that a run that is killed from here on is made from nothing next time.
    # (2) Packages. (3) The project, by the build tools that (2) brought. (4) Only then the stamp.
    write_stamp(venv, {**CHANGING, "level": level})
    if not holds and not installer.hold(venv, lock, env):
        raise Stop(NOT_INSTALLED.format(lock=lock.name))
    if not installer.link_project(venv, root, env):
        raise Stop("the project itself could not be put into .venv; the lines above say why.")
    write_stamp(venv, goal)


def can_grow(venv: Path, stamp: Mapping[str, str], goal: Mapping[str, str]) -> bool:
    """Whether the environment is whole, in its place and of our Python: then changing it is enough."""
    same = all(stamp.get(name) == goal[name] for name in ("state", "root", "python"))
    return same and (venv / "bin" / "python").exists()


def write_stamp(venv: Path, stamp: Mapping[str, str]) -> None:
    """Replace the stamp in one go."""
    scratch = venv / f"{STAMP}.new"
    scratch.write_text(json.dumps(stamp, indent=1) + "\n", "utf-8")
    scratch.replace(venv / STAMP)


@contextmanager
def one_at_a_time(boot: Path) -> Iterator[None]:
    """Hold the checkout's lock while its environment is looked at and changed; others wait."""
    boot.mkdir(exist_ok=True)
    with (boot / "lock").open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("another make is preparing the environment; waiting for it")
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
