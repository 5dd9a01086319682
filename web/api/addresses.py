# SPDX-License-Identifier: Apache-2.0
"""This is where requests are refused whose path or query holds control characters, written out or as `%00`.

Of a zero character a register may say that it is no text; the others are nothing that a name of ours holds.
"""

from urllib.parse import unquote_to_bytes

from starlette.types import ASGIApp, Receive, Scope, Send

from evidence.errors import BadInput
from web.api.problems import problem

_FIRST_PRINTED, _DELETE = 0x20, 0x7F


class PlainAddresses:
    """Lets a request through whose address is plain text, and answers any other with 400."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http" or _is_plain(scope):
            await self._app(scope, receive, send)
            return
        answer = problem(400, BadInput.code, "the address holds control characters")
        await answer(scope, receive, send)


def _is_plain(scope: Scope) -> bool:
    path = scope.get("raw_path") or scope["path"].encode("utf-8", "surrogateescape")
    asked = unquote_to_bytes(path + b"?" + scope["query_string"])
    return all(byte >= _FIRST_PRINTED and byte != _DELETE for byte in asked)
