# SPDX-License-Identifier: Apache-2.0
"""This is where the players are one process: `python -m bench.players.crowd PORT SECONDS FILE`.

FILE holds JSON: `cookies` of the viewers, `recording`, `docks` (tokens). What was measured goes to standard output.
"""

import asyncio
import json
import os
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

_SEGMENT_S = 6.0
_PIECE_BYTES = 1 << 20
_UPLOAD_BYTES = 64 << 20
_TOKEN_S = 600.0
_PROBE_S = 0.1
_ASKED_TO_WAIT = 429


@dataclass(slots=True)
class Seen:
    """Seconds that answers took, by what was asked for; how much came and went; what failed."""

    ranges: list[float] = field(default_factory=list)
    segments: list[float] = field(default_factory=list)
    leave: list[float] = field(default_factory=list)
    account: list[float] = field(default_factory=list)
    late: int = 0
    fetched_bytes: int = 0
    uploaded_bytes: int = 0
    waits: int = 0
    failures: dict[str, int] = field(default_factory=dict)

    def failed(self, what: str) -> None:
        """Count a failure."""
        self.failures[what] = self.failures.get(what, 0) + 1


class Line:
    """One connection that is kept."""

    def __init__(self, port: int, headers: dict[str, str]) -> None:
        self._port, self._headers = port, headers
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(
        self, method: str, path: str, body: bytes = b"", /, **headers: str
    ) -> tuple[int, dict[str, str], bytes]:
        """One request; status, headers in small letters, body."""
        if self._streams is None:
            self._streams = await asyncio.open_connection("127.0.0.1", self._port, limit=1 << 22)
        reader, writer = self._streams
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        told = {"Host": f"127.0.0.1:{self._port}", "Content-Length": str(len(body)), **self._headers, **named}
        head = "".join(f"{name}: {value}\r\n" for name, value in told.items())
        writer.write(f"{method} {path} HTTP/1.1\r\n{head}\r\n".encode() + body)
        await writer.drain()
        return await _answer(reader)


async def _answer(reader: asyncio.StreamReader) -> tuple[int, dict[str, str], bytes]:
    first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines if line)}
    return int(first.split()[1]), headers, await reader.readexactly(int(headers.get("content-length", "0")))


async def _watch(line: Line, recording: str, seen: Seen, *, number: int, ends: float) -> None:
    """A player in real time: half of them by ranges of the proxy, half by segments; each begins somewhere."""
    await asyncio.sleep(number % 60 / 60 * _SEGMENT_S)
    is_ranged = number % 2 == 0
    while time.monotonic() < ends:
        given = await _leave(line, recording, seen)
        if given is None:
            await asyncio.sleep(1)
            continue
        until = min(ends, time.monotonic() + _TOKEN_S)
        await (_by_range if is_ranged else _by_segment)(line, given, seen, number, until)


async def _leave(line: Line, recording: str, seen: Seen) -> list[str] | None:
    began = time.monotonic()
    path, kind = f"/v1/recordings/{recording}/playback", "application/json"
    status, _, body = await line.ask("POST", path, b'{"what":"proxy"}', Content_Type=kind)
    if status != 201:
        seen.failed(f"leave {status}")
        return None
    seen.leave.append(time.monotonic() - began)
    return list(json.loads(body)["urls"])


async def _by_range(line: Line, urls: list[str], seen: Seen, number: int, until: float) -> None:
    _, headers, _ = await line.ask("GET", urls[1], Range="bytes=0-0")
    size = int(headers["content-range"].rpartition("/")[2])
    part = max(1, int(size * _SEGMENT_S / 60))
    while time.monotonic() < until:
        at = number * part % max(1, size - part)
        await _fetch(line, urls[1], seen, seen.ranges, Range=f"bytes={at}-{at + part - 1}")
        number += 1


async def _by_segment(line: Line, urls: list[str], seen: Seen, number: int, until: float) -> None:
    _, _, lines = await line.ask("GET", urls[0])
    names = [name for name in lines.decode().splitlines() if name.endswith(".m4s")]
    base = urls[0].rpartition("/")[0]
    while time.monotonic() < until:
        await _fetch(line, f"{base}/{names[number % len(names)]}", seen, seen.segments)
        number += 1


async def _fetch(line: Line, url: str, seen: Seen, times: list[float], **headers: str) -> None:
    began = time.monotonic()
    status, _, body = await line.ask("GET", url, b"", **headers)
    took = time.monotonic() - began
    if status not in (200, 206):
        seen.failed(f"fetch {status}")
    times.append(took)
    seen.fetched_bytes += len(body)
    seen.late += took > _SEGMENT_S
    await asyncio.sleep(max(0.0, _SEGMENT_S - took))


async def _upload(line: Line, seen: Seen, *, ends: float) -> None:
    """A dock that always has another file."""
    piece = os.urandom(_PIECE_BYTES)
    while time.monotonic() < ends:
        status, headers, _ = await line.ask("POST", "/v1/uploads", Upload_Length=str(_UPLOAD_BYTES))
        if status == _ASKED_TO_WAIT:
            await _waited(headers, seen)
            continue
        if status != 201:
            seen.failed(f"announce {status}")
            await asyncio.sleep(1)
            continue
        kind, where = "application/offset+octet-stream", "/v1/" + headers["location"].partition("/v1/")[2]
        for at in range(0, _UPLOAD_BYTES - _PIECE_BYTES, _PIECE_BYTES):
            status, headers, _ = await line.ask("PATCH", where, piece, Upload_Offset=str(at), Content_Type=kind)
            if status == _ASKED_TO_WAIT:
                await _waited(headers, seen)
                break
            if status != 204:
                seen.failed(f"upload {status}")
                break
            seen.uploaded_bytes += _PIECE_BYTES
            if time.monotonic() > ends:
                return


async def _waited(headers: Mapping[str, str], seen: Seen) -> None:
    """Wait as long as the server asks a dock to: what it holds for it is as much as it takes from one."""
    seen.waits += 1
    await asyncio.sleep(float(headers.get("retry-after", "1")))


async def _probe(line: Line, seen: Seen, *, ends: float) -> None:
    """Somebody who only reads JSON."""
    while time.monotonic() < ends:
        began = time.monotonic()
        status, _, _ = await line.ask("GET", "/v1/me")
        seen.account.append(time.monotonic() - began)
        if status != 200:
            seen.failed(f"account {status}")
        await asyncio.sleep(_PROBE_S)


async def _crowd(port: int, seconds: float, told: dict[str, Any]) -> Seen:
    seen, ends = Seen(), time.monotonic() + seconds
    origin = f"http://127.0.0.1:{port}"
    lines = [Line(port, {"Cookie": f"evidock={one}", "Origin": origin}) for one in told["cookies"]]
    docks = [Line(port, {"Authorization": f"Bearer {one}", "Tus-Resumable": "1.0.0"}) for one in told["docks"]]
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(_probe(lines[0], seen, ends=ends))
        for number, line in enumerate(lines[1:]):
            tasks.create_task(_watch(line, told["recording"], seen, number=number, ends=ends))
        for dock in docks:
            tasks.create_task(_upload(dock, seen, ends=ends))
    return seen


if __name__ == "__main__":
    _port, _seconds, _file = sys.argv[1:]
    _told = json.loads(Path(_file).read_text("utf-8"))
    sys.stdout.write(json.dumps(asdict(asyncio.run(_crowd(int(_port), float(_seconds), _told)))))
