# SPDX-License-Identifier: Apache-2.0
"""This is where it is tried how docks are let in and shut out, on each engine of the register where it may differ."""

import json
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from evidence.custody import parse_event
from evidence.errors import BadInput, Conflict, EvidockError, NotFound, NotSignedIn, Overloaded, WrongState
from evidence.note import split_note
from pipeline import dockings, docks
from pipeline.dock_figures import DEFAULT, dock_figures
from pipeline.docking_told import Docking, Listing
from pipeline.docks import Invitation
from storage.register import dock_rows
from tests.support.command import evidock
from tests.support.home import Home, open_home
from web.api.rates import Rate, neighbours

NOW = datetime(2026, 6, 20, 4, tzinfo=UTC)
LISTING = Listing("0" * 64, 0, 0, 0)


@pytest.fixture
def home(tmp_path: Path, register_settings: dict[str, str]) -> Iterator[Home]:
    with open_home(tmp_path / "home", **register_settings) as opened:
        yield opened


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    with open_home(tmp_path_factory.mktemp("home")) as opened:
        yield opened


def key() -> bytes:
    return Ed25519PrivateKey.generate().public_key().public_bytes_raw()


def enrolled(home: Home, name: str = "hall") -> str:
    invited = docks.invite(Invitation(name), ports=home.ports, now=NOW)
    return str(docks.enrol(invited.code, key(), ports=home.ports, now=NOW)["id"])


def kinds(home: Home, dock: str) -> list[str]:
    return [one["kind"] for one in home.events(f"dock/{dock}")]


def at_once(count: int, do: Callable[[int], Any]) -> list[Any]:
    """What each of several threads that begin together got: an answer, or an error of ours."""
    found: list[Any] = [None] * count
    gate = threading.Barrier(count)

    def run(number: int) -> None:
        gate.wait()
        try:
            found[number] = do(number)
        except EvidockError as error:
            found[number] = error

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    return found


# --- races, on both engines ---------------------------------------------------------------------


def test_of_many_who_bring_one_code_at_once_one_is_enrolled(home: Home) -> None:
    invited = docks.invite(Invitation("hall"), ports=home.ports, now=NOW)

    found = at_once(6, lambda _: docks.enrol(invited.code, key(), ports=home.ports, now=NOW))

    winners = [one for one in found if not isinstance(one, NotSignedIn)]
    assert len(winners) == 1
    assert winners[0]["id"] == invited.dock
    assert kinds(home, invited.dock) == ["dock-invited", "dock-enrolled"]


def test_a_docking_told_many_times_at_once_is_one_docking(home: Home) -> None:
    home.add_device("CAM1")
    dock = enrolled(home)
    docking = Docking("dkg-aaaaaaaaaaaaaaaa", "1", "CAM1", NOW, LISTING, problem="binding-altered")

    found = at_once(6, lambda _: dockings.begin(docking, dock=dock, ports=home.ports, now=NOW))

    assert len(set(found)) == 1
    assert [one["kind"] for one in home.events("device/CAM1")] == ["device-registered", "docked", "device-alarm"]


def test_of_two_dockings_of_one_id_at_once_one_is_a_conflict(home: Home) -> None:
    dock = enrolled(home)
    told = [Docking("dkg-aaaaaaaaaaaaaaaa", str(port), None, NOW, LISTING) for port in range(2)]

    found = at_once(2, lambda number: dockings.begin(told[number], dock=dock, ports=home.ports, now=NOW))

    assert sorted(isinstance(one, Conflict) for one in found) == [False, True]
    assert kinds(home, dock).count("docked") == 1


# --- inviting -----------------------------------------------------------------------------------


def test_a_code_has_eighty_bits_in_groups_that_can_be_typed(shared: Home) -> None:
    codes = [docks.invite(Invitation("hall"), ports=shared.ports, now=NOW).code for _ in range(50)]

    assert len(set(codes)) == 50
    assert all([len(part) for part in code.split("-")] == [4, 4, 4, 4] for code in codes)
    assert not set("".join(codes)) & set("ILOU")


def test_the_log_holds_a_digest_and_no_name(shared: Home) -> None:
    invited = docks.invite(Invitation("secret hall"), ports=shared.ports, now=NOW)
    (event,) = shared.events(f"dock/{invited.dock}")

    facts = parse_event(split_note(event["note"])[0]).facts

    assert facts["code_sha256"] == docks.code_sha256(invited.code)
    assert facts["erases"] is False
    assert invited.code not in event["note"]
    assert "hall" not in event["note"]


@pytest.mark.parametrize(
    "told",
    [
        {"name": ""},
        {"name": "a\nb"},
        {"name": " hall"},
        {"name": "hall", "kind": "printer"},
        {"name": "hall", "kind": "terminal"},
        {"name": "hall", "device": "CAM1"},
        {"name": "hall", "minutes": 0},
        {"name": "hall", "minutes": 10**9},
    ],
    ids=str,
)
def test_an_invitation_that_makes_no_sense_is_refused(told: dict[str, Any]) -> None:
    with pytest.raises(BadInput):
        Invitation(**told)


def test_a_terminal_is_a_device_that_is_registered(shared: Home) -> None:
    with pytest.raises(NotFound, match="device"):
        docks.invite(Invitation("t", "terminal", device="NONE"), ports=shared.ports, now=NOW)


def test_a_dock_belongs_to_a_unit_that_is_registered(shared: Home) -> None:
    with pytest.raises(NotFound, match="unit"):
        docks.invite(Invitation("hall", unit="09"), ports=shared.ports, now=NOW)


# --- switching and revoking ---------------------------------------------------------------------


