# SPDX-License-Identifier: Apache-2.0
"""Devices in the register: every field of a device list, in and out by CSV and .xlsx, and nothing written twice."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from io import BytesIO
from pathlib import Path

import pytest
from openpyxl import Workbook

from evidence.agency import Officer, Unit
from evidence.custody import Happening
from evidence.device import Device, Status
from evidence.errors import BadInput, NotFound
from pipeline.device_import import capacity, import_devices
from pipeline.devices_register import device_of, lose_device, register_device, set_allowed
from pipeline.lists_out import devices_table, docks_table, officers_table
from pipeline.people import register_officer
from pipeline.people_import import import_officers
from pipeline.tables import write_table
from pipeline.units import register_unit
from storage.register import search
from tests.support.command import evidock
from tests.support.docking_day import enrolled_dock
from tests.support.home import NOON, Home, open_home

WHOLE = Device(
    "36NCC009910",
    kind="handheld",
    label="No. 12",
    clock_offset_ms=-1500,
    maker="大华",
    model="D3",
    firmware="V2.1",
    national_id="43040700001327000012",
    asset="ZC-2024-0012",
    unit="0101",
    officer="430407",
    bound_at=NOON,
    status=Status.REPAIR,
    category="A",
    capacity_bytes=64_000_000_000,
    purchased_on=date(2024, 5, 1),
    is_allowed=False,
    clock="local",
)


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    with open_home(tmp_path / "home") as home:
        register_unit(Unit("0101", "一中队"), ports=home.ports, now=NOON)
        register_officer(Officer("430407", "张敏", "0101"), ports=home.ports, now=NOON)
        yield home


@pytest.fixture(scope="module")
def untouched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """A home that many tests ask, and none changes."""
    with open_home(tmp_path_factory.mktemp("untouched")) as home:
        yield home


def device(home: Home, serial: str) -> Device:
    with home.ports.register.view() as connection:
        row = search.device(connection, serial)
    assert row is not None
    return device_of(row)


def registered(home: Home, *devices: Device) -> list[bool]:
    return [register_device(one, ports=home.ports, now=NOON) for one in devices]


def imported(home: Home, path: Path) -> dict[str, object]:
    return import_devices(path, ports=home.ports, now=NOON).to_json()


def csv_file(folder: Path, *lines: str) -> Path:
    path = folder / "devices.csv"
    path.write_text("\n".join(lines) + "\n", "utf-8")
    return path


# --- the register ---------------------------------------------------------------------------------


def test_a_device_is_registered_with_every_field_and_a_rebuild_brings_all_of_them_back(home: Home) -> None:
    assert registered(home, WHOLE) == [True]
    assert device(home, WHOLE.serial) == WHOLE
    home.publish()
    assert home.rebuilt()[1] == home.facts()


def test_the_same_device_again_is_no_event(home: Home) -> None:
    assert registered(home, WHOLE, WHOLE) == [True, False]
    assert len(home.events(f"device/{WHOLE.serial}")) == 1


def test_a_new_officer_is_bound_since_now_and_the_old_one_since_they_were(home: Home) -> None:
    registered(home, Device("A1", officer="430407"))
    assert device(home, "A1").bound_at == NOON
    later = datetime(2026, 7, 1, tzinfo=UTC)
    register_device(replace(device(home, "A1"), label="x", bound_at=None), ports=home.ports, now=later)
    assert device(home, "A1").bound_at == NOON
    register_officer(Officer("430408"), ports=home.ports, now=NOON)
    register_device(replace(device(home, "A1"), officer="430408"), ports=home.ports, now=later)
    assert device(home, "A1").bound_at == later
    register_device(replace(device(home, "A1"), officer=""), ports=home.ports, now=later)
    assert device(home, "A1").bound_at is None


def test_a_unit_told_by_its_name_is_kept_by_its_code(home: Home) -> None:
    registered(home, Device("A1", unit="一中队"))
    assert device(home, "A1").unit == "0101"


@pytest.mark.parametrize(
    "wrong",
    [
        {"serial": "no serial"},
        {"serial": "../etc"},
        {"kind": "drone"},
        {"kind": "Bodycam\n"},
        {"status": "broken"},
        {"category": "D"},
        {"clock": "beijing"},
        {"national_id": "123"},
        {"national_id": "4304070000132700001x"},
        {"capacity_bytes": -1},
        {"label": "two\nlines"},
        {"officer": "nobody"},
        {"bound_at": datetime(2026, 1, 1)},  # noqa: DTZ001
    ],
)
def test_what_no_device_could_have_is_refused(untouched: Home, wrong: dict[str, object]) -> None:
    with pytest.raises(BadInput):
        registered(untouched, Device(**{"serial": "A1", **wrong}))  # type: ignore[arg-type]
    with untouched.ports.register.view() as connection:
        assert search.every(connection, "devices") == []


def test_a_kind_of_an_older_register_may_stay(home: Home) -> None:
    with home.ports.register.begin() as facts:
        old = Happening(
            "device-registered", "device/OLD", facts={"kind": "dashcam", "clock_offset_ms": 0}, detail={"label": ""}
        )
        facts.record(old, actor="test", at=NOON)
    assert registered(home, replace(device(home, "OLD"), label="van")) == [True]
    assert device(home, "OLD").kind == "dashcam"


def test_the_white_list_is_changed_once_and_told_of_unknown_devices(home: Home) -> None:
    registered(home, Device("A1"))
    assert [set_allowed("A1", is_allowed=False, ports=home.ports, now=NOON) for _ in range(2)] == [True, False]
    assert not device(home, "A1").is_allowed
    assert set_allowed("A1", is_allowed=True, ports=home.ports, now=NOON)
    with pytest.raises(NotFound):
        set_allowed("A2", is_allowed=True, ports=home.ports, now=NOON)


def test_a_lost_device_is_an_alarm_once_with_its_reason(home: Home) -> None:
    registered(home, Device("A1"))
    assert [lose_device("A1", why="left in a taxi", ports=home.ports, now=NOON) for _ in range(2)] == [True, False]
    assert device(home, "A1").status is Status.LOST
    assert [one["kind"] for one in home.events("device/A1")].count("device-alarm") == 1
    with pytest.raises(BadInput):
        lose_device("A1", why=" ", ports=home.ports, now=NOON)


# --- lists ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("language", ["zh-CN", "en"])
@pytest.mark.parametrize("suffix", [".csv", ".xlsx"])
def test_a_list_that_was_written_is_read_as_it_was(home: Home, tmp_path: Path, language: str, suffix: str) -> None:
    odd = Device("A2", label='=1+1; -x, "q"\'', asset="'+7", unit="elsewhere")
    registered(home, WHOLE, odd, Device("A3", kind="recorder", status=Status.LOST))
    path = tmp_path / f"devices{suffix}"
    with home.ports.register.view() as connection:
        path.write_bytes(write_table(path.name, devices_table(connection, language), title="设备清单"))
    assert imported(home, path) == {"changed": 0, "same": 3, "refused": 0, "faults": []}
    with open_home(tmp_path / "other") as other:
        register_unit(Unit("0101", "一中队"), ports=other.ports, now=NOON)
        register_officer(Officer("430407"), ports=other.ports, now=NOON)
        assert imported(other, path)["changed"] == 3
        assert [device(other, one.serial) for one in (WHOLE, odd)] == [WHOLE, odd]


def test_a_list_is_taken_in_by_chinese_or_english_names_and_the_same_again_changes_nothing(
    home: Home, tmp_path: Path
) -> None:
    path = csv_file(
        tmp_path,
        "设备编号,设备类型,所属单位,责任人,状态,存储容量,购置日期,白名单标志,Category",
        "A1,执法记录仪,一中队,430407,在用,64 GB,2024年5月1日,是,a",
        "A2,手持终端,0101,,遗失,128GiB,,否,",
    )
    assert imported(home, path) == {"changed": 2, "same": 0, "refused": 0, "faults": []}
    assert imported(home, path)["same"] == 2
    assert device(home, "A1") == Device(
        "A1",
        unit="0101",
        officer="430407",
        bound_at=NOON,
        category="A",
        capacity_bytes=64 * 10**9,
        purchased_on=date(2024, 5, 1),
    )
    second = device(home, "A2")
    assert (second.kind, second.status, second.is_allowed, second.capacity_bytes) == (
        "handheld",
        "lost",
        False,
        128 << 30,
    )


def test_a_column_that_is_not_there_says_nothing_and_an_empty_cell_says_nothing_is_known(
    home: Home, tmp_path: Path
) -> None:
    registered(home, WHOLE)
    assert imported(home, csv_file(tmp_path, "serial,label", "36NCC009910,"))["changed"] == 1
    assert device(home, WHOLE.serial) == replace(WHOLE, label="")


def test_each_row_that_cannot_be_taken_is_told_by_line_and_column_and_the_others_are_taken(
    home: Home, tmp_path: Path
) -> None:
    path = csv_file(
        tmp_path,
        "设备编号,设备类型,责任人,存储容量",
        "A1,无人机,,",
        "A2,,nobody,",
        "A3,,,much",
        "no serial,,,",
        "A4,,,",
        "A4,,,",
        "A5,,",
    )
    listed = imported(home, path)
    faults = [(one["line"], one["column"]) for one in listed["faults"]]  # type: ignore[attr-defined]
    assert faults == [(2, "设备类型"), (3, "责任人"), (4, "存储容量"), (5, "设备编号"), (7, "设备编号"), (8, "")]
    assert listed["changed"] == 1


def test_a_workbook_may_hold_days_and_numbers_as_a_spreadsheet_keeps_them(home: Home, tmp_path: Path) -> None:
    book = Workbook()
    page = book.worksheets[0]
    page.append(["设备编号", "购置日期", "绑定时间", "责任人", "时钟偏差(毫秒)"])
    page.append([1234567, date(2024, 5, 1), datetime(2026, 6, 19, 12), 430407, -40])  # noqa: DTZ001
    file = BytesIO()
    book.save(file)
    path = tmp_path / "devices.xlsx"
    path.write_bytes(file.getvalue())
    assert imported(home, path)["faults"] == []
    found = device(home, "1234567")
    assert (found.purchased_on, found.bound_at, found.clock_offset_ms) == (date(2024, 5, 1), NOON, -40)


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        (["label", "x"], "设备编号"),
        (["serial,colour", "A1,red"], "colour"),
        (["serial,设备编号", "A1,A1"], "twice"),
        (["serial"], "no rows"),
    ],
)
def test_a_file_of_another_shape_is_refused_whole(untouched: Home, tmp_path: Path, lines: list[str], told: str) -> None:
    with pytest.raises(BadInput, match=told):
        imported(untouched, csv_file(tmp_path, *lines))


def test_a_workbook_of_two_lists_or_of_no_workbook_is_refused(untouched: Home, tmp_path: Path) -> None:
    book = Workbook()
    for page in (book.worksheets[0], book.create_sheet("more")):
        page.append(["serial"])
        page.append(["A1"])
    file = BytesIO()
    book.save(file)
    path = tmp_path / "devices.xlsx"
    path.write_bytes(file.getvalue())
    with pytest.raises(BadInput, match="2 sheets"):
        imported(untouched, path)
    path.write_bytes(b"PK\3\4 no workbook")
    with pytest.raises(BadInput):
        imported(untouched, path)


def test_officers_leave_and_enter_by_a_workbook_as_they_are(home: Home, tmp_path: Path) -> None:
    officer = Officer("430409", "李强", "0101", "队员", (), "城区", date(2026, 1, 1), date(2026, 12, 31))
    register_officer(officer, ports=home.ports, now=NOON)
    path = tmp_path / "officers.xlsx"
    with home.ports.register.view() as connection:
        table = officers_table(connection, "zh-CN")
    path.write_bytes(write_table(path.name, table, title="执法人员清单"))
    assert table[0][0] == "证件编号"
    assert import_officers(path, ports=home.ports, now=NOON).to_json() == {
        "changed": 0,
        "same": 2,
        "refused": 0,
        "faults": [],
    }


def test_docks_leave_by_a_list(home: Home) -> None:
    dock = enrolled_dock(home, at=NOON)
    with home.ports.register.view() as connection:
        header, row = docks_table(connection, "en")
    assert dict(zip(header, row, strict=True))["dock"] == dock.id
    assert dict(zip(header, row, strict=True))["erases"] == "no"


@pytest.mark.parametrize(
    ("cell", "size"),
    [("", None), ("0", 0), ("64GB", 64 * 10**9), ("64 gib", 64 << 30), ("1.5T", 15 * 10**11), ("512", 512)],
)
def test_a_capacity_is_a_number_with_a_unit_or_bytes(cell: str, size: int | None) -> None:
    assert capacity(cell) == size


@pytest.mark.parametrize("cell", ["much", "-1", "64 XB", "1e9", "6 4", "64GB!"])
def test_what_is_no_capacity_is_refused(cell: str) -> None:
    with pytest.raises(BadInput):
        capacity(cell)


# --- commands -------------------------------------------------------------------------------------


def test_commands_register_show_and_list_devices_in_words_of_both_languages(home: Home, tmp_path: Path) -> None:
    folder = home.settings.home
    assert evidock("device", "add", "A1", "--status", "repair", "--capacity", "64GB", home=folder).status == 0
    assert evidock("device", "add", "A1", "--label", "No. 1", home=folder).status == 0
    shown = evidock("device", "show", "A1", "--json", home=folder).json
    assert (shown["status"], shown["capacity_bytes"], shown["label"]) == ("repair", 64 * 10**9, "No. 1")
    assert "维修" in evidock("device", "list", home=folder, EVIDOCK_LANG="zh-CN").out
    assert "in repair" in evidock("device", "show", "A1", home=folder, EVIDOCK_LANG="en").out
    path = tmp_path / "out.xlsx"
    assert evidock("device", "export", "-o", path, "--json", home=folder).json["rows"] == 1
    assert evidock("device", "import", path, "--json", home=folder).json["same"] == 1
    assert evidock("device", "export", "-o", tmp_path / "out.pdf", home=folder).status == 3


def test_a_ratio_is_told_and_written(home: Home, tmp_path: Path) -> None:
    registered(home, Device("A1", unit="0101", category="A"), Device("A2", unit="0101", status=Status.LOST))
    register_officer(Officer("430410", unit="0101", valid_to=date(2026, 6, 18)), ports=home.ports, now=NOON)
    path, folder = tmp_path / "ratio.csv", home.settings.home
    told = evidock("device", "ratio", "--on", "2026-06-19", "-o", path, "--json", home=folder).json
    assert [(one["category"], one["devices"], one["officers"], one["permille"]) for one in told["ratios"]] == [
        ("", 1, 1, 1000),
        ("A", 1, 1, 1000),
    ]
    assert evidock("device", "ratio", "--on", "2026-06-18", "--json", home=folder).json["ratios"][0]["officers"] == 2
    assert path.read_bytes().startswith(b"\xef\xbb\xbf")
    assert evidock("device", "ratio", "--unit", "99", home=folder).status == 3
