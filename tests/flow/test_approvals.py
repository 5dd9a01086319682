# SPDX-License-Identifier: Apache-2.0
"""Two people agree: what each act takes and does, who may be the second of two, and every way around it."""

import threading
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text, update
from sqlalchemy.exc import IntegrityError as DatabaseError

from app import clocks
from evidence import instant
from evidence.access import Actor, Role
from evidence.agency import Unit
from evidence.custody import Happening
from evidence.errors import (
    BadInput,
    Conflict,
    EvidockError,
    LogInconsistent,
    NotAllowed,
    NotFound,
    Refused,
    WrongState,
)
from pipeline import approvals, grants, holds
from pipeline.approval_told import Approval
from pipeline.approvals import Request
from pipeline.people import Officer, register_officer
from pipeline.units import register_unit
from storage.register import approval_rows, hold_rows, schema, user_rows
from tests.support.home import NOON, Home, open_home, track
from tests.support.postgres import database_url
from tests.support.two_people import add_user, by, hours

NOW = clocks.now()
LI, WANG, CHIEF, BOSS = "user:usr-li", "user:usr-wang", "user:usr-chief", "user:usr-boss"
UNITS = (Unit("01", "Bureau"), Unit("0101", "Team 1", "01"), Unit("0102", "Team 2", "01"))


class Town:
    """An installation with two units, their people, a case and a recording of the first of them."""

    def __init__(self, home: Home, folder: Path) -> None:
        self.home = home
        for unit in UNITS:
            register_unit(unit, ports=home.ports, now=NOW)
        self.recording: str = home.ingest_one(track(folder / "card"))["id"]
        register_officer(Officer("7", unit="0101"), ports=home.ports, now=NOW)
        home.open_case("2026-1", "7", start=NOON, end=NOON + hours(1))
        with home.ports.register.begin() as writing:
            add_user(writing, "li", "officer", at=NOW, unit="0101", officer="7")
            add_user(writing, "wang", at=NOW, unit="0101")
            add_user(writing, "chief", "approver", at=NOW)
            add_user(writing, "other", at=NOW, unit="0102")
            add_user(writing, "boss", "admin", at=NOW)
            self.case: str = approval_rows.case_named(writing.connection, "2026-1")["id"]
            connection = writing.connection
            connection.execute(update(schema.cases).values(unit="0101"))
            connection.execute(update(schema.recordings).values(officer="7"))
        self.make_approver("wang")

    def make_approver(self, login: str) -> None:
        asked = self.ask(Request("role", "user", login, {"role": "approver"}), actor=BOSS)
        self.agree(asked.id, actor=CHIEF)

    def ask(self, wanted: Request, *, actor: str = LI, now: datetime = NOW, why: str = "court") -> Approval:
        return approvals.request(wanted, why=why, ports=by(self.home, actor), now=now)

    def agree(self, identifier: str, *, actor: str = WANG, now: datetime = NOW) -> approvals.Decided:
        return approvals.approve(identifier, ports=by(self.home, actor), now=now)

    def view(self, **params: Any) -> Request:
        return Request("access", "case", "2026-1", {"until": instant.to_text(NOW + hours(24)), **params})

    def hold(self) -> str:
        target = holds.Target(self.recording)
        return holds.place(target, why="复议", authority=None, ports=by(self.home, LI), now=NOW).id

    def disable(self, login: str) -> None:
        with self.home.ports.register.begin() as writing:
            happening = Happening("user-disabled", f"user/usr-{login}", detail={"why": "left"})
            writing.record(happening, actor=BOSS, at=NOW)

    def may(self, what: str, actor: str = LI, *, now: datetime = NOW) -> str | None:
        asks = Actor(actor, frozenset({Role.OFFICER}))
        with self.home.ports.register.view() as connection:
            row = grants.may(connection, asks, what, case=self.case, now=now)
        return None if row is None else str(row["id"])

    def kinds(self, stream: str) -> list[str]:
        return [one["kind"] for one in self.home.events(stream)]

    def forget(self) -> None:
        """Let what waits wait no longer and what was granted end, so that the next test begins anew."""
        with self.home.ports.register.view() as connection:
            wanted = approval_rows.Wanted(instant.to_text(NOW), approval_rows.WAITING)
            waiting = approval_rows.approvals_page(connection, wanted, limit=None).rows
            standing = approval_rows.grants_page(
                connection, approval_rows.WantedGrants(at=instant.to_text(NOW + hours(6))), limit=None
            )
        for row in waiting:
            approvals.withdraw(row["id"], ports=by(self.home, row["requested_by"]), now=NOW)
        for row in standing.rows:
            grants.revoke(row["id"], why="done", ports=by(self.home, CHIEF), now=NOW)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    folder = tmp_path_factory.mktemp("town")
    with open_home(folder / "home") as home:
        yield Town(home, folder)


