# SPDX-License-Identifier: Apache-2.0
"""Bad input gets a clear reason, quarantine, and the original kept; through the command line, as a person would."""

import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from app import clocks
from app.cli.main import run
from devices.safe_open import open_beneath
from evidence.errors import EmptyFile, IndexMissing, NotMedia, PlaylistRefused, Truncated, UnknownDevice
from evidence.media_time import Span
from evidence.verdict import Verdict
from pipeline import clip
from pipeline.audit import verify_all, verify_file, verify_recording
from pipeline.ports import unheard
from tests.support.cameras import CAMERA, tiny
from tests.support.footage import shared_media
from tests.support.home import Home, dsj_name, open_home, track


class Said(NamedTuple):
    """What a command left behind: its exit status, its JSON, and what it said to people."""

    status: int
    body: dict[str, Any]
    words: str


class Command:
    """`evidock`, run as its entry point runs it."""

    def __init__(self, home: Path, patch: pytest.MonkeyPatch, capture: pytest.CaptureFixture[str]) -> None:
        self.home = home
        self._patch = patch
        self._capture = capture

    def __call__(self, *words: str | Path) -> Said:
        self._patch.setattr("sys.argv", ["evidock", *map(str, words), "--home", str(self.home), "--json"])
        self._capture.readouterr()
        with pytest.raises(SystemExit) as ended:
            run()
        out, err = self._capture.readouterr()
        assert "Traceback" not in out + err
        status = 0 if ended.value.code is None else ended.value.code
        assert isinstance(status, int)
        return Said(status, json.loads(out) if out.strip() else {}, err)


@pytest.fixture
def evidock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    return Command(tmp_path / "home", monkeypatch, capsys)


@pytest.fixture
def card(tmp_path: Path) -> Path:
    folder = tmp_path / "card"
    folder.mkdir()
    return folder


