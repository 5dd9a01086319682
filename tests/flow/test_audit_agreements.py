# SPDX-License-Identifier: Apache-2.0
"""What two people agreed on is audited: a row that no record made, and a record that two people did not make."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from evidence import instant
from evidence.custody import Happening
from evidence.verdict import Verdict
from pipeline import approvals, audit, holds
from pipeline.approval_told import digest_of
from pipeline.approvals import Request
from pipeline.audit import agreements
from pipeline.audit.disposals import read_detail
from pipeline.audit.keeping import read_filings
from pipeline.audit.ledger import Ledger, Told
from pipeline.audit.register import check_rows, read_rows
from pipeline.audit.sheet import Sheet, StoreSheet
from storage.register import search
from storage.register.answers import Row
from storage.register.facts import Facts
from tests.support.home import NOON, Home, open_home, track
from tests.support.two_people import add_user, by, hours

END = instant.to_text(NOON + hours(72))
ZHANG, WANG = "cli:zhang", "user:usr-wang"


@pytest.fixture(scope="module")
def agency(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A closed installation in which two people agreed on one thing of each kind."""
    folder = tmp_path_factory.mktemp("agency")
    with open_home(folder / "home") as home:
        recording = home.ingest_one(track(folder / "card"))["id"]
        home.open_case("2026-1", "7", start=NOON, end=NOON + hours(1))
        with home.ports.register.begin() as writing:
            add_user(writing, "wang", "approver", at=NOON)
            add_user(writing, "li", "officer", at=NOON, officer="7")
            case = writing.connection.execute(text("SELECT id FROM cases")).scalar()
            writing.record(Happening("case-member-added", f"case/{case}", {"user": "usr-li"}), actor=WANG, at=NOON)
        target = holds.Target(recording)
        held = [holds.place(target, why="复议", authority=None, ports=by(home, ZHANG), now=NOON).id for _ in range(2)]
        agree(home, Request("access", "case", "2026-1", {"user": "li"}))
        agree(home, Request("role", "user", "li", {"role": "auditor"}))
        agree(home, Request("hold-lift", "hold", held[0]))
        wanted = Request("disclosure", "case", "2026-1", {"user": "li"})
        approvals.request(wanted, why="w", ports=by(home, ZHANG), now=NOON)
        home.publish()
    return folder / "home"


def agree(home: Home, wanted: Request) -> None:
    asked = approvals.request(wanted, why="court", ports=by(home, ZHANG), now=NOON)
    approvals.approve(asked.id, ports=by(home, WANG), now=NOON)


@contextmanager
def copy_of(agency: Path, folder: Path) -> Iterator[Home]:
    shutil.copytree(agency, folder / "home")
    with open_home(folder / "home") as home:
        yield home


class Undone(Exception):
    """Takes an edit back."""


@dataclass(frozen=True, slots=True)
class Heard:
    """What an open installation's records tell, and its rows as an edit would leave them."""

    home: Home
    told: Told

    def rows_after(self, edit: str) -> dict[str, list[Row]]:
        rows: dict[str, list[Row]] = {}
        with suppress(Undone), self.home.ports.register.leasing() as connection:
            assert connection.execute(text(edit)).rowcount > 0
            rows = read_rows(connection)
            raise Undone
        return rows


@pytest.fixture(scope="module")
def heard(agency: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Heard]:
    with copy_of(agency, tmp_path_factory.mktemp("heard")) as home:
        sheet = StoreSheet(home.ports.store)
        ledger = Ledger(sheet, audit.trust_of(home.ports).record_keys(home.ports.log.origin))
        with home.ports.register.view() as connection:
            for row in search.every(connection, "custody_events"):
                ledger.row(row, log_size=0)
            rows = read_rows(connection)
        details = partial(read_detail, sheet=sheet)
        read_filings(ledger.told.keeping, details)
        agreements.read_filings(ledger.told.agreements, details)
        check_rows(ledger.told, rows, sheet=sheet)
        assert sheet.report().findings == ()
        yield Heard(home, ledger.told)


def found(home: Home) -> set[tuple[str, str]]:
    report = audit.verify_all(home.ports)
    assert (report.verdict is Verdict.PROVEN) == (not report.findings)
    return {(one.object, one.what) for one in report.findings}


def test_what_two_people_agreed_on_is_proven_and_rebuilt(agency: Path, tmp_path: Path) -> None:
    with copy_of(agency, tmp_path) as home:
        assert found(home) == set()
        assert home.rebuilt()[1] == home.facts()


