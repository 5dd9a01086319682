# SPDX-License-Identifier: Apache-2.0
"""This is where packs are forged, and checked with nothing but the auditor's keys."""

import json
import os
import shutil
import socket
from dataclasses import replace
from pathlib import Path

import pytest

from evidence.checkpoint import parse
from evidence.custody import parse_event
from evidence.errors import RecordMalformed
from evidence.note import sign_note, split_note
from evidence.verdict import Verdict
from pipeline import audit
from pipeline.pack import manifests, names
from pipeline.pack.check import check_pack
from pipeline.pack.plan import What
from storage.signing import KeyFile
from tests.support.packs import Hall, Pack, make_hall


@pytest.fixture(scope="module")
def hall(tmp_path_factory: pytest.TempPathFactory) -> Hall:
    return make_hall(tmp_path_factory.mktemp("packs"))


@pytest.fixture
def pack(hall: Hall, tmp_path: Path) -> Pack:
    return hall.copy(tmp_path / "pack")


@pytest.fixture
def clips(hall: Hall, tmp_path: Path) -> Pack:
    return hall.copy(tmp_path / "clips", What.CLIPS)


def files_of_each_kind(what: What) -> list[str]:
    common = [
        "bagit.txt", "bag-info.txt", "manifest-sha256.txt", "tagmanifest-sha256.txt", "pack.note", "data/pack.json",
        "data/case.json", "data/coverage.json", "data/report.html", "data/README.en.txt", "data/README.zh-CN.txt",
        "data/log/checkpoint", "data/log/consistency.json", "data/log/checkpoints/*", "data/log/tokens/*/*",
        "data/keys/agency.keys", "data/keys/anchors.pem", "data/details/*", "data/receipts/*",
        "data/custody/case/*/00000.note", "data/custody/export/*/00000.note", "data/custody/recording/*/00003.note",
        "data/custody/recording/*/inclusion.json",
    ]  # fmt: skip
    return [*common, *(["data/originals/*"] if what is What.ORIGINALS else ["data/clips/*.mp4", "data/clips/*.json"])]


# --- whole ------------------------------------------------------------------------------------


@pytest.mark.parametrize("what", list(What))
def test_a_pack_that_nobody_touched_is_proven(hall: Hall, what: What, tmp_path: Path) -> None:
    report = hall.copy(tmp_path / "pack", what).check()
    assert (report.verdict, report.findings) == (Verdict.PROVEN, ())
    assert any("existed before" in note for note in report.notes)


def test_without_anchors_it_is_proven_and_said_that_time_was_not_checked(pack: Pack) -> None:
    report = pack.check(audit.Trust(pack.trust.keys))
    assert report.verdict is Verdict.PROVEN
    assert any("no trust anchor was given" in note for note in report.notes)


def test_keys_inside_the_pack_alone_decide_nothing(pack: Pack, tmp_path: Path) -> None:
    stranger = KeyFile.create_or_load(tmp_path / "key.pem", "log.example.org")
    report = pack.check(audit.Trust((stranger.verifier(),)))
    assert report.verdict is Verdict.UNDECIDABLE
    assert "The keys inside the pack are no proof" in report.findings[0].where


def test_a_forged_pack_by_a_stranger_is_tampered_though_no_key_is_known(pack: Pack, tmp_path: Path) -> None:
    stranger = KeyFile.create_or_load(tmp_path / "key.pem", "log.example.org")
    pack.flip(pack.some("data/originals/*")).rewrite_manifests()
    assert pack.check(audit.Trust((stranger.verifier(),))).verdict is Verdict.TAMPERED


# --- one byte ---------------------------------------------------------------------------------


@pytest.mark.parametrize("pattern", files_of_each_kind(What.ORIGINALS))
def test_a_changed_byte_is_found_and_its_file_named(pack: Pack, pattern: str) -> None:
    name = pack.some(pattern)
    told = pack.flip(name).tampered()
    assert name in told or pattern == "tagmanifest-sha256.txt"


