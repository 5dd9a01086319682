# SPDX-License-Identifier: Apache-2.0
"""This is where captures in several files are taken in, in every order, and seen as one."""

import json
from collections.abc import Iterator
from datetime import timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from devices.simulator.filming import TINY
from evidence.media_time import Span
from pipeline.clip_series import spans_of
from storage.register import dock_rows
from tests.support.cameras import CAMERA
from tests.support.command import evidock
from tests.support.home import NOON, Home, open_home
from tests.support.tiny_media import make

GOPRO = "C3461000000001"


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    with open_home(tmp_path / "home") as home:
        home.add_device(CAMERA.serial)
        home.add_device(GOPRO)
        yield home


def sound(folder: Path, number: int, *, late_ms: int = 0) -> Path:
    """The n-th file of two seconds of a recording of sound; files of one folder are of one dock."""
    at = NOON + timedelta(seconds=2 * number, milliseconds=late_ms)
    return CAMERA.record_sound(folder, at=at, seconds=2, ending="wav").path


def chapter(folder: Path, number: int, timecode: str) -> Path:
    """A chapter of one second, as a GoPro names it, with its timecode; all bear the start of the first."""
    folder.mkdir(parents=True, exist_ok=True)
    return make(
        folder / f"GX{number:02}0123.MP4",
        *("-f", "lavfi", "-i", "testsrc=s=64x48:r=30000/1001:d=1.001", "-timecode", timecode),
        *("-metadata", "creation_time=2026-06-19T04:00:00Z", "-c:v", "libx264", "-preset", "ultrafast"),
    )


def taken(home: Home, *files: Path, device: str | None = None) -> list[str]:
    return [home.ingest_one(file, device=device)["id"] for file in files]


def series(home: Home, recording: str) -> list[tuple[str, int, int | None]]:
    with home.ports.register.view() as connection:
        rows = dock_rows.series_of(connection, recording)
    return [(row["recording"], row["position"], row["gap_ms"]) for row in rows]


def places(ids: list[str], *gaps: int | None) -> list[tuple[str, int, int | None]]:
    return [(one, place, gap) for place, (one, gap) in enumerate(zip(ids, [None, *gaps], strict=True))]


def remarks(home: Home, recording: str) -> list[Any]:
    with home.ports.register.view() as connection:
        return [(row["code"], row["text"]) for row in dock_rows.remarks_of(connection, recording)]


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (0, 2, 1)])
def test_three_files_of_one_capture_are_one_series_in_whatever_order_they_come(
    home: Home, tmp_path: Path, order: tuple[int, ...]
) -> None:
    files = [sound(tmp_path / "card", number) for number in range(3)]
    ids = dict(zip(order, taken(home, *(files[number] for number in order)), strict=True))
    whole = [ids[number] for number in range(3)]

    assert [series(home, one) for one in whole] == [places(whole, None, None)] * 3


def test_five_files_whose_middle_comes_last_become_one_series_also_in_a_register_remade(
    home: Home, tmp_path: Path
) -> None:
    files = [sound(tmp_path / "card", number) for number in range(5)]
    first, second, fourth, fifth = taken(home, *files[:2], *files[3:])
    assert series(home, first) == places([first, second], None)
    assert series(home, fifth) == places([fourth, fifth], None)
    (third,) = taken(home, files[2])

    whole = [first, second, third, fourth, fifth]
    assert series(home, third) == places(whole, None, None, None, None)
    assert series(home, fifth) == series(home, third)
    home.publish()
    assert home.rebuilt()[1]["series_parts"] == home.facts()["series_parts"]


def test_the_same_file_taken_again_changes_no_series(home: Home, tmp_path: Path) -> None:
    files = [sound(tmp_path / "card", number) for number in range(2)]
    ids = taken(home, *files)
    before = [home.times(one, "stitched") for one in ids]
    home.ingest(*files)

    assert [home.times(one, "stitched") for one in ids] == before == [1, 1]


def test_what_was_taken_off_for_a_wrong_clock_makes_no_clock_finer(home: Home, tmp_path: Path) -> None:
    home.add_device(CAMERA.serial, offset_ms=1234)
    ids = taken(home, *(sound(tmp_path / "card", number) for number in range(2)))

    assert home.recording(ids[0])["start_at"] == "2026-06-19T03:59:58.766000Z"
    assert series(home, ids[1]) == places(ids, None)