@pytest.fixture
def town(shared: Town) -> Iterator[Town]:
    """The shared installation, in which nothing is left waiting."""
    yield shared
    shared.forget()


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def on_either(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    folder = tmp_path_factory.mktemp("either")
    settings = {} if request.param == "sqlite" else {"register_url": database_url()}
    with open_home(folder / "home", **settings) as home:
        yield Town(home, folder)


@pytest.fixture
def both(on_either: Town) -> Iterator[Town]:
    """An installation on each engine in turn, in which nothing is left waiting."""
    yield on_either
    on_either.forget()


# --- what agreeing does -----------------------------------------------------------------------------


def test_leave_to_see_a_case_stands_from_the_decision_until_its_end(town: Town) -> None:
    asked = town.ask(town.view())
    assert (asked.unit, asked.subject, asked.params["user"]) == ("0101", town.case, "usr-li")
    assert town.may("view") is None
    decided = town.agree(asked.id, now=NOW + hours(1))
    assert town.kinds(f"approval/{asked.id}") == ["approval-requested", "approval-decided", "approval-used"]
    made = decided.performed.made
    assert town.may("view", now=NOW) is None, "the clock was set back"
    assert town.may("view", now=NOW + hours(2)) == made
    assert town.may("original", now=NOW + hours(2)) is None
    assert town.may("view", WANG, now=NOW + hours(2)) is None
    assert town.may("view", "key:usr-li", now=NOW + hours(2)) is None
    assert town.may("view", now=NOW + hours(24)) is None, "it has ended"


def test_leave_for_the_original_shows_it_too_and_hands_out_no_export(town: Town) -> None:
    made = town.agree(town.ask(town.view(what="original", watermark=True)).id).performed.made
    with town.home.ports.register.view() as connection:
        rows = [one for one in grants.standing(connection, "usr-li", now=NOW) if one["id"] == made]
    assert [one["watermark"] for one in rows] == [1]
    assert town.may("original") == made
    assert town.may("view") is not None
    assert town.may("export") is None


def test_a_grant_on_a_case_reaches_the_recordings_it_holds_a_part_of(town: Town) -> None:
    made = town.agree(town.ask(Request("access", "recording", town.recording, {"what": "original"})).id).performed.made
    actor = Actor(LI, frozenset({Role.OFFICER}))
    with town.home.ports.register.view() as connection:
        told = grants.may(connection, actor, "original", recording=town.recording, now=NOW)
        assert told is not None
        assert told["id"] == made
        with pytest.raises(BadInput):
            grants.may(connection, actor, "view", now=NOW)


def test_disclosure_is_leave_to_export_a_case_and_nothing_else(town: Town) -> None:
    made = town.agree(town.ask(Request("disclosure", "case", "2026-1")).id).performed.made
    assert town.may("export") == made
    with pytest.raises(BadInput, match="about a case"):
        town.ask(Request("disclosure", "recording", town.recording))


def test_glass_is_broken_for_hours_at_most_and_raises_an_alarm(town: Town) -> None:
    wanted = Request("break-glass", "case", "2026-1", {"user": "boss", "minutes": 240})
    decided = town.agree(town.ask(wanted).id, now=NOW + hours(1))
    assert decided.performed.alarm is not None
    assert "glass was broken" in decided.performed.alarm
    assert town.may("view", BOSS, now=NOW + hours(4.9)) == decided.performed.made
    assert town.may("view", BOSS, now=NOW + hours(5)) is None
    assert town.may("original", BOSS, now=NOW + hours(2)) is None, "it shows, and hands nothing out"
    with pytest.raises(BadInput, match="240"):
        town.ask(Request("break-glass", "case", "2026-1", {"user": "boss", "minutes": 241}))
    with pytest.raises(BadInput, match="others ask for `access`"):
        town.ask(Request("break-glass", "case", "2026-1", {"user": "li"}))


def test_a_hold_is_lifted_by_two_people_and_by_no_one_alone(town: Town) -> None:
    hold = town.hold()
    with pytest.raises(Refused, match="two people"):
        holds.lift(hold, why="over", ports=by(town.home, WANG), now=NOW)
    asked = town.ask(Request("hold-lift", "hold", hold))
    assert asked.unit == "0101"
    decided = town.agree(asked.id)
    assert decided.performed.recordings == (town.recording,)
    with town.home.ports.register.view() as connection:
        lifted = hold_rows.hold(connection, hold)
    assert (lifted["approval"], lifted["lifted_by"], lifted["lifted_why"]) == (asked.id, WANG, "court")
    with pytest.raises(Conflict, match="was lifted"):
        town.ask(Request("hold-lift", "hold", hold))


def test_a_privileged_role_is_given_by_two_people(both: Town) -> None:
    asked = both.ask(Request("role", "user", "other", {"role": "approver"}), actor=BOSS)
    assert asked.unit == "0102"
    with pytest.raises(NotAllowed, match="0102"):
        both.agree(asked.id)
    both.agree(asked.id, actor=CHIEF)
    with both.home.ports.register.view() as connection:
        assert user_rows.roles_of(connection, "usr-other") == ["approver"]
    with pytest.raises(Conflict, match="already"):
        both.ask(Request("role", "user", "other", {"role": "approver"}), actor=BOSS)
    with pytest.raises(BadInput, match="alone"):
        both.ask(Request("role", "user", "other", {"role": "officer"}), actor=BOSS)


# --- what may be asked for --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wanted", "error"),
    [
        (Request("delete", "case", "2026-1"), BadInput),
        (Request("dispose", "case", "2026-1"), BadInput),
        (Request("access", "case", "2026-9"), NotFound),
        (Request("access", "hold", "hol-a"), BadInput),
        (Request("access", "case", "2026-1", {"what": "everything"}), BadInput),
        (Request("access", "case", "2026-1", {"until": "tomorrow"}), BadInput),
        (Request("access", "case", "2026-1", {"until": "2199-01-01T00:00:00.000000Z"}), BadInput),
        (Request("access", "case", "2026-1", {"until": "2020-01-01T00:00:00.000000Z"}), BadInput),
        (Request("access", "case", "2026-1", {"until": 7}), BadInput),
        (Request("access", "case", "2026-1", {"user": "nobody"}), NotFound),
        (Request("access", "case", "2026-1", {"watermark": "yes"}), BadInput),
        (Request("access", "case", "2026-1", {"also": "this"}), BadInput),
        (Request("access", "case", "2026-1", {}, timedelta(days=365)), BadInput),
        (Request("access", "case", "2026-1", {}, timedelta(0)), BadInput),
        (Request("hold-lift", "hold", "hol-none"), NotFound),
        (Request("sandbox-off", "installation", "elsewhere"), BadInput),
        (Request("break-glass", "case", "2026-1", {"user": "boss", "minutes": True}), BadInput),
    ],
)
def test_what_cannot_be_agreed_on_is_not_asked_for(town: Town, wanted: Request, error: type[EvidockError]) -> None:
    with pytest.raises(error):
        town.ask(wanted)


