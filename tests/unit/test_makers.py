# SPDX-License-Identifier: Apache-2.0
"""This is where makers' forms are tested: by the examples in each file, and by names that fit none."""

from datetime import datetime
from pathlib import Path, PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.makers import sidecar
from devices.makers.registry import PROFILES, read_claims
from devices.simulator.layouts import LAYOUTS, Kind, Mark, Naming, layout, root_files
from evidence.claims import Claims, Source
from evidence.offer import from_raw

DSJ = "DCIM/SOS/2026-06-19/DSJ_36NCC009910_000000_20260619_100324_SOS_enc.mp4"
NOON_NS = 1_781_834_604 * 10**9  # 2026-06-19T02:03:24Z

EXAMPLES = [
    pytest.param(profile.name, path, said, id=f"{profile.name}:{PurePosixPath(path).name}")
    for profile in PROFILES
    for path, said in profile.examples.items()
]


@pytest.mark.parametrize(("maker", "path", "said"), EXAMPLES)
def test_every_example_of_a_maker_is_read_as_its_file_says(maker: str, path: str, said: dict[str, str]) -> None:
    claims = read_claims(path, mtime_ns=NOON_NS)
    assert claims.value("maker") == maker
    assert {field: claims.value(field) for field in said} == said
    nothing_said = {"device", "officer", "mark", "important", "encrypted", "sequence", "part"} - set(said)
    assert {field: claims.value(field) for field in nothing_said} == dict.fromkeys(nothing_said)


@pytest.mark.parametrize(("maker", "path", "said"), EXAMPLES)
def test_no_example_is_taken_by_the_form_of_a_maker_before_it(maker: str, path: str, said: dict[str, str]) -> None:
    assert said
    fitting = [profile.name for profile in PROFILES if profile.read(path) is not None]
    assert fitting[0] == maker


def test_zeros_for_an_officer_name_no_officer_and_are_kept() -> None:
    claims = read_claims(DSJ, mtime_ns=NOON_NS)
    assert claims.best("officer") is None
    assert claims.value("officer_unbound") == "000000"


def test_a_name_and_its_folders_that_agree_are_no_conflict() -> None:
    assert read_claims(DSJ, mtime_ns=NOON_NS).conflicts() == {}


def test_a_file_in_the_folder_of_another_day_is_a_conflict() -> None:
    moved = DSJ.replace("2026-06-19/", "2026-06-18/")
    assert set(read_claims(moved, mtime_ns=NOON_NS).conflicts()) == {"start_date"}


def test_a_picture_in_the_video_folder_is_a_conflict_and_the_name_is_believed() -> None:
    claims = read_claims("DCIM/video/2026-06-19/DSJ_A1_000001_20260619_100324.jpg", mtime_ns=NOON_NS)
    assert claims.value("kind") == "photo"
    assert set(claims.conflicts()) == {"kind"}


def test_a_station_folder_of_another_user_is_a_conflict() -> None:
    claims = read_claims("disk1/2018-05-07/wang_AB12/li@2018-04-27_16-38-16.mp4", mtime_ns=NOON_NS)
    assert claims.value("officer") == "li"
    assert {"officer", "start"} == set(claims.conflicts())


def test_a_time_that_does_not_exist_is_noted_and_the_file_time_remains() -> None:
    claims = read_claims("DSJ_A1_000001_20261340_100324.mp4", mtime_ns=NOON_NS)
    assert claims.value("device") == "A1"
    assert claims.value("note") == "no such time: 20261340100324"
    start = claims.best("start")
    assert start is not None
    assert (start.value, start.source) == ("2026-06-19T02:03:24.000000Z", Source.MTIME)


@pytest.mark.parametrize("mtime_ns", [-1, -(2**63), 2**70, 10**30])
def test_a_file_time_that_is_no_time_is_no_claim(mtime_ns: int) -> None:
    assert read_claims("DSC00001.JPG", mtime_ns=mtime_ns).best("start") is None


def test_the_digits_of_other_scripts_are_no_time() -> None:
    assert read_claims("VID_٢٠٢٦٠٦١٩_١٠٠٣٢٤.mp4", mtime_ns=-1).best("start") is None
    assert read_claims("DSJ_A1_００００００_20260619_100324.mp4", mtime_ns=-1).value("maker") == "generic"