APPROVE = "UPDATE approvals SET decision = 'approved', decided_by = 'user:usr-wang', decided_at = requested_at "
APPROVE += "WHERE decision IS NULL"
GRANT = 'INSERT INTO grants (id, "user", noun, subject, what, from_at, until_at, why, approval, approval_decision, '
GRANT += "granted_at) SELECT 'gra-x', \"user\", noun, subject, 'original', from_at, until_at, why, approval, "
GRANT += "approval_decision, granted_at FROM grants"


@pytest.mark.parametrize(
    ("table", "edit", "what"),
    [
        ("approvals", "UPDATE approvals SET why = 'another' WHERE act = 'role'", "altered"),
        ("approvals", "UPDATE approvals SET params = '{}' WHERE act = 'access'", "altered"),
        ("approvals", "UPDATE approvals SET subject = 'cas-a' WHERE act = 'access'", "altered"),
        ("approvals", "UPDATE approvals SET act = 'disclosure' WHERE act = 'access'", "altered"),
        ("approvals", "UPDATE approvals SET unit = '0102'", "altered"),
        ("approvals", "UPDATE approvals SET digest = '0' WHERE act = 'access'", "altered"),
        ("approvals", "UPDATE approvals SET requested_by = 'cli:zhao' WHERE act = 'access'", "altered"),
        ("approvals", "UPDATE approvals SET decided_by = 'cli:zhao' WHERE act = 'access'", "altered"),
        ("approvals", "UPDATE approvals SET expires_at = '9999' WHERE decision IS NULL", "altered"),
        ("approvals", "UPDATE approvals SET used_at = NULL WHERE act = 'access'", "altered"),
        ("approvals", APPROVE, "altered"),
        ("approvals", "DELETE FROM approvals WHERE decision IS NULL", "missing"),
        ("grants", "UPDATE grants SET until_at = '9999-01-01T00:00:00.000000Z'", "altered"),
        ("grants", "UPDATE grants SET \"user\" = 'usr-wang'", "altered"),
        ("grants", "UPDATE grants SET subject = 'cas-a'", "altered"),
        ("grants", "UPDATE grants SET what = 'original'", "altered"),
        ("grants", "UPDATE grants SET watermark = 1", "altered"),
        ("grants", "UPDATE grants SET why = 'another'", "altered"),
        ("grants", "UPDATE grants SET revoked_at = '2026'", "altered"),
        ("grants", "DELETE FROM grants", "missing"),
        ("grants", GRANT, "unrecorded"),
        ("user_roles", "UPDATE user_roles SET is_founding = 1", "altered"),
        ("user_roles", "UPDATE user_roles SET role = 'admin' WHERE role = 'auditor'", "unrecorded"),
        ("user_roles", "UPDATE user_roles SET since = '2020'", "altered"),
        ("user_roles", "DELETE FROM user_roles WHERE role = 'auditor'", "missing"),
        (
            "user_roles",
            "INSERT INTO user_roles (\"user\", role, since) VALUES ('usr-li', 'investigator', '2026')",
            "unrecorded",
        ),
        ("users", "UPDATE users SET login = 'another' WHERE login = 'li'", "altered"),
        ("users", "UPDATE users SET officer = '8' WHERE login = 'li'", "altered"),
        ("users", "UPDATE users SET unit = '01' WHERE login = 'li'", "altered"),
        ("users", "UPDATE users SET state = 'disabled' WHERE login = 'li'", "altered"),
        ("case_members", "UPDATE case_members SET until = '2026'", "altered"),
        ("case_members", "UPDATE case_members SET \"user\" = 'usr-wang'", "unrecorded"),
        ("cases", "UPDATE cases SET restricted = 1", "altered"),
        ("holds", "UPDATE holds SET needs_two = 0", "altered"),
        ("holds", "UPDATE holds SET approval = NULL, needs_two = 0 WHERE lifted_at IS NOT NULL", "altered"),
    ],
)
def test_a_row_that_was_written_by_hand_is_found(heard: Heard, table: str, edit: str, what: str) -> None:
    sheet = Sheet()
    check_rows(heard.told, heard.rows_after(edit), sheet=sheet)
    assert (f"register/{table}", what) in {(one.object, one.what) for one in sheet.report().findings}


