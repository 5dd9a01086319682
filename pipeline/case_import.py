# SPDX-License-Identifier: Apache-2.0
"""This is where cases that another system tells are taken down: new ones opened, changed ones revised, same ones left.

A sheet and the case system's feed come the same way. What a case is called there decides which one it is here, so
that taking in the same again writes nothing. What is wrong with one case keeps no other from being taken in. An
import closes cases, but never reopens one, nor brings back a paper that a person withdrew: that takes a person.
"""

from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from functools import partial
from typing import Any

from evidence import instant
from evidence.case import CaseBody, Codes, Document, check_document
from evidence.errors import BadInput, Conflict, NotFound, Refused, Unacceptable
from evidence.written import one_line
from pipeline import casework
from pipeline.case_codes import codes_now
from pipeline.case_papers import by_key, check_room, document_key, file_in, is_told
from pipeline.case_rows import CaseRow, DocumentRow
from pipeline.ports import Ports, Progress, unheard
from pipeline.sheets import Fault
from storage.register import casebook, search
from storage.register.facts import Facts
from storage.register.search import Connection, Row

# Other writers wait for one transaction no longer than this many cases take.
_AT_ONCE = 25


AnyRow = CaseRow | DocumentRow


class Did(StrEnum):
    """What was done with a row."""

    OPENED = "opened"
    REVISED = "revised"
    SAME = "same"
    CLOSED = "closed"
    FILED = "filed"
    WITHDRAWN = "withdrawn"
    """A paper that a person withdrew here: left so."""


@dataclass(slots=True)
class Imported:
    """What an import did: how many rows had which answer, and what was not taken."""

    counts: dict[Did, int] = field(default_factory=lambda: dict.fromkeys(Did, 0))
    faults: list[Fault] = field(default_factory=list)

    def attempt(self, row: AnyRow, work: Callable[[AnyRow], list[Did]]) -> None:
        """Have a row's work done, and count its answers or take down its fault."""
        try:
            for did in work(row):
                self.counts[did] += 1
        except (Unacceptable, Refused) as error:
            self.faults.append(row.where.fault(error))

    def add(self, other: "Imported") -> None:
        """Count what another part of the same import did."""
        for did, number in other.counts.items():
            self.counts[did] += number
        self.faults += other.faults

    def to_json(self) -> dict[str, Any]:
        """As a mapping for JSON."""
        counts = {did.value: number for did, number in self.counts.items()}
        return counts | {"refused": len(self.faults), "faults": [fault.to_json() for fault in self.faults]}


@dataclass(frozen=True, slots=True)
class _Plan:
    """What is to be done with a row, decided before anything of it is written."""

    wanted: CaseBody
    row: Row | None
    was: CaseBody | None
    closed_at: datetime | None

    @property
    def did(self) -> list[Did]:
        """In words."""
        first = Did.OPENED if self.was is None else Did.SAME if self.was == self.wanted else Did.REVISED
        return [first] if self.closed_at is None else [first, Did.CLOSED]


@dataclass(frozen=True, slots=True)
class _Paper:
    """What is to be done with a paper: the case it is of, the one `known` to be the same, and the answer."""

    case: Row
    known: Row | None
    did: Did


