# SPDX-License-Identifier: Apache-2.0
"""Devices issued and given back (领用/归还): who held which when, and what footage keeps of it."""

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from evidence.agency import Officer
from evidence.device import Device, Status
from evidence.errors import BadInput, Conflict, NotFound, Refused, WrongState
from pipeline.audit import verify_all
from pipeline.devices_register import register_device
from pipeline.ledger import assign_device, return_device
from pipeline.people import register_officer
from storage.register import device_rows
from tests.support.command import evidock
from tests.support.home import NOON, Home, dsj_name, open_home, track

HOUR = timedelta(hours=1)


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    with open_home(tmp_path / "home") as home:
        register_device(Device("A1"), ports=home.ports, now=NOON)
        for number in ("430407", "430408"):
            register_officer(Officer(number), ports=home.ports, now=NOON)
        yield home


@pytest.fixture(scope="module")
def issued(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """A home in which A1 was with 430407 for four hours, that many tests ask, and none changes."""
    with open_home(tmp_path_factory.mktemp("issued")) as home:
        register_device(Device("A1"), ports=home.ports, now=NOON)
        for number in ("430407", "430408"):
            register_officer(Officer(number), ports=home.ports, now=NOON)
        issue(home, end=NOON + 4 * HOUR)
        yield home


def issue(home: Home, number: str = "430407", *, start: datetime = NOON, **told: Any) -> None:
    assign_device("A1", number, start=start, ports=home.ports, now=NOON, **told)


def give_back(home: Home, *, at: datetime, now: datetime | None = None) -> str:
    return str(return_device("A1", at=at, ports=home.ports, now=now or at)["officer"])


def held(home: Home) -> list[tuple[str, int, int | None]]:
    """Who held it, from and to in hours after noon."""

    def hours(text: str | None) -> int | None:
        return None if text is None else round((datetime.fromisoformat(text) - NOON) / HOUR)

    with home.ports.register.view() as connection:
        rows = device_rows.hand_outs(connection, device="A1")
    return [(row["officer"], hours(row["start_at"]) or 0, hours(row["end_at"])) for row in rows]


def test_a_device_that_is_issued_and_given_back_was_with_its_officer_in_between(home: Home) -> None:
    issue(home, due=NOON + 8 * HOUR, note="two batteries")
    assert give_back(home, at=NOON + 2 * HOUR) == "430407"
    assert held(home) == [("430407", 0, 2)]


def test_a_device_issued_again_ends_the_hand_out_that_was_open(home: Home) -> None:
    issue(home)
    issue(home, "430408", start=NOON + HOUR)
    assert held(home) == [("430407", 0, 1), ("430408", 1, None)]
    assert give_back(home, at=NOON + 2 * HOUR) == "430408"
    with pytest.raises(WrongState, match="nobody holds"):
        give_back(home, at=NOON + 3 * HOUR)


def test_a_hand_out_with_an_end_to_come_can_be_given_back_before_it(home: Home) -> None:
    issue(home, end=NOON + 8 * HOUR)
    assert give_back(home, at=NOON + HOUR) == "430407"
    assert held(home) == [("430407", 0, 1)]


@pytest.mark.parametrize("status", [Status.LOST, Status.SCRAPPED, Status.REPAIR, Status.STOPPED])
def test_a_device_that_is_not_in_use_is_not_issued(home: Home, status: Status) -> None:
    register_device(Device("A1", status=status), ports=home.ports, now=NOON)
    with pytest.raises(WrongState, match=status.value):
        issue(home)
    assert held(home) == []


def test_a_device_off_the_white_list_is_not_issued(home: Home) -> None:
    register_device(Device("A1", is_allowed=False), ports=home.ports, now=NOON)
    with pytest.raises(WrongState, match="white list"):
        issue(home)


def test_an_officer_whose_certificate_is_not_valid_that_day_gets_no_device(home: Home) -> None:
    last = Officer("430407", valid_from=date(2026, 6, 1), valid_to=date(2026, 6, 19))
    register_officer(last, ports=home.ports, now=NOON)
    issue(home, start=NOON + 11 * HOUR, end=NOON + 11 * HOUR + HOUR / 2)  # 23:00 of the 19th in China
    with pytest.raises(Refused, match="2026-06-20"):
        issue(home, start=NOON + 12 * HOUR)
    with pytest.raises(Refused, match="2026-05-31"):
        issue(home, start=NOON - timedelta(days=19))
    assert len(held(home)) == 1


def test_what_is_not_registered_is_neither_issued_nor_given_back(home: Home) -> None:
    with pytest.raises(NotFound):
        issue(home, "430499")
    with pytest.raises(NotFound):
        assign_device("A9", "430407", start=NOON, ports=home.ports, now=NOON)
    with pytest.raises(NotFound):
        return_device("A9", at=NOON, ports=home.ports, now=NOON)


@pytest.mark.parametrize(
    ("start", "end"), [(-1, None), (-1, 1), (1, 2), (1, None), (0, None), (3, 5), (-1, 9)], ids=str
)
def test_a_hand_out_over_one_that_was_closed_is_refused(issued: Home, start: int, end: int | None) -> None:
    with pytest.raises(Conflict, match="430407"):
        issue(issued, "430408", start=NOON + start * HOUR, end=None if end is None else NOON + end * HOUR)
    assert held(issued) == [("430407", 0, 4)]


def test_a_hand_out_beside_another_is_none_over_it(home: Home) -> None:
    issue(home, end=NOON + 4 * HOUR)
    issue(home, "430408", start=NOON + 4 * HOUR, end=NOON + 5 * HOUR)
    issue(home, "430408", start=NOON - HOUR, end=NOON)
    assert held(home) == [("430408", -1, 0), ("430407", 0, 4), ("430408", 4, 5)]


def test_a_hand_out_before_one_that_is_open_must_end_before_it(home: Home) -> None:
    issue(home)
    with pytest.raises(Conflict):
        issue(home, "430408", start=NOON - HOUR)
    issue(home, "430408", start=NOON - HOUR, end=NOON)
    assert held(home) == [("430408", -1, 0), ("430407", 0, None)]


@pytest.mark.parametrize("wrong", [{"end": NOON}, {"due": NOON}, {"end": NOON - HOUR}, {"note": "a\nb"}])
def test_a_hand_out_that_cannot_be_is_refused(issued: Home, wrong: dict[str, Any]) -> None:
    with pytest.raises(BadInput):
        issue(issued, **wrong)


def test_nothing_is_given_back_ahead_of_time(home: Home) -> None:
    issue(home)
    with pytest.raises(BadInput, match="to come"):
        give_back(home, at=NOON + 2 * HOUR, now=NOON + HOUR)


def test_footage_taken_in_before_a_device_changes_hands_keeps_its_officer(home: Home, tmp_path: Path) -> None:
    issue(home, start=NOON - HOUR)
    first = home.ingest_one(track(tmp_path / "card", dsj_name("A1")))
    issue(home, "430408", start=NOON + HOUR)
    second = home.ingest_one(track(tmp_path / "card", dsj_name("A1", at=NOON + 2 * HOUR), number=1))
    assert (first["officer"], second["officer"]) == ("430407", "430408")
    assert home.recording(first["id"])["officer"] == "430407"
    home.publish()
    assert home.rebuilt()[1] == home.facts()
    assert verify_all(home.ports).verdict == "proven"


def test_the_ledger_tells_who_held_what_and_what_is_overdue(home: Home, tmp_path: Path) -> None:
    folder, path = home.settings.home, tmp_path / "ledger.csv"
    times = ("--from", "2026-06-19T12:00:00+08:00", "--due", "2026-06-19T18:00:00+08:00")
    assert evidock("device", "issue", "A1", "430407", *times, home=folder).status == 0
    late = evidock("device", "ledger", "--overdue", "-o", path, "--json", home=folder).json["ledger"]
    assert [(one["device"], one["officer"], one["is_overdue"]) for one in late] == [("A1", "430407", True)]
    assert "430407" in path.read_text("utf-8-sig")
    assert evidock("device", "return", "A1", "--note", "scratched", home=folder).status == 0
    assert evidock("device", "ledger", "--overdue", "--json", home=folder).json["ledger"] == []
    assert evidock("device", "return", "A1", home=folder).status == WrongState.exit_status


def test_commands_lose_forbid_and_allow(home: Home) -> None:
    folder = home.settings.home
    assert evidock("device", "forbid", "A1", "--json", home=folder).json["changed"]
    assert evidock("device", "issue", "A1", "430407", home=folder).status == WrongState.exit_status
    assert evidock("device", "allow", "A1", home=folder).status == 0
    assert evidock("device", "lose", "A1", "--why", "left in a taxi", "--json", home=folder).json["changed"]
    assert evidock("device", "assign", "A1", "430407", home=folder).status == WrongState.exit_status
