# SPDX-License-Identifier: Apache-2.0
"""This is where simulated cameras are held to their makers' names, their own clocks and true tracks."""

import hashlib
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from functools import reduce
from itertools import pairwise
from operator import xor
from pathlib import Path

import av
import exifread
import pytest

from devices.simulator.camera import SimulatedCamera
from devices.simulator.card import dock_card, grow
from devices.simulator.filming import TINY
from devices.simulator.layouts import LAYOUTS
from devices.simulator.track import E7, Fix, nmea, walk
from evidence.errors import BadInput, StoreUnavailable
from tests.support.cameras import CAMERA, NOON, luma_of, one_hour_off, shown, tiny

FORMS = {
    "dsj": r"DCIM/(?:video|SOS|IMP)/(?P<date>[0-9-]{10})/DSJ_(?P<device>\w+)_(?P<officer>\d{6})_"
    r"(?P<start>\d{8}_\d{6})(?:_(?P<mark>SOS|IMP))?\.mp4",
    "dcam": r"DCIM/(?:Video|SOS|IMP)/(?P<date>[0-9-]{10})/DCAM_(?P<device>\w+)_(?P<officer>\d{6})_"
    r"(?P<start>\d{8}_\d{6})(?:_(?P<mark>SOS|IMP))?\.mp4",
    "station": r"disk1/(?P<date>[0-9-]{10})/(?P<officer>\w+)_(?P<device>\w+)/(?P=officer)@"
    r"(?P<start>[0-9-]{10}_[0-9-]{8})\.mp4",
    "generic": r"DCIM/Camera/VID_(?P<start>\d{8}_\d{6})\.mp4",
}


def parts_of(layout: str, name: str) -> dict[str, str]:
    match = re.fullmatch(FORMS[layout], name)
    assert match is not None, name
    return {key: value for key, value in match.groupdict().items() if value}


@pytest.mark.parametrize("form", list(LAYOUTS))
def test_a_name_tells_device_officer_and_the_cameras_local_time(tmp_path: Path, form: str) -> None:
    camera = replace(CAMERA, layout=form, clock_offset=timedelta(seconds=-37))
    made = camera.record(tmp_path, at=NOON, seconds=1, rate=5, quality=TINY)
    parts = parts_of(form, str(made.name))

    assert made.path == tmp_path / made.name
    assert re.sub(r"\D", "", parts.pop("start")) == "20260619115923"
    assert parts.pop("date", "2026-06-19") == "2026-06-19"
    assert parts == ({} if form == "generic" else {"device": "36NCC009910", "officer": "000001"})


@pytest.mark.parametrize("mark", ["SOS", "IMP"])
def test_a_marked_recording_lies_in_the_folder_of_its_mark(tmp_path: Path, mark: str) -> None:
    made = CAMERA.record(tmp_path, at=NOON, seconds=1, rate=5, quality=TINY, mark=mark)  # type: ignore[arg-type]

    assert parts_of("dsj", str(made.name))["mark"] == mark
    assert made.name.parts[1] == mark


def test_an_unknown_layout_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="station"):
        replace(CAMERA, layout="none such").record(tmp_path, at=NOON, seconds=1)


def test_a_second_recording_in_the_same_second_is_named_a_second_later(tmp_path: Path) -> None:
    first, second, third = (CAMERA.record(tmp_path, at=NOON, seconds=1, rate=5, quality=TINY) for _ in range(3))

    names = [parts_of("dsj", str(made.name))["start"] for made in (first, second, third)]
    assert names == ["20260619_120000", "20260619_120001", "20260619_120002"]
    assert second.camera_start == first.camera_start
    assert first.path.read_bytes() == second.path.read_bytes()


def test_a_slow_clock_shows_everywhere_but_in_the_track(tmp_path: Path) -> None:
    made = one_hour_off().record(tmp_path, at=NOON, seconds=1, quality=TINY)
    with av.open(made.path) as box:
        created = datetime.fromisoformat(box.metadata["creation_time"])

    assert made.true_start == NOON
    assert made.camera_start == created == NOON - timedelta(hours=1)
    assert parts_of("dsj", str(made.name))["start"] == "20260619_110000"
    assert made.path.stat().st_mtime == (NOON - timedelta(minutes=59, seconds=59)).timestamp()
    assert made.track[0].at == NOON
    assert made.side_files[0].read_text(encoding="ascii").startswith("$GPGGA,040000.00,")


def test_a_card_names_its_device_at_the_root(tmp_path: Path) -> None:
    CAMERA.record(tmp_path, at=NOON, seconds=1, rate=5, quality=TINY)

    assert "36NCC009910" in (tmp_path / "configs.cson").read_text()