def test_a_request_needs_a_reason_and_the_same_waits_once(town: Town) -> None:
    with pytest.raises(BadInput, match="reason"):
        town.ask(town.view(), why=" ")
    asked = town.ask(town.view())
    with pytest.raises(Conflict, match=asked.id):
        town.ask(town.view())
    town.ask(town.view(watermark=True))


@pytest.mark.parametrize("actor", ["key:key-a", "dock:dck-a", "user:usr-nobody"])
def test_only_people_ask(town: Town, actor: str) -> None:
    with pytest.raises(NotAllowed):
        town.ask(town.view(user="li"), actor=actor)


# --- attacks ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("actor", [WANG, "cli:wang", "cli:WANG", "cli:ｗａｎｇ", "cli:wa\u200dng"])
def test_nobody_agrees_with_themselves_by_another_door_or_a_login_that_looks_alike(town: Town, actor: str) -> None:
    asked = town.ask(town.view(user="li"), actor=actor)
    with pytest.raises(Refused, match="another person"):
        town.agree(asked.id, actor=WANG)
    asked_here = town.ask(town.view(user="li", watermark=True), actor=WANG)
    with pytest.raises(Refused):
        town.agree(asked_here.id, actor=actor)


def test_two_accounts_with_one_certificate_are_one_person(both: Town) -> None:
    with both.home.ports.register.begin() as writing:
        add_user(writing, "old", at=NOW, officer="70")
        add_user(writing, "new", at=NOW, officer="70")
    both.make_approver("new")
    asked = both.ask(both.view(user="li"), actor="user:usr-old")
    with pytest.raises(Refused, match="another person"):
        both.agree(asked.id, actor="user:usr-new")


