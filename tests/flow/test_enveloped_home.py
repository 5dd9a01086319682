# SPDX-License-Identifier: Apache-2.0
"""An installation whose footage rests in envelopes: everything works, and none of the footage lies in its store."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from evidence.errors import BadInput
from pipeline.audit import verify_all
from storage import layout
from storage.enveloped.keyring import Keyring
from storage.enveloped.store import EnvelopedStore, at_rest
from storage.removal_file import DirectoryRemover
from tests.support.cameras import tiny_clip
from tests.support.command import Said, evidock
from tests.support.home import NOON, Home, open_home, track

ON = {"EVIDOCK_ENVELOPE": "on"}
_PIECE = 48


def run(home: Path, *words: str | Path, **environment: str) -> Said:
    return evidock(*words, home=home, **(ON | environment))


def done(home: Path, *words: str | Path, **environment: str) -> Said:
    said = run(home, *words, **environment)
    assert said.status == 0, said.out + said.err
    return said


def pieces(data: bytes) -> set[bytes]:
    """Parts of a file by which a copy of it would be known."""
    return {data[at : at + _PIECE] for at in range(0, len(data) - _PIECE, 1009) if len(set(data[at : at + _PIECE])) > 9}


def found_below(folder: Path, wanted: set[bytes]) -> list[str]:
    """Files below `folder` that hold one of the wanted parts."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return [str(path.relative_to(folder)) for path in files if any(one in path.read_bytes() for one in wanted)]


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with a video, a photo and a track, all done."""
    home = tmp_path_factory.mktemp("enveloped") / "home"
    card = home.with_name("card")
    done(home, "device", "add", "36NCC009910")
    done(home, "ingest", tiny_clip("plain"), tiny_clip("photo"), track(card))
    return home


@pytest.fixture
def home(filled: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    return Path(shutil.copytree(filled, tmp_path / "home"))


def video_of(home: Path) -> dict[str, Any]:
    listed: list[dict[str, Any]] = done(home, "recordings", "--json").json["recordings"]
    return next(one for one in listed if one["kind"] == "video")


def keys_below(home: Path, folder: str) -> list[str]:
    objects = home / "objects"
    return [path.relative_to(objects).as_posix() for path in (objects / folder).rglob("*") if path.is_file()]


def test_what_rests_has_no_part_of_the_footage_in_it(home: Path) -> None:
    footage = pieces(tiny_clip("plain").read_bytes()) | pieces(tiny_clip("photo").read_bytes())
    assert len(footage) > 20
    assert found_below(home / "objects", footage) == []
    assert found_below(home / "opened", footage) == []
    with open_home(home, envelope="on") as opened:
        store = opened.ports.store
        made = list(store.keys(layout.DERIVATIVES_PREFIX))
        proxies = set().union(*(pieces(store.read(key, limit=1 << 24)) for key in made))
    assert len(proxies) > 20
    assert found_below(home / "objects", proxies) == []


def test_each_original_and_each_derivative_has_a_data_key_of_its_own(home: Path) -> None:
    keys = [*keys_below(home, "originals"), *keys_below(home, "derivatives")]
    named = {layout.envelope_key_of(key) for key in keys} - {None}
    assert set(keys_below(home, "envelopes")) == named
    assert len(named) == 3 + len(keys_below(home, "derivatives"))


def test_everything_is_proven_and_clipped_and_the_clip_is_proven_without_us(home: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.mp4"
    done(home, "clip", video_of(home)["id"], "--from", "0.5", "--to", "1.5", "-o", out)
    assert done(home, "verify", "--all", "--json").json["verdict"] == "proven"
    (tmp_path / "agency.keys").write_text(done(home, "log", "keys").out)
    elsewhere = evidock("verify", out, "--keys", tmp_path / "agency.keys", "--json", home=tmp_path / "nobody")
    assert (elsewhere.status, elsewhere.json["verdict"]) == (0, "proven")


def test_the_register_is_remade_from_envelopes(home: Path) -> None:
    for path in home.glob("register.db*"):
        path.unlink()
    done(home, "doctor", "--rebuild-register")
    assert done(home, "verify", "--all", "--json").json["verdict"] == "proven"
    assert video_of(home)["state"] == "indexed"


def test_an_altered_chunk_at_rest_is_named(home: Path) -> None:
    key = layout.original_key(_sha256_of_video(home))
    path = home / "objects" / key
    data = bytearray(path.read_bytes())
    data[70_000] ^= 1
    path.chmod(0o644)
    path.write_bytes(data)
    said = run(home, "verify", "--all", "--json")
    assert (said.status, said.json["verdict"]) == (1, "tampered")
    assert [(one["object"], "64 KiB chunk 1 " in one["where"]) for one in said.json["findings"]] == [(key, True)]


def _sha256_of_video(home: Path) -> str:
    with open_home(home, envelope="on") as opened:
        return next(
            sha256
            for key in opened.ports.store.keys(layout.ORIGINALS_PREFIX)
            if (sha256 := layout.original_of(key)) and opened.ports.store.exists(layout.packets_key(sha256))
        )


# --- on and off -----------------------------------------------------------------------------------


def test_switched_on_over_a_plain_store_what_is_old_stays_plain_and_reads(tmp_path: Path) -> None:
    home = tmp_path / "home"
    assert evidock("device", "add", "36NCC009910", home=home).status == 0
    assert evidock("ingest", tiny_clip("photo"), home=home).status == 0
    assert keys_below(home, "envelopes") == []
    done(home, "ingest", tiny_clip("plain"))
    assert done(home, "verify", "--all", "--json").json["verdict"] == "proven"
    assert found_below(home / "objects", pieces(tiny_clip("photo").read_bytes()))
    assert not found_below(home / "objects", pieces(tiny_clip("plain").read_bytes()))


def test_switched_off_what_is_in_envelopes_reads_and_new_footage_rests_plain(home: Path, tmp_path: Path) -> None:
    new = track(tmp_path / "card", "new.gpx", number=7)
    done(home, "ingest", new, EVIDOCK_ENVELOPE="off")
    assert done(home, "verify", "--all", "--json", EVIDOCK_ENVELOPE="off").json["verdict"] == "proven"
    assert found_below(home / "objects", {new.read_bytes()})


def test_off_nothing_is_made_and_nothing_is_asked(tmp_path: Path) -> None:
    with open_home(tmp_path / "home") as opened:
        assert not isinstance(opened.ports.store, EnvelopedStore)
        assert at_rest(opened.ports.store) is opened.ports.store
    assert not list((tmp_path / "home" / "keys").glob("envelope*"))


def test_a_lost_key_is_said_and_no_new_one_is_made(home: Path) -> None:
    (home / "keys" / "envelope.key").rename(home / "keys" / "elsewhere")
    for setting in ("on", "off"):
        with pytest.raises(BadInput, match="bring their key back"), open_home(home, envelope=setting):
            pass
        assert not (home / "keys" / "envelope.key").exists()
        said = run(home, "doctor", "--json", EVIDOCK_ENVELOPE=setting)
        [check] = [one for one in said.json["checks"] if one["name"] == "envelopes"]
        assert "bring their key back" in check["advice"]


def test_the_key_is_changed_by_renaming_its_file(home: Path, tmp_path: Path) -> None:
    (home / "keys" / "envelope.key").rename(home / "keys" / "envelope-2026.key")
    done(home, "ingest", track(tmp_path / "card", "new.gpx", number=8))
    assert len(Keyring.load(home / "keys").names) == 2
    assert done(home, "verify", "--all", "--json").json["verdict"] == "proven"


def test_the_doctor_says_whether_envelopes_are_on(home: Path, tmp_path: Path) -> None:
    def told(folder: Path, setting: str) -> str:
        checks = run(folder, "doctor", "--json", EVIDOCK_ENVELOPE=setting).json["checks"]
        return str(next(one["found"] for one in checks if one["name"] == "envelopes"))

    [name] = Keyring.load(home / "keys").names
    assert told(home, "on").startswith(f"on, keys {name}; without them the footage is lost")
    assert told(home, "off").startswith("off for what is new")
    assert told(tmp_path / "another", "off").startswith("off: ")


# --- copies ---------------------------------------------------------------------------------------


def test_a_tape_with_the_envelope_is_worth_nothing_once_the_data_key_is_gone(home: Path, tmp_path: Path) -> None:
    key = layout.original_key(_sha256_of_video(home))
    tape = tmp_path / "tape"
    shutil.copytree(home / "objects" / "originals", tape)
    wrapped = layout.envelope_key_of(key)
    assert wrapped is not None
    remover = DirectoryRemover(home / "objects")
    for gone in (wrapped, *layout.enveloped_under(wrapped)):
        remover.remove(gone, now=NOON)
        assert remover.traces(gone) == ()
    shutil.copytree(tape, home / "objects" / "originals", dirs_exist_ok=True)

    footage = pieces(tiny_clip("plain").read_bytes())
    with open_home(home, envelope="on") as opened:  # with the key of the installation
        assert not any(one in opened.ports.store.read(key, limit=1 << 24) for one in footage)
        report = verify_all(opened.ports)
        others = [one for one in opened.ports.store.keys("originals/") if layout.envelope_key_of(one) != wrapped]
        assert all(opened.ports.store.measure(one) for one in others)
    blamed = {finding.object for finding in report.findings}
    assert blamed == {key, f"{key}.chunks", f"{key}.packets"}


@pytest.mark.parametrize("objects", ["with", "without"])
def test_a_backup_holds_envelopes_and_never_the_footage_and_is_restored_whole(
    home: Path, tmp_path: Path, objects: str
) -> None:
    backup, anew = tmp_path / "backup", tmp_path / "anew"
    done(home, "backup", "-o", backup, *(["--objects"] if objects == "with" else []))
    assert (backup / "keys" / "envelope.key").read_bytes() == (home / "keys" / "envelope.key").read_bytes()
    assert found_below(backup, pieces(tiny_clip("plain").read_bytes())) == []
    url = {} if objects == "with" else {"EVIDOCK_OBJECTS_URL": f"file://{home}/objects"}
    said = done(anew, "restore", backup, "--into", anew, "--json", **url)
    assert said.json["verify"]["verdict"] == "proven"
    assert said.json["objects_missing"] == 0
    if objects == "with":
        assert sorted(keys_below(anew, "envelopes")) == sorted(keys_below(home, "envelopes"))
        drilled = done(home, "restore", "--drill", backup, "--json")
        assert drilled.json["verify"]["verdict"] == "proven"


def test_an_altered_envelope_in_a_backup_is_refused(home: Path, tmp_path: Path) -> None:
    done(home, "backup", "-o", tmp_path / "backup", "--objects")
    shutil.copytree(tmp_path / "backup", tmp_path / "copied")  # the backup's files are those of the store
    path = tmp_path / "copied" / "objects" / layout.original_key(_sha256_of_video(home))
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.chmod(0o644)
    path.write_bytes(data)
    said = run(tmp_path / "anew", "restore", tmp_path / "copied", "--into", tmp_path / "anew", "--json")
    assert (said.status, said.json["code"]) == (1, "backup-invalid")


def test_a_backup_without_the_key_is_not_restored_over_none(home: Path, tmp_path: Path) -> None:
    done(home, "backup", "-o", tmp_path / "backup", "--objects", "--without-keys")
    keys = tmp_path / "anew" / "keys"
    shutil.copytree(home / "keys", keys)
    (keys / "envelope.key").unlink()
    said = run(
        tmp_path / "anew", "restore", tmp_path / "backup", "--into", tmp_path / "anew", "--json", EVIDOCK_ENVELOPE="off"
    )
    assert (said.status, said.json["code"]) == (3, "bad-input")
    assert "key of its envelopes" in said.json["message"]


def test_two_homes_in_one_process_keep_their_keys_apart(home: Path, tmp_path: Path) -> None:
    with open_home(home, envelope="on") as one, open_home(tmp_path / "other", envelope="on") as other:
        taken: Home = other
        taken.ingest(track(tmp_path / "card", "new.gpx", number=9))
        assert set(one.ports.store.keys("originals/")).isdisjoint(other.ports.store.keys("originals/"))
        assert verify_all(other.ports).verdict.value == "proven"