@pytest.mark.parametrize("edit", [APPROVE, GRANT, "UPDATE user_roles SET role = 'admin' WHERE role = 'auditor'"])
def test_an_audit_of_everything_finds_it(agency: Path, tmp_path: Path, edit: str) -> None:
    with copy_of(agency, tmp_path) as home:
        with home.ports.register.leasing() as connection:
            connection.execute(text(edit))
        assert found(home)


# --- what is signed, and yet no two people made it --------------------------------------------------


def request(writing: Facts, name: str, *, subject: str, act: str = "role", by_whom: str = ZHANG, **params: Any) -> None:
    digest = digest_of(act, "user", subject, params)
    facts = {"act": act, "noun": "user", "subject": subject, "digest": digest, "expires_at": END, "unit": None}
    asked = Happening("approval-requested", f"approval/{name}", facts, {"params": params, "why": "w"})
    writing.record(asked, actor=by_whom, at=NOON)


def approve(writing: Facts, name: str, *, digest: str, by_whom: str = WANG, after_h: float = 1) -> None:
    decided = Happening("approval-decided", f"approval/{name}", {"decision": "approved", "digest": digest}, {"why": ""})
    writing.record(decided, actor=by_whom, at=NOON + hours(after_h))


def give(writing: Facts, user: str, role: str, approval: str | None) -> None:
    facts = {"role": role} if approval is None else {"approval": approval, "role": role}
    writing.record(Happening("role-given", f"user/{user}", facts), actor=WANG, at=NOON + hours(1))


ADMIN = digest_of("role", "user", "usr-li", {"role": "admin"})


def _one_person_by_two_doors(writing: Facts) -> None:
    request(writing, "apv-x", subject="usr-li", by_whom="cli:Wang", role="admin")
    approve(writing, "apv-x", digest=ADMIN)
    give(writing, "usr-li", "admin", "apv-x")


def _another_digest(writing: Facts) -> None:
    request(writing, "apv-x", subject="usr-li", role="admin")
    approve(writing, "apv-x", digest="0" * 64)
    give(writing, "usr-li", "admin", "apv-x")


def _before_it_was_asked_for(writing: Facts) -> None:
    request(writing, "apv-x", subject="usr-li", role="admin")
    approve(writing, "apv-x", digest=ADMIN, after_h=-1)


def _decided_twice(writing: Facts) -> None:
    request(writing, "apv-x", subject="usr-li", role="admin")
    refused = Happening("approval-decided", "approval/apv-x", {"decision": "refused", "digest": ADMIN}, {"why": "no"})
    writing.record(refused, actor=WANG, at=NOON)
    approve(writing, "apv-x", digest=ADMIN)


def _another_subject(writing: Facts) -> None:
    request(writing, "apv-x", subject="usr-li", role="admin")
    approve(writing, "apv-x", digest=ADMIN)
    give(writing, "usr-wang", "admin", "apv-x")


def _another_role(writing: Facts) -> None:
    request(writing, "apv-x", subject="usr-li", role="admin")
    approve(writing, "apv-x", digest=ADMIN)
    give(writing, "usr-li", "approver", "apv-x")


def _another_act(writing: Facts) -> None:
    request(writing, "apv-x", subject="usr-li", act="access", role="admin")
    approve(writing, "apv-x", digest=digest_of("access", "user", "usr-li", {"role": "admin"}))
    give(writing, "usr-li", "admin", "apv-x")


def _used_twice(writing: Facts) -> None:
    request(writing, "apv-x", subject="usr-li", role="admin")
    approve(writing, "apv-x", digest=ADMIN)
    for _ in range(2):
        give(writing, "usr-li", "admin", "apv-x")


def _first_twice(writing: Facts) -> None:
    facts = {"is_founding": True, "role": "approver"}
    writing.record(Happening("role-given", "user/usr-li", facts), actor=WANG, at=NOON)


@pytest.mark.parametrize(
    "forge",
    [
        _one_person_by_two_doors,
        _another_digest,
        _before_it_was_asked_for,
        _decided_twice,
        _another_subject,
        _another_role,
        _another_act,
        _used_twice,
        _first_twice,
    ],
)
def test_a_signed_record_that_no_two_people_made_is_found(agency: Path, tmp_path: Path, forge: Any) -> None:
    with copy_of(agency, tmp_path) as home:
        with home.ports.register.begin() as writing:
            forge(writing)
        told = found(home)
        assert {what for _, what in told} == {"not-agreed"}, told
