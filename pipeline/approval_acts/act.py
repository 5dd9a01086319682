# SPDX-License-Identifier: Apache-2.0
"""This is where an act that needs two people is a value: how a request is checked, and how an agreement is done."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from storage.register.facts import Chance, Facts
from storage.register.search import Connection


@dataclass(frozen=True, slots=True)
class Asked:
    """What somebody asks for, as they wrote it; `asker` is an actor, `place` the name of this installation."""

    noun: str
    subject: str
    params: Mapping[str, Any]
    asker: str
    place: str
    now: datetime


@dataclass(frozen=True, slots=True)
class Settled:
    """The same in its one spelling, which is what is agreed on, and whose approvers decide it.

    `unit`: None is the whole agency. `gains`: the users who get something by it, and so decide nothing.
    """

    noun: str
    subject: str
    unit: str | None
    params: Mapping[str, Any] = field(default_factory=dict)
    gains: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Agreed:
    """What two people agreed on, as the second of them says so."""

    approval: str
    noun: str
    subject: str
    params: Mapping[str, Any]
    why: str
    decider: str
    now: datetime
    chance: Chance


@dataclass(frozen=True, slots=True)
class Performed:
    """What was done. `made`: the id of what it made. `recordings`: those that are held no longer.

    `alarm`: a sentence that must reach people at once.
    """

    made: str | None = None
    recordings: tuple[str, ...] = ()
    alarm: str | None = None


@dataclass(frozen=True, slots=True)
class Act:
    """One act: `settle` checks a request and raises what is wrong with it; `perform` does what was agreed on.

    `perform` runs inside the transaction that records the agreement: when it raises, nobody agreed. `gains`: as of
    `Settled`, of what was settled before.
    """

    name: str
    settle: Callable[[Connection, Asked], Settled]
    perform: Callable[[Facts, Agreed], Performed]
    gains: Callable[[Agreed], tuple[str, ...]] = lambda _: ()