@pytest.mark.parametrize("day", ["99991231_235959", "00010101_000000"])
def test_a_name_at_the_ends_of_the_calendar_is_taken_like_any_other(home: Home, tmp_path: Path, day: str) -> None:
    files = [sound(tmp_path / "card", number) for number in range(2)]
    odd = files[1].rename(files[1].with_name(f"DSJ_{CAMERA.serial}_000001_{day}.wav"))
    ids = taken(home, files[0], odd)

    assert [home.recording(one)["state"] for one in ids] == ["indexed", "indexed"]
    assert home.open_jobs() == []


def test_files_of_two_docks_are_never_one_series(home: Home, tmp_path: Path) -> None:
    ids = taken(home, sound(tmp_path / "card", 0), sound(tmp_path / "another", 1))

    assert [series(home, one) for one in ids] == [[], []]


def test_files_of_two_cameras_are_never_one_series(home: Home, tmp_path: Path) -> None:
    files = [sound(tmp_path / "card", number) for number in range(2)]
    ids = [*taken(home, files[0]), *taken(home, files[1], device=GOPRO)]

    assert [series(home, one) for one in ids] == [[], []]


def test_files_of_a_recorder_that_nothing_names_are_tied_only_within_one_folder(home: Home, tmp_path: Path) -> None:
    names = [f"hall_2026-06-19_12-00-0{2 * number}_00{number + 1}.wav" for number in range(3)]
    for number, folder in enumerate(("x", "x", "y")):
        (tmp_path / "card" / folder).mkdir(parents=True, exist_ok=True)
        sound(tmp_path / "made", number).rename(tmp_path / "card" / folder / names[number])
    entries = home.ingest(tmp_path / "card")["recordings"]

    assert [len(one.get("parts", [one])) for one in entries] == [2, 1]


def test_chapters_are_tied_by_their_timecodes_and_the_gap_is_told_to_the_frame(home: Home, tmp_path: Path) -> None:
    """30 frames at 30000/1001 last 1.001 s; the second begins two frames after the first ends: 66.7 ms."""
    files = [chapter(tmp_path / "card", 1, "10:00:00:00"), chapter(tmp_path / "card", 2, "10:00:01:02")]
    ids = taken(home, *files, device=GOPRO)

    assert series(home, ids[0]) == places(ids, 67)


def test_an_overlap_of_chapters_is_a_negative_gap(home: Home, tmp_path: Path) -> None:
    files = [chapter(tmp_path / "card", 1, "10:00:00:00"), chapter(tmp_path / "card", 2, "10:00:00:15")]
    ids = taken(home, *files, device=GOPRO)

    assert series(home, ids[0]) == places(ids, -500)


def test_names_alone_tie_no_files(home: Home, tmp_path: Path) -> None:
    """Chapters by their names, with timecodes that are an hour apart."""
    files = [chapter(tmp_path / "card", 1, "10:00:00:00"), chapter(tmp_path / "card", 2, "11:00:01:00")]
    ids = taken(home, *files, device=GOPRO)

    assert [series(home, one) for one in ids] == [[], []]


def test_a_missing_chapter_is_remarked_and_the_remark_is_answered_when_it_comes(home: Home, tmp_path: Path) -> None:
    files = [chapter(tmp_path / "card", number, f"10:00:0{number - 1}:00") for number in (1, 2, 3)]
    first, third = taken(home, files[0], files[2], device=GOPRO)
    assert remarks(home, third) == [
        ("sequence-gap", "number 2 of the same capture, right before this file, did not come")
    ]
    (second,) = taken(home, files[1], device=GOPRO)

    assert series(home, third) == places([first, second, third], 0, 0)
    assert remarks(home, third) == [("sequence-gap", "no number of the same capture is missing any more")]


def test_a_series_is_one_entry_and_every_part_shows_it(home: Home, tmp_path: Path) -> None:
    files = [sound(tmp_path / "card", number) for number in range(2)]
    body = home.ingest(*files)

    (entry,) = body["recordings"]
    ids = [part["id"] for part in entry["parts"]]
    assert entry["id"] == ids[0]
    assert [one["name"] for one in entry["originals"]] == [file.name for file in files]
    assert (entry["start"], entry["end"]) == ("2026-06-19T04:00:00.000000Z", "2026-06-19T04:00:04.000000Z")
    assert json.dumps(body)