# The manifests are made anew by the forger, and what is in bag-info.txt counts for nothing.
REMADE = {"manifest-sha256.txt", "tagmanifest-sha256.txt", "bag-info.txt"}


@pytest.mark.parametrize("pattern", [one for one in files_of_each_kind(What.ORIGINALS) if one not in REMADE])
def test_a_changed_byte_is_found_when_the_manifests_were_made_anew(pack: Pack, pattern: str) -> None:
    pack.flip(pack.some(pattern)).rewrite_manifests().tampered()


@pytest.mark.parametrize("pattern", ["data/clips/*.mp4", "data/clips/*.json"])
def test_a_changed_byte_of_a_clip_or_its_proof_is_found(clips: Pack, pattern: str) -> None:
    name = clips.some(pattern)
    assert name in clips.flip(name, at=-40).rewrite_manifests().tampered()


SIGNED = [one for one in files_of_each_kind(What.ORIGINALS) if one.startswith("data/")]
# What these say is proven by the signed manifest alone: whoever has its key may write them.
WORDS = ("case.json", "coverage.json", "report.html", "README", "keys/", "pack.json")


@pytest.mark.parametrize("pattern", [one for one in SIGNED if not any(word in one for word in WORDS)])
def test_records_and_footage_hold_against_the_log_though_the_manifest_was_signed_anew(pack: Pack, pattern: str) -> None:
    name = pack.some(pattern)
    assert name in pack.flip(name).sign_again().tampered()


# --- added, removed, renamed, swapped ---------------------------------------------------------


def test_an_added_file_is_found(pack: Pack) -> None:
    (pack.folder / "data" / "originals" / "more.mp4").write_bytes(b"more")
    assert "data/originals/more.mp4: added" in pack.tampered()


def test_an_added_tag_file_is_found(pack: Pack) -> None:
    (pack.folder / "extra.txt").write_text("more")
    assert "extra.txt: added" in pack.tampered()


def test_a_file_added_with_the_manifest_signed_anew_is_not_of_the_index(pack: Pack) -> None:
    (pack.folder / "data" / "originals" / "more.mp4").write_bytes(b"more")
    assert "data/originals/more.mp4: unlisted" in pack.sign_again().tampered()


@pytest.mark.parametrize("pattern", files_of_each_kind(What.ORIGINALS))
def test_a_removed_file_is_found(pack: Pack, pattern: str) -> None:
    name = pack.some(pattern)
    (pack.folder / name).unlink()
    assert f"{name}: " in pack.tampered()


def test_a_removed_record_is_missed_though_the_manifest_was_signed_anew(pack: Pack) -> None:
    name = pack.some("data/custody/recording/*/00003.note")
    (pack.folder / name).unlink()
    assert f"{name}: missing" in pack.sign_again().tampered()


def test_a_renamed_file_is_missing_and_added(pack: Pack) -> None:
    name = pack.some("data/originals/*.jpg")
    (pack.folder / name).rename(pack.folder / name.replace(".jpg", ".jpeg"))
    told = pack.tampered()
    assert f"{name}: missing" in told
    assert f"{name.replace('.jpg', '.jpeg')}: added" in told


def swap(pack: Pack, pattern: str) -> list[str]:
    one, other = sorted(pack.folder.glob(pattern))[:2]
    aside = pack.folder.parent / "aside"
    one.rename(aside)
    other.rename(one)
    aside.rename(other)
    return [str(path.relative_to(pack.folder)) for path in (one, other)]


@pytest.mark.parametrize("pattern", ["data/originals/*.mp4", "data/receipts/*"])
def test_two_files_that_changed_places_are_found_though_the_manifest_was_signed_anew(pack: Pack, pattern: str) -> None:
    swapped = swap(pack, pattern)
    told = pack.sign_again().tampered()
    assert all(f"{name}: contradicts-record" in told for name in swapped)


def test_clips_that_changed_places_with_their_proofs_are_found(clips: Pack) -> None:
    swapped = swap(clips, "data/clips/*.mp4")
    swap(clips, "data/clips/*.proof.json")
    told = clips.sign_again().tampered()
    assert all(f"{name}: contradicts-record: no record" in told for name in swapped)


