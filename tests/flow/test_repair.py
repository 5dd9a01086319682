# SPDX-License-Identifier: Apache-2.0
"""A recording that its camera could not finish: the Original stays, a copy plays, and says what it is."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import pytest

from app import clocks
from evidence.errors import Undecodable
from evidence.lifecycle import State
from pipeline.audit.whole import verify_all
from pipeline.ports import unheard
from pipeline.repair import repair, repair_with
from storage import layout
from storage.register import search
from storage.register.dock_rows import remarks_of
from tests.support.command import evidock
from tests.support.footage import shared_media
from tests.support.home import Home, open_home

CAMERA = "DASH0001"
# broken-cut-short.mp4 ends within the 84th picture of dashcam-5s.mp4 (30 a second): by PyAV, of the whole file.
PICTURES = 83


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    with open_home(tmp_path / "home") as opened:
        opened.add_device(CAMERA)
        yield opened


@dataclass(frozen=True)
class Docked:
    """An installation with a camera's whole recording and one that it could not finish."""

    home: Home
    whole: str
    broken: str


@pytest.fixture(scope="module")
def docked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Docked]:
    with open_home(tmp_path_factory.mktemp("docked") / "home") as opened:
        opened.add_device(CAMERA)
        yield Docked(opened, *take(opened, "dashcam-5s.mp4", "broken-cut-short.mp4"))


def take(home: Home, *names: str, device: str | None = CAMERA) -> list[str]:
    """Recordings of shared footage, with every job done."""
    taken = [home.offer(shared_media() / name, device=device) for name in names]
    home.drain(*taken)
    home.drain(*taken)  # what one opened for another
    return taken


def copy_of(home: Home, recording: str) -> Path | None:
    """The repaired copy of a recording, as a file."""
    with home.ports.register.view() as connection:
        made = {one["kind"]: one["sha256"] for one in search.derivatives_of(connection, recording)}
    if "repaired" not in made:
        return None
    path = home.settings.home / "copy.mp4"
    path.write_bytes(home.ports.store.read(layout.derivative_key(made["repaired"]), limit=1 << 30))
    return path


def remarks(home: Home, recording: str) -> dict[str, str]:
    with home.ports.register.view() as connection:
        return {one["code"]: one["text"] for one in remarks_of(connection, recording)}


def pictures(path: Path) -> list[Fraction]:
    with av.open(str(path)) as media:
        return sorted(
            Fraction(frame.time_base or 0) * frame.pts for frame in media.decode(video=0) if frame.pts is not None
        )


def sameness(one: Path, other: Path, count: int) -> list[float]:
    """Mean difference of luma, picture by picture, of the first pictures as they are shown."""
    with av.open(str(one)) as first, av.open(str(other)) as second:
        pairs = zip(first.decode(video=0), second.decode(video=0), strict=False)
        planes = ((a.to_ndarray(format="gray"), b.to_ndarray(format="gray")) for a, b in pairs)
        return [
            float(abs(a.astype(int) - b.astype(int)).mean()) for _, (a, b) in zip(range(count), planes, strict=False)
        ]


def test_a_file_without_its_index_gets_a_copy_by_the_help_of_its_cameras_other_recordings(docked: Docked) -> None:
    home, whole, broken = docked.home, docked.whole, docked.broken
    assert home.recording(broken)["state"] == State.QUARANTINED
    copy = copy_of(home, broken)
    assert copy is not None
    times = pictures(copy)
    assert len(times) == PICTURES
    assert times[-1] - times[0] == Fraction(PICTURES - 1, 30)
    # Coded anew, in the order in which they are shown; the last ones lean on pictures that were lost.
    assert max(sameness(copy, shared_media() / "dashcam-5s.mp4", PICTURES)[:-4]) < 6
    text = remarks(home, broken)["repaired"]
    assert "2.77 s" in text
    assert whole in text
    assert "without sound" in text
    assert "not proven" in text
    home.publish()
    report = verify_all(home.ports)
    assert report.verdict.value == "proven", report.findings


def test_the_original_is_kept_byte_for_byte_and_stays_put_aside(docked: Docked) -> None:
    home, broken = docked.home, docked.broken
    data = (shared_media() / "broken-cut-short.mp4").read_bytes()
    with home.ports.register.view() as connection:
        original = search.original(connection, broken)
    assert home.holds(data, original["sha256"])
    assert home.recording(broken)["problem_code"] == "index-missing"


def test_without_a_recording_of_its_camera_there_is_no_copy_until_a_person_names_one(home: Home) -> None:
    [broken] = take(home, "broken-cut-short.mp4")
    assert copy_of(home, broken) is None
    [whole] = take(home, "dashcam-5s.mp4", device=None)
    assert repair(broken, ports=home.ports, now=clocks.now(), progress=unheard).happenings == ()
    done = evidock("repair", broken, "--with", whole, "--json", home=home.settings.home)
    assert done.status == 0, done.err
    assert done.json["repairs"][0]["repaired"] is True
    assert copy_of(home, broken) is not None


