# SPDX-License-Identifier: Apache-2.0
"""This is where what a server can be asked is named: each question a method, its answer as the API documents it."""

import secrets
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

from evidence.errors import BadInput, NotFound, RecordMalformed
from pipeline.ports import Progress, unheard
from web.client.unpacking import unpack
from web.client.wire import Server, Wire

Body = dict[str, Any]


class Client:
    """A server, asked by a program with its key, or by a person who signs in. One thread at a time."""

    def __init__(self, server: Server, *, key: str | None = None, language: str = "en") -> None:
        self._wire = Wire(server, key=key, language=language)

    def __enter__(self) -> Self:
        """The client itself."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """End the connections; a session goes on until it is ended, or ends by itself."""
        self._wire.close()

    # --- who asks -----------------------------------------------------------------------------

    def sign_in(self, login: str, password: str, code: str | None = None) -> Body:
        """Begin a session: what is asked from now on is asked by this person.

        Raises:
            NotSignedIn, TooManyTries: as the server says. ServerUnavailable. So do all methods here.
        """
        told = {"login": login, "password": password} | ({} if code is None else {"code": code})
        return self._wire.post("/session", told)

    # --- questions ----------------------------------------------------------------------------

    def one(self, noun: str, identifier: str) -> Body:
        """A single thing, such as `recordings`, `rec-…`.

        Raises:
            NotFound: there is none, or none that is yours to see.
        """
        return self._wire.get(f"/{noun}/{_segment(identifier)}")

    def page(self, noun: str, **asked: Any) -> Body:
        """One page of a list: `items`, and `next` for `after`."""
        return self._wire.get(f"/{noun}", {name: value for name, value in asked.items() if value is not None})

    def every(self, noun: str, **asked: Any) -> Iterator[Body]:
        """All rows of a list, page after page."""
        after: str | None = None
        while True:
            page = self.page(noun, **asked, after=after)
            yield from page["items"]
            following = page.get("next")
            if following is None:
                return
            if following == after:
                raise RecordMalformed("the server gives the same page for ever")
            after = following

    def case(self, number: str) -> Body:
        """The case of this number, or id.

        Raises:
            NotFound: there is none, or none that is yours to see.
        """
        found = self.page("cases", number=number, limit=1)["items"]
        if not found and not number.startswith("cas-"):
            raise NotFound(f"no case {number!r}, or none that is yours to see", case=number)
        return self.one("cases", found[0]["id"] if found else number)

    def verify(self, recording: str) -> Body:
        """What the server finds when it verifies a recording. It is the server's word: keys of one's own prove more."""
        return self._wire.post("/verify", {"recording": recording})

    # --- acts -----------------------------------------------------------------------------------

    def do(self, path: str, told: Mapping[str, Any]) -> Body:
        """Have something done, once, however often the answer gets lost on its way."""
        return self._wire.post(path, dict(told), {"Idempotency-Key": secrets.token_urlsafe(24)})

    def ask_for_export(self, case: str, what: str) -> Body:
        """Have the pack of a case made; `export` tells how far it is."""
        return self.do("/exports", {"case": case, "what": what})

    def export(self, export: str) -> Body:
        """What became of a pack that was asked for."""
        return self.one("exports", export)

    def take_export(self, export: str, into: Path, *, size_bytes: int, progress: Progress = unheard) -> int:
        """Fetch a pack that was made into the empty folder `into`; the number of its files.

        Raises:
            RecordMalformed, TooLarge, Truncated: the stream is no pack of this size.
            StoreUnavailable: the disk refuses.
        """
        with self._wire.stream("GET", f"/exports/{_segment(export)}/pack") as answer:
            return unpack(answer.iter_bytes(), into, top=export, size_bytes=size_bytes, progress=progress)

    def wait_for_export(self, export: str, *, pause: Callable[[], None], progress: Progress = unheard) -> Body:
        """What became of a pack, once it is made or has failed; `pause` is called between two questions."""
        while (told := self.export(export))["state"] == "waiting":
            progress(told["progress"] / 1000)
            pause()
        return told


def _segment(identifier: str) -> str:
    """An id as part of a path: nothing in it leads elsewhere."""
    if identifier in ("", ".", ".."):
        raise BadInput(f"not an id: {identifier!r}")
    return quote(identifier, safe="")