def sha256_of(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def assert_put_aside(evidock: Command, path: Path, code: str, *words: str, after: Sequence[str] = ()) -> None:
    """A file is quarantined for this reason, its bytes rest as they are with a receipt, and all of it is proven.

    `after`: what else happens to it.
    """
    told = evidock("ingest", path)
    assert told.status == 3
    assert told.body["recordings"] == []
    (aside,) = told.body["quarantined"]
    assert (aside["name"], aside["code"]) == (path.name, code)
    assert all(word in aside["reason"] for word in words), aside["reason"]
    with open_home(evidock.home) as home:
        assert home.holds(path.read_bytes(), sha256_of(path))
        assert home.recording(aside["id"])["state"] == "quarantined"
        story = home.story(aside["id"])
        assert story[:4] == ["arrived", "measured", "sealed", "quarantined"]
        assert sorted(story[4:]) == sorted(["stamped", *after])
        assert home.open_jobs() == []
        assert verify_recording(home.ports, aside["id"], progress=unheard).verdict is Verdict.PROVEN
        home.publish()
        assert home.rebuilt()[1] == home.facts()
    assert evidock("show", aside["id"]).body["problem"] == code


# --- the list of the issue ----------------------------------------------------------------------


def test_a_truncated_mp4_is_kept_and_put_aside(evidock: Command, card: Path) -> None:
    whole = tiny("fragments").path.read_bytes()
    path = card / "cut.mp4"
    path.write_bytes(whole[: len(whole) * 2 // 3])
    assert_put_aside(evidock, path, Truncated.code, after=("derived", "remarked"))  # a copy of what is there


def test_an_mp4_without_moov_is_kept_and_put_aside(evidock: Command, card: Path) -> None:
    whole = tiny("plain").path.read_bytes()
    at = whole.index(b"moov") - 4
    path = card / "power-lost.mp4"
    path.write_bytes(whole[:at])
    assert_put_aside(evidock, path, IndexMissing.code)


def test_a_file_of_zero_bytes_is_kept_and_put_aside(evidock: Command, card: Path) -> None:
    path = card / "nothing.mp4"
    path.touch()
    assert_put_aside(evidock, path, EmptyFile.code, "no bytes")


def test_a_text_file_named_mp4_is_kept_and_put_aside(evidock: Command, card: Path) -> None:
    path = card / "text.mp4"
    path.write_text("Dear sir, the camera was broken.\n")
    assert_put_aside(evidock, path, NotMedia.code)


def test_an_hls_playlist_named_mp4_is_kept_put_aside_and_reads_nothing_else(evidock: Command, card: Path) -> None:
    secret = tiny("plain").path
    path = card / "holiday.mp4"
    path.write_text(f"#EXTM3U\n#EXTINF:10,\nfile://{secret}\n#EXT-X-ENDLIST\n")
    assert_put_aside(evidock, path, PlaylistRefused.code)
    with open_home(evidock.home) as home:
        assert len(home.facts()["originals"]) == 1
        assert home.facts()["derivatives"] == []


def test_footage_of_an_unknown_device_is_kept_and_put_aside(evidock: Command, card: Path) -> None:
    path = card / tiny("silent").path.name
    path.write_bytes(tiny("silent").path.read_bytes())
    assert_put_aside(evidock, path, UnknownDevice.code, f"evidock device add {CAMERA.serial}")
    assert evidock("device", "add", CAMERA.serial).status == 0
    again = evidock("ingest", path)
    assert (again.status, again.body["quarantined"]) == (0, [])
    assert [one["state"] for one in again.body["recordings"]] == ["indexed"]


def test_the_same_name_from_two_cameras_is_kept_twice(evidock: Command, card: Path) -> None:
    paths = [track(card / side, "0001.gpx", number=number) for number, side in enumerate(("left", "right"))]
    told = evidock("ingest", card)
    assert told.status == 0
    assert {one["originals"][0]["sha256"] for one in told.body["recordings"]} == set(map(sha256_of, paths))
    assert {one["originals"][0]["name"] for one in told.body["recordings"]} == {"0001.gpx"}


def test_a_byte_identical_second_offer_is_one_recording_and_a_second_event(evidock: Command, card: Path) -> None:
    path = track(card)
    first = evidock("ingest", path).body["recordings"][0]["id"]
    again = evidock("ingest", path)
    assert again.status == 0
    assert [one["id"] for one in again.body["recordings"]] == [first]
    assert "byte-identical" in again.body["skipped"][0]["reason"]
    custody = [event["kind"] for event in evidock("show", first).body["custody"]]
    assert (custody.count("sealed"), custody.count("offered-again")) == (1, 1)
    assert len(evidock("recordings").body["recordings"]) == 1


def test_a_file_that_changes_while_it_is_read_is_not_taken_yet_and_taken_when_it_is_quiet(
    evidock: Command, card: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = track(card)
    with monkeypatch.context() as patch:
        patch.setattr("app.wiring.open_beneath", _written_to_while_open(path))
        told = evidock("ingest", path)
    assert told.body["recordings"] == told.body["quarantined"] == []
    assert "changed" in told.body["skipped"][0]["reason"]
    quiet = evidock("ingest", path)
    assert [one["originals"][0]["sha256"] for one in quiet.body["recordings"]] == [sha256_of(path)]


def _written_to_while_open(path: Path) -> Any:
    def opened(root: Path, name: str) -> Any:
        source = open_beneath(root, name)
        with path.open("ab") as writer:
            writer.write(b"\n")
        return source

    return opened


# --- and what else a card may hold ----------------------------------------------------------------


def test_a_bad_file_among_good_ones_keeps_none_of_them_back(evidock: Command, card: Path) -> None:
    track(card, "a.gpx")
    (card / "b.mp4").write_text("no film")
    track(card, "c.gpx", number=1)
    told = evidock("ingest", card)
    assert told.status == 0
    assert (len(told.body["recordings"]), len(told.body["quarantined"])) == (2, 1)


def test_a_file_that_only_looks_like_footage_is_kept_and_put_aside(evidock: Command, card: Path) -> None:
    whole = bytearray(tiny("plain").path.read_bytes())
    at = whole.index(b"moov")
    whole[at + 4 :] = os.urandom(len(whole) - at - 4)
    path = card / "scrambled.mp4"
    path.write_bytes(whole)
    told = evidock("ingest", path)
    (aside,) = told.body["quarantined"]
    with open_home(evidock.home) as home:
        assert home.holds(path.read_bytes(), sha256_of(path))
        assert home.open_jobs() == []
    assert aside["reason"]


def test_a_name_that_would_forge_a_line_is_shown_escaped_and_taken(evidock: Command, card: Path) -> None:
    track(card).rename(card / os.fsdecode(b"a\n\x1b[31mok \xff.gpx"))
    told = evidock("ingest", card)
    (recording,) = told.body["recordings"]
    assert recording["originals"][0]["name"] == r"a\u000a\u001b[31mok \xff.gpx"
    assert recording["state"] == "indexed"


def test_links_and_pipes_are_left_with_the_reason(evidock: Command, card: Path, tmp_path: Path) -> None:
    (card / "passwd.mp4").symlink_to("/etc/passwd")
    os.mkfifo(card / "pipe.mp4")
    told = evidock("ingest", card)
    assert {(one["name"], one["reason"]) for one in told.body["skipped"]} == {
        ("passwd.mp4", "symlink"),
        ("pipe.mp4", "fifo"),
    }
    assert (told.status, told.body["recordings"]) == (0, [])


@pytest.mark.parametrize("what", ["missing", "link"])
def test_a_path_that_names_no_file_is_refused_in_words(evidock: Command, card: Path, what: str) -> None:
    path = card / "here.mp4"
    if what == "link":
        path.symlink_to("/etc/passwd")
    told = evidock("ingest", path)
    assert told.status == 3
    assert "here.mp4" in told.words


def test_a_device_claimed_by_the_operator_that_nobody_registered_puts_aside(evidock: Command, card: Path) -> None:
    told = evidock("ingest", track(card), "--device", "NOBODY1")
    assert (told.status, told.body["quarantined"][0]["code"]) == (3, UnknownDevice.code)


def test_a_side_file_of_an_unknown_camera_is_kept_too(evidock: Command, card: Path) -> None:
    assert_put_aside(evidock, track(card, dsj_name("X1")), UnknownDevice.code)


# --- everything real ----------------------------------------------------------------------------

BROKEN = {
    "broken-cut-short.mp4": IndexMissing.code,
    "broken-empty.mp4": EmptyFile.code,
    "broken-text.mp4": NotMedia.code,
    "hostile-playlist.mp4": PlaylistRefused.code,
}
NO_PICTURES_THAT_MOVE = {"photo", "document"}


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Home, dict[str, Any]]]:
    """All shared footage, taken in once."""
    media = shared_media()
    with open_home(tmp_path_factory.mktemp("everything") / "home") as home:
        yield home, home.ingest(media)


def real_files() -> list[Path]:
    return sorted(path for path in shared_media().rglob("*") if path.is_file() and path.name != "README.md")


def test_of_everything_real_nothing_is_lost(everything: tuple[Home, dict[str, Any]]) -> None:
    home, body = everything
    assert {one["name"] for one in body["skipped"]} == {"README.md"}
    held = {row["sha256"] for row in home.facts()["originals"]}
    assert held == set(map(sha256_of, real_files()))
    for path in real_files():
        assert home.holds(path.read_bytes(), sha256_of(path)), path.name
    assert home.open_jobs() == []
    assert home.rebuilt()[1] == home.facts()
    assert verify_all(home.ports, progress=unheard).verdict is Verdict.PROVEN


def test_of_everything_real_the_broken_is_put_aside_for_the_right_reason(
    everything: tuple[Home, dict[str, Any]],
) -> None:
    _, body = everything
    assert {one["name"]: one["code"] for one in body["quarantined"]} == BROKEN


def test_of_everything_real_the_playable_is_indexed_and_has_a_proxy(everything: tuple[Home, dict[str, Any]]) -> None:
    _, body = everything
    assert len(body["recordings"]) == len(real_files()) - len(BROKEN)
    for one in body["recordings"]:
        name = one["originals"][0]["name"]
        assert (one["state"], one["problem"]) == ("indexed", None), name
        wanted = {"photo": "thumbnail", "document": None}.get(one["kind"], "proxy")
        assert wanted is None or wanted in one["derivatives"], name
        assert one["segments"], name


def test_of_everything_real_that_moves_a_clip_is_cut_and_proven(
    everything: tuple[Home, dict[str, Any]], tmp_path: Path
) -> None:
    home, body = everything
    moving = [one for one in body["recordings"] if one["kind"] not in NO_PICTURES_THAT_MOVE]
    assert len(moving) >= 10
    for one in moving:
        length = Fraction(home.recording(one["id"])["duration"])
        span = Span(length / 4, length * 3 / 4)
        out = tmp_path / f"{one['id']}.mp4"
        made = clip.clip(one["id"], span, out, ports=home.ports, now=clocks.now())
        assert made.cut.frames, one["originals"]
        assert verify_file(out, home.ports, progress=unheard).verdict is Verdict.PROVEN, one["originals"]
