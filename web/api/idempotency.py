# SPDX-License-Identifier: Apache-2.0
"""This is where a client that never heard an answer may ask again: one key, one request, done once.

The key is reserved before anything is done and the answer is kept after it, each in a transaction of its own. A
server that dies in between leaves a reserved key, and whoever asks again is told that the answer is lost. What was
refused is not kept: nothing was done, and the same request is refused again, or goes through when it may.

Source: draft-ietf-httpapi-idempotency-key-header-07 §2.
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Annotated

from fastapi import Depends, Header, Request, Response
from pydantic import BaseModel

from evidence import instant
from evidence.errors import AnswerLost, EvidockError, KeyReused, UnderWay
from storage.register import idempotency_rows
from storage.register.idempotency_rows import Kept
from web.access.asker import Asker
from web.api.figures import shipped_figures

_FIGURES = shipped_figures()
_JSON = "application/json"
_PRINTABLE = "^[!-~]+$"
REPLAYED = "Idempotency-Replayed"


@dataclass(slots=True)
class Refusals:
    """What a first request is refused for, found before it is known whether it is one; closed once that is known."""

    found: list[EvidockError] = field(default_factory=list)
    is_open: bool = True

    def close(self) -> None:
        """It is a first request.

        Raises:
            EvidockError: what was found first.
        """
        self.is_open = False
        for error in self.found:
            raise error


def refuse_first(request: Request, error: EvidockError) -> None:
    """Refuse a request for what a repeat of it is not refused for: at once where it can be none, else at its answer.

    Raises:
        EvidockError: the error, at once.
    """
    refusals = getattr(request.state, "refusals", None)
    if not isinstance(refusals, Refusals) or not refusals.is_open:
        raise error
    refusals.found.append(error)


@dataclass(frozen=True, slots=True)
class Repeat:
    """A request that may be a repeat. `key` None: its client will not ask again; `sha256` is of what it asks."""

    key: str | None
    sha256: str
    refusals: Refusals

    def answer(
        self,
        asker: Asker,
        do: Callable[[], BaseModel],
        *,
        status: int = 200,
        headers: Callable[[BaseModel], Mapping[str, str]] | None = None,
        is_secret: bool = False,
    ) -> Response:
        """What `do` answers; of a repeat, what the first request was answered, and `do` is not called.

        `headers`: more headers, from the answer. `is_secret`: the answer is kept nowhere, so a repeat is refused.

        Raises:
            KeyReused: the key came with another request before. UnderWay: the same is being answered now.
            EvidockError: what a first request was found to be refused for (`refuse_first`).
            AnswerLost: the same was begun, and its answer is not kept. RegisterUnavailable. Whatever `do` raises.
        """
        if self.key is None:
            self.refusals.close()
            return _answer(do(), status, headers)
        earlier = self._reserve(asker, self.key)
        if earlier is not None:
            asker.about(asker.act.name.partition(".")[0], "", repeat=True)
            return self._told_before(earlier, asker)
        try:
            self.refusals.close()
            made = _answer(do(), status, headers)
        except BaseException:
            with asker.ports.register.leasing() as connection:
                idempotency_rows.release(connection, asker.actor.id, self.key)
            raise
        body = None if is_secret or len(made.body) > _FIGURES.answer_most else bytes(made.body).decode()
        kept = {name: value for name, value in made.headers.items() if name == "location"}
        with asker.ports.register.leasing() as connection:
            idempotency_rows.keep(connection, asker.actor.id, self.key, status=status, body=body, headers=kept)
        return made

    def _reserve(self, asker: Asker, key: str) -> Kept | None:
        forgotten = asker.now - timedelta(hours=_FIGURES.answer_hours)
        with asker.ports.register.begin() as facts:
            return idempotency_rows.reserve(
                facts.connection,
                asker.actor.id,
                key,
                request_sha256=self.sha256,
                at=instant.to_text(asker.now),
                forgotten_before=instant.to_text(forgotten),
            )

    def _told_before(self, earlier: Kept, asker: Asker) -> Response:
        if earlier.request_sha256 != self.sha256:
            raise KeyReused("this Idempotency-Key came with another request before: make a new key for each")
        if earlier.status is None:
            died = timedelta(minutes=_FIGURES.under_way_minutes)
            if asker.now - instant.from_text(earlier.at) < died:
                raise UnderWay("the same request is being answered: ask again in a moment")
            raise AnswerLost("the same request died under way: look whether it was done before you ask with a new key")
        if earlier.body is None:
            raise AnswerLost("this request was answered before, and its answer is not told twice")
        return Response(earlier.body, earlier.status, {**earlier.headers, REPLAYED: "true"}, media_type=_JSON)


def _answer(body: BaseModel, status: int, headers: Callable[[BaseModel], Mapping[str, str]] | None) -> Response:
    more = {} if headers is None else dict(headers(body))
    return Response(body.model_dump_json(by_alias=True), status, more, media_type=_JSON)


async def _repeat(
    request: Request,
    idempotency_key: Annotated[
        str | None,
        Header(
            min_length=1,
            max_length=_FIGURES.key_most,
            pattern=_PRINTABLE,
            description="Made anew for each request; sent again with a repeat of it, which is then done once.",
        ),
    ] = None,
) -> Repeat:
    """The request as what it asks: method, path, query and body."""
    asked = hashlib.sha256()
    for part in (request.method, request.url.path, request.url.query):
        asked.update(part.encode("utf-8", "surrogateescape") + b"\n")
    asked.update(await request.body())
    request.state.refusals = Refusals()
    return Repeat(idempotency_key, asked.hexdigest(), request.state.refusals)


Once = Annotated[Repeat, Depends(_repeat)]
"""A parameter of a route that changes something: `return once.answer(asker, lambda: …, status=201)`."""