def test_nobody_decides_on_what_they_are_to_get(town: Town) -> None:
    asked = town.ask(town.view(user="wang"))
    with pytest.raises(NotAllowed, match="themselves"):
        town.agree(asked.id)


def test_what_was_not_decided_in_time_is_decided_by_nobody(town: Town) -> None:
    asked = town.ask(town.view(), now=NOW)
    assert asked.expires_at == NOW + hours(72)
    with pytest.raises(WrongState, match="ask again"):
        town.agree(asked.id, now=NOW + hours(72.1))
    with pytest.raises(WrongState, match="ask again"):
        approvals.refuse(asked.id, why="late", ports=by(town.home, WANG), now=NOW + hours(72.1))
    with pytest.raises(WrongState, match="clock"):
        town.agree(asked.id, now=NOW - hours(1))


def test_a_leave_whose_time_passed_while_it_waited_is_not_agreed_on(town: Town) -> None:
    asked = town.ask(town.view(until=instant.to_text(NOW + hours(1))))
    with pytest.raises(WrongState, match="ask again"):
        town.agree(asked.id, now=NOW + hours(2))
    assert town.kinds(f"approval/{asked.id}") == ["approval-requested"], "nobody agreed"


def test_an_approval_is_decided_once_and_used_once(town: Town) -> None:
    asked = town.ask(town.view())
    town.agree(asked.id)
    with pytest.raises(WrongState, match="approved"):
        town.agree(asked.id)
    with pytest.raises(WrongState, match="approved"):
        approvals.withdraw(asked.id, ports=by(town.home, LI), now=NOW)
    other = town.ask(town.view(watermark=True))
    approvals.refuse(other.id, why="no need", ports=by(town.home, WANG), now=NOW)
    with pytest.raises(WrongState, match="refused"):
        town.agree(other.id)


@pytest.mark.parametrize(
    "changed",
    [
        {"params": '{"until": "2027-01-01T00:00:00.000000Z", "user": "usr-boss", "watermark": false, "what": "view"}'},
        {"params": "nothing"},
        {"subject": "cas-another"},
        {"noun": "recording"},
        {"act": "disclosure"},
        {"unit": "0102"},
        {"expires_at": "2099-01-01T00:00:00.000000Z"},
        {"requested_by": "user:usr-boss"},
    ],
)
def test_a_request_whose_row_was_changed_is_agreed_on_by_nobody(town: Town, changed: dict[str, str]) -> None:
    asked = town.ask(town.view())
    with town.home.ports.register.view() as connection:
        before = {name: approval_rows.approval(connection, asked.id)[name] for name in changed}
    _edit(town, asked.id, **changed)
    try:
        with pytest.raises(LogInconsistent):
            town.agree(asked.id)
    finally:
        _edit(town, asked.id, **before)


