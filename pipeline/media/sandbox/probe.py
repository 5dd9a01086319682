# SPDX-License-Identifier: Apache-2.0
"""This is where it is found out, by trying to break out, which walls stand on this machine.

That a system call exists, or a program is installed, says little: containers and distributions forbid parts of either.
So a child of ours does what a captured decoder would do, and what it managed is counted.
"""

import os
import secrets
import socket
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from evidence.errors import EvidockError, SandboxMissing
from pipeline.media.process import Limits, Streams, run_walled
from pipeline.media.sandbox import attempt
from pipeline.media.sandbox.command import Level, Walls, bubblewrap, interpreter
from pipeline.media.sandbox.walls import landlock_abi

Policy = Literal["required", "off"]
"""What a person decided: media is decoded behind walls or not at all; or without them."""

_LIMITS = Limits(wall_s=20, cpu_s=10, address_space_bytes=1 << 30, output_bytes=1 << 16)
_ALLOWED = frozenset({"input", "output"})
_READS = frozenset({"read", "list", "link"})
_WRITES = frozenset({"create", "change", "truncate", "truncate-open", "empty-input", "empty-input-open", "chmod"})
_NETWORK = frozenset({"tcp", "udp", "unix"})


@dataclass(frozen=True, slots=True)
class Sandbox:
    """The walls of this machine, as the probe found them.

    `level` is `none` when other files can be read or written, or anything be sent: then `why` says what was
    tried. `escapes` names what the probe's child managed all the same (see `attempt`); with walls that stand it
    can be no more than `signal` and `fork`. `why` also tells why the level is not a better one. `abi` is the
    version of Landlock.
    """

    level: Literal["full", "landlock", "none"]
    escapes: frozenset[str]
    why: str
    abi: int

    @property
    def has_other_files(self) -> bool:
        """True when files outside can be read or changed."""
        return bool(self.escapes & (_READS | _WRITES))

    @property
    def has_network(self) -> bool:
        """True when something can be sent, over the network or to a socket of this machine."""
        return bool(self.escapes & _NETWORK)

    @property
    def has_other_processes(self) -> bool:
        """True when processes can be started or signalled."""
        return bool(self.escapes & {"signal", "fork"})


@dataclass(frozen=True, slots=True)
class _Decision:
    """What was decided for this process; `stands`: an agreement to do without walls has not ended."""

    policy: Policy
    stands: Callable[[], bool]
    why_not: str


def _always() -> bool:
    return True


_policy: list[_Decision] = [_Decision("required", _always, "")]
_found: list[Sandbox] = []
_one_at_a_time = threading.Lock()


def probe() -> Sandbox:
    """The walls of this machine. Tried once in a process; found none, it is tried again at the next call."""
    with _one_at_a_time:
        if not _found:
            sandbox = _try_all()
            if sandbox.level == "none":
                return sandbox
            _found.append(sandbox)
        return _found[0]


@contextmanager
def decided(policy: Policy, *, stands: Callable[[], bool] = _always, why_not: str = "") -> Iterator[None]:
    """Let `policy` be this process's while the block runs; without it, walls are required.

    One decision for all that this process decodes, kept here and handed to nobody, so that no way to a
    decoder can forget it. A front door makes it, once. `stands` is asked before each program: when it says no,
    walls are required again, and where there are none, `why_not` is told.
    """
    before = _policy[0]
    _policy[0] = _Decision(policy, stands, why_not)
    try:
        yield
    finally:
        _policy[0] = before


def is_off() -> bool:
    """True when this process may decode without walls, as things stand now."""
    return _policy[0].policy == "off" and _policy[0].stands()


def level_in_force() -> Level:
    """How programs that touch hostile bytes are run in this process.

    Raises:
        SandboxMissing: walls are required and none stand here.
    """
    if is_off():
        return "off"
    sandbox = probe()
    if sandbox.level == "none":
        raise SandboxMissing(
            f"no sandbox works on this machine: {sandbox.why}. Media is not opened without one, unless "
            f"EVIDOCK_SANDBOX is `off` and two people agreed on it{_policy[0].why_not}",
            why=sandbox.why,
        )
    return sandbox.level


def tried(walls: Walls) -> frozenset[str]:
    """What a child of ours manages to do behind `walls`, whose paths are chosen here: words of `attempt`.

    Raises:
        SandboxMissing, Unavailable: they cannot be set up.
    """
    with tempfile.TemporaryDirectory(prefix="evd-") as folder, _listening(Path(folder)) as (port, path):
        root = Path(folder).resolve()
        inner, outer, given = root / "inner", root / "outer", root / "given"
        inner.mkdir()
        outer.mkdir()
        given.write_bytes(b"given")
        forbidden = outer / "forbidden"
        forbidden.write_text(secrets.token_hex())
        tries = (given, inner / "output", forbidden, port, path, os.getpid())
        done = run_walled(
            [sys.executable, "-I", "-S", attempt.__file__, *map(str, tries)],
            walls=Walls(walls.level, (given, *interpreter()), (inner,), walls.may_fork, walls.abi, walls.has_filter),
            limits=_LIMITS,
            cwd=inner,
            streams=Streams(),
            env={},
        )
    return frozenset(done.stdout.decode("ascii", "replace").split())


def _try_all() -> Sandbox:
    why: list[str] = []
    escapes: frozenset[str] = frozenset()
    levels: tuple[Literal["full", "landlock"], ...] = ("full", "landlock") if bubblewrap() else ("landlock",)
    if not bubblewrap():
        why.append("there is no bubblewrap program")
    for level in levels:
        try:
            managed = tried(Walls(level))
        except EvidockError as error:
            why.append(f"{level}: {error.message}")
            continue
        escapes = managed - _ALLOWED
        sandbox = Sandbox(level, escapes, "; ".join(why), landlock_abi())
        if managed >= _ALLOWED and not sandbox.has_other_files and not sandbox.has_network:
            return sandbox
        kept = sorted(_ALLOWED - managed)
        why.append(f"{level}: it managed {sorted(escapes)}" + (f" but not {kept}" if kept else ""))
    return Sandbox("none", escapes, "; ".join(why), landlock_abi())


@contextmanager
def _listening(folder: Path) -> Iterator[tuple[int, str]]:
    """Something to talk to: the port of a listener on loopback, TCP and UDP, and the path of a socket."""
    with socket.create_server(("127.0.0.1", 0)) as tcp, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        port = tcp.getsockname()[1]
        with suppress(OSError):  # somebody has that port: sending to it succeeds all the same
            udp.bind(("127.0.0.1", port))
        with socket.socket(socket.AF_UNIX) as local:
            path = str(folder / "socket")
            local.bind(path)
            local.listen()
            yield port, path
