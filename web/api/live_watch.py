# SPDX-License-Identifier: Apache-2.0
"""This is where a live recording is played while it comes in: HLS (RFC 8216) of what is there.

Only the terminal that records may watch. Others come when each view is put on record.
"""

from fastapi import APIRouter, Response
from starlette.concurrency import run_in_threadpool
from starlette.types import Receive, Scope, Send

from evidence.errors import NotFound
from pipeline import live
from pipeline.live import Sender
from pipeline.live_playlist import ENDING, INIT, Part, part, playlist
from web.api.context import Context, Here
from web.api.live import Gate, Terminal

router = APIRouter(prefix="/v1/live")

_NEVER_KEPT = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
_PLAYLIST = "application/vnd.apple.mpegurl"
_MEDIA = "video/mp4"
_DIGITS_MAX = 9
_BLOCK_BYTES = 256 * 1024
_WATCHERS = Gate(4)  # of one terminal, that ask at the same moment


@router.get("/{identifier}/playlist.m3u8")
def hls(identifier: str, sender: Terminal, here: Here) -> Response:
    """The playlist as it stands now."""
    found = live.look(identifier, sender=sender, files=here.files)
    with _WATCHERS.passing(sender.id):
        lines = playlist(found, files=here.files)
    return Response(lines, media_type=_PLAYLIST, headers=_NEVER_KEPT)


@router.get(f"/{{identifier}}/{INIT}")
def init(identifier: str, sender: Terminal, here: Here) -> Response:
    """The init segment."""
    return _part(identifier, 0, sender=sender, here=here)


@router.get(f"/{{identifier}}/{{name}}{ENDING}")
def fragment(identifier: str, name: str, sender: Terminal, here: Here) -> Response:
    """One fragment."""
    if not (name.isascii() and name.isdigit() and len(name) <= _DIGITS_MAX and int(name)):
        raise NotFound(f"no fragment {name[:40]!r}")
    return _part(identifier, int(name), sender=sender, here=here)


def _part(identifier: str, number: int, *, sender: Sender, here: Context) -> Response:
    found = live.look(identifier, sender=sender, files=here.files)
    return _Blocks(part(found, number, files=here.files))


class _Blocks(Response):
    """A fragment as an answer. Of a client that does not fetch it, a block is held in memory and no more."""

    media_type = _MEDIA

    def __init__(self, told: Part) -> None:
        super().__init__(headers=_NEVER_KEPT | {"Content-Length": str(told.size_bytes)})
        self._part = told

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it, block by block."""
        with self._part.opened() as read:
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            for at in range(0, self._part.size_bytes, _BLOCK_BYTES):
                block = await run_in_threadpool(read, at, _BLOCK_BYTES)
                await send({"type": "http.response.body", "body": block, "more_body": True})
            await send({"type": "http.response.body", "body": b"", "more_body": False})