def test_a_file_that_overlaps_the_one_before_gives_nothing_of_that_one_when_it_is_named() -> None:
    rows = [({"id": name, "duration": "10"}, Fraction(at)) for name, at in (("rec-a", -7), ("rec-b", 0), ("rec-c", 12))]
    spans = spans_of(rows, Span(Fraction(1), Fraction(15)))  # type: ignore[arg-type]

    assert spans == [("rec-b", Span(Fraction(1), Fraction(10))), ("rec-c", Span(Fraction(0), Fraction(3)))]


def film(folder: Path, number: int) -> Path:
    """The n-th file of three seconds of a film, 10 frames a second, a key frame each second."""
    at = NOON + timedelta(seconds=3 * number)
    return CAMERA.record(folder, at=at, seconds=3, rate=10, quality=TINY, has_sound=False, has_track=False).path


def test_a_clip_over_a_seam_is_a_clip_and_a_proof_of_each_file(tmp_path: Path) -> None:
    with open_home(tmp_path / "home") as home:
        home.add_device(CAMERA.serial)
        ids = taken(home, *(film(tmp_path / "card", number) for number in range(3)))
        assert series(home, ids[0]) == places(ids, None, None)
        home.publish()

    def clip(recording: str, start: str, end: str, name: str) -> list[tuple[str, str, str, int]]:
        out = tmp_path / name
        body = evidock(
            "clip", recording, "--from", start, "--to", end, "-o", out, "--json", home=tmp_path / "home"
        ).json
        for one in body["clips"]:
            assert evidock("verify", one["file"], home=tmp_path / "home").status == 0
        return [
            (one["recording"], one["delivered"]["from"], one["delivered"]["to"], one["delivered"]["frames"])
            for one in body["clips"]
        ]

    assert clip(ids[0], "00:01", "00:02", "inside.mp4") == [(ids[0], "1", "2", 10)]
    assert clip(ids[0], "00:04", "00:05", "second.mp4") == [(ids[1], "1", "2", 10)]
    assert clip(ids[0], "00:02", "00:07", "seams.mp4") == [
        (ids[0], "2", "3", 10),
        (ids[1], "0", "3", 30),
        (ids[2], "0", "1", 10),
    ]
    assert {path.name for path in tmp_path.glob("seams*.mp4")} == {"seams.mp4", "seams-2.mp4", "seams-3.mp4"}
    # By another file's id, offsets count from that file; instants are of the whole.
    assert clip(ids[1], "00:02", "00:04", "from-second.mp4") == [(ids[1], "2", "3", 10), (ids[2], "0", "1", 10)]
    times = ("2026-06-19T12:00:02+08:00", "2026-06-19T12:00:04+08:00")
    assert clip(ids[2], *times, "instants.mp4") == [(ids[0], "2", "3", 10), (ids[1], "0", "1", 10)]
    # A case's clips are numbered as they were filmed, whatever the recordings' ids are.
    evidock("officer", "add", CAMERA.officer, home=tmp_path / "home")
    window = ("--from", "2026-06-19T11:00:00+08:00", "--to", "2026-06-19T13:00:00+08:00")
    assert evidock("case", "new", "2026-017", "--officer", CAMERA.officer, *window, home=tmp_path / "home").status == 0
    span = ("--from", "2026-06-19T12:00:00+08:00", "--to", "2026-06-19T12:00:09+08:00")
    cut = evidock("clip", "--case", "2026-017", *span, "-o", tmp_path / "k.mp4", "--json", home=tmp_path / "home").json
    assert [one["recording"] for one in cut["clips"]] == ids
    shown = evidock("show", ids[1], "--json", home=tmp_path / "home").json
    assert [part["id"] for part in shown["parts"]] == ids
    assert "part 3" in evidock("show", ids[0], home=tmp_path / "home").out
    (entry,) = evidock("recordings", "--json", home=tmp_path / "home").json["recordings"]
    assert [part["id"] for part in entry["parts"]] == ids