def test_clearing_is_off_until_somebody_switches_it_on_and_says_why(shared: Home) -> None:
    dock = enrolled(shared)

    changes = [
        docks.switch_erasing(dock, erases=erases, why="order 3", ports=shared.ports, now=NOW)
        for erases in (False, True, True, False)
    ]

    assert changes == [False, True, False, True]
    assert kinds(shared, dock)[2:] == ["dock-switched"] * 2
    with pytest.raises(BadInput, match="why"):
        docks.switch_erasing(dock, erases=True, why=" ", ports=shared.ports, now=NOW)


def test_what_is_revoked_stays_revoked(shared: Home) -> None:
    dock = enrolled(shared)

    assert docks.revoke(dock, why="stolen", ports=shared.ports, now=NOW)
    assert not docks.revoke(dock, why="stolen", ports=shared.ports, now=NOW)
    with pytest.raises(WrongState):
        docks.switch_erasing(dock, erases=True, why="why not", ports=shared.ports, now=NOW)
    with pytest.raises(WrongState):
        docks.invite(Invitation("hall"), again=dock, ports=shared.ports, now=NOW)
    assert kinds(shared, dock)[-1] == "dock-revoked"


def test_a_dock_invited_again_keeps_its_id_and_its_switch_and_loses_its_key(shared: Home) -> None:
    dock = enrolled(shared)
    docks.switch_erasing(dock, erases=True, why="order 3", ports=shared.ports, now=NOW)

    again = docks.invite(Invitation("hall 2"), again=dock, ports=shared.ports, now=NOW)

    with shared.ports.register.view() as connection:
        row = dock_rows.dock(connection, dock)
    assert (again.dock, row["state"], row["key"], row["erases"], row["name"]) == (dock, "invited", None, 1, "hall 2")


def test_the_answer_that_was_lost_is_given_again_only_while_the_code_is_good(shared: Home) -> None:
    invited, mine = docks.invite(Invitation("hall"), ports=shared.ports, now=NOW), key()
    docks.enrol(invited.code, mine, ports=shared.ports, now=NOW)

    with pytest.raises(NotSignedIn):
        docks.enrol(invited.code, mine, ports=shared.ports, now=NOW + timedelta(minutes=15))


def test_a_name_stands_for_a_dock_when_it_is_the_only_one(shared: Home) -> None:
    first = enrolled(shared, "gate")
    with shared.ports.register.view() as connection:
        assert docks.named(connection, "gate")["id"] == first
    enrolled(shared, "gate")

    with shared.ports.register.view() as connection:
        with pytest.raises(NotFound, match="2 docks"):
            docks.named(connection, "gate")
        with pytest.raises(NotFound):
            docks.named(connection, "nowhere")


# --- figures and rates --------------------------------------------------------------------------


def test_figures_are_read_from_a_file_that_has_all_of_them_and_no_other(tmp_path: Path) -> None:
    text = DEFAULT.read_text("utf-8")
    for number, changed in enumerate(
        ("", "a: [", text.replace("alarms_s: 60", ""), text.replace("alarms: 60", "alarms: 0"), text + "\nmore: 1\n")
    ):
        path = tmp_path / f"{number}.yaml"
        path.write_text(changed)
        with pytest.raises(BadInput):
            dock_figures(path)
    with pytest.raises(BadInput):
        dock_figures(tmp_path / "nothing.yaml")
    assert dock_figures().enrolment.wrong_codes == 5


def test_a_rate_counts_each_by_itself_and_forgets() -> None:
    rate = Rate(2, 60)
    rate.count("a", at=0)
    rate.count("a", at=1)
    rate.count("b", at=1)
    with pytest.raises(Overloaded):
        rate.count("a", at=59.9)
    rate.count("a", at=60)
    rate.take_back("a")
    rate.count("a", at=60.5)
    rate.take_back("nobody")


def test_many_guesses_at_once_are_not_free() -> None:
    rate = Rate(5, 60)

    found = at_once(20, lambda _: rate.count("a", at=1))

    assert [isinstance(one, Overloaded) for one in found].count(False) == 5


def test_whoever_has_a_network_of_ipv6_addresses_is_one() -> None:
    assert neighbours("2001:db8:0:1::7") == neighbours("2001:db8:0:1:ffff::9")
    assert neighbours("2001:db8:0:2::7") != neighbours("2001:db8:0:1::7")
    assert neighbours("::ffff:192.0.2.1") == neighbours("192.0.2.1") == "192.0.2.1"
    assert neighbours("unknown") == "unknown"


# --- commands -----------------------------------------------------------------------------------


def test_docks_are_invited_listed_shown_switched_and_revoked_by_command(tmp_path: Path) -> None:
    home = tmp_path / "home"
    invited = evidock("dock", "invite", "采集站", "--minutes", "30", "--json", home=home).json
    assert evidock("dock", "erase", "on", "采集站", "--why", "命令 3", "--json", home=home).json["changed"]
    assert not evidock("dock", "erase", "on", "采集站", "--why", "命令 3", "--json", home=home).json["changed"]
    (listed,) = evidock("dock", "list", "--json", home=home).json["docks"]
    shown = evidock("dock", "show", invited["dock"], "--json", home=home)
    revoked = evidock("dock", "revoke", "采集站", "--why", "丢失", home=home)
    words = evidock("dock", "show", "采集站", home=home, EVIDOCK_LANG="zh").out

    assert (listed["id"], listed["state"], listed["erases"]) == (invited["dock"], "invited", True)
    assert [one["kind"] for one in shown.json["custody"]] == ["dock-invited", "dock-switched"]
    assert invited["code"] not in shown.out
    assert "code_sha256" not in json.dumps(shown.json)
    assert revoked.status == 0
    assert "已注销" in words
    assert evidock("dock", "show", "nowhere", home=home).status == 3
    assert evidock("dock", "invite", "x", "--kind", "printer", home=home).status == 3