def test_times_without_a_zone_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="zone"):
        CAMERA.record(tmp_path, at=NOON.replace(tzinfo=None), seconds=1)


def test_the_same_seed_makes_the_same_files_and_another_seed_other_frames(tmp_path: Path) -> None:
    def digests(card: str, camera: SimulatedCamera) -> list[str]:
        camera.record(tmp_path / card, at=NOON, seconds=1, rate=5, quality=TINY)
        camera.photograph(tmp_path / card, at=NOON, quality=TINY)
        camera.record_sound(tmp_path / card, at=NOON, seconds=1)
        files = sorted(path for path in (tmp_path / card).rglob("*") if path.is_file())
        return [hashlib.sha256(path.read_bytes()).hexdigest() for path in files]

    one, same, other = digests("a", CAMERA), digests("b", CAMERA), digests("c", replace(CAMERA, seed=1))

    assert len(one) == 5
    assert one == same
    assert sum(a != b for a, b in zip(one, other, strict=True)) == 4  # all but the card's own file


def test_a_recording_knows_its_frames_and_bears_its_first_number(tmp_path: Path) -> None:
    made = CAMERA.record(tmp_path, at=NOON, seconds=Fraction(3, 2), rate=10, quality=TINY, first_number=90_000)

    assert made.frames == 15
    assert made.seconds == Fraction(3, 2)
    assert [number for number, _ in shown(made.path)] == list(range(90_000, 90_015))


# --- photos and sound --------------------------------------------------------------------------


def test_exif_is_read_by_exifread() -> None:
    made = tiny("photo")
    with made.path.open("rb") as file:
        tags = {name: str(value) for name, value in exifread.process_file(file, strict=True).items()}

    assert tags["EXIF DateTimeOriginal"] == tags["Image DateTime"] == "2026:06:19 12:00:00"
    assert tags["EXIF OffsetTimeOriginal"] == "+08:00"
    assert tags["EXIF BodySerialNumber"] == "36NCC009910"
    assert tags["Image Make"] == "Evidock"
    assert tags["Image Model"] == "Simulated camera"
    assert tags["GPS GPSLatitudeRef"] + tags["GPS GPSLongitudeRef"] == "NE"
    assert tags["GPS GPSTimeStamp"] == "[4, 0, 0]"
    assert tags["GPS GPSDate"] == "2026:06:19"


@pytest.mark.parametrize("field", ["GPSLatitude", "GPSLongitude"])
def test_the_place_in_exif_is_where_the_camera_was(field: str) -> None:
    made = tiny("photo")
    with made.path.open("rb") as file:
        values = exifread.process_file(file)[f"GPS {field}"].values
    degrees, minutes, seconds = (Fraction(value.num, value.den) for value in values)
    told = degrees + minutes / 60 + seconds / 3600
    fix = made.track[0]
    truth = fix.latitude_e7 if field == "GPSLatitude" else fix.longitude_e7

    assert abs(told - Fraction(truth, E7)) < Fraction(1, 3600 * 10_000)


@pytest.mark.parametrize("serial", ["1", "123", "1234", "12345", "123456"])
def test_exif_holds_a_serial_of_any_length(tmp_path: Path, serial: str) -> None:
    made = replace(CAMERA, serial=serial).photograph(tmp_path, at=NOON, quality=TINY)
    with made.path.open("rb") as file:
        assert str(exifread.process_file(file)["EXIF BodySerialNumber"]) == serial


def test_a_photo_without_place_has_no_gps_in_exif(tmp_path: Path) -> None:
    made = CAMERA.photograph(tmp_path, at=NOON, quality=TINY, has_place=False)
    with made.path.open("rb") as file:
        assert not [name for name in exifread.process_file(file) if name.startswith("GPS")]


def test_a_photo_decodes_and_bears_its_number() -> None:
    assert [number for number, _ in shown(tiny("photo").path)] == [7]


def test_exif_in_another_zone_says_so(tmp_path: Path) -> None:
    camera = replace(CAMERA, zone=UTC)
    made = camera.photograph(tmp_path, at=NOON, quality=TINY)
    with made.path.open("rb") as file:
        tags = exifread.process_file(file)

    assert str(tags["EXIF DateTimeOriginal"]) == "2026:06:19 04:00:00"
    assert str(tags["EXIF OffsetTimeOriginal"]) == "+00:00"


# --- the track ---------------------------------------------------------------------------------


def test_every_nmea_sentence_carries_the_right_checksum() -> None:
    sentences = nmea(walk((3,), start=NOON, seconds=50)).split("\r\n")
    assert sentences.pop() == ""
    assert len(sentences) == 2 * 51
    for sentence in sentences:
        match = re.fullmatch(r"\$(GP(?:GGA|RMC),.*)\*([0-9A-F]{2})", sentence)
        assert match is not None
        assert checksum(match.group(1)) == match.group(2)


