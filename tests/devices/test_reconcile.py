# SPDX-License-Identifier: Apache-2.0
"""A day's device lists, the register and the store, held against one another; and what is overdue."""

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import pytest

from evidence.agency import Officer
from evidence.device import Device, Status
from evidence.errors import WrongState
from pipeline.audit import verify_all
from pipeline.devices_register import register_device
from pipeline.ledger import assign_device
from pipeline.people import register_officer
from pipeline.reconcile_devices import Reconciled, reconcile_day, record_day
from pipeline.reconcile_terms import Code
from storage import layout
from storage.register import device_rows, search
from tests.support.command import evidock
from tests.support.docking_day import Dock, at_rest, enrolled_dock, gpx
from tests.support.home import NOON, Home, open_home

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
TODAY, NIGHT = date(2026, 6, 19), NOON + 13 * HOUR
FILES = [gpx(1), gpx(2), gpx(3)]


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    with open_home(tmp_path / "home") as home:
        register_device(Device("A1"), ports=home.ports, now=NOON - HOUR)
        yield home


@pytest.fixture
def dock(home: Home) -> Dock:
    return enrolled_dock(home, at=NOON - HOUR)


def docked(dock: Dock, number: int = 1, *, received: int = 3) -> list[str]:
    """A docking of three files, of which some came; the recordings."""
    docking = dock.plug_in(number, FILES, device="A1", at=NOON)
    made = dock.hand_in(*FILES[:received], device="A1", at=NOON)
    dock.end(docking, at=NOON + HOUR, received=received)
    return made


def compared(home: Home, *, day: date = TODAY, is_deep: bool = False) -> Reconciled:
    return reconcile_day(day, ports=home.ports, now=NIGHT, is_deep=is_deep)


def codes(done: Reconciled) -> dict[str, int]:
    return {code.value: number for code, number in done.numbers.items()}


def subjects(done: Reconciled, code: Code) -> list[str]:
    return [one.subject for one in done.found if one.code is code]


def original(home: Home, recording: str) -> Path:
    with home.ports.register.view() as connection:
        row = search.original(connection, recording)
    return at_rest(home, layout.original_key(row["sha256"]))


# --- three ways ---------------------------------------------------------------------------------------


def test_a_day_on_which_nothing_was_lost_agrees_three_ways(home: Home, dock: Dock) -> None:
    docked(dock)
    done = compared(home, is_deep=True)
    assert codes(done) == {}
    assert done.counts == {"dockings": 1, "refused": 0, "listed": 3, "received": 3, "arrived": 3, "at_rest": 3}


def test_a_file_that_a_device_listed_and_that_did_not_come_is_named(home: Home, dock: Dock) -> None:
    docked(dock, received=2)
    done = compared(home)
    assert subjects(done, Code.LISTED_NOT_RECEIVED) == ["DCIM/FILE0003.gpx"]
    assert (done.counts["listed"], done.counts["received"]) == (3, 2)


def test_a_file_that_came_and_does_not_rest_yet_is_named(home: Home, dock: Dock) -> None:
    dock.end(dock.plug_in(1, FILES[:1], device="A1", at=NOON), at=NOON + HOUR)
    made = dock.hand_in(FILES[0], device="A1", at=NOON, runs=False)
    assert subjects(compared(home), Code.NOT_SEALED) == made


def test_a_file_that_came_and_is_on_no_list_is_named(home: Home, dock: Dock) -> None:
    docked(dock)
    stray = dock.hand_in(gpx(4), device="A1", at=NOON + HOUR)
    assert subjects(compared(home), Code.RECEIVED_NOT_LISTED) == stray


def test_a_file_that_comes_days_after_it_was_listed_is_on_that_list(home: Home, dock: Dock) -> None:
    dock.end(dock.plug_in(1, FILES, device="A1", at=NOON - 3 * DAY), at=NOON - 3 * DAY + HOUR)
    dock.hand_in(*FILES, device="A1", at=NOON)
    assert Code.RECEIVED_NOT_LISTED not in compared(home).numbers


