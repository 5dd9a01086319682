# SPDX-License-Identifier: Apache-2.0
"""This is where the commands are tried as their users try them: in processes of their own, one after the other."""

import json
import shutil
from datetime import timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from app.cli.main import COMMANDS, command_line
from devices.simulator.camera import SimulatedCamera
from devices.simulator.filming import TINY
from tests.support.cameras import NOON, tiny_clip
from tests.support.command import evidock, evidock_process

FROM, TO = "2026-06-19T11:50:00+08:00", "2026-06-19T12:10:00+08:00"


@pytest.fixture(scope="module")
def card(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A card with 14 s of video, its track, and a photo, of a camera that is an hour fast."""
    folder = tmp_path_factory.mktemp("card")
    camera = SimulatedCamera("CMD0000001", "430407", clock_offset=timedelta(hours=1), seed=4)
    camera.record(folder, at=NOON, seconds=14, quality=TINY)
    camera.photograph(folder, at=NOON + timedelta(minutes=1), quality=TINY)
    return folder


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, card: Path) -> Path:
    """An installation that has taken the card in, with a case; tests read it and copy it to change it."""
    folder = tmp_path_factory.mktemp("installation") / "home"
    assert evidock("officer", "add", "430407", "--name", "张三", home=folder).status == 0
    assert evidock("device", "add", "CMD0000001", "--clock-offset-ms", "3600000", home=folder).status == 0
    opened = evidock("case", "new", "2026-017", "--officer", "430407", "--from", FROM, "--to", TO, home=folder)
    assert opened.status == 0
    taken = evidock("ingest", card, "--json", home=folder)
    assert taken.status == 0, taken.err
    return folder


def video(home: Path) -> str:
    listed = evidock("recordings", "--json", home=home).json["recordings"]
    return str(next(one["id"] for one in listed if one["kind"] == "video"))


def test_the_program_itself_starts_and_answers(home: Path) -> None:
    said = evidock_process("recordings", "--json", home=home)

    assert said.status == 0
    assert len(said.json["recordings"]) == 3
    assert evidock_process("show", "rec-nothing", home=home).status == 3


def test_ingest_says_what_scripts_rely_on(home: Path, card: Path) -> None:
    said = evidock("ingest", card, "--json", home=home)

    first = said.json["recordings"][0]
    assert set(said.json) >= {"recordings", "quarantined", "skipped"}
    assert set(first) >= {"id", "state", "device", "officer", "start", "end", "originals", "segments"}
    assert set(first["originals"][0]) >= {"name", "sha256", "size_bytes"}
    # The second time, everything is held already, and nothing became two.
    assert len(said.json["skipped"]) >= 3
    assert len({one["id"] for one in said.json["recordings"]}) == 3


def test_the_camera_s_wrong_clock_is_taken_off_and_the_case_finds_the_recording(home: Path) -> None:
    found = evidock("recordings", "--case", "2026-017", "--json", home=home).json["recordings"]

    assert {one["kind"] for one in found} == {"video", "photo", "document"}
    assert next(one for one in found if one["kind"] == "video")["start"] == "2026-06-19T04:00:00.000000Z"


def test_show_tells_claims_conflicts_jobs_and_custody(home: Path) -> None:
    told = evidock("show", video(home), "--json", home=home).json

    assert {claim["source"] for claim in told["claims"]} >= {"file-name", "container", "mtime"}
    assert [event["kind"] for event in told["custody"]][:3] == ["arrived", "measured", "sealed"]
    assert all(job["state"] == "done" and job["progress_permille"] == 1000 for job in told["jobs"])
    assert evidock("show", video(home), home=home).status == 0


def test_a_clip_is_exact_and_is_proven_anywhere_with_the_agency_s_keys_alone(home: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.mp4"
    said = evidock("clip", video(home), "--from", "00:03.05", "--to", "00:05", "-o", out, "--json", home=home)
    keys = tmp_path / "agency.keys"
    keys.write_text(evidock("log", "keys", home=home).out)

    assert said.status == 0, said.err
    # 30 frames a second: the first at or after 3.05 s is number 92 of 14 s, the last before 5 s is 149.
    assert said.json["delivered"]["frames"] == 58
    assert said.json["bytes_read"] > 0
    assert evidock("verify", out, home=home).status == 0
    alone = evidock("verify", out, "--keys", keys, "--json", home=tmp_path / "nowhere")
    assert (alone.status, alone.json["verdict"]) == (0, "proven")
    assert not (tmp_path / "nowhere").exists()


def test_a_clip_is_undecidable_for_somebody_without_the_keys(home: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.mp4"
    evidock("clip", video(home), "--from", "1", "--to", "2", "-o", out, home=home)

    stranger = evidock("verify", out, "--json", home=tmp_path / "other")

    assert (stranger.status, stranger.json["verdict"]) == (2, "undecidable")


def test_one_flipped_byte_in_a_clip_is_named(home: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.mp4"
    evidock("clip", video(home), "--from", "1", "--to", "2", "-o", out, home=home)
    data = bytearray(out.read_bytes())
    data[-100] ^= 1
    out.write_bytes(data)

    said = evidock("verify", out, "--json", home=home)

    assert (said.status, said.json["verdict"]) == (1, "tampered")
    assert said.json["findings"]


def test_a_case_clips_every_recording_that_covers_the_time(home: Path, tmp_path: Path) -> None:
    span = ("--from", "2026-06-19T12:00:02+08:00", "--to", "2026-06-19T12:00:04+08:00")
    said = evidock("clip", "--case", "2026-017", *span, "-o", tmp_path / "c.mp4", "--json", home=home)

    assert said.status == 0, said.err
    assert [one["delivered"]["frames"] for one in said.json["clips"]] == [60]


@pytest.mark.parametrize(
    ("arguments", "status", "code"),
    [
        (("show", "rec-nothing"), 3, "not-found"),
        (("clip", "rec-nothing", "--from", "1", "--to", "2", "-o", "x.mp4"), 3, "not-found"),
        (("clip", "--from", "1", "--to", "2", "-o", "x.mp4"), 3, "bad-input"),
        (("verify",), 3, "bad-input"),
        (("ingest", "/no/such/file"), 3, "not-found"),
        (("case", "new", "2026-017", "--officer", "1", "--from", FROM, "--to", TO), 77, "conflict"),
        (("case", "new", "c-2", "--officer", "1", "--from", TO, "--to", FROM), 3, "bad-input"),
        (("case", "new", "c-3", "--officer", "1", "--from", "yesterday", "--to", TO), 3, "bad-input"),
        (("device", "add", "no serial"), 3, "bad-input"),
        (("device", "assign", "CMD0000001", "nobody"), 3, "not-found"),
    ],
)
def test_what_a_person_gets_wrong_is_said_in_words_with_a_code(
    home: Path, arguments: tuple[str, ...], status: int, code: str
) -> None:
    said = evidock(*arguments, "--json", home=home)

    assert (said.status, said.json["code"]) == (status, code)
    assert code in said.err


def test_errors_are_told_in_chinese_to_who_reads_chinese(home: Path) -> None:
    said = evidock("show", "rec-nothing", home=home, EVIDOCK_LANG="zh_CN")

    assert "未找到" in said.err


def test_a_setting_that_cannot_be_used_is_named_with_its_origin(home: Path) -> None:
    said = evidock("recordings", home=home, EVIDOCK_TIMEZONE="Mars/Olympus")

    assert said.status == 3
    assert "EVIDOCK_TIMEZONE" in said.err


def test_doctor_tells_every_setting_and_finds_a_new_home_healthy(tmp_path: Path) -> None:
    told = evidock("doctor", "--json", home=tmp_path / "new").json

    assert told["healthy"], told
    assert {"setting": "EVIDOCK_HOME", "value": str(tmp_path / "new"), "origin": "EVIDOCK_HOME"} in told["settings"]


def test_the_register_is_rebuilt_from_store_and_log_and_answers_the_same(home: Path, tmp_path: Path) -> None:
    copy = tmp_path / "home"
    shutil.copytree(home, copy)
    before = listing(copy)
    (copy / "register.db").write_bytes(b"not a database any more")

    done = evidock("doctor", "--rebuild-register", "--json", home=copy)

    assert done.status == 0, done.err
    assert done.json["events_from_log"] > 0
    assert listing(copy) == before
    assert evidock("verify", "--all", home=copy).status == 0


def listing(home: Path) -> tuple[str, str]:
    return evidock("recordings", "--json", home=home).out, evidock("case", "list", "--json", home=home).out


def test_a_person_links_and_withdraws_and_the_log_keeps_both(home: Path, tmp_path: Path) -> None:
    copy = tmp_path / "home"
    shutil.copytree(home, copy)
    opened = evidock("case", "new", "later", "--officer", "430499", "--from", FROM, "--to", TO, "--json", home=copy)
    identifier = video(copy)

    linked = evidock("case", "link", "later", identifier, "--why", "same shop", "--json", home=copy)
    unlinked = evidock("case", "unlink", "later", identifier, "--why", "other shop", home=copy)

    assert opened.json["recordings_linked"] == 0
    assert len(linked.json["segments"]) == 2 - (linked.json["segments"] == [f"{identifier}.00000"])
    assert unlinked.status == 0
    assert evidock("case", "show", "later", "--json", home=copy).json["segments"] == 0
    kinds = [event["kind"] for event in evidock("log", "show", "--json", home=copy).json["events"]]
    assert kinds[:2] == ["case-unlinked", "case-linked"]
    closed = evidock("case", "close", "later", home=copy)
    assert closed.status == 0
    assert evidock("log", "check", home=copy).status == 0


def test_a_file_that_nobody_knows_is_undecidable_and_an_original_is_known_by_its_bytes(
    home: Path, card: Path, tmp_path: Path
) -> None:
    stranger = tmp_path / "stranger.mp4"
    shutil.copyfile(tiny_clip("ntsc"), stranger)
    ours = next(card.rglob("*.mp4"))

    assert evidock("verify", stranger, home=home).status == 2
    assert evidock("verify", ours, home=home).status == 0


def test_help_of_every_command_has_an_example() -> None:
    said = {command: CliRunner().invoke(command_line(), [*command, "--help"]).output for command in every_command()}

    assert len(said) > 20
    assert [c for c, told in said.items() if f"• evidock {' '.join(c)}" not in told] == []


def every_command() -> list[tuple[str, ...]]:
    """Every command by its words, those of groups included."""
    found: list[tuple[str, ...]] = []
    for name in COMMANDS:
        group = command_line([name]).registered_groups
        inner = group[0].typer_instance.registered_commands if group and group[0].typer_instance else []
        found += [(name, str(one.name)) for one in inner] or [(name,)]
    return found


def test_the_custody_log_s_checkpoint_is_printed_as_signed(home: Path) -> None:
    printed = evidock("log", "checkpoint", home=home).out
    told = json.loads(evidock("log", "checkpoint", "--json", home=home).out)

    assert printed == told["checkpoint"]
    assert printed.startswith("evidock.local/")


def test_a_name_that_looks_like_markup_is_printed_as_it_is(tmp_path: Path) -> None:
    odd = tmp_path / "[red][bold] 现场].mp4"
    odd.write_bytes(b"not footage")

    said = evidock("ingest", odd, home=tmp_path / "home")

    assert said.status == 3
    assert odd.name in said.out


def test_a_damaged_checkpoint_is_named_by_verify_and_stops_nobody_from_asking(home: Path, tmp_path: Path) -> None:
    copy = tmp_path / "home"
    shutil.copytree(home, copy)
    checkpoint = copy / "objects" / "log" / "checkpoint"
    checkpoint.chmod(0o600)
    checkpoint.write_bytes(checkpoint.read_bytes().replace(b"\n", b"\n0", 1))

    said = evidock("verify", "--all", "--json", home=copy)

    assert (said.status, said.json["verdict"]) == (1, "tampered")
    assert "log/checkpoint" in {finding["object"] for finding in said.json["findings"]}
