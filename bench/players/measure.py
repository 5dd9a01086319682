# SPDX-License-Identifier: Apache-2.0
"""This is where 200 players pull proxies in real time while 8 docks upload, and somebody else asks for JSON."""

import base64
import http.client
import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from app import clocks
from app.foreground import drain
from bench.footage import film
from bench.installation import Installation, installed
from bench.players.shares import Spent, measure_shares
from bench.result import Goal, Result, mib, paragraphs
from bench.scale.docks import growth
from bench.scale.processes import Started, started
from bench.scale.register_at_scale import quantile
from evidence.custody import Happening
from evidence.errors import Unavailable
from pipeline.docks import Invitation, enrol, invite
from web.api.sessions import signed_text
from web.signin.figures import shipped_figures
from web.signin.sessions import open_session

_ROOT = Path(__file__).parents[2]
_POLL_S, _START_S = 0.5, 60.0
_FILM_S, _IDLE = 60, 100
_P99_S, _GROWTH = 0.5, 1.05
_COLUMNS = ("asked for", "median", "99 of 100 within", "answers")
_COMPARED = paragraphs("""
One `evidock serve` on this machine (SQLite register, directory store, plain HTTP on loopback), its clients in one
process beside it on the same processors. Each player takes six seconds of a proxy of one minute every six seconds,
half of them by ranges of the file and half by segments of HLS, each under its own session and leave. Docks upload
without a pause, a MiB at a time, each piece made durable. One more person asks for their account ten times a second.

Leave is given with its custody event on record, in groups: many leaves, one transaction. Each range and each segment
asks the register anew whose session it is and whether the leave stands. "Idle" is one client alone, one request after
another, before the crowd comes: a route that asks for nobody, a byte with its leave checked, leave with its event.

Memory is resident memory of the server, looked at twice a second: the median of the last quarter of the run against
that of its second quarter. The share of authorization and audit is of a server in the process of the bench, before:
the time from asking to the last byte of the answer, and in it the time in what decides whether somebody may and in
what waits until it is on record.
""")


@dataclass(frozen=True, slots=True)
class Crowd:
    """Who is there, and for how long."""

    players: int = 200
    docks: int = 8
    seconds: float = 60.0


def measure_players(folder: Path, *, crowd: Crowd) -> Result:
    """One run."""
    with installed(folder / "home") as here:
        recording = here.arrive(film(folder / "film", seconds=_FILM_S, grain=8).path)
        drain([recording], ports=here.ports, lease_s=30.0, at_once=2)
        cookies = _people(here, crowd.players + 1)
        spent = measure_shares(here, cookies[0], recording)
        port = _free_port()
        with _server(here, port) as server:
            idle = _idle(port, cookies[0], recording)
            told = {"cookies": cookies, "recording": recording, "docks": _docks(here, port, crowd.docks)}
            seen, memory = _run(folder, port, told, crowd, server)
    return _result(seen, memory, (idle, spent), crowd)


def _people(here: Installation, count: int) -> list[str]:
    """Investigators of the whole agency, each in a session."""
    users, now = [f"usr-{number:04d}" for number in range(count)], clocks.now()
    with here.ports.register.begin() as facts:
        for user in users:
            told = {"login": user, "name": user, "officer": None, "unit": None}
            facts.record(Happening("user-registered", f"user/{user}", {}, told), actor="bench", at=now)
            facts.record(Happening("role-given", f"user/{user}", {"role": "investigator"}), actor="bench", at=now)
    figures = shipped_figures()
    return [open_session(user, "password", ports=here.ports, figures=figures, now=now) for user in users]


def _docks(here: Installation, port: int, count: int) -> list[str]:
    """Docks that are enrolled and signed in: their tokens."""
    tokens = []
    for number in range(count):
        key = Ed25519PrivateKey.generate()
        code = invite(Invitation(f"dock {number}"), ports=here.ports, now=clocks.now()).code
        row = enrol(code, key.public_key().public_bytes_raw(), ports=here.ports, now=clocks.now())
        challenge = _post(port, "/v1/challenges", {"dock": row["id"]})["challenge"]
        signature = base64.b64encode(key.sign(signed_text(row["id"], challenge))).decode()
        told = {"dock": row["id"], "challenge": challenge, "signature": signature}
        tokens.append(str(_post(port, "/v1/sessions", told)["token"]))
    return tokens


def _post(port: int, path: str, told: dict[str, str]) -> dict[str, Any]:
    line = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        line.request("POST", path, json.dumps(told), {"Content-Type": "application/json"})
        return dict(json.loads(line.getresponse().read()))
    finally:
        line.close()


@contextmanager
def _server(here: Installation, port: int) -> Iterator[Started]:
    command = ["serve", "--plain", "--listen", f"127.0.0.1:{port}"]
    with started({"server": command}, home=here.settings.home, settings={}) as processes:
        ends = time.monotonic() + _START_S
        while not _is_open(port):
            if time.monotonic() > ends:
                raise Unavailable(f"the server did not come up: {here.settings.home / 'processes.log'}")
            time.sleep(_POLL_S / 5)
        yield processes[0]


def _is_open(port: int) -> bool:
    with socket.socket() as line:
        return line.connect_ex(("127.0.0.1", port)) == 0