def test_a_list_that_never_came_and_one_that_was_altered_are_named(home: Home, dock: Dock) -> None:
    missing = dock.plug_in(1, FILES, device="A1", at=NOON, keeps=False)
    altered = dock.plug_in(2, FILES[:1], device="A1", at=NOON + HOUR)
    with home.ports.register.view() as connection:
        row = next(one for one in search.every(connection, "dockings") if one["id"] == altered)
    path = at_rest(home, layout.manifest_key(row["manifest_sha256"]))
    path.chmod(0o600)
    path.write_bytes(path.read_bytes().replace(b"FILE0001", b"FILE0009"))
    done = compared(home)
    assert subjects(done, Code.MANIFEST_MISSING) == [missing]
    assert subjects(done, Code.MANIFEST_ALTERED) == [altered]


def test_an_original_that_is_gone_and_one_of_another_size_are_named(home: Home, dock: Dock) -> None:
    gone, grown, _ = docked(dock)
    original(home, gone).unlink()
    original(home, grown).chmod(0o600)
    original(home, grown).write_bytes(b"more" * 999)
    done = compared(home)
    assert subjects(done, Code.AT_REST_MISSING) == [gone]
    assert subjects(done, Code.SIZE_DIFFERS) == [grown]


def test_other_bytes_of_the_same_size_are_seen_by_a_deep_comparison_alone(home: Home, dock: Dock) -> None:
    altered, *_ = docked(dock)
    path = original(home, altered)
    path.chmod(0o600)
    path.write_bytes(path.read_bytes().replace(b"28.2", b"29.2"))
    assert codes(compared(home)) == {}
    assert subjects(compared(home, is_deep=True), Code.DIGEST_DIFFERS) == [altered]


def test_a_refused_device_is_named_and_nothing_of_its_list_is_missed(home: Home, dock: Dock) -> None:
    docking = dock.plug_in(1, FILES, device="STRANGER", at=NOON)
    done = compared(home)
    assert subjects(done, Code.REFUSED) == [docking]
    assert codes(done) == {"refused": 1}
    assert done.counts["refused"] == 1


def test_a_day_is_the_agencys_and_its_first_instant_is_in_it(home: Home, dock: Dock) -> None:
    dock.plug_in(1, [], device="A1", at=NOON - 12 * HOUR)
    dock.plug_in(2, [], device="A1", at=NOON + 12 * HOUR)
    assert compared(home).counts["dockings"] == 1
    assert compared(home, day=TODAY + DAY).counts["dockings"] == 1
    assert compared(home, day=TODAY - DAY).counts["dockings"] == 0


# --- what is missing, late or silent ------------------------------------------------------------------


def test_numbers_missing_between_what_came_today_and_before_are_named_once(home: Home, dock: Dock) -> None:
    dock.hand_in(gpx(1), gpx(2), device="A1", at=NOON - DAY)
    dock.hand_in(gpx(5), device="A1", at=NOON)
    (gap,) = [one for one in compared(home).found if one.code is Code.SEQUENCE_GAP]
    assert (gap.device, gap.facts["first"], gap.facts["last"], gap.facts["count"]) == ("A1", 3, 4, 2)
    dock.hand_in(gpx(6), device="A1", at=NOON + DAY)
    tomorrow = reconcile_day(TODAY + DAY, ports=home.ports, now=NOON + 2 * DAY)
    assert (tomorrow.counts["arrived"], Code.SEQUENCE_GAP in tomorrow.numbers) == (1, False)
    assert Code.SEQUENCE_GAP not in compared(home, day=TODAY - DAY).numbers


def test_footage_that_came_after_its_time_is_named(home: Home, dock: Dock) -> None:
    made = dock.hand_in(gpx(1), device="A1", at=NOON + 2 * DAY)
    late = compared(home, day=date(2026, 6, 21))
    assert subjects(late, Code.HANDED_IN_LATE) == made


