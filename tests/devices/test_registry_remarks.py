# SPDX-License-Identifier: Apache-2.0
"""What is remarked of a recording: a certificate not valid that day, an unknown officer, a device that was lost."""

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import pytest

from evidence.agency import Officer
from evidence.device import Device, Status
from pipeline.audit import verify_all
from pipeline.devices_register import lose_device, register_device
from pipeline.notice_certificate import who_and_what
from pipeline.people import register_officer
from storage.register import dock_rows, search
from tests.support.command import evidock
from tests.support.home import NOON, Home, dsj_name, open_home, track

DAY = timedelta(days=1)


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    with open_home(tmp_path / "home") as home:
        register_device(Device("A1"), ports=home.ports, now=NOON - 9 * DAY)
        yield home


def officer(home: Home, number: str = "430407", *, first: date | None = None, last: date | None = None) -> None:
    register_officer(Officer(number, valid_from=first, valid_to=last), ports=home.ports, now=NOON)


def remarks(home: Home, path: Path) -> tuple[str, dict[str, str]]:
    recording = home.ingest_one(path)["id"]
    with home.ports.register.view() as connection:
        return recording, {row["code"]: row["text"] for row in dock_rows.remarks_of(connection, recording)}


def filmed(home: Home, folder: Path, *, days: float = 0, number: str = "430407") -> tuple[str, dict[str, str]]:
    path = track(folder / "card", dsj_name("A1", at=NOON + days * DAY, officer=number), number=int(days * 24) + 500)
    return remarks(home, path)


def test_footage_of_a_day_on_which_the_certificate_was_not_valid_is_remarked_and_found_all_the_same(
    home: Home, tmp_path: Path
) -> None:
    officer(home, first=date(2026, 6, 1), last=date(2026, 6, 18))
    recording, found = filmed(home, tmp_path)
    assert set(found) == {"certificate-invalid"}
    assert "2026-06-19" in found["certificate-invalid"]
    assert home.recording(recording)["state"] == "indexed"
    shown = evidock("show", recording, "--json", home=home.settings.home).json
    assert [one["code"] for one in shown["remarks"]] == ["certificate-invalid"]
    assert shown["attachments"] == []
    told = evidock("show", recording, home=home.settings.home, EVIDOCK_LANG="en").out
    assert "certificate not valid that day" in told


def test_the_first_and_the_last_day_are_the_agencys_days_and_both_count(home: Home, tmp_path: Path) -> None:
    officer(home, first=date(2026, 6, 19), last=date(2026, 6, 19))
    # Noon is 12:00 in China: the day there runs from 12 hours before to 12 hours after.
    assert filmed(home, tmp_path, days=-0.5)[1] == {}
    assert filmed(home, tmp_path, days=11 / 24)[1] == {}
    assert set(filmed(home, tmp_path, days=-13 / 24)[1]) == {"certificate-invalid"}
    assert set(filmed(home, tmp_path, days=0.5)[1]) == {"certificate-invalid"}


def test_a_certificate_without_days_is_not_doubted(home: Home, tmp_path: Path) -> None:
    officer(home)
    assert filmed(home, tmp_path)[1] == {}


def test_a_number_that_no_officer_has_is_remarked_where_officers_are_registered(home: Home, tmp_path: Path) -> None:
    assert filmed(home, tmp_path)[1] == {}
    officer(home, "430499")
    assert set(filmed(home, tmp_path, days=0.1)[1]) == {"officer-unknown"}


@pytest.mark.parametrize("status", [Status.STOPPED, Status.SCRAPPED])
def test_footage_of_a_device_that_was_out_of_use_is_remarked(home: Home, tmp_path: Path, status: Status) -> None:
    register_device(Device("A1", status=status), ports=home.ports, now=NOON - DAY)
    assert set(filmed(home, tmp_path)[1]) == {f"device-{status}"}


def test_what_a_device_filmed_before_it_was_lost_and_after_it_was_found_is_not_remarked(
    home: Home, tmp_path: Path
) -> None:
    lose_device("A1", why="left in a taxi", ports=home.ports, now=NOON - 3 * DAY)
    register_device(Device("A1"), ports=home.ports, now=NOON - DAY)
    assert filmed(home, tmp_path, days=-4)[1] == {}
    assert set(filmed(home, tmp_path, days=-2)[1]) == {"device-lost"}
    assert filmed(home, tmp_path)[1] == {}


def test_a_remark_is_said_once_and_proven_with_the_rest(home: Home, tmp_path: Path) -> None:
    officer(home, last=date(2026, 6, 18))
    recording, _ = filmed(home, tmp_path)
    home.publish()
    with home.ports.register.view() as connection:
        row = search.recording(connection, recording)
        assert list(who_and_what(connection, row, home.ports.zone)) == []
    assert home.times(recording, "remarked") == 1
    assert home.rebuilt()[1] == home.facts()
    assert verify_all(home.ports).verdict == "proven"