def test_a_letter_of_another_script_that_folds_to_an_ascii_one_is_not_the_maker_s() -> None:
    assert read_claims("DſJ_A1_000001_20260619_100324.mp4", mtime_ns=0).value("maker") == "generic"


def test_a_longer_run_of_digits_is_no_time() -> None:
    assert read_claims("hall_20260619_100324123.mp4", mtime_ns=-1).best("start") is None


HOSTILE = [
    "x" * 300 + ".mp4",
    "../../etc/passwd",
    "DCIM/../DSJ_A1_000001_20260619_100324.mp4/..",
    "DSJ_A1_000001_20260619_100324.mp4\n",
    "a\nDSJ_A1_000001_20260619_100324.mp4",
    "DSJ_A1\n_000001_20260619_100324.mp4",
    "\u202e4pm.exe@2018-04-27_16-38-16.mp4",
    from_raw(b"\xff\xfe@2018-04-27_16-38-16.mp4"),
    from_raw("执法员".encode("gb18030") + b"_AB12/x@2018-04-27_16-38-16.mp4"),
    "DSJ_" + "A" * 33 + "_000001_20260619_100324.mp4",
    "_" * 5000,
    "2026-" * 5000,
    "@@@@_____.mp4",
    "",
    ".",
    "/",
]


@pytest.mark.parametrize("path", HOSTILE, ids=range(len(HOSTILE)))
def test_a_hostile_name_is_read_without_an_error(path: str) -> None:
    claims = read_claims(path, mtime_ns=0)
    assert claims.value("device") in (None, "AB12")
    claims.to_json()


@pytest.mark.parametrize("ending", ["nmea", "NMEA", "gps", "gpx", "log", "thm", "txt"])
def test_what_lies_beside_footage_is_not_said_to_be_footage_by_its_folder(ending: str) -> None:
    claims = read_claims(f"DCIM/video/2026-06-19/DSJ_A1_000001_20260619_100324.{ending}", mtime_ns=NOON_NS)
    assert claims.conflicts() == {}
    assert claims.value("kind") not in ("video", None)
    assert claims.value("start_date") == "2026-06-19"


def test_a_name_with_a_line_feed_at_its_end_is_not_the_maker_s() -> None:
    assert read_claims("DSJ_A1_000001_20260619_100324.mp4\n", mtime_ns=0).best("device") is None


@given(st.binary(max_size=300), st.integers())
def test_any_bytes_as_a_name_are_read_without_an_error(name: bytes, mtime_ns: int) -> None:
    claims = read_claims(from_raw(name), mtime_ns=mtime_ns)
    assert claims.value("maker") in {profile.name for profile in PROFILES}
    assert Claims.from_json(claims.to_json()) == claims


@given(st.dictionaries(st.sampled_from(sidecar.PLACES), st.binary(max_size=300), max_size=3))
def test_any_bytes_as_settings_are_read_without_an_error(side: dict[str, bytes]) -> None:
    claims = read_claims(DSJ, mtime_ns=NOON_NS, side=side)
    assert set(read_claims(DSJ, mtime_ns=NOON_NS)) <= set(claims), "settings take away nothing that the name says"
    assert Claims.from_json(claims.to_json()) == claims


SETTINGS = [
    ("bind.ini", "[Bind]\r\n记录仪编号=36NCC009910\r\n用户编号=430417\r\nSM3=ab\r\n".encode("gb18030")),
    ("bind.ini", "\ufeff记录仪编号 = 36NCC009910\n执法证件编号 = 430417\n".encode()),
    ("DCIM/configs.cson", b'account.user_id="36NCC009910"\npolice.user_id="430417"\npassword="secret"\n'),
    ("configs.cson", b"# mine\naccount:\n  user_id: '36NCC009910'\npolice:\n  user_id: '430417'\n"),
    ("LocalSettings.json", b'{"ID": "36NCC009910", "BadgeId": 430417, "x": {"id": "other"}}'),
]