def test_the_receipt_of_another_recording_is_found(pack: Pack) -> None:
    one, other = sorted((pack.folder / "data" / "receipts").iterdir())[:2]
    shutil.copy(one, other)
    told = pack.sign_again().tampered()
    assert f"data/receipts/{other.name}: contradicts-record: recorded is the receipt" in told
    assert f"data/receipts/{other.name}: contradicts-record: it is the receipt of {one.stem}" in told


# --- manifests and signed words ---------------------------------------------------------------


def test_a_manifest_made_anew_has_nobodys_word(pack: Pack) -> None:
    (pack.folder / names.REPORT).write_text("<p>nothing happened</p>")
    assert pack.rewrite_manifests().tampered().startswith(f"{names.MANIFEST}: not-signed")


def test_a_manifest_signed_by_another_key_of_the_same_name_is_found(pack: Pack, tmp_path: Path) -> None:
    forger = KeyFile.create_or_load(tmp_path / "key.pem", pack.records.name)
    (pack.folder / names.REPORT).write_text("<p>nothing happened</p>")
    assert f"{names.NOTE}: signature-invalid" in pack.sign_again(forger).tampered()


def test_the_signed_word_of_another_pack_is_found(hall: Hall, pack: Pack) -> None:
    shutil.copy(hall.folders[What.CLIPS] / names.NOTE, pack.folder)
    assert f"{names.MANIFEST}: not-signed" in pack.rewrite_manifests().tampered()


def test_an_older_checkpoint_of_the_same_log_does_not_hold_the_records(pack: Pack) -> None:
    shutil.copy(pack.folder / pack.some("data/log/checkpoints/*"), pack.folder / names.CHECKPOINT)
    told = pack.sign_again().tampered()
    assert f"{names.CHECKPOINT}: contradicts-record" in told
    assert "00000.note: proof-invalid" in told


def test_an_older_checkpoint_that_the_index_owns_up_to_does_not_hold_the_records(pack: Pack) -> None:
    older = pack.folder / pack.some("data/log/checkpoints/*")
    shutil.copy(older, pack.folder / names.CHECKPOINT)
    pack.change_index(lambda body: body["checkpoint"].update(size=int(older.name)))
    assert "00000.note: proof-invalid" in pack.sign_again().tampered()


def test_a_record_signed_anew_with_another_past_neither_follows_nor_is_in_the_log(pack: Pack) -> None:
    name = pack.some("data/custody/recording/*/00003.note")
    event = parse_event(split_note((pack.folder / name).read_text())[0])
    forged = replace(event, prev="0" * 64)
    (pack.folder / name).write_text(sign_note(forged.to_text(), [pack.records.signer()]))
    told = pack.sign_again().tampered()
    assert f"{name}: contradicts-record: it does not follow number 2" in told
    assert f"{name}: proof-invalid" in told
    assert f"{name.replace('00003', '00004')}: contradicts-record: it does not follow number 3" in told


def test_a_record_in_the_place_of_another_is_found(pack: Pack) -> None:
    name = pack.some("data/custody/recording/*/00003.note")
    shutil.copy(pack.folder / name.replace("00003", "00002"), pack.folder / name)
    assert f"{name}: contradicts-record: it is number 2 of" in pack.sign_again().tampered()


def test_an_older_checkpoint_that_the_log_did_not_grow_from_is_found_though_the_log_signed_it(
    hall: Hall, pack: Pack
) -> None:
    name = pack.some("data/log/checkpoints/*")
    older = parse(split_note((pack.folder / name).read_text())[0])
    other = replace(older, root=bytes(32))
    (pack.folder / name).write_text(sign_note(other.to_text(), [hall.home.keys().log.signer()]))
    assert f"{name}: proof-invalid" in pack.sign_again().tampered()


def test_a_recording_left_out_of_the_index_leaves_files_that_nothing_speaks_of(pack: Pack) -> None:
    gone = pack.index()["recordings"][0]
    pack.change_index(lambda body: body["recordings"].pop(0))
    assert f"{gone['originals'][0]['file']}: unlisted" in pack.sign_again().tampered()