def checksum(body: str) -> str:
    return f"{reduce(xor, body.encode('ascii')):02X}"


def test_the_checksum_these_tests_compute_is_that_of_a_published_sentence() -> None:
    assert checksum("GPGGA,123519,4807.038,N,01131.000,E,1,08,0.9,545.4,M,46.9,M,,") == "47"


def test_a_position_is_written_in_degrees_and_minutes() -> None:
    fix = Fix(datetime(1994, 3, 23, 12, 35, 19, tzinfo=UTC), 481_173_000, 115_166_667, 11_500, 84)

    assert "$GPRMC,123519.00,A,4807.03800,N,01131.00000,E," in nmea((fix,))


def test_minutes_never_reach_sixty() -> None:
    fix = Fix(NOON, 31 * E7 + 9_999_999, -(121 * E7 + 9_999_999), 1000, 0)

    assert ",3159.99999,N,12159.99999,W," in nmea((fix,))
    assert ",3200.00000,N," in nmea((replace(fix, latitude_e7=32 * E7),))


def test_a_walk_is_continuous_and_plausible() -> None:
    fixes = walk((9,), start=NOON, seconds=600)

    assert [fix.at - NOON for fix in fixes] == [timedelta(seconds=n) for n in range(601)]
    for before, after in pairwise(fixes):
        north = (after.latitude_e7 - before.latitude_e7) / 89.8
        east = (after.longitude_e7 - before.longitude_e7) / 89.8 * 0.855
        assert 0.5 < (north**2 + east**2) ** 0.5 < 2


# --- how bytes arrive --------------------------------------------------------------------------


def test_a_growing_recording_reaches_the_same_bytes(tmp_path: Path) -> None:
    whole = CAMERA.record(tmp_path / "a", at=NOON, seconds=1, rate=5, quality=TINY)
    target = tmp_path / "b" / whole.name
    sizes: list[int] = []
    made = CAMERA.record(
        tmp_path / "b",
        at=NOON,
        seconds=1,
        rate=5,
        quality=TINY,
        pause=lambda: sizes.append(target.stat().st_size),
    )

    assert len(sizes) == 8
    assert sizes == sorted(set(sizes))
    assert made.path.read_bytes() == whole.path.read_bytes()


def test_docking_copies_the_whole_tree_with_its_times(tmp_path: Path) -> None:
    CAMERA.record(tmp_path / "card", at=NOON, seconds=1, rate=5, quality=TINY)
    CAMERA.photograph(tmp_path / "card", at=NOON, quality=TINY)

    copies = dock_card(tmp_path / "card", tmp_path / "dock")

    def tree(root: Path) -> dict[str, tuple[bytes, int]]:
        files = (path for path in root.rglob("*") if path.is_file())
        return {str(p.relative_to(root)): (p.read_bytes(), p.stat().st_mtime_ns) for p in files}

    assert tree(tmp_path / "dock") == tree(tmp_path / "card")
    assert len(copies) == 4


def test_slow_docking_is_seen_growing(tmp_path: Path) -> None:
    made = CAMERA.record(tmp_path / "card", at=NOON, seconds=1, rate=5, quality=TINY, has_track=False)
    target = tmp_path / "dock" / made.name
    sizes: list[int] = []

    def look() -> None:
        sizes.append(target.stat().st_size if target.exists() else 0)

    dock_card(tmp_path / "card", tmp_path / "dock", block_bytes=1000, pause=look)

    assert len(set(sizes)) > 3
    assert target.read_bytes() == made.path.read_bytes()


def test_a_dock_that_cannot_be_written_is_the_store_being_away(tmp_path: Path) -> None:
    (tmp_path / "card").mkdir()
    (tmp_path / "dock").write_text("not a folder")
    (tmp_path / "card" / "a.txt").write_text("x")

    with pytest.raises(StoreUnavailable):
        dock_card(tmp_path / "card", tmp_path / "dock")
    with pytest.raises(StoreUnavailable):
        grow(tmp_path / "card" / "a.txt", tmp_path / "none" / "b", block_bytes=1, pause=lambda: None)


def test_the_caption_changes_only_when_the_clock_does(tmp_path: Path) -> None:
    made = CAMERA.record(tmp_path, at=NOON, seconds=2, rate=4, quality=TINY)
    with av.open(made.path) as box:
        digits = [luma_of(frame)[164:171, 116:122].astype(int) for frame in box.decode(video=0)]
    changes = [float(abs(after - before).mean()) > 20 for before, after in pairwise(digits)]

    assert changes == [False, False, False, True, False, False, False]