@pytest.mark.parametrize(("place", "content"), SETTINGS, ids=range(len(SETTINGS)))
def test_settings_of_the_recorder_name_it_and_outweigh_the_file_name(place: str, content: bytes) -> None:
    claims = read_claims(DSJ.replace("_36NCC009910_", "_OTHER_"), mtime_ns=NOON_NS, side={place: content})
    device, officer = claims.best("device"), claims.best("officer")
    assert device is not None
    assert officer is not None
    assert (device.value, device.source) == ("36NCC009910", Source.SIDECAR)
    assert (officer.value, officer.source) == ("430417", Source.SIDECAR)
    assert set(claims.conflicts()) == {"device"}
    assert len([claim for claim in claims.of("device") if claim.source is Source.SIDECAR]) == 1
    assert "secret" not in str(claims)


def test_a_bare_id_file_names_the_device() -> None:
    assert read_claims("FILE0001.MP4", mtime_ns=0, side={"ID.txt": b"AB12\r\n"}).value("device") == "AB12"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xff\xff",
        b"{" * 60_000,
        b'{"a":' * 10_000,
        b'{"id": ' + b"9" * 5000 + b"}",
        b"id = ../../etc\n",
        b"id = \xe2\x80\xae1234\n",
        b"=\n:\n[\n]\n[]\n",
        b"id = " + b"A" * 65 + b"\n",
    ],
    ids=range(9),
)
def test_settings_that_cannot_be_read_say_nothing(content: bytes) -> None:
    for place in ("bind.ini", "LocalSettings.json", "ID.txt"):
        assert read_claims("FILE0001.MP4", mtime_ns=0, side={place: content}).best("device") is None


@pytest.mark.parametrize("name", sorted(LAYOUTS))
@pytest.mark.parametrize(("kind", "ending"), [("video", "mp4"), ("image", "jpg"), ("audio", "m4a")])
@pytest.mark.parametrize("mark", ["", "SOS", "IMP"])
def test_what_the_simulator_writes_on_a_card_is_read_back(name: str, kind: Kind, ending: str, mark: Mark) -> None:
    clock = datetime(2026, 6, 19, 23, 59, 58)  # noqa: DTZ001 (a camera's clock has no zone)
    naming = Naming("36NCC009910", "430417", kind, clock, mark, ending)
    path = str(layout(name).place(naming))
    side = {
        f"port1/{file}": content for file, content in root_files(name, serial="36NCC009910", officer="430417").items()
    }
    claims = read_claims(f"port1/{path}", mtime_ns=-1, side=side)
    identity = (None, None) if name == "generic" else ("36NCC009910", "430417")
    assert (claims.value("device"), claims.value("officer")) == identity
    assert claims.value("start") == "2026-06-19T23:59:58"
    assert claims.value("kind") == {"image": "photo"}.get(kind, kind)
    assert claims.value("mark") == (mark or None if name in {"dsj", "dcam"} else None)
    assert claims.conflicts() == {}
    assert set(side) <= set(sidecar.side_places(f"port1/{path}"))


def test_settings_are_looked_for_on_the_volume_of_the_file_only() -> None:
    assert sidecar.side_places("port3/DCIM/video/x.mp4")[0] == "port3/bind.ini"
    assert sidecar.side_places("DCIM/video/x.mp4")[0] == "bind.ini"
    assert sidecar.side_places("port3/x.mp4") == ()
    assert sidecar.side_places("DCIM") == ()


def test_settings_are_read_beside_the_camera_folder_and_not_through_links(tmp_path: Path) -> None:
    (tmp_path / "port1/DCIM").mkdir(parents=True)
    (tmp_path / "port1/bind.ini").write_text("sn=AB12\n")
    (tmp_path / "secret").write_text("sn=ZZ99\n")
    (tmp_path / "port1/ID.txt").symlink_to(tmp_path / "secret")
    (tmp_path / "port1/device.ini").write_bytes(b"sn=TOO-LARGE\n" * 10_000)
    side = sidecar.read_side(tmp_path, "port1/DCIM/x.mp4")
    assert side == {"port1/bind.ini": b"sn=AB12\n"}