def test_an_original_told_to_be_disposed_of_needs_a_record_that_says_so(pack: Pack) -> None:
    def gone(body: dict[str, list[dict[str, object]]]) -> None:
        first: dict[str, object] = body["recordings"][0]
        first["is_gone"] = True
        first["originals"] = [{**one, "file": None} for one in first["originals"]]  # type: ignore[attr-defined]

    (pack.folder / str(pack.index()["recordings"][0]["originals"][0]["file"])).unlink()
    assert "is told to be disposed of, and no record says so" in pack.change_index(gone).sign_again().tampered()


def test_an_original_left_out_without_a_word_is_missed(pack: Pack) -> None:
    def out(body: dict[str, list[dict[str, list[dict[str, object]]]]]) -> None:
        body["recordings"][0]["originals"][0]["file"] = None

    (pack.folder / str(pack.index()["recordings"][0]["originals"][0]["file"])).unlink()
    assert "neither the original of" in pack.change_index(out).sign_again().tampered()


def test_a_detail_left_out_is_missed_unless_it_was_taken_away_before(pack: Pack) -> None:
    name = pack.some("data/details/*")
    (pack.folder / name).unlink()
    assert f"{name}: missing" in pack.sign_again().tampered()
    pack.change_index(lambda body: body["withheld"].append(Path(name).stem))
    report = pack.sign_again().check()
    assert report.verdict is Verdict.PROVEN
    assert any("was taken away before the pack was made" in note for note in report.notes)


def test_an_index_that_speaks_of_more_records_than_there_are_files_is_refused_at_once(pack: Pack) -> None:
    pack.change_index(lambda body: [one.update(events=100_000) for one in body["streams"]])
    assert "more records than the pack has files" in pack.sign_again().tampered()


def test_an_index_with_a_clip_twice_is_refused(clips: Pack) -> None:
    clips.change_index(lambda body: body["recordings"][0].update(clips=body["recordings"][0]["clips"] * 2))
    assert "names a clip twice" in clips.sign_again().tampered()


@pytest.mark.parametrize("data", [b"", b"[]", b"{", b'{"format":1}', b"\xff", b"[" * 100_000, b'{"a":1e400}'])
def test_an_index_of_another_form_is_a_finding(pack: Pack, data: bytes) -> None:
    (pack.folder / names.INDEX).write_bytes(data)
    assert f"{names.INDEX}: record-malformed" in pack.sign_again().tampered()


# --- hostile folders --------------------------------------------------------------------------