def _free_port() -> int:
    with socket.socket() as line:
        line.bind(("127.0.0.1", 0))
        return int(line.getsockname()[1])


def _idle(port: int, cookie: str, recording: str) -> dict[str, list[float]]:
    """What single requests cost when nobody else asks."""
    line = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    ours = {"Cookie": f"evidock={cookie}", "Origin": f"http://127.0.0.1:{port}"}
    leave = {"method": "POST", "url": f"/v1/recordings/{recording}/playback", "body": b'{"what":"proxy"}'}
    asked = {"headers": ours | {"Content-Type": "application/json"}}
    given = json.loads(_timed(line, [], **leave, **asked))
    byte = {"method": "GET", "url": given["urls"][1], "headers": ours | {"Range": "bytes=0-0"}}
    kinds = {"nobody": {"method": "OPTIONS", "url": "/v1/uploads"}, "byte": byte, "leave": leave | asked}
    times: dict[str, list[float]] = {name: [] for name in kinds}
    for _ in range(_IDLE):
        for name, request in kinds.items():
            _timed(line, times[name], **request)
    line.close()
    return times


def _timed(line: http.client.HTTPConnection, times: list[float], **request: Any) -> bytes:
    began = time.perf_counter()
    line.request(**request)
    reply = line.getresponse()
    body = reply.read()
    times.append(time.perf_counter() - began)
    if reply.status >= http.client.BAD_REQUEST:
        raise Unavailable(f"{request['url']} was answered with {reply.status}")
    return body


def _run(
    folder: Path, port: int, told: dict[str, Any], crowd: Crowd, server: Started
) -> tuple[dict[str, Any], list[int]]:
    path, out, memory = folder / "crowd.json", folder / "seen.json", list[int]()
    path.write_text(json.dumps(told), "utf-8")
    command = [sys.executable, "-m", "bench.players.crowd", str(port), str(crowd.seconds), str(path)]
    with out.open("wb") as file, subprocess.Popen(command, cwd=_ROOT, stdout=file) as process:
        while process.poll() is None:
            memory.append(server.resident_bytes())
            time.sleep(_POLL_S)
    if process.returncode:
        raise Unavailable(f"the players ended with status {process.returncode}")
    return dict(json.loads(out.read_text("utf-8"))), memory


def _result(
    seen: dict[str, Any], memory: list[int], alone: tuple[dict[str, list[float]], dict[str, Spent]], crowd: Crowd
) -> Result:
    idle, spent = alone
    kinds = {
        "JSON: one's account": seen["account"],
        "JSON: leave, with its event": seen["leave"],
        "six seconds by a range": seen["ranges"],
        "six seconds as a segment": seen["segments"],
        "idle: nobody asked for": idle["nobody"],
        "idle: a byte, leave checked": idle["byte"],
        "idle: leave, with its event": idle["leave"],
    }
    rows = tuple((name, _ms(median(one)), _ms(quantile(one, 0.99)), str(len(one))) for name, one in kinds.items())
    grown = growth(memory) if len(memory) >= 16 else 1.0
    figures = {
        "seconds": crowd.seconds, "fetched_bytes": seen["fetched_bytes"], "uploaded_bytes": seen["uploaded_bytes"],
        "late": seen["late"], "waits": seen["waits"], "failures": seen["failures"],
        "shares": {name: round(one.share, 4) for name, one in spent.items()}, "memory_bytes": memory,
        "growth": round(grown, 4),
        "answers_ms": {name: [_rounded(median(one)), _rounded(quantile(one, 0.99))] for name, one in kinds.items()},
    }  # fmt: skip
    slowest = max(quantile(seen[name], 0.99) for name in ("account", "leave"))
    goals = (
        Goal("JSON, 99 of 100 answers within", f"≤ {_P99_S * 1000:g} ms", _ms(slowest), slowest <= _P99_S),
        Goal("segments that came too late to be shown", "0", str(seen["late"]), not seen["late"]),
        Goal("requests that failed", "0", str(sum(seen["failures"].values())), not seen["failures"]),
        Goal("memory of the server, last to second quarter", f"≤ {_GROWTH:g}", f"{grown:.3f}", grown <= _GROWTH),
    )
    told = (
        f"In {crowd.seconds:g} s {mib(seen['fetched_bytes'])} were watched and {mib(seen['uploaded_bytes'])} uploaded; "
        f"the server had at most {mib(max(memory))} resident. Failures: {seen['failures'] or 'none'}. "
        f"{seen['waits']} times a dock was asked to wait (429, Retry-After) and did: nothing takes away here what "
        "it has sent, and a server holds only so much of one dock."
    )
    shares = "; ".join(
        f"{name}: {one.share:.0%} ({one.authorization / one.whole:.0%} and {one.audit / one.whole:.0%})"
        for name, one in spent.items()
    )
    cost = (
        f"Share of a request's time that authorization and audit take together (and each), nobody else there: {shares}."
    )
    title = f"{crowd.players} players and {crowd.docks} docks for {crowd.seconds / 60:g} minutes"
    return Result("players", title, (*_COMPARED, told, cost), _COLUMNS, rows, figures, goals)


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.1f} ms"


def _rounded(seconds: float) -> float:
    return round(seconds * 1000, 2)