@dataclass(frozen=True, slots=True)
class Import:
    """One import: from which `source`, at what time. A dry run decides everything and writes nothing.

    `is_strict`: all of it or nothing.
    """

    source: str
    ports: Ports
    now: datetime
    is_dry_run: bool = False
    is_strict: bool = False
    progress: Progress = unheard

    def __post_init__(self) -> None:
        one_line(self.source, "the name of a source")

    def run(
        self, cases: Sequence[CaseRow], papers: Sequence[DocumentRow] = (), faults: Sequence[Fault] = ()
    ) -> Imported:
        """Take in cases, then their papers; `faults` are those of reading, which a strict import minds too.

        Repeat: the same rows again change nothing.

        Raises:
            Unavailable: the register or store is down; what was committed before stands, and meets itself again.
        """
        rows, doubles = _unlike([*cases, *papers])
        faults = [*faults, *doubles]
        if self.is_dry_run:
            return self._decided(rows, faults)
        if self.is_strict and (decided := self._decided(rows, faults)).faults:
            return Imported(faults=decided.faults)
        done = Imported(faults=list(faults))
        size = max(len(rows), 1) if self.is_strict else _AT_ONCE
        for first in range(0, len(rows), size):
            self._write(rows[first : first + size], done)
            self.progress(min(first + size, len(rows)) / len(rows))
        done.faults.sort(key=lambda fault: (fault.file, fault.line))
        return done

    def _write(self, rows: Sequence[AnyRow], done: Imported) -> None:
        some = Imported()
        with self.ports.register.begin() as facts:
            for row in rows:
                # Each row is decided wholly before its first event: a fault leaves nothing half done.
                some.attempt(row, partial(self._do, facts))
            if self.is_strict and some.faults:
                raise Conflict(f"the register changed meanwhile: {some.faults[0].reason}; nothing was imported")
        done.add(some)

    def _decided(self, rows: Sequence[AnyRow], faults: Sequence[Fault]) -> Imported:
        done = Imported(faults=list(faults))
        coming = {row.changes["number"] for row in rows if isinstance(row, CaseRow)}
        with self.ports.register.view(is_long=True) as connection:
            for row in rows:
                done.attempt(row, partial(self._would, connection, coming))
        return done

    # --- one row --------------------------------------------------------------------------------

    def _do(self, facts: Facts, row: AnyRow) -> list[Did]:
        codes = codes_now(facts.connection, ports=self.ports, now=self.now)
        if isinstance(row, DocumentRow):
            case = _case(facts.connection, row.case)
            paper = _paper(case, by_key(facts.connection, case["id"]), row.document, codes)
            return [self._file(facts, paper, row.document)]
        plan = self._plan(facts.connection, row, codes)
        if plan.row is None or plan.was is None:
            casework.open_in(facts, plan.wanted, ports=self.ports, now=self.now)
        else:
            casework.revise_in(facts, plan.row, plan.wanted, was=plan.was, ports=self.ports, now=self.now)
        case = search.case(facts.connection, plan.wanted.number)
        known = by_key(facts.connection, case["id"])
        filed = [self._file(facts, _paper(case, known, one, codes), one) for one in row.documents]
        if plan.closed_at is not None:
            casework.close_in(facts, case, plan.closed_at, ports=self.ports, now=self.now)
        return [*plan.did, *filed]

    def _file(self, facts: Facts, paper: _Paper, document: Document) -> Did:
        if paper.did is Did.FILED:
            file_in(facts, paper.case["id"], document, known=paper.known, ports=self.ports, now=self.now)
        return paper.did

    def _would(self, connection: Connection, coming: AbstractSet[str], row: AnyRow) -> list[Did]:
        codes = codes_now(connection, ports=self.ports, now=self.now)
        if isinstance(row, DocumentRow):
            if row.case in coming and casebook.case_numbered(connection, row.case) is None:
                check_document(row.document, codes)
                return [Did.FILED]
            case = _case(connection, row.case)
            return [_paper(case, by_key(connection, case["id"]), row.document, codes).did]
        plan = self._plan(connection, row, codes)
        if plan.row is None:
            return [*plan.did, *(Did.FILED for _ in row.documents)]
        known = by_key(connection, plan.row["id"])
        return [*plan.did, *(_paper(plan.row, known, one, codes).did for one in row.documents)]

    def _plan(self, connection: Connection, row: CaseRow, codes: Codes) -> _Plan:
        changes = dict(row.changes) | {"source": self.source, "source_key": one_line(row.key, "the key of a case")}
        if changes.get("unit"):
            changes["unit"] = _unit(connection, changes["unit"])
        known = casebook.case_of_source(connection, self.source, row.key)
        _check_papers(connection, known, row.documents, codes)
        if known is None:
            wanted = casework.checked(connection, _new(changes), codes=codes)
            return _Plan(wanted, None, None, self._closing(wanted, None, row.closed_at))
        was = casework.body_of(connection, known)
        wanted = casework.checked(connection, replace(was, **changes), codes=codes, row=known, was=was)
        casework.check_file_term(known, wanted, was=was)
        return _Plan(wanted, known, was, self._closing(wanted, known["closed_at"], row.closed_at))

    def _closing(self, wanted: CaseBody, closed: str | None, told: datetime | None) -> datetime | None:
        """When the case is to be closed, None when it is not: an import says nothing about one that is closed so."""
        if told is None or closed == instant.to_text(told):
            return None
        row = {"number": wanted.number, "closed_at": closed, "start_at": instant.to_text(wanted.start)}
        casework.check_closing(row, told, now=self.now)
        return told


def _case(connection: Connection, number: str) -> Row:
    case = casebook.case_numbered(connection, number)
    if case is None:
        raise NotFound(f"no case {number!r}", field="case")
    return case


def _paper(case: Row, known: Mapping[tuple[str, ...], Row], document: Document, codes: Codes) -> _Paper:
    same = known.get(document_key(document))
    if same is not None and is_told(same, document):
        return _Paper(case, same, Did.SAME if same["withdrawn_at"] is None else Did.WITHDRAWN)
    check_document(document, codes)
    return _Paper(case, same, Did.FILED)


def _check_papers(connection: Connection, case: Row | None, documents: Sequence[Document], codes: Codes) -> None:
    """Check a case's papers before anything of the case is written: each alone, none twice, not too many."""
    if not documents:
        return
    known = {} if case is None else by_key(connection, case["id"])
    for document in documents:
        _paper(case or {}, known, document, codes)
    told = {document_key(document) for document in documents}
    if len(told) != len(documents):
        raise BadInput("a document is there twice", field="documents")
    check_room(len(told | set(known)))


def _unlike(rows: Sequence[AnyRow]) -> tuple[list[AnyRow], list[Fault]]:
    """The rows without those that name a case, or a paper of one, for a second time."""
    seen: dict[tuple[str, ...], int] = {}
    unique: list[AnyRow] = []
    faults: list[Fault] = []
    for row in rows:
        names = _names(row)
        double = next((name for name in names if name in seen), None)
        if double is not None:
            fault = BadInput(f"{double[-1]!r} is on line {seen[double]} already")
            faults.append(row.where.fault(fault, field=double[0]))
            continue
        seen |= dict.fromkeys(names, row.where.line)
        unique.append(row)
    return unique, faults


def _names(row: AnyRow) -> list[tuple[str, ...]]:
    if isinstance(row, CaseRow):
        return [("number", row.changes["number"]), ("key", row.key)]
    return [("name", row.case, *document_key(row.document))]


def _new(changes: dict[str, Any]) -> CaseBody:
    for name in ("number", "start", "end"):
        if changes.get(name) is None:
            raise BadInput("this must be told of a new case", field=name)
    return CaseBody(**{"title": "", "officers": (), **changes})


def _unit(connection: Connection, told: str) -> str:
    code = casebook.unit_told(connection, told)
    if code is None:
        raise NotFound(f"no unit {told[:80]!r} (`evidock unit list` shows them)", field="unit")
    return code