def _edit(town: Town, identifier: str, **values: Any) -> None:
    with town.home.ports.register.leasing() as connection:
        table = schema.approvals
        connection.execute(update(table).where(table.c.id == identifier).values(**values))


def test_whoever_was_shown_something_else_agrees_to_nothing(town: Town) -> None:
    asked = town.ask(town.view())
    with pytest.raises(Conflict, match="look again"):
        approvals.approve(asked.id, digest="0" * 64, ports=by(town.home, WANG), now=NOW)


@pytest.mark.parametrize(
    "actor", ["user:usr-other", BOSS, "user:usr-nobody", "cli:somebody", "key:key-a", "dock:dck-a"]
)
def test_who_is_no_approver_decides_nothing(town: Town, actor: str) -> None:
    asked = town.ask(town.view())
    with pytest.raises(NotAllowed):
        town.agree(asked.id, actor=actor)


def test_an_approver_decides_for_their_own_unit_alone(town: Town) -> None:
    theirs = town.ask(Request("role", "user", "other", {"role": "approver"}))
    with pytest.raises(NotAllowed, match="0102"):
        town.agree(theirs.id)
    of_all = town.ask(Request("role", "user", "other", {"role": "admin"}))
    with pytest.raises(NotAllowed, match="whole agency"):
        town.agree(of_all.id)


def test_who_is_disabled_decides_nothing(both: Town) -> None:
    with both.home.ports.register.begin() as writing:
        add_user(writing, "gone", at=NOW)
    both.make_approver("gone")
    asked = both.ask(both.view())
    both.disable("gone")
    for actor in ("user:usr-gone", "cli:gone"):
        with pytest.raises(NotAllowed, match="disabled"):
            both.agree(asked.id, actor=actor)


def test_a_grant_ends_at_once_when_it_is_revoked_or_its_user_disabled(both: Town) -> None:
    made = both.agree(both.ask(both.view()).id).performed.made
    assert made is not None
    assert both.may("view") == made
    with pytest.raises(NotAllowed):
        grants.revoke(made, why="w", ports=by(both.home, LI), now=NOW)
    with pytest.raises(BadInput):
        grants.revoke(made, why="", ports=by(both.home, WANG), now=NOW)
    grants.revoke(made, why="the case is closed", ports=by(both.home, WANG), now=NOW)
    assert both.may("view") is None
    with pytest.raises(WrongState):
        grants.revoke(made, why="again", ports=by(both.home, WANG), now=NOW)
    with both.home.ports.register.begin() as writing:
        add_user(writing, "temp", at=NOW)
    again = both.agree(both.ask(both.view(user="temp")).id).performed.made
    assert both.may("view", "user:usr-temp") == again
    both.disable("temp")
    assert both.may("view", "user:usr-temp") is None


def test_a_request_is_taken_back_by_whoever_made_it(town: Town) -> None:
    asked = town.ask(town.view())
    with pytest.raises(NotAllowed, match="somebody else"):
        approvals.withdraw(asked.id, ports=by(town.home, WANG), now=NOW)
    assert approvals.withdraw(asked.id, ports=by(town.home, "cli:li"), now=NOW).state(NOW) == "withdrawn"


def test_of_a_decision_and_a_withdrawal_at_once_exactly_one_counts(both: Town) -> None:
    for number in range(3):
        asked = both.ask(both.view(until=instant.to_text(NOW + hours(2 + number))))
        gate, failed = threading.Barrier(3), list[str]()

        def run(act: Any, gate: threading.Barrier = gate, failed: list[str] = failed) -> None:
            gate.wait()
            try:
                act()
            except WrongState as error:
                failed.append(error.message)

        acts = (
            lambda asked=asked: both.agree(asked.id),
            lambda asked=asked: approvals.refuse(asked.id, why="no", ports=by(both.home, WANG), now=NOW),
            lambda asked=asked: approvals.withdraw(asked.id, ports=by(both.home, LI), now=NOW),
        )
        threads = [threading.Thread(target=run, args=(act,)) for act in acts]
        for one in threads:
            one.start()
        for one in threads:
            one.join()
        assert len(failed) == 2
        assert both.kinds(f"approval/{asked.id}").count("approval-decided") == 1


