# SPDX-License-Identifier: Apache-2.0
"""This is where a route meets who asks: what they may see, and what will be told of what they saw."""

import re
from collections.abc import Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NoReturn

from evidence import instant
from evidence.access import Act, Actor, Reach, kinds_of_grant
from evidence.errors import NotAllowed
from pipeline.ports import Ports
from pipeline.steady import steady_now
from storage.register import reach
from storage.register.answers import Row
from storage.register.reach import Sight
from storage.register.search import Connection
from web.access.desk import Also, Desk
from web.access.known import Known
from web.api.context import Context

_ID = re.compile(r"[a-z]{3}-[a-z0-9.-]{1,60}", re.ASCII)


@dataclass(frozen=True, slots=True)
class About:
    """One thing that was seen, asked for or refused."""

    noun: str
    subject: str
    facts: dict[str, Any]


@dataclass(slots=True)
class Told:
    """What a request has to put on record; grows while the route works."""

    about: list[About] = field(default_factory=list)
    detail: dict[str, Any] = field(default_factory=dict)
    also: list[Also] = field(default_factory=list)
    failed_on: About | None = None


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks, with which act and how far that reaches; `ports` are those of the server, in the person's name."""

    known: Known
    act: Act
    reach: Reach
    here: Context
    ports: Ports
    desk: Desk
    now: datetime
    told: Told = field(default_factory=Told, repr=False)

    @property
    def actor(self) -> Actor:
        """Who asks."""
        return self.known.actor

    def steady_now(self) -> datetime:
        """Steady time, for what ends a keeping: a clock that jumps makes nothing due.

        Raises:
            RegisterUnavailable: worth another try.
        """
        read = self.here.read_clock
        return self.now if read is None else steady_now(self.ports.register, read()).now

    # --- what may be seen -----------------------------------------------------------------------

    @property
    def sight(self) -> Sight:
        """What the register's lists are asked under."""
        return Sight(self.actor, self.reach, instant.to_text(self.now), kinds_of_grant(self.act.name))

    def view(self, *, is_long: bool = False) -> AbstractContextManager[Connection]:
        """A moment of the register, in which the database itself shows no more than this person may see.

        Raises:
            RegisterUnavailable: worth another try.
        """
        return self.ports.register.view(is_long=is_long, seen_by=self.sight)

    def recording(self, connection: Connection, identifier: str) -> Row:
        """The recording of this id; that it was looked at will be told.

        Raises:
            NotFound: there is none, or none within reach; that is told too.
        """
        self._tries("recording", identifier)
        row = reach.recording(connection, identifier, self.sight)
        self._found("recording", row["id"])
        glass = reach.broken_glass(connection, row["id"], self.sight)
        if glass is not None:
            self.about("recording", row["id"], break_glass=True, grant=glass)
            told = f"{self.actor.id} breaks glass to see {row['id']} ({glass})"
            self.here.note("glass-broken", told, actor=self.actor.id, recording=row["id"], grant=glass)
        return row

    def case(self, connection: Connection, number_or_id: str) -> Row:
        """The case of this number or id; that it was looked at will be told.

        Raises:
            NotFound: there is none, or none within reach; that is told too.
        """
        self._tries("case", number_or_id)
        row = reach.case(connection, number_or_id, self.sight)
        self._found("case", row["id"])
        return row

    def sees_recordings(self) -> Any:
        """The condition under which rows of `recordings` are within reach."""
        return self.sight.recordings()

    def sees_cases(self) -> Any:
        """The condition under which rows of `cases` are within reach."""
        return self.sight.cases()

    def sees_units(self, column: Any) -> Any:
        """The condition under which the unit in `column` is within reach."""
        return self.sight.unit(column)

    # --- what will be told ----------------------------------------------------------------------

    def about(self, noun: str, subject: str = "", **facts: Any) -> None:
        """Have an event that names this; without any, there is one of the act alone.

        `subject` is an id (empty: a list), never a name of a person or the number of a case.
        """
        for one in self.told.about:
            if (one.noun, one.subject) == (noun, subject):
                one.facts.update(facts)
                return
        self.told.about.append(About(noun, subject, facts))

    def asked(self, query: str, **more: Any) -> None:
        """Have the words of a search beside the event: they may name people."""
        self.told.detail.update({"query": query, **more})

    def also(self, call: Also) -> None:
        """Have this written in the transaction of the request's first event; told the open facts and its number."""
        self.told.also.append(call)

    def names(self, noun: str, told: Iterable[object]) -> None:
        """What a request is about, should it be refused before it is looked at: the first id in its address."""
        self._tries(noun, next((one for one in told if isinstance(one, str) and _ID.fullmatch(one)), ""))

    def refuse(self, noun: str, subject: str, why: str) -> NoReturn:
        """Refuse, about one thing.

        Raises:
            NotAllowed: always.
        """
        self._tries(noun, subject)
        raise NotAllowed(why)

    def _tries(self, noun: str, subject: str) -> None:
        # What is no id of ours is words of whoever asks, and they are not kept for ever.
        self.told.failed_on = About(noun, subject if _ID.fullmatch(subject) else "", {})

    def _found(self, noun: str, subject: str) -> None:
        self.told.failed_on = None
        self.about(noun, subject)