def test_a_link_in_the_place_of_a_file_ends_the_check(pack: Pack, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("not yours")
    name = pack.some("data/originals/*")
    (pack.folder / name).unlink()
    (pack.folder / name).symlink_to(secret)
    assert f"{name}: refused-link" in pack.tampered()
    assert pack.check().size_bytes == 0


def test_a_folder_that_is_a_link_ends_the_check(pack: Pack, tmp_path: Path) -> None:
    (pack.folder / "data" / "originals").rename(tmp_path / "elsewhere")
    (pack.folder / "data" / "originals").symlink_to(tmp_path / "elsewhere")
    assert "data/originals: refused-link" in pack.tampered()


def test_a_pipe_ends_the_check_and_does_not_hang_it(pack: Pack) -> None:
    os.mkfifo(pack.folder / "data" / "pipe")
    assert "data/pipe: refused-pipe" in pack.tampered()


def test_a_socket_ends_the_check(pack: Pack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(pack.folder)
    with socket.socket(socket.AF_UNIX) as door:
        door.bind("door")
        assert "door: refused-socket" in pack.tampered()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root makes devices")
def test_a_device_ends_the_check(pack: Pack) -> None:
    try:
        os.mknod(pack.folder / "data" / "zero", 0o020666, os.makedev(1, 5))
    except PermissionError:
        pytest.skip("no devices may be made here")
    assert "data/zero: refused-device" in pack.tampered()


@pytest.mark.parametrize(
    "name", ["a\nb", "cafe\u0301", "caf\u00e9", ".hidden", "a b", "x" * 130, "\udcff", "-rf", "a\\b"]
)
def test_a_name_that_is_none_of_ours_ends_the_check(pack: Pack, name: str) -> None:
    (pack.folder / "data" / name).write_text("?")
    assert "refused-name" in pack.tampered()


def test_a_list_of_things_to_fetch_ends_the_check(pack: Pack) -> None:
    (pack.folder / names.FETCH).write_text("http://127.0.0.1:1/x 1 data/x\n")
    assert f"{names.FETCH}: refused-fetch" in pack.tampered()


@pytest.mark.parametrize(
    "line",
    [
        "data/../../etc/passwd", "/etc/passwd", "data/./x", "~/x", "data//x", "data/x\\y", "C:/x", "data/%0Ax", "x",
        "data/caf\u00e9", "data/" + "x" * 400, "data/x\r", "", " data/x", "*data/x",
    ],
)  # fmt: skip
def test_a_manifest_that_names_what_no_pack_holds_is_refused(line: str) -> None:
    with pytest.raises(RecordMalformed):
        manifests.parse_manifest(f"{'0' * 64}  {line}\n".encode(), of_payload=True)


@pytest.mark.parametrize(
    "text",
    [
        f"{'0' * 64}  data/x\n{'1' * 64}  data/x\n",
        f"{'0' * 64}  data/x\n{'1' * 64}  data/X\n",
        f"{'0' * 64}  data/x",
        f"{'0' * 63}  data/x\n",
        f"{'A' * 64}  data/x\n",
        f"{'0' * 64} data/x\n",
        f"{'0' * 64}\tdata/x\n",
        "\n",
        "x" * 2_000_000 + "\n",
    ],
)
def test_a_manifest_of_another_form_is_refused(text: str) -> None:
    with pytest.raises(RecordMalformed):
        manifests.parse_manifest(text.encode(), of_payload=True)


def test_names_that_differ_by_case_alone_are_refused_in_a_manifest(pack: Pack) -> None:
    name = pack.some("data/originals/*.mp4")
    clash = name.replace(".mp4", ".MP4")
    shutil.copy(pack.folder / name, pack.folder / clash)
    assert f"{names.MANIFEST}: record-malformed" in pack.sign_again().tampered()


def test_a_note_that_is_larger_than_any_note_is_not_read_into_memory(pack: Pack) -> None:
    with (pack.folder / names.NOTE).open("wb") as note:
        note.truncate(8 << 20)
    assert f"{names.NOTE}: too-large" in pack.tampered()


def test_a_folder_that_is_no_pack_cannot_be_checked(tmp_path: Path, pack: Pack) -> None:
    (tmp_path / "empty").mkdir()
    assert check_pack(tmp_path / "empty", trust=pack.trust).verdict is Verdict.UNUSABLE


def test_a_bag_of_somebody_else_is_no_pack_of_ours(tmp_path: Path, pack: Pack) -> None:
    bag = tmp_path / "bag"
    (bag / "data").mkdir(parents=True)
    (bag / "data" / "hello.txt").write_text("hello")
    (bag / names.BAGIT).write_bytes(names.DECLARATION)
    other = Pack(bag, pack.trust, pack.records).rewrite_manifests()
    assert other.check().verdict is Verdict.UNUSABLE


def test_a_pack_without_its_signed_word_and_its_index_was_one_as_its_manifests_show(pack: Pack) -> None:
    (pack.folder / names.NOTE).unlink()
    (pack.folder / names.INDEX).unlink()
    assert f"{names.NOTE}: missing" in pack.tampered()


def test_the_page_of_a_pack_holds_no_form_from_outside(pack: Pack) -> None:
    page = (pack.folder / names.REPORT).read_text("utf-8")
    assert "<script" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "现场 &amp; 取证" in page
    assert "default-src 'none'" in page
    assert json.loads((pack.folder / names.CASE).read_bytes())["title"].endswith("</script>")
