# SPDX-License-Identifier: Apache-2.0
"""This is where the corpus of hostile files is taken in, in a process of its own; run as a module: FOLDER EVERY.

It runs in a network namespace of its own, where every packet and every connection is counted, and watches every
bait for being opened, by whomever. EVERY 1 takes every file, EVERY 6 one in six. What it found goes to
FOLDER/found.json.
"""

import ctypes
import json
import os
import re
import resource
import secrets
import select
import socket
import struct
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from app.cli.ingest import ingest_files
from evidence.claims import Claims
from evidence.custody import parse_event
from pipeline.media.sandbox.command import bubblewrap
from pipeline.media.sandbox.probe import probe
from tests.support.home import LEASE_S, Home, open_home
from tests.support.hostile_media import corpus
from tests.support.hostile_texts import Bait, Hostile
from tests.support.tiny_media import stairs

ROOT = Path(__file__).parents[2]
_IN_ACCESS, _IN_OPEN = 0x1, 0x20


class Watched:
    """Files that nobody may open: the kernel tells, whoever does it and in whatever namespace."""

    def __init__(self, *paths: Path) -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        self._number = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        self._names = {
            libc.inotify_add_watch(self._number, os.fsencode(path), _IN_ACCESS | _IN_OPEN): str(path) for path in paths
        }
        assert self._number >= 0
        assert -1 not in self._names

    def opened(self) -> list[str]:
        """The files that were opened or read since the last call."""
        found: list[str] = []
        while select.select([self._number], [], [], 0)[0]:
            data, at = os.read(self._number, 1 << 16), 0
            while at < len(data):
                watch, _, _, length = struct.unpack_from("iIII", data, at)
                found.append(self._names[watch])
                at += 16 + length
        return found


@contextmanager
def listening() -> Iterator[tuple[int, socket.socket, socket.socket]]:
    """A port on loopback that takes TCP and UDP, to see who comes."""
    with socket.create_server(("127.0.0.1", 0)) as tcp, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        port = tcp.getsockname()[1]
        udp.bind(("127.0.0.1", port))
        tcp.setblocking(False)
        udp.setblocking(False)
        yield port, tcp, udp


def came(tcp: socket.socket, udp: socket.socket) -> int:
    """How many connections and datagrams there are."""
    count = 0
    while select.select([tcp], [], [], 0)[0]:
        tcp.accept()[0].close()
        count += 1
    while select.select([udp], [], [], 0)[0]:
        udp.recv(1 << 16)
        count += 1
    return count


def packets() -> int:
    """Packets that left or tried to leave, of this network namespace: loopback, and those that had no way."""
    told = Path("/proc/net/snmp").read_text("ascii")
    names, values = re.findall(r"^Ip: (.+)$", told, re.MULTILINE)
    ip = dict(zip(names.split(), map(int, values.split()), strict=True))
    return int(ip["OutRequests"] + ip["OutNoRoutes"])


def baited(folder: Path) -> tuple[Path, list[Path], str]:
    """A secret recording outside, neighbours of its kind where a relative name would lead, and the mark in them."""
    mark = secrets.token_hex(16)
    secret = stairs(folder / "other-case" / "secret.ts", 2, extra=("-f", "mpegts"))
    secret.write_bytes(secret.read_bytes() + f"#mark {mark}".encode())
    return secret, [folder / "home" / "neighbour.ts", folder / "home" / "spool" / "neighbour.ts"], mark


