# SPDX-License-Identifier: Apache-2.0
"""This is where people, workers and clocks act on an installation in any order, beside a plain account of what is true.

The account knows nothing of evidock: holds, cases and words of people as they were given, and time as it truly went
by. Before each act it looks which recordings have begun to go since the last one, and holds each against the account.
An act that is refused changes nothing in it.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from app import clocks
from app.places import open_places
from evidence import instant
from evidence.case import CaseBody
from evidence.custody import Happening
from evidence.errors import EvidockError
from evidence.retention import Decision, recompute
from evidence.steady_clock import Reading
from evidence.term import parse_term
from pipeline import agree, casework, conditions, dispose, holds, retain
from pipeline.appraise import Wish, appraise
from pipeline.catalogs.load import DEFAULT
from pipeline.steady import steady_now
from storage import layout
from storage.register import search
from storage.removal import Remover
from tests.support import agency_brute_force
from tests.support.agency_year import SimCase, SimRecording
from tests.support.home import Home, track
from tests.support.two_people import lift_hold

GRACE = timedelta(days=30)
PEOPLE = ("cli:zhang", "cli:li", "cli:ZHANG")
Act = Callable[[], None]


@cache
def _book() -> Mapping[str, Any]:
    """The catalog's YAML, read by hand once."""
    book: Mapping[str, Any] = yaml.safe_load(DEFAULT.read_text("utf-8"))
    return book


class Stopped(Exception):
    """The worker is gone: killed between two calls to the store."""


@dataclass(slots=True)
class Listed:
    """A disposal list as the account has it."""

    recordings: set[str]
    proposer: str
    approver: str | None = None
    approved: datetime | None = None


