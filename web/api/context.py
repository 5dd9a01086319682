# SPDX-License-Identifier: Apache-2.0
"""This is where everything a request may use is one value, handed in by the front door that starts the server."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Protocol

from fastapi import Depends, Request

from pipeline.ports import Ports
from pipeline.received import ReceivedFiles
from web.api.limits import Limits
from web.api.sessions import Sessions


class Note(Protocol):
    """Says what happened: `event` and ids for machines, a sentence for people. Threads may share it."""

    def __call__(self, event: str, sentence: str, **ids: Any) -> None:
        """Say it."""
        ...


def unheard(event: str, sentence: str, **ids: Any) -> None:
    """Notes that nobody reads."""


@dataclass(frozen=True, slots=True)
class Context:
    """What requests share. `now` is UTC; `monotonic` counts seconds and is set by nobody."""

    ports: Ports
    files: ReceivedFiles
    sessions: Sessions
    limits: Limits
    now: Callable[[], datetime]
    monotonic: Callable[[], float]
    admit: Callable[[int], None]
    """Return when so many more bytes may come in; DiskLow or Overloaded when they may not. Threads may share it."""
    hint: Callable[[str], None]
    """Tell a worker of a job by its id; nothing is lost when nobody hears."""
    note: Note = unheard


def context_of(request: Request) -> Context:
    """The context of the server that a request came to."""
    found = request.app.state.context
    assert isinstance(found, Context)  # noqa: S101 - create_app put it there
    return found


Here = Annotated[Context, Depends(context_of)]
"""A parameter of a route: the context."""
