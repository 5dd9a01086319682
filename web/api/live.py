# SPDX-License-Identifier: Apache-2.0
"""This is where terminals send what they still record: begin, fragment after fragment, end."""

import asyncio
import base64
import binascii
import re
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Request, Response
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect

from evidence import instant
from evidence.claims import Claims
from evidence.errors import BadInput, DeviceRefused, Overloaded, SignatureInvalid, TooLarge
from pipeline import live, live_closing
from pipeline.live import Announced, Sender
from pipeline.live_closing import Ended
from pipeline.live_figures import figures
from pipeline.live_sidecar import Sidecar, read_sidecar
from web.api.context import Context, Here
from web.api.signed_in import Dock

router = APIRouter(prefix="/v1/live")

_DIGEST = re.compile(r"sha-256=:([A-Za-z0-9+/]{43}=):", re.ASCII)
_AT_ONCE, _ENDING_AT_ONCE = 4, 2


def terminal(dock: Dock) -> Sender:
    """The terminal that asks.

    Raises:
        DeviceRefused: it is a dock, which records nothing itself.
    """
    if dock["kind"] != "terminal":
        raise DeviceRefused("only a terminal sends what it still records")
    return Sender(dock["id"], dock["device"])


Terminal = Annotated[Sender, Depends(terminal)]


class Beginning(BaseModel):
    """What a terminal says when it begins to record."""

    name: Annotated[str, Field(min_length=1, max_length=255)]
    path: Annotated[str, Field(min_length=1, max_length=4096)]
    kind: Annotated[str, Field(min_length=1, max_length=40)] = "video"
    started_at: Annotated[str, Field(max_length=40)]
    claims: Annotated[list[dict[str, str]], Field(max_length=100)] = []
    continues: Annotated[str, Field(max_length=40, pattern="^[a-z]{3}-[a-z2-7]{16,20}$")] | None = None


class Ending(BaseModel):
    """What it says at the end; `signature` is base64, over `evidock-sidecar-v1` LF sidecar."""

    fragments: int
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    sidecar: str | None = None
    signature: Annotated[str, Field(max_length=100)] | None = None


@router.post("", status_code=201)
def begin(said: Beginning, sender: Terminal, here: Here) -> dict[str, str]:
    """A live recording begins."""
    here.admit(figures().fragment_bytes)
    announced = Announced(
        name=said.name,
        path=said.path,
        kind=said.kind,
        started_at=instant.from_text(said.started_at),
        claims=Claims.from_json(said.claims),
        continues=said.continues,
    )
    return {"live": live.announce(announced, sender=sender, ports=here.ports)}


@router.put("/{identifier}/fragments/{number}", status_code=204)
async def take(
    identifier: str,
    number: int,
    request: Request,
    sender: Terminal,
    here: Here,
    content_digest: Annotated[str, Header(max_length=200)],
) -> Response:
    """One fragment comes; it lasts before the answer is sent, and is played from then on."""
    sha256 = _digest(content_digest)
    with _GATE.passing(sender.id):
        try:
            data = await _body(request, here)
        except ClientDisconnect:
            return Response(status_code=400)  # nobody hears it
        await run_in_threadpool(_take, identifier, number, data, sha256, sender=sender, here=here)
    return Response(status_code=204)


def _take(identifier: str, number: int, data: bytes, sha256: bytes, *, sender: Sender, here: Context) -> None:
    here.admit(len(data))
    live.take(identifier, number, data, sha256=sha256, sender=sender, ports=here.ports)


def _digest(header: str) -> bytes:
    """Source: RFC 9530 §2; of several digests, the SHA-256 counts."""
    found = _DIGEST.search(header)
    if found is None:
        raise BadInput("Content-Digest must hold sha-256=:<base64>: (RFC 9530)")
    return base64.b64decode(found[1])


async def _body(request: Request, here: Context) -> bytes:
    """A fragment is small enough to be held: its file is then locked only while it is written."""
    limit = figures().fragment_bytes
    announced = request.headers.get("content-length", "0")
    if announced.isdecimal() and int(announced) > limit:
        raise TooLarge(f"a fragment has at most {limit} bytes", limit=limit)
    gathered, blocks = bytearray(), aiter(request.stream())
    while True:
        try:
            block = await asyncio.wait_for(anext(blocks), here.limits.silence_s)
        except StopAsyncIteration:
            return bytes(gathered)
        except TimeoutError as error:
            raise ClientDisconnect from error
        gathered += block
        if len(gathered) > limit:
            raise TooLarge(f"a fragment has at most {limit} bytes", limit=limit)


@router.get("/{identifier}")
def state(identifier: str, sender: Terminal, here: Here) -> dict[str, Any]:
    """Which fragment comes next, and whether the recording still grows."""
    found = live.look(identifier, sender=sender, files=here.files)
    return {"live": identifier, "next": found.next, "is_open": found.closed is None}


@router.post("/{identifier}/end", status_code=201)
def end(identifier: str, said: Ending, dock: Dock, sender: Terminal, here: Here) -> dict[str, str]:
    """The recording is whole, and becomes a Recording."""
    ended = Ended(said.fragments, said.sha256, _sidecar(said, bytes.fromhex(dock["key"])))
    # All that came is read: who asks often at once would keep every thread from the others.
    with _ENDINGS.passing(sender.id):
        recording = live_closing.end(identifier, ended, sender=sender, ports=here.ports, now=here.now())
    here.hint(f"fixity:{recording}")
    return {"recording": recording}


def _sidecar(said: Ending, key: bytes) -> Sidecar | None:
    if said.sidecar is None or said.signature is None:
        if said.sidecar is not None or said.signature is not None:
            raise BadInput("a terminal's word comes with its signature, or not at all")
        return None
    try:
        signature = base64.b64decode(said.signature, validate=True)
    except binascii.Error as error:
        raise BadInput("the signature is no base64") from error
    try:
        return read_sidecar(said.sidecar, signature, key=key)
    except SignatureInvalid as error:  # of no evidence of ours: nothing was taken in with it
        raise BadInput(error.message) from error


class Gate:
    """Lets so many requests of one terminal be answered at once: each holds memory, or a thread."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._inside: Counter[str] = Counter()

    @contextmanager
    def passing(self, sender: str) -> Iterator[None]:
        """Be inside while the block runs. Raises: Overloaded: enough are."""
        with self._lock:
            if self._inside[sender] >= self._most:
                raise Overloaded(f"{self._most} such requests of this terminal are under way already")
            self._inside[sender] += 1
        try:
            yield
        finally:
            with self._lock:
                self._inside[sender] -= 1
                self._inside += Counter()  # forget who has none


_GATE, _ENDINGS = Gate(_AT_ONCE), Gate(_ENDING_AT_ONCE)