@dataclass(slots=True)
class World:
    """An installation, and the account of it. `passed` is true time since the beginning, `ahead` the clock's error."""

    home: Home
    folder: Path
    book: Mapping[str, Any] = field(default_factory=lambda: _book())
    recordings: dict[str, SimRecording] = field(default_factory=dict)
    cases: dict[str, SimCase] = field(default_factory=dict)
    holds: dict[str, tuple[str, str]] = field(default_factory=dict)
    lists: dict[str, Listed] = field(default_factory=dict)
    began: set[str] = field(default_factory=set)
    beginning: datetime = field(default_factory=lambda: clocks.now() + timedelta(hours=1))
    passed: timedelta = timedelta(0)
    ahead: timedelta = timedelta(0)
    disposed: int = 0
    undone: int = 0

    # --- time -------------------------------------------------------------------------------

    @property
    def now(self) -> datetime:
        """True time."""
        return self.beginning + self.passed

    def steady(self) -> datetime:
        """What the installation takes for now; it must never be ahead of true time."""
        uptime = self.passed.total_seconds()
        told = steady_now(self.home.ports.register, Reading("here", "boot", uptime, self.now + self.ahead)).now
        assert told <= self.now + timedelta(minutes=2), "a clock's jump was believed"
        return told

    # --- recordings -------------------------------------------------------------------------

    def film(self, item: str) -> str:
        """Take a small recording in, and call it a matter of the catalog."""
        number = len(self.recordings)
        made: str = self.home.ingest_one(track(self.folder / "card", f"{number}.gpx", number=number))["id"]
        self._call(made, item)
        row = self.home.recording(made)
        latest = None if row["end_latest"] is None else instant.from_text(row["end_latest"])
        arrived = instant.from_text(row["arrived_at"])
        self.recordings[made] = SimRecording(made, "", None, "document", item, "indexed", None, None, latest, arrived)
        return made

    def call(self, recording: str, item: str) -> None:
        """A person says that it is another matter."""
        self._look()
        self._call(recording, item)
        self.recordings[recording].item = item

    def _call(self, recording: str, item: str) -> None:
        facts = {"catalog": self.home.ports.catalog.id, "item": item, "reason": {"rule": "person"}}
        with self.home.ports.register.begin() as writing:
            said = Happening("classified", f"recording/{recording}", facts=facts)
            writing.record(said, actor=PEOPLE[0], at=self.now)

    # --- cases, conditions, holds -------------------------------------------------------------

    def open_case(self, file_term: str | None) -> str:
        """A case of nobody's window: what is in it was put there by a person."""
        number = f"C{len(self.cases)}"
        term = None if file_term is None else parse_term(file_term)
        # A window long ago: rules find nothing in it.
        start = self.beginning - timedelta(days=9000)
        body = CaseBody(number, "", ("nobody",), start, start + timedelta(hours=1), file_term=term)
        casework.open_case(body, ports=self.home.ports, now=self.steady())
        with self.home.ports.register.view() as connection:
            identifier = search.case(connection, number)["id"]
        self.cases[number] = SimCase(identifier, number, "case", "CF", "", (), start, start, None, file_term)
        return number

    def close(self, number: str) -> None:
        """Close a case now."""
        with self._acting():
            now = self.steady()
            casework.close_case(number, ports=self.home.ports, now=now)
            self.cases[number].closed = now

    def reopen(self, number: str) -> None:
        """Open it again."""
        with self._acting():
            casework.reopen_case(number, why="appeal", ports=self.home.ports, now=self.steady())
            self.cases[number].closed = None

    def link(self, number: str, recording: str, *, withdraw: bool) -> None:
        """Put a recording into a case, or take it out."""
        with self._acting():
            now = self.steady()
            casework.link(number, [recording], why="seen", withdraw=withdraw, ports=self.home.ports, now=now)
            one = self.recordings[recording]
            others = tuple(case for case in one.cases if case != number)
            one.cases = others if withdraw else (*others, number)

    def condition(self, noun: str, name: str, code: str, *, lift: bool) -> None:
        """Set or lift a condition of the catalog."""
        with self._acting():
            do = conditions.lift_condition if lift else conditions.set_condition
            do(noun, name, code, why="so it is", ports=self.home.ports, now=self.steady())
            one: SimRecording | SimCase = self.cases[name] if noun == "case" else self.recordings[name]
            others = tuple(told for told in one.conditions if told != code)
            one.conditions = others if lift else (*others, code)

    def hold(self, noun: str, name: str) -> None:
        """Place a hold."""
        with self._acting():
            target = holds.Target(**{noun: name})
            placed = holds.place(target, why="court", authority=None, ports=self.home.ports, now=self.steady())
            self.holds[placed.id] = (noun, name)

    def lift(self, hold: str) -> None:
        """Lift a hold."""
        with self._acting():
            lift_hold(self.home.ports, hold, now=self.steady())
            del self.holds[hold]

    # --- the end of life ----------------------------------------------------------------------

    def decision(self, recording: str) -> Decision:
        """What the installation says of a recording, checked: reasons give the answer again, and the account agrees."""
        now = self.steady()
        said = retain.decision_of(recording, ports=self.home.ports, now=now)
        assert recompute([one.to_json() for one in said.reasons], now=now) == (said.outcome, said.until)
        if recording not in self.began:
            assert (said.outcome.value, said.until) == self._truth(recording, now)
        return said

    def appraise(self, recordings: Sequence[str]) -> None:
        """A person decides that they go."""
        with self._acting():
            now = self.steady()
            appraise(recordings, Wish.DISPOSE, why="over", judge=self._judge(now), ports=self.home.ports, now=now)

    def propose(self, recordings: Sequence[str], person: str) -> None:
        """One person makes a list of them."""
        with self._acting():
            now, ports = self.steady(), self._ports(person)
            judge = self._judge(now)
            listed = agree.propose(recordings, why="over", judge=judge, most=100, grace=GRACE, ports=ports, now=now)
            self.lists[listed] = Listed(set(recordings), person)

    def approve(self, listed: str, person: str) -> None:
        """Somebody approves it."""
        with self._acting():
            now, ports = self.steady(), self._ports(person)
            agree.approve(listed, judge=self._judge(now), grace=GRACE, ports=ports, now=now)
            told = self.lists[listed]
            told.approver, told.approved = person, self.now

    def undo(self, listed: str, recordings: Sequence[str] | None) -> None:
        """Somebody takes it back, whole or in part: what had been made due is there as before, bytes and all."""
        with self._acting():
            agree.undo(listed, recordings, why="needed", ports=self.home.ports, now=self.steady())
            told = self.lists[listed]
            back = told.recordings if recordings is None else set(recordings)
            for one in back - self.began:
                assert self.home.recording(one)["state"] == "indexed"
                assert self.home.ports.store.exists(self._key(one))
            self.undone += len(back - self.began)
            told.recordings = told.recordings - back

    def run(self, listed: str, person: str, *, at: int, act: Act | None) -> None:
        """A worker carries a list out; before its call number `at` to the store `act` happens, or it is killed."""
        with self._acting():
            now = self.steady()
            doors = open_places(self.home.settings)
            places = {name: Interrupted(door, at, act) for name, door in doors.items()}
            try:
                dispose.run(listed, places=places, judge=self._judge(now), ports=self._ports(person), now=now)
            except Stopped:
                return

    def agree_on(self, recordings: Sequence[str], one: str, other: str) -> None:
        """Two people agree on whatever of these is due."""
        due = [name for name in recordings if self.decision(name).outcome == "due"]
        before = set(self.lists)
        for name in due:
            self.appraise([name])
        self.propose(due, one)
        for listed in set(self.lists) - before:
            self.approve(listed, other)

    def quarrels_end(self, *, open_cases: int) -> None:
        """Holds and conditions are lifted, all cases but some are closed, the clock is right, and decades pass."""
        self.ahead = timedelta(0)
        for hold in list(self.holds):
            self.lift(hold)
        nouns: list[tuple[str, dict[str, Any]]] = [("case", self.cases), ("recording", self.recordings)]
        for noun, named in nouns:
            for name, told in named.items():
                for code in told.conditions:
                    self.condition(noun, name, code, lift=True)
        for number in list(self.cases)[open_cases:]:
            if self.cases[number].closed is None:
                self.close(number)
        self.wait(timedelta(days=8000))

    def wait(self, span: timedelta) -> None:
        """Time truly passes."""
        self._look()
        self.passed += span

    # --- the account ------------------------------------------------------------------------

    def check(self) -> None:
        """Every recording that has begun to go was free to; all others rest."""
        self._look()
        for one in set(self.recordings) - self.began:
            assert self.home.ports.store.exists(self._key(one)), f"{one} has gone without a word"

    def _look(self) -> None:
        with self.home.ports.register.view() as connection:
            states = {one: search.recording(connection, one)["state"] for one in self.recordings}
        for one, state in states.items():
            if state in ("disposing", "disposed") and one not in self.began:
                self._check_free(one)
                self.began.add(one)
                self.disposed += 1

    def _check_free(self, one: str) -> None:
        outcome, until = self._truth(one, self.now)
        assert outcome == "due", f"{one} goes, and is {outcome} until {until}"
        agreed = [told for told in self.lists.values() if one in told.recordings and told.approved is not None]
        assert agreed, f"{one} goes, and nobody agreed to that"
        for told in agreed:
            assert told.approver is not None
            assert told.approver.casefold() != told.proposer.casefold(), "one person alone"
            assert told.approved is not None
            assert self.now >= told.approved + GRACE, "within the grace"

    def _truth(self, recording: str, now: datetime) -> agency_brute_force.Answer:
        one = self.recordings[recording]
        of = {name for noun, name in self.holds.values() if noun == "case"} & set(one.cases)
        is_held = bool(of) or ("recording", recording) in self.holds.values()
        cases = [self.cases[number] for number in one.cases]
        return agency_brute_force.answer(replace(one, is_held=is_held), cases, dict(self.book), now)

    @contextmanager
    def _acting(self) -> Iterator[None]:
        """An act of ours: what is refused in our own words has changed nothing."""
        self._look()
        try:
            yield
        except EvidockError as error:
            if error.exit_status == 1:  # evidence that does not hold: nothing that people do here may lead to that
                raise

    def _judge(self, now: datetime) -> Callable[[Any, str], Decision]:
        return lambda connection, one: retain.decision_within(connection, one, ports=self.home.ports, now=now)[1]

    def _ports(self, person: str) -> Any:
        return self.home.with_ports(actor=person).ports

    def _key(self, recording: str) -> str:
        with self.home.ports.register.view() as connection:
            return layout.original_key(search.original(connection, recording)["sha256"])


@dataclass(slots=True)
class Interrupted:
    """A door for removals, and something that happens before its call number `at`."""

    door: Remover
    at: int
    act: Act | None
    calls: int = 0

    def _called(self) -> None:
        self.calls += 1
        if self.calls == self.at:
            if self.act is None:
                raise Stopped
            self.act()

    def remove(self, key: str, *, now: datetime) -> Any:
        self._called()
        return self.door.remove(key, now=now)

    def check_free(self, key: str, *, now: datetime) -> None:
        self._called()
        self.door.check_free(key, now=now)

    def traces(self, key: str) -> tuple[str, ...]:
        self._called()
        return self.door.traces(key)
