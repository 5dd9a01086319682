# SPDX-License-Identifier: Apache-2.0
"""This is where an answer waits until it is on record that it was given: no event, no answer.

The endpoint has made all of its answer by then (or all that decides it, of one that is streamed), and no byte of it
has left. What it raises because somebody may not is put on record as refused.
"""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute
from starlette.concurrency import run_in_threadpool

from evidence.custody import Happening
from evidence.errors import EvidockError, NotAllowed, NotFound, Refused, RegisterUnavailable
from evidence.ids import stream_of
from storage.register.facts import Facts, Rested
from web.access.asker import About, Asker
from web.access.desk import Also

_PATIENCE_S = 15.0
_REFUSALS = frozenset({NotAllowed.code, NotFound.code, Refused.code, "prove-again", "second-factor"})

Handler = Callable[[Request], Coroutine[Any, Any, Response]]


class AuditedRoute(APIRoute):
    """A route whose answers, and refusals, are custody events before they are answers."""

    def get_route_handler(self) -> Handler:
        """The handler that the framework calls."""
        answer = super().get_route_handler()

        async def audited(request: Request) -> Response:
            try:
                response = await answer(request)
            except EvidockError as error:
                await _tell_refused(request, error)
                raise
            await _tell_allowed(request)
            return response

        return audited


async def _tell_allowed(request: Request) -> None:
    asker = _asker(request)
    if asker is None or not (asker.act.is_told or asker.told.also):
        return
    seen = asker.told.about or [About(_noun(asker), "", {})]
    told = [_happening(asker, about, outcome="allowed") for about in seen]
    await _record(asker, told, also=_all_of(asker.told.also))


async def _tell_refused(request: Request, error: EvidockError) -> None:
    asker = _asker(request)
    if asker is None or error.code not in _REFUSALS:
        return
    about = asker.told.failed_on or next(iter(asker.told.about), About(_noun(asker), "", {}))
    await _record(asker, [_happening(asker, about, outcome="refused", code=error.code)], also=None)


def _asker(request: Request) -> Asker | None:
    found = getattr(request.state, "asker", None)
    return found if isinstance(found, Asker) else None


def _noun(asker: Asker) -> str:
    return asker.act.name.partition(".")[0]


def _happening(asker: Asker, about: About, *, outcome: str, code: str | None = None) -> Happening:
    door, _, name = asker.actor.id.partition(":")
    facts: dict[str, Any] = dict(about.facts)
    facts |= {"act": asker.act.name, "noun": about.noun, "subject": about.subject, "outcome": outcome, "code": code}
    return Happening("accessed", stream_of(door, name), facts=facts, detail=asker.told.detail or None)


async def _record(asker: Asker, told: list[Happening], *, also: Also | None) -> None:
    """Return when all of it is on record.

    Raises:
        RegisterUnavailable, StoreUnavailable: it is not. Overloaded: too many wait.
    """
    waits = []
    for number, happening in enumerate(told):
        rested = Rested(happening, None)
        if happening.detail is not None:
            rested = await run_in_threadpool(asker.ports.register.rest, happening)
        done = asker.desk.submit(rested, actor=asker.actor.id, at=asker.now, also=None if number else also)
        waits.append(asyncio.wrap_future(done))
    try:
        await asyncio.wait_for(asyncio.gather(*waits), _PATIENCE_S)
    except TimeoutError as error:
        raise RegisterUnavailable("what was seen could not be put on record in time") from error


def _all_of(calls: list[Also]) -> Also | None:
    if not calls:
        return None

    def every(facts: Facts, seq: int) -> None:
        for call in calls:
            call(facts, seq)

    return every
