# SPDX-License-Identifier: Apache-2.0
"""This is where steady time is told, and marked each time that it is: the `now` of everything that ends a keeping."""

from dataclasses import dataclass
from datetime import datetime

from evidence import instant
from evidence.custody import Happening
from evidence.errors import BadInput
from evidence.ids import stream_of
from evidence.steady_clock import Doubt, Mark, Reading, Steady, steady
from pipeline.retention_figures import figures
from storage.register import clock_marks
from storage.register.register import Register


@dataclass(frozen=True, slots=True)
class Clock:
    """Steady time with what it was told from."""

    steady: Steady
    reading: Reading
    newest: Mark | None


def steady_now(register: Register, reading: Reading) -> Steady:
    """Steady time at a reading of this machine's clocks; it is marked, so that it never goes back.

    Raises:
        RegisterUnavailable: worth another try.
    """
    with register.leasing() as connection:
        told = steady(clock_marks.marks(connection), reading, figures().clock)
        # A clock that is behind says nothing of how long it was silent: the next reading must not count from it.
        if told.doubt is not Doubt.BEHIND:
            clock_marks.put(connection, reading, at=told.now)
    return told


def look(register: Register, reading: Reading) -> Clock:
    """The same, marking nothing: for a person who asks."""
    with register.view() as connection:
        found = clock_marks.marks(connection)
    return Clock(steady(found, reading, figures().clock), reading, found[-1] if found else None)


def confirm(register: Register, reading: Reading, *, why: str, actor: str) -> datetime:
    """Take a person's word that the wall clock is right, for the record; steady time from now on.

    Raises:
        BadInput: no reason is given.
        RegisterUnavailable: nothing was confirmed.
    """
    if not why.strip():
        raise BadInput("say why the clock is right, for the record: --why")
    with register.begin() as facts:
        told = steady(clock_marks.marks(facts.connection), reading, figures().clock)
        clock_marks.put(facts.connection, reading, at=reading.wall, is_confirmed=True)
        moments = {"at": instant.to_text(reading.wall), "was": instant.to_text(told.now)}
        said = Happening(
            "clock-confirmed", stream_of("clock", reading.place), facts=moments, detail={"why": why.strip()}
        )
        facts.record(said, actor=actor, at=reading.wall)
    return reading.wall
