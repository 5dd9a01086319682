# SPDX-License-Identifier: Apache-2.0
"""What an audit finds of device lists and attachments at rest, and of rows about docks and devices."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from evidence.agency import Officer
from evidence.device import Device
from pipeline.attach import Attachment, attach
from pipeline.audit import verify_all, verify_recording
from pipeline.devices_register import register_device
from pipeline.docks import switch_erasing
from pipeline.ledger import assign_device
from pipeline.people import register_officer
from storage import layout
from storage.register import search
from tests.support.device_events import everything_of_devices
from tests.support.docking_day import Dock, at_rest, enrolled_dock, gpx
from tests.support.home import NOON, Home, open_home

HOUR = timedelta(hours=1)
READINGS = "register/clock_readings"
FILES = [gpx(1), gpx(2), gpx(3)]


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    with open_home(tmp_path / "home") as home:
        register_device(Device("A1"), ports=home.ports, now=NOON - HOUR)
        yield home


@pytest.fixture
def dock(home: Home) -> Dock:
    return enrolled_dock(home, at=NOON - HOUR)


@pytest.fixture(scope="module")
def signed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """A home with a row of each table, that each test leaves as it was."""
    with open_home(tmp_path_factory.mktemp("signed")) as home:
        register_device(Device("A1"), ports=home.ports, now=NOON - HOUR)
        register_officer(Officer("430407"), ports=home.ports, now=NOON)
        assign_device("A1", "430407", start=NOON, ports=home.ports, now=NOON)
        dock = enrolled_dock(home, at=NOON - HOUR)
        dock.end(dock.plug_in(1, FILES, device="A1", at=NOON, offset_ms=400), at=NOON + HOUR)
        home.publish()
        assert verify_all(home.ports).verdict == "proven"
        yield home


def found(home: Home) -> list[tuple[str, str]]:
    return [(one.object, one.what) for one in verify_all(home.ports).findings]


@contextmanager
def changing(home: Home) -> Iterator[sqlite3.Connection]:
    """The register as one who may write its rows, and no more, has it."""
    with closing(sqlite3.connect(home.settings.home / "register.db")) as database, database:
        yield database


def list_key(home: Home) -> str:
    with home.ports.register.view() as connection:
        (row,) = search.every(connection, "dockings")
    return layout.manifest_key(row["manifest_sha256"])


def docked(dock: Dock) -> list[str]:
    """A docking of three files, all of which came; the recordings."""
    docking = dock.plug_in(1, FILES, device="A1", at=NOON)
    made = dock.hand_in(*FILES, device="A1", at=NOON)
    dock.end(docking, at=NOON + HOUR, received=3)
    dock.home.publish()
    return made


def write(path: Path, data: bytes) -> None:
    path.chmod(0o600)
    path.write_bytes(data)


def test_an_audit_reads_device_lists_and_finds_one_that_was_altered(home: Home, dock: Dock) -> None:
    docked(dock)
    assert verify_all(home.ports).verdict == "proven"
    path = at_rest(home, list_key(home))
    write(path, path.read_bytes().replace(b"FILE0003", b"FILE0009"))
    assert found(home) == [(list_key(home), "altered")]


def test_an_audit_misses_the_list_of_a_docking_that_finished_and_only_notes_that_of_one_that_did_not(
    home: Home, dock: Dock
) -> None:
    docking = dock.plug_in(1, FILES, device="A1", at=NOON, keeps=False)
    home.publish()
    report = verify_all(home.ports)
    assert report.verdict == "proven"
    assert any("1 device lists have not come" in note for note in report.notes)
    dock.end(docking, at=NOON + HOUR)
    assert found(home) == [(list_key(home), "missing")]


def test_an_audit_calls_a_list_that_no_docking_named_untracked(home: Home) -> None:
    key = layout.manifest_key("ab" * 32)
    home.ports.store.put_bytes_once(key, b"whatever")
    assert found(home) == [(key, "untracked")]


# --- attachments --------------------------------------------------------------------------------------


@pytest.fixture
def attached(home: Home, dock: Dock) -> tuple[str, str]:
    """A recording, and the key of what came along with it."""
    recording, *_ = docked(dock)
    attachment = Attachment("bookmarks", "marks.json", b"[1, 2]")
    attach(recording, attachment, ports=home.ports, now=NOON)
    home.publish()
    return recording, layout.attachment_key(attachment.sha256)


def test_an_audit_reads_what_came_along_with_a_recording(home: Home, attached: tuple[str, str]) -> None:
    assert verify_all(home.ports).verdict == "proven"
    assert verify_recording(home.ports, attached[0]).verdict == "proven"


def test_an_attachment_with_other_bytes_is_found(home: Home, attached: tuple[str, str]) -> None:
    recording, key = attached
    write(at_rest(home, key), b"[1, 3]")
    assert found(home) == [(key, "altered")]
    assert [one.object for one in verify_recording(home.ports, recording).findings] == [key]


def test_an_attachment_that_is_gone_is_missing(home: Home, attached: tuple[str, str]) -> None:
    at_rest(home, attached[1]).unlink()
    assert found(home) == [(attached[1], "missing")]


def test_an_attachment_that_no_record_names_is_untracked(home: Home, attached: tuple[str, str]) -> None:
    key = layout.attachment_key("cd" * 32)
    home.ports.store.put_bytes_once(key, b"whatever")
    assert found(home) == [(key, "untracked")]


# --- rows -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("table", "column", "value"),
    [
        ("docks", "erases", 1),
        ("docks", "key", "00" * 32),
        ("docks", "state", "revoked"),
        ("docks", "kind", "terminal"),
        ("dockings", "refusal", "device-refused"),
        ("dockings", "erasing_at", "2026-06-19T04:00:00.000000Z"),
        ("dockings", "outcome", "interrupted"),
        ("dockings", "device", "A2"),
        ("clock_readings", "offset_ms", 3_600_000),
        ("clock_readings", "uncertainty_ms", 1),
        ("clock_readings", "after_ms", 99),
        ("clock_readings", "docking", "dkg-aaaaaaaaaaaaaaaa"),
        ("devices", "status", "lost"),
        ("devices", "clock_offset_ms", 1),
        ("assignments", "end_at", "2026-06-19T05:00:00.000000Z"),
    ],
)
def test_a_row_that_says_otherwise_than_was_signed_is_found(
    signed: Home, table: str, column: str, value: str | int
) -> None:
    with changing(signed) as database:
        (before,) = database.execute(f"SELECT {column} FROM {table}").fetchone()  # noqa: S608
        database.execute(f"UPDATE {table} SET {column} = ?", (value,))  # noqa: S608
    try:
        assert found(signed) == [(f"register/{table}", "altered")]
    finally:
        with changing(signed) as database:
            database.execute(f"UPDATE {table} SET {column} = ?", (before,))  # noqa: S608


def test_a_reading_of_a_clock_that_was_taken_out_or_slipped_in_is_found(signed: Home) -> None:
    with changing(signed) as database:
        row = database.execute("SELECT * FROM clock_readings").fetchone()
        database.execute("UPDATE clock_readings SET at = '2026-06-18T04:00:00.000000Z'")
    try:
        assert sorted(found(signed)) == [(READINGS, "missing"), (READINGS, "unrecorded")]
    finally:
        with changing(signed) as database:
            database.execute("UPDATE clock_readings SET at = ? WHERE device = ?", (row[1], row[0]))


def test_a_reading_of_a_device_that_was_not_registered_is_held_against_its_docking(home: Home, dock: Dock) -> None:
    dock.plug_in(2, FILES, device="STRANGER", at=NOON, offset_ms=500)
    home.publish()
    assert verify_all(home.ports).verdict == "proven"
    with changing(home) as database:
        database.execute("UPDATE clock_readings SET offset_ms = 7")
    assert found(home) == [("register/clock_readings", "altered")]


def test_a_dock_that_no_record_made_is_found(signed: Home) -> None:
    columns, row = "id, kind, name, state, invited_at, erases", ("dck-x", "dock", "x", "enrolled", "", 1)
    with changing(signed) as database:
        database.execute(f"INSERT INTO docks ({columns}) VALUES (?, ?, ?, ?, ?, ?)", row)  # noqa: S608
    try:
        assert found(signed) == [("register/docks", "unrecorded")]
    finally:
        with changing(signed) as database:
            database.execute("DELETE FROM docks WHERE id = 'dck-x'")


def test_rows_of_every_kind_of_event_are_those_that_were_signed(home: Home, dock: Dock) -> None:
    video, photo, *_ = docked(dock)
    switch_erasing(dock.id, erases=True, why="agency order 3", ports=home.ports, now=NOON)
    with home.ports.register.begin() as facts:
        everything_of_devices(facts, device="A1", video=video, photo=photo)
    home.publish()
    objects = {(layout.manifest_key("2" * 64), "missing"), (layout.attachment_key("3" * 64), "missing")}
    assert set(found(home)) == objects
