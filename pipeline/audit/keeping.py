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
from storage.register.rows import as_text

Row = dict[str, Any]


@dataclass(slots=True)
class Keeping:
    """What rows should say: of holds and cases by id, of conditions by noun, subject and code, of recordings by id."""

    holds: dict[tuple[str], Row] = field(default_factory=dict)
    cases: dict[tuple[str], Row] = field(default_factory=dict)
    conditions: dict[tuple[str, str, str], Row] = field(default_factory=dict)
    recordings: dict[str, Row] = field(default_factory=dict)
    appraisals: dict[tuple[str], Row] = field(default_factory=dict)
    catalogs: dict[tuple[str], Row] = field(default_factory=dict)
    links: dict[tuple[str, str], Row] = field(default_factory=dict)
    filings: list[CustodyEvent] = field(default_factory=list)
    """Events that say in their details what they change: links, the term of a file, when a recording can have ended."""

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
    needs_two = int(event.facts.get("needs_two", False))
    heard.holds[_subject(event),] = {**told, "needs_two": needs_two, "approval": None, "lifted_at": None}


def _hold_lifted(heard: Keeping, event: CustodyEvent) -> None:
    row = heard.holds[_subject(event),]
    row |= {"lifted_at": instant.to_text(event.at), "approval": event.facts.get("approval")}


def _case_open(heard: Keeping, event: CustodyEvent) -> None:
    heard.cases[_subject(event),] = {"closed_at": None, "restricted": 0}


def _case_closed(heard: Keeping, event: CustodyEvent) -> None:
    row = heard.cases.setdefault((_subject(event),), {"restricted": 0})
    row["closed_at"] = event.facts.get("closed_at", instant.to_text(event.at))


def _reopened(heard: Keeping, event: CustodyEvent) -> None:
    heard.cases[_subject(event),]["closed_at"] = None


def _restricted(heard: Keeping, event: CustodyEvent) -> None:
    heard.cases[_subject(event),]["restricted"] = int(event.facts["is_restricted"])


def _condition(event: CustodyEvent) -> tuple[str, str, str]:
    return event.stream.partition("/")[0], _subject(event), event.facts["code"]


def _condition_set(heard: Keeping, event: CustodyEvent) -> None:
    heard.conditions[_condition(event)] = {"lifted_at": None}


def _condition_lifted(heard: Keeping, event: CustodyEvent) -> None:
    heard.conditions[_condition(event)] = {"lifted_at": instant.to_text(event.at)}


def _classified(heard: Keeping, event: CustodyEvent) -> None:
    _recording(heard, event).update({name: event.facts[name] for name in ("item", "catalog")})


def _recording(heard: Keeping, event: CustodyEvent) -> Row:
    # An arrival that cannot be read is noted where it rests; what follows it is heard all the same.
    return heard.recordings.setdefault(_subject(event), {})


def _arrived(heard: Keeping, event: CustodyEvent) -> None:
    # Not a new row: an entry that was lost from the log is heard last, from the register's copy.
    row = _recording(heard, event)
    row["arrived_at"] = instant.to_text(event.at)
    for name in ("item", "catalog", "reviewed_at", "locked_until"):
        row.setdefault(name, None)


def _reviewed(heard: Keeping, event: CustodyEvent) -> None:
    _recording(heard, event)["reviewed_at"] = instant.to_text(event.at)


def _lock_extended(heard: Keeping, event: CustodyEvent) -> None:
    _recording(heard, event)["locked_until"] = event.facts["until"]


def _appraised(heard: Keeping, event: CustodyEvent) -> None:
    told = {name: event.facts[name] for name in ("decision", "until")}
    heard.appraisals[_subject(event),] = {**told, "appraised_at": instant.to_text(event.at)}


def _filing(heard: Keeping, event: CustodyEvent) -> None:
    heard.filings.append(event)


def _case_opened(heard: Keeping, event: CustodyEvent) -> None:
    _case_open(heard, event)
    _filing(heard, event)


_OF_A_CATALOG = ("sha256", "profile", "preset", "effective_from")


def _catalog_proposed(heard: Keeping, event: CustodyEvent) -> None:
    told = {name: event.facts[name] for name in _OF_A_CATALOG}
    shortens = as_text(event.facts["shortens"])
    heard.catalogs[event.facts["catalog"],] = {**told, "shortens": shortens, "approved_at": None, "withdrawn_at": None}


def _catalog_approved(heard: Keeping, event: CustodyEvent) -> None:
    heard.catalogs[event.facts["catalog"],]["approved_at"] = instant.to_text(event.at)


def _catalog_withdrawn(heard: Keeping, event: CustodyEvent) -> None:
    heard.catalogs[event.facts["catalog"],]["withdrawn_at"] = instant.to_text(event.at)


def read_filings(heard: Keeping, detail_of: Callable[[CustodyEvent], Mapping[str, Any] | None]) -> None:
    """Take what the details of `filings` say; one that cannot be read is noted where all details are checked.

    Raises:
        RecordMalformed: one does not say what its kind must say.
    """
    for event in heard.filings:
        detail, case = detail_of(event), _subject(event)
        try:
            if detail is None:
                continue
            if event.kind == "measured":
                _recording(heard, event)["end_latest"] = detail.get("end_latest")
                continue
            if event.kind in ("case-opened", "case-revised"):
                heard.cases[case,]["file_term"] = detail.get("file_term")
                continue
            withdrawn_at = None if event.kind == "case-linked" else instant.to_text(event.at)
            for segment in detail["segments"]:
                if withdrawn_at is None or (segment, case) in heard.links:
                    heard.links[segment, case] = {"withdrawn_at": withdrawn_at}
        except (KeyError, TypeError) as error:
            raise RecordMalformed(f"the detail of a {event.kind} record lacks {error}") from error


def _nothing(_: Keeping, __: CustodyEvent) -> None:
    """Other events say nothing of it."""


_HEARD: Mapping[str, Callable[[Keeping, CustodyEvent], None]] = {
    "appraised": _appraised,
    "arrived": _arrived,
    "case-closed": _case_closed,
    "case-linked": _filing,
    "case-opened": _case_opened,
    "case-reopened": _reopened,
    "case-restricted": _restricted,
    "case-revised": _filing,
    "case-unlinked": _filing,
    "catalog-approved": _catalog_approved,
    "catalog-proposed": _catalog_proposed,
    "catalog-withdrawn": _catalog_withdrawn,
    "classified": _classified,
    "condition-lifted": _condition_lifted,
    "lock-extended": _lock_extended,
    "measured": _filing,
    "reviewed": _reviewed,
    "condition-set": _condition_set,
    "hold-lifted": _hold_lifted,
    "hold-placed": _hold_placed,
}