def test_a_whole_recording_that_comes_later_brings_the_copy(home: Home) -> None:
    [broken] = take(home, "broken-cut-short.mp4")
    assert copy_of(home, broken) is None
    [whole] = take(home, "dashcam-5s.mp4")
    home.drain(broken, whole)
    assert copy_of(home, broken) is not None


def test_a_recording_of_another_camera_does_not_help_and_says_so(home: Home) -> None:
    [broken] = take(home, "broken-cut-short.mp4")
    [other] = take(home, "phone-edit-list.mp4", device=None)
    with pytest.raises(Undecodable):
        repair_with(broken, other, ports=home.ports, progress=unheard)
    assert copy_of(home, broken) is None


def test_a_file_that_ends_before_its_index_says_gets_a_copy_of_what_is_there(home: Home, tmp_path: Path) -> None:
    short = tmp_path / "card" / "short.mp4"
    short.parent.mkdir()
    data = (shared_media() / "people-walking-in.mp4").read_bytes()
    short.write_bytes(data[: len(data) // 3])
    recording = home.offer(short, device=CAMERA)
    home.drain(recording)
    assert home.recording(recording)["problem_code"] == "truncated"
    copy = copy_of(home, recording)
    assert copy is not None
    assert 20 < pictures(copy)[-1] < 139  # the whole is 139 s
    assert "as far as the file goes" in remarks(home, recording)["repaired"]


def test_a_lost_cluster_in_the_middle_makes_two_runs_and_both_are_told(home: Home, tmp_path: Path) -> None:
    holed = tmp_path / "card" / "holed.mp4"
    holed.parent.mkdir()
    data = bytearray((shared_media() / "rotated-270.mp4").read_bytes()[:2_400_000])  # its index is at 2,535,087
    data[1_200_000:1_232_768] = bytes(32_768)  # between its pictures 61 and 91, which need no other, and follow
    holed.write_bytes(data)
    [whole] = take(home, "rotated-270.mp4")
    recording = home.offer(holed, device=CAMERA)
    home.drain(recording)
    assert copy_of(home, recording) is not None
    assert "in 2 runs" in remarks(home, recording)["repaired"]
    assert whole in remarks(home, recording)["repaired"]


def test_a_repeat_makes_no_second_copy(docked: Docked) -> None:
    home, broken = docked.home, docked.broken
    assert home.times(broken, "derived") == 1
    assert repair(broken, ports=home.ports, now=clocks.now(), progress=unheard).happenings == ()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\x00\x00\x00\x08mdat",
        b"\x00\x00\x00\x18ftypisom\x00\x00\x02\x00isomiso2" + b"\xff\xff\xff\xffmdat" + bytes(4096),
        b"\x00\x00\x00\x18ftypisom\x00\x00\x02\x00isomiso2" + b"\x00\x00\x00\x01mdat" + b"\xff" * 4096,
        b"\x00\x00\x00\x18ftypisom\x00\x00\x02\x00isomiso2mdat" + b"\x00\x00\x00\x05\x65\x88\x84\x00\x00" * 4000,
        b"\x00\x00\x00\x18ftypisom\x00\x00\x02\x00isomiso2mdat" + b"\x00\x00\x00\x02\x09\xf0" * 50_000,
    ],
    ids=["nothing", "empty", "negative", "64-bit-nonsense", "endless-entries", "only-delimiters"],
)
def test_a_hostile_file_without_an_index_gets_no_copy_and_harms_nobody(
    docked: Docked, tmp_path: Path, body: bytes
) -> None:
    home = docked.home
    bad = tmp_path / "card" / "bad.mp4"
    bad.parent.mkdir()
    bad.write_bytes(body)
    recording = home.offer(bad, device=CAMERA)
    home.drain(recording)
    assert home.recording(recording)["state"] == State.QUARANTINED
    assert home.open_jobs() == []
    assert copy_of(home, recording) is None or pictures(copy_of(home, recording) or bad)
    shutil.rmtree(bad.parent)


def test_a_recording_that_nobody_has_is_told_and_nothing_is_repaired(tmp_path: Path) -> None:
    nobody = "rec-aaaaaaaaaaaaaaaaaaaa"
    with open_home(tmp_path / "home"):
        said = evidock("repair", nobody, home=tmp_path / "home")
    assert (said.status, nobody in said.err, said.out) == (3, True, "")


def test_a_reference_that_nobody_has_is_told_as_that(docked: Docked) -> None:
    nobody = "rec-aaaaaaaaaaaaaaaaaaaa"
    said = evidock("repair", docked.broken, "--with", nobody, home=docked.home.settings.home)
    assert (said.status, nobody in said.err) == (3, True)