# --- the database alone -----------------------------------------------------------------------------


_APPROVED = "UPDATE approvals SET decision = 'approved'"
_USED = "UPDATE approvals SET used_at = requested_at"
_LIFTED = "UPDATE holds SET lifted_at = '2026', lifted_by = 'x'"
_ROLE = 'INSERT INTO user_roles ("user", role, since, approval, approval_decision) '
_ROLE += "SELECT 'usr-boss', 'auditor', '2026'"
_GRANT = 'INSERT INTO grants (id, "user", noun, subject, what, from_at, until_at, why, granted_at, approval, '
_GRANT += "approval_decision) SELECT 'gra-x', 'usr-li', 'case', 'c', 'view', '2026', '2027', 'w', '2026'"
_WAITING = " WHERE decision IS NULL"
_OF_WAITING = " FROM approvals" + _WAITING


@pytest.mark.parametrize(
    "statement",
    [
        _APPROVED + ", decided_by = requested_by, decided_at = requested_at" + _WAITING,
        _APPROVED + ", decided_by = 'x', decided_at = '9999-01-01T00:00:00.000000Z'" + _WAITING,
        _APPROVED + ", decided_by = 'x'" + _WAITING,
        _APPROVED + ", decided_at = requested_at" + _WAITING,
        _USED + _WAITING,
        _ROLE + ", NULL, NULL",
        _ROLE + ", 'apv-none', 'approved'",
        _ROLE + ", id, NULL" + _OF_WAITING,
        _ROLE + ", id, 'approved'" + _OF_WAITING,
        _LIFTED,
        _LIFTED + ", approval = 'apv-none', approval_decision = 'approved'",
        _GRANT + ", id, 'approved'" + _OF_WAITING,
        _GRANT + ", id, 'refused'" + _OF_WAITING,
        _GRANT + ", id, NULL" + _OF_WAITING,
    ],
    ids=lambda told: told.removeprefix("INSERT INTO ")[:20] + told[-30:],
)
def test_the_database_alone_refuses_what_one_person_decides(both: Town, statement: str) -> None:
    both.hold()
    both.ask(both.view())
    with pytest.raises(DatabaseError), both.home.ports.register.leasing() as connection:
        connection.execute(text(statement))


def test_the_database_alone_lifts_a_hold_by_no_approval_of_another_subject(both: Town) -> None:
    both.hold()
    agreed = both.agree(both.ask(both.view()).id).approval.id
    statement = "UPDATE holds SET lifted_at = '2026', lifted_by = 'x', approval = :a, approval_decision = 'approved'"
    with pytest.raises(DatabaseError), both.home.ports.register.leasing() as connection:
        connection.execute(text(statement), {"a": agreed})


# --- where nobody is an approver yet ----------------------------------------------------------------


def test_two_accounts_of_the_machine_agree_as_long_as_nobody_is_an_approver(tmp_path: Path) -> None:
    with open_home(tmp_path / "home") as home:
        recording: str = home.ingest_one(track(tmp_path / "card"))["id"]
        hold = holds.place(holds.Target(recording), why="w", authority=None, ports=by(home, "cli:li"), now=NOW).id
        asked = approvals.request(Request("hold-lift", "hold", hold), why="o", ports=by(home, "cli:li"), now=NOW)
        with pytest.raises(Refused):
            approvals.approve(asked.id, ports=by(home, "cli:Li"), now=NOW)
        assert approvals.approve(asked.id, ports=by(home, "cli:wang"), now=NOW).performed.recordings == (recording,)
        home.publish()
        assert home.rebuilt()[1] == home.facts()
