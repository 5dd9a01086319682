# SPDX-License-Identifier: Apache-2.0
"""An account begins by a link that is good once, for a day, for one person; nobody makes one to be somebody else."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest

from evidence.custody import Happening
from evidence.errors import Refused
from pipeline.sign_in_links import issue_link
from pipeline.users import disable_user
from tests.support.home import open_home
from tests.support.sign_in import PASSWORD, Porch, porch


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Porch]:
    with open_home(tmp_path_factory.mktemp("links") / "home") as home, porch(home) as made:
        yield made


def used(here: Porch, link: str) -> int:
    """The status of using a link with a password."""
    return here.browser().says("POST", "/session/link", {"link": link, "password": PASSWORD}).status_code


def test_a_link_says_whom_it_is_for_and_signs_them_in(here: Porch) -> None:
    user = here.add("li", password=None)
    link, browser = here.link(user), here.browser()
    told = browser.says("POST", "/session/link/look", {"link": link}).json()
    assert (told["login"], told["passkey"]["rp"]["id"]) == ("li", "evidence.example.org")

    assert browser.says("POST", "/session/link", {"link": link, "password": PASSWORD}).json()["user"] == user
    assert browser.says("GET", "/session").status_code == 200
    assert here.kinds(f"user/{user}") == ["user-registered", "credential-changed", "credential-changed", "signed-in"]


def test_a_link_is_good_once(here: Porch) -> None:
    link = here.link(here.add("wang", password=None))
    assert (used(here, link), used(here, link)) == (201, 401)


def test_of_two_who_use_a_link_at_once_one_begins(here: Porch) -> None:
    link = here.link(here.add("liu", password=None))
    with ThreadPoolExecutor(4) as pool:
        told = list(pool.map(lambda _: used(here, link), range(4)))

    assert told.count(201) == 1


def test_a_link_is_good_for_a_day(here: Porch) -> None:
    link, other = here.link(here.add("chen", password=None)), here.link(here.add("yang", password=None))
    here.hands.on(hours=23, minutes=59)
    assert used(here, link) == 201
    here.hands.on(minutes=1)
    assert used(here, other) == 401


def test_a_new_link_takes_the_place_of_the_one_before(here: Porch) -> None:
    user = here.add("zhao", password=None)
    first, second = here.link(user), here.link(user)

    assert (used(here, first), used(here, second)) == (401, 201)


def test_a_link_for_somebody_who_was_shut_out_meanwhile_is_none(here: Porch) -> None:
    user = here.add("zhou", password=None)
    link = here.link(user)
    disable_user(user, why="left", ports=here.home.ports, now=here.hands.now())

    assert used(here, link) == 401


def test_beginning_again_ends_what_was_there_before(here: Porch) -> None:
    user = here.add("wu")
    browser = here.signed_in("wu")
    new = {"link": here.link(user), "password": "nine slow herons at dusk"}
    assert here.browser().says("POST", "/session/link", new).status_code == 201

    assert browser.says("GET", "/session").status_code == 401
    assert here.browser().sign_in("wu").status_code == 401
    assert here.browser().sign_in("wu", new["password"]).status_code == 201


def test_a_link_that_nobody_gave_is_tried_so_often_and_then_not_heard(here: Porch) -> None:
    browser = here.browser()
    told = [browser.says("POST", "/session/link/look", {"link": f"guess-{number}"}).status_code for number in range(40)]

    assert set(told) == {401, 429}
    assert told[-1] == 429


def test_without_password_and_passkey_nothing_begins(here: Porch) -> None:
    link = here.link(here.add("sun", password=None))
    assert here.browser().says("POST", "/session/link", {"link": link}).json()["code"] == "bad-input"
    assert used(here, link) == 201


def test_an_administrator_makes_no_link_for_whoever_has_a_privileged_role(here: Porch) -> None:
    admin, user = here.admin("boss"), here.add("approver", password=None)
    made = admin.says("POST", f"/users/{user}/link")
    assert made.status_code == 201
    with here.home.ports.register.begin() as facts:
        given = Happening("role-given", f"user/{user}", {"role": "approver", "is_founding": True})
        facts.record(given, actor="cli:test", at=here.hands.now())

    # Neither a new one, nor one that was made before they had the role.
    assert admin.says("POST", f"/users/{user}/link").json()["code"] == "refused"
    assert used(here, made.json()["link"].partition("#")[2]) == 409
    assert used(here, here.link(user)) == 201


def test_at_the_machine_only_the_machine_counts(here: Porch) -> None:
    user = here.admin("second").says("GET", "/session").json()["user"]
    ports = replace(here.home.ports, actor="user:usr-cli:root")
    with pytest.raises(Refused):
        issue_link(user, lasts=timedelta(hours=1), ports=ports, now=here.hands.now())


def test_the_register_holds_no_link(here: Porch) -> None:
    link = here.link(here.add("kept", password=None))
    kept = b"".join(path.read_bytes() for path in here.home.settings.home.rglob("*") if path.is_file())

    assert link.encode() not in kept
