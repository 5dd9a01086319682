# SPDX-License-Identifier: Apache-2.0
"""This is where everything a request may use is one value, handed in by the front door that starts the server."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any, Protocol

from fastapi import Depends, Request

from evidence.claims import Claims
from evidence.note import VerifierKey
from evidence.steady_clock import Reading
from pipeline.dock_figures import dock_figures
from pipeline.ports import Ports
from pipeline.received import ReceivedFiles
from web.api.limits import Limits, shipped_limits
from web.api.rates import Rate
from web.api.sessions import Sessions
from web.outbound.client import Outbound
from web.signin.figures import shipped_figures
from web.signin.means import Means


class Note(Protocol):
    """Says what happened: `event` and ids for machines, a sentence for people. Threads may share it."""

    def __call__(self, event: str, sentence: str, **ids: Any) -> None:
        """Say it."""
        ...


def nothing_read(path: str, mtime_ns: int) -> Claims:
    """What a name says to somebody who reads no names."""
    return Claims()


def no_words(language: str, kind: str, code: str) -> str:
    """Sentences for people, where there are none: the code itself."""
    return code


def unheard(event: str, sentence: str, **ids: Any) -> None:
    """Notes that nobody reads."""


def _wrong_codes() -> Rate:
    told = dock_figures().enrolment
    return Rate(told.wrong_codes, told.wrong_codes_s)


def _alarms() -> Rate:
    told = dock_figures().dockings
    return Rate(told.alarms, told.alarms_s)


def _keys() -> Rate:
    told = shipped_figures()
    return Rate(told.key_requests, told.key_requests_s)


def _challenges() -> Rate:
    told = shipped_figures()
    return Rate(told.challenges, told.challenge_minutes * 60)


def _people() -> Rate:
    told = shipped_limits()
    return Rate(told.person_requests, told.person_requests_s)


def _strangers() -> Rate:
    told = shipped_limits()
    return Rate(told.stranger_requests, told.stranger_requests_s)


@dataclass(frozen=True, slots=True)
class Rates:
    """What nobody may do too often: be wrong about a code (by address), raise an alarm (by dock), ask (by key).

    `challenges`: ask for what a passkey is to sign (by address). `people`: ask (by person). `strangers`: ask without
    being known, at a door that is public or not (by address).
    """

    wrong_codes: Rate = field(default_factory=_wrong_codes)
    alarms: Rate = field(default_factory=_alarms)
    keys: Rate = field(default_factory=_keys)
    challenges: Rate = field(default_factory=_challenges)
    people: Rate = field(default_factory=_people)
    strangers: Rate = field(default_factory=_strangers)


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
    read_clock: Callable[[], Reading] | None = None
    """What this machine's clocks say, for steady time; without it the wall clock is believed."""
    read_name: Callable[[str, int], Claims] = nothing_read
    """What path and time (ns since 1970) of a file say of it: for clients that send no claims."""
    server_keys: tuple[str, ...] = ()
    """The keys that receipts are signed with, as vkeys: what a dock pins when it enrols."""
    proof_keys: tuple[VerifierKey, ...] = ()
    """The keys that an auditor needs: of the log, and of records."""
    rates: Rates = field(default_factory=Rates)
    words: Callable[[str, str, str], str] = no_words
    """The sentence for people by language (`en`, `zh-CN`), kind and code; the code where there is none."""
    sign_in: Means = field(default_factory=Means)
    """What people are signed in with."""
    outbound: Outbound | None = None
    """What others are asked and told with; None: nobody is."""
    is_watermarked: bool = False
    """True: whoever is shown pictures sees their own name in them, whatever a grant says."""


def context_of(request: Request) -> Context:
    """The context of the server that a request came to."""
    found = request.app.state.context
    assert isinstance(found, Context)  # noqa: S101 - create_app put it there
    return found


Here = Annotated[Context, Depends(context_of)]
"""A parameter of a route: the context."""