def main(folder: Path, every: int) -> None:
    """Take the corpus in, and write down what came of it."""
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)  # noqa: S607
    for name in ("other-case", "home/spool", "dock"):
        (folder / name).mkdir(parents=True)
    secret, neighbours, mark = baited(folder)
    for path in neighbours:
        path.write_bytes(secret.read_bytes())
    with listening() as (port, tcp, udp), open_home(folder / "home") as home:
        level = probe().level
        bait = Bait(secret, "neighbour.ts", port)
        for hostile in corpus()[::every]:
            (folder / "dock" / hostile.file).write_bytes(hostile.make(bait))
        watched, before = Watched(secret, *neighbours), packets()
        found = _take_in(home, folder / "dock")
        found |= {"opened": watched.opened(), "packets": packets() - before, "came": came(tcp, udp), "level": level}
    found["marks"] = [str(path) for path in (folder / "home/objects").rglob("*") if _holds(path, mark)]
    found["left"] = [
        str(path) for path in (folder / "home/spool").rglob("*") if path.name != "neighbour.ts" and path.is_file()
    ]
    found["peak_bytes"] = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
    (folder / "found.json").write_text(json.dumps(found))


def run(folder: Path, *, every: int = 1, has_bubblewrap: bool = True) -> dict[str, Any]:
    """What became of the corpus; without bubblewrap, it is hidden from the process in a mount namespace.

    Only root can make the namespaces; the test is skipped for others.
    """
    if os.geteuid() != 0:
        pytest.skip("only root can make a network namespace to count packets in")
    hide = "" if has_bubblewrap else f"mount --bind /dev/null {bubblewrap()} && "
    words = [sys.executable, "-m", "tests.support.hostile_run", str(folder), str(every)]
    apart = ["unshare", "-n", "-m", "sh", "-c", f'{hide}exec "$@"', "sh", *words]
    done = subprocess.run(apart, cwd=ROOT, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, f"the worker died ({done.returncode}): {done.stderr[-2000:]}"
    found: dict[str, Any] = json.loads((folder / "found.json").read_text())
    return found


def check(found: dict[str, Any], *, level: str) -> None:
    """Nothing was opened, sent or left; memory and time were kept; each file became what it must."""
    assert found["level"] == level
    assert found["opened"] == []
    assert (found["packets"], found["came"]) == (0, 0)
    assert (found["marks"], found["left"]) == ([], [])
    assert found["peak_bytes"] <= 2 << 30
    for hostile in corpus():
        if hostile.file in found["files"]:
            check_one(hostile, found["files"][hostile.file], level=level)


def check_one(hostile: Hostile, became: dict[str, Any], *, level: str) -> None:
    """One file ended in time, behind walls, as what it must become."""
    told = f"{hostile.name}: {became}"
    assert became["seconds"] <= 30, told
    assert set(became["sandbox"]) <= {level, None}, told
    codes = {became["code"], *became["flags"]}
    match hostile.must:
        case "list":
            assert (became["state"], became["kind"]) == ("quarantined", None), told
            assert codes <= {"playlist-refused", "not-media"}, told
        case "refused":
            assert became["state"] == "quarantined", told
        case "codec":
            assert (became["state"], became["code"]) == ("quarantined", "codec-refused"), told
        case "document":
            assert (became["state"], became["kind"], set(became["sandbox"])) == ("indexed", "document", {None}), told
        case "any":
            assert became["state"] in ("indexed", "quarantined"), told


def _take_in(home: Home, dock: Path) -> dict[str, Any]:
    began = time.monotonic()
    taken = ingest_files([dock], said=Claims(), ports=home.ports, lease_s=LEASE_S, at_once=2)
    seconds: defaultdict[str, float] = defaultdict(float)
    files = {}
    for step in taken.done:
        seconds[step.subject] += step.seconds
    for identifier, offered in taken.recordings.items():
        row = home.recording(identifier)
        events = [
            parse_event(event["note"].partition("\n\n")[0] + "\n") for event in home.events(f"recording/{identifier}")
        ]
        files[offered.offer.name] = {
            "state": row["state"],
            "code": row["problem_code"],
            "kind": row["kind"],
            "flags": [event.facts["code"] for event in events if event.kind == "flagged"],
            "sandbox": [event.facts["sandbox"] for event in events if "sandbox" in event.facts],
            "seconds": seconds[identifier],
        }
    return {"files": files, "skipped": taken.skipped, "seconds": time.monotonic() - began}


def _holds(path: Path, mark: str) -> bool:
    return path.is_file() and mark.encode() in path.read_bytes()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