def test_a_docking_that_was_cut_off_and_did_not_go_on_is_named_until_it_does(home: Home, dock: Dock) -> None:
    cut = dock.plug_in(1, [], device="A1", at=NOON - 2 * DAY)
    dock.end(cut, at=NOON - 2 * DAY + HOUR, outcome="interrupted")
    silent = dock.plug_in(2, [], device=None, at=NOON - 2 * DAY)
    assert subjects(compared(home), Code.NOT_RESUMED) == [cut]
    assert silent not in subjects(compared(home), Code.NOT_RESUMED)  # it was refused: it has no serial
    dock.end(dock.plug_in(3, [], device="A1", at=NOON), at=NOON + HOUR)
    assert Code.NOT_RESUMED not in compared(home).numbers


def test_a_device_in_use_and_a_dock_that_are_silent_for_long_are_named(home: Home, dock: Dock) -> None:
    register_device(Device("OLD", status=Status.REPAIR), ports=home.ports, now=NOON - HOUR)
    assert codes(compared(home)) == {}
    later = reconcile_day(TODAY + 9 * DAY, ports=home.ports, now=NOON + 11 * DAY)
    assert subjects(later, Code.DEVICE_UNSEEN) == ["A1"]
    assert subjects(later, Code.DOCK_UNSEEN) == [dock.id]


def test_a_device_that_should_be_back_is_named(home: Home) -> None:
    register_officer(Officer("430407"), ports=home.ports, now=NOON)
    assign_device("A1", "430407", start=NOON, due=NOON + HOUR, ports=home.ports, now=NOON)
    assert subjects(compared(home), Code.RETURN_OVERDUE) == ["A1"]
    early = reconcile_day(TODAY, ports=home.ports, now=NOON + HOUR / 2)
    assert Code.RETURN_OVERDUE not in early.numbers


# --- on record ------------------------------------------------------------------------------------------


def test_a_day_is_taken_down_whole_and_again_when_it_was_compared_again_on_either_engine(
    tmp_path: Path, register_settings: dict[str, str]
) -> None:
    with open_home(tmp_path / "home", **register_settings) as home:
        register_device(Device("A1", is_allowed=False), ports=home.ports, now=NOON - DAY)
        register_device(Device("A1"), ports=home.ports, now=NOON - HOUR)
        docked(enrolled_dock(home, at=NOON - HOUR), received=2)
        _check_taken_down(home)


def _check_taken_down(home: Home) -> None:
    for _ in range(2):
        done = compared(home)
        record_day(done, ports=home.ports, now=NIGHT)
    with home.ports.register.view() as connection:
        row = device_rows.reconciliation(connection, "2026-06-19")
    assert row is not None
    assert row["digest"] == done.digest
    home.publish()
    assert home.rebuilt()[1] == home.facts()
    assert verify_all(home.ports).verdict == "proven"


def test_a_day_that_is_not_over_is_not_taken_down(home: Home) -> None:
    done = reconcile_day(TODAY, ports=home.ports, now=NOON)
    with pytest.raises(WrongState, match="not over"):
        record_day(done, ports=home.ports, now=NOON)


def test_the_report_is_told_printed_and_written(home: Home, dock: Dock, tmp_path: Path) -> None:
    docked(dock, received=2)
    folder, path = home.settings.home, tmp_path / "day.xlsx"
    asked = ("dock", "report", "--day", "2026-06-19")
    told = evidock(*asked, "--record", "-o", path, "--json", home=folder).json
    assert told["numbers"]["listed-not-received"] == 1
    assert (told["is_recorded"], path.read_bytes()[:2]) == (True, b"PK")
    assert "设备上有，未收到" in evidock(*asked, home=folder, EVIDOCK_LANG="zh-CN").out
    assert evidock("dock", "report", "--day", "2999-01-01", "--record", home=folder).status == WrongState.exit_status
    assert evidock("dock", "export", "-o", tmp_path / "docks.csv", "--json", home=folder).json["rows"] == 1
