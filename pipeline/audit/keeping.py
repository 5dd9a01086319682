# SPDX-License-Identifier: Apache-2.0
"""This is where an audit hears of what speaks for keeping: holds, open cases, conditions, the item a recording is of.

Rows of the register say when a recording is due. Whoever takes a hold out of them, or closes a case there, would have
footage destroyed by the rules: so these rows are held against the signed records too.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from evidence import instant
from evidence.custody import CustodyEvent
from evidence.errors import RecordMalformed

Row = dict[str, Any]


@dataclass(slots=True)
class Keeping:
    """What rows should say: of holds and cases by id, of conditions by noun, subject and code, of recordings by id."""

    holds: dict[tuple[str], Row] = field(default_factory=dict)
    cases: dict[tuple[str], Row] = field(default_factory=dict)
    conditions: dict[tuple[str, str, str], Row] = field(default_factory=dict)
    items: dict[str, Row] = field(default_factory=dict)

    def hear(self, event: CustodyEvent) -> None:
        """Take an event; called in the order of its stream.

        Raises:
            RecordMalformed: it does not say what its kind must say.
        """
        try:
            _HEARD.get(event.kind, _nothing)(self, event)
        except (KeyError, TypeError) as error:
            raise RecordMalformed(f"a {event.kind} record lacks {error}") from error


def _subject(event: CustodyEvent) -> str:
    return event.stream.partition("/")[2]


def _hold_placed(heard: Keeping, event: CustodyEvent) -> None:
    told = {name: event.facts[name] for name in ("noun", "subject")}
    heard.holds[_subject(event),] = {**told, "lifted_at": None}


def _hold_lifted(heard: Keeping, event: CustodyEvent) -> None:
    heard.holds[_subject(event),]["lifted_at"] = instant.to_text(event.at)


def _case_open(heard: Keeping, event: CustodyEvent) -> None:
    heard.cases[_subject(event),] = {"closed_at": None}


def _case_closed(heard: Keeping, event: CustodyEvent) -> None:
    heard.cases[_subject(event),] = {"closed_at": event.facts.get("closed_at", instant.to_text(event.at))}


def _condition(event: CustodyEvent) -> tuple[str, str, str]:
    return event.stream.partition("/")[0], _subject(event), event.facts["code"]


def _condition_set(heard: Keeping, event: CustodyEvent) -> None:
    heard.conditions[_condition(event)] = {"lifted_at": None}


def _condition_lifted(heard: Keeping, event: CustodyEvent) -> None:
    heard.conditions[_condition(event)] = {"lifted_at": instant.to_text(event.at)}


def _classified(heard: Keeping, event: CustodyEvent) -> None:
    heard.items[_subject(event)] = {name: event.facts[name] for name in ("item", "catalog")}


def _nothing(_: Keeping, __: CustodyEvent) -> None:
    """Other events say nothing of it."""


_HEARD: Mapping[str, Callable[[Keeping, CustodyEvent], None]] = {
    "case-closed": _case_closed,
    "case-opened": _case_open,
    "case-reopened": _case_open,
    "classified": _classified,
    "condition-lifted": _condition_lifted,
    "condition-set": _condition_set,
    "hold-lifted": _hold_lifted,
    "hold-placed": _hold_placed,
}
