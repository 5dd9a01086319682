# SPDX-License-Identifier: Apache-2.0
"""Accounts and roles: the first come from whoever installs, privileged ones from two people; the database agrees."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from sqlalchemy.exc import IntegrityError

from evidence.custody import Happening
from evidence.errors import BadInput, Conflict, NotFound, Refused, WrongState
from pipeline import users
from pipeline.ports import Ports
from pipeline.sign_in_links import issue_link
from pipeline.users import User
from storage.register import user_rows
from tests.support.home import NOON, Home, open_home
from web.signin.figures import shipped_figures
from web.signin.sessions import open_session


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    with open_home(tmp_path_factory.mktemp("people") / "home") as made:
        yield made


@pytest.fixture
def ports(home: Home) -> Ports:
    return home.ports


def roles(ports: Ports, user: str) -> list[str]:
    with ports.register.view() as connection:
        return user_rows.roles_of(connection, user)


def test_the_first_of_each_privileged_role_comes_from_whoever_installs_and_no_second(ports: Ports) -> None:
    for login, role in (("admin", "admin"), ("approver", "approver"), ("auditor", "auditor")):
        user = users.found_user(User(login, login), role, ports=ports, now=NOON)
        assert roles(ports, user) == [role]
        with pytest.raises(Refused, match="two people"):
            users.found_user(User(f"{login}2", "x"), role, ports=ports, now=NOON)
    with pytest.raises(BadInput):
        users.found_user(User("first", "x"), "officer", ports=ports, now=NOON)


def test_two_who_install_at_once_make_one_first_administrator(tmp_path_factory: pytest.TempPathFactory) -> None:
    from concurrent.futures import ThreadPoolExecutor

    def once(login: str) -> str:
        try:
            return users.found_user(User(login, login), "admin", ports=other.ports, now=NOON)
        except Refused:
            return ""

    with open_home(tmp_path_factory.mktemp("race") / "home") as other, ThreadPoolExecutor(4) as pool:
        made = [one for one in pool.map(once, ("ann", "ben", "cai", "dan")) if one]
    assert len(made) == 1


@pytest.mark.parametrize("role", ["admin", "approver", "auditor"])
def test_a_privileged_role_without_an_approval_is_refused_by_the_database_itself(ports: Ports, role: str) -> None:
    user = users.register_user(User(f"climber.{role}", "x"), ports=ports, now=NOON)
    for told in ({"role": role}, {"role": role, "approval": "apv-none"}):
        with pytest.raises(IntegrityError), ports.register.begin() as facts:
            facts.record(Happening("role-given", f"user/{user}", told), actor=ports.actor, at=NOON)
    assert roles(ports, user) == []


def test_an_approval_by_its_own_requester_gives_no_role(ports: Ports) -> None:
    user = users.register_user(User("friend", "x"), ports=ports, now=NOON)
    asked = {"act": "role", "noun": "user", "subject": user, "digest": "0" * 64, "expires_at": "2099-01-01T00:00:00Z"}
    requested = Happening("approval-requested", "approval/apv-own", asked, {"params": {}, "why": "w"})
    decided = Happening("approval-decided", "approval/apv-own", {"decision": "approved"}, {})
    with ports.register.begin() as facts:
        facts.record(requested, actor="user:usr-me", at=NOON)
    with pytest.raises(IntegrityError), ports.register.begin() as facts:
        facts.record(decided, actor="user:usr-me", at=NOON)
    given = Happening("role-given", f"user/{user}", {"role": "admin", "approval": "apv-own"})
    with pytest.raises(IntegrityError), ports.register.begin() as facts:
        facts.record(given, actor="user:usr-me", at=NOON)


def test_repeats_change_nothing_and_leave_no_event(home: Home) -> None:
    ports = home.ports
    user = users.register_user(User("again", "Again"), ports=ports, now=NOON)
    for changed in (True, False):
        assert users.give_role(user, "legal", ports=ports, now=NOON) is changed
    for changed in (True, False):
        assert users.take_role(user, "legal", ports=ports, now=NOON) is changed
    for changed in (True, False):
        assert users.disable_user(user, why="left", ports=ports, now=NOON) is changed
    for changed in (True, False):
        assert users.enable_user(user, why="came back", ports=ports, now=NOON) is changed
    assert not users.change_user(user, {"name": "Again"}, ports=ports, now=NOON)

    assert [event["kind"] for event in home.events(f"user/{user}")] == [
        "user-registered", "role-given", "role-taken", "user-disabled", "user-enabled",
    ]  # fmt: skip


def test_whoever_is_not_there_is_not_found(ports: Ports) -> None:
    for act in (users.disable_user, users.enable_user):
        with pytest.raises(NotFound):
            act("usr-none", why="w", ports=ports, now=NOON)
    with pytest.raises(NotFound):
        users.give_role("usr-none", "legal", ports=ports, now=NOON)
    with pytest.raises(NotFound):
        users.change_user("usr-none", {"name": "x"}, ports=ports, now=NOON)


def test_nobody_who_is_shut_out_gets_a_link(ports: Ports) -> None:
    user = users.register_user(User("gone", "Gone"), ports=ports, now=NOON)
    users.disable_user(user, why="left", ports=ports, now=NOON)
    with pytest.raises(WrongState):
        issue_link(user, lasts=shipped_figures().absolute, ports=replace(ports, actor="cli:root"), now=NOON)


def test_several_accounts_wait_for_their_first_sign_in_elsewhere(ports: Ports) -> None:
    issuer = "https://id.example.org"
    one = users.register_user(User("waits", "Waits", issuer=issuer), ports=ports, now=NOON)
    two = users.register_user(User("waitstoo", "Waits", issuer=issuer), ports=ports, now=NOON)
    users.change_user(one, {"subject": "7"}, ports=ports, now=NOON)
    with pytest.raises(Conflict):
        users.change_user(two, {"subject": "7"}, ports=ports, now=NOON)


def test_a_register_made_anew_knows_users_roles_and_keys_and_signs_nobody_in(home: Home) -> None:
    user = users.register_user(User("rebuilt", "Rebuilt"), ports=home.ports, now=NOON)
    users.give_role(user, "legal", ports=home.ports, now=NOON)
    open_session(user, "password", ports=home.ports, figures=shipped_figures(), now=NOON)
    home.publish()
    _, rows = home.rebuilt()

    assert user in {row["id"] for row in rows["users"]}
    assert {"user": user, "role": "legal"}.items() <= next(r for r in rows["user_roles"] if r["user"] == user).items()
    assert "sessions" not in rows
