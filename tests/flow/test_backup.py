# SPDX-License-Identifier: Apache-2.0
"""F30: a backup is whole or refused; restored it is the installation, and what came since comes back."""

import json
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from app.settings import without_password
from evidence.errors import BackupInvalid, BadInput, Conflict, LogInconsistent
from pipeline import flow
from tests.support.chaos import times
from tests.support.command import Said, evidock
from tests.support.dying import dying
from tests.support.home import NOON, Home, dsj_name, open_home, track
from tests.support.oracle import assert_whole
from tests.support.postgres import database_url

pytestmark = pytest.mark.timeout(300)

ENGINES = ("sqlite", "postgresql")


def environment(home: Path, engine: str, *, objects: Path | None = None) -> dict[str, str]:
    """The settings of an installation on an engine, as of its environment."""
    told = {"EVIDOCK_HOME": str(home)}
    if engine == "postgresql":
        told["EVIDOCK_REGISTER_URL"] = database_url()
    if objects is not None:
        told["EVIDOCK_OBJECTS_URL"] = f"file://{objects}"
    return told


@contextmanager
def opened(told: dict[str, str]) -> Iterator[Home]:
    given = {name.removeprefix("EVIDOCK_").lower(): value for name, value in told.items()}
    with open_home(Path(given.pop("home")), **given) as home:
        yield home


def fill(home: Home, card: Path) -> None:
    """A case, an officer, a device and three recordings, all done and published."""
    home.add_device("B2")
    home.add_officer("000001")
    home.assign("B2", "000001", start=NOON)
    home.open_case("2026-1", "000001", start=NOON, end=NOON.replace(hour=NOON.hour + 1))
    home.ingest(track(card, dsj_name("B2")), track(card, "1.gpx", number=1), track(card, "2.gpx", number=2))
    home.publish()


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an embedded installation in which something has happened, and the card it was taken from."""
    folder = tmp_path_factory.mktemp("original")
    with opened(environment(folder / "home", "sqlite")) as home:
        fill(home, folder / "card")
    return folder


@pytest.fixture
def lived(original: Path, tmp_path: Path) -> dict[str, str]:
    """The environment of a copy of it."""
    for name in ("home", "card"):
        shutil.copytree(original / name, tmp_path / name)
    return environment(tmp_path / "home", "sqlite")


def backed_up(told: dict[str, str], target: Path, *words: str) -> Path:
    done = evidock("backup", "-o", target, *words, "--json", home=None, **told)
    assert done.status == 0, done.err
    return target


def restored(backup: Path, told: dict[str, str], *words: str) -> Said:
    return evidock("restore", backup, *words, "--json", home=None, **told)


def objects_of(told: dict[str, str]) -> Path:
    return Path(told["EVIDOCK_HOME"]) / "objects"


# --- the same installation, on whichever engine ---------------------------------------------------


@pytest.mark.parametrize("before", ENGINES)
@pytest.mark.parametrize("after", ENGINES)
def test_a_restored_installation_has_every_fact_and_verifies_whole(tmp_path: Path, before: str, after: str) -> None:
    told = environment(tmp_path / "home", before)
    with opened(told) as home:
        fill(home, tmp_path / "card")
        facts = home.facts()
    backup = backed_up(told, tmp_path / "backup")
    anew = environment(tmp_path / "anew", after, objects=objects_of(told))

    done = restored(backup, anew)

    assert (done.status, done.json["verify"]["verdict"]) == (0, "proven"), done.out
    assert (done.json["events_from_log"], done.json["events_from_receipts"]) == (0, 0)
    with opened(anew) as home:
        assert home.facts() == facts
        home.ingest(track(tmp_path / "card", "3.gpx", number=3))
        assert_whole(home, sorted((tmp_path / "card").iterdir()))


def test_what_was_published_since_the_backup_comes_back(lived: dict[str, str], tmp_path: Path) -> None:
    backup = backed_up(lived, tmp_path / "backup")
    with opened(lived) as home:
        home.ingest(track(tmp_path / "card", "3.gpx", number=3))
        home.add_officer("000002")
        home.publish()
        facts = home.facts()
    anew = environment(tmp_path / "anew", "sqlite", objects=objects_of(lived))
    done = restored(backup, anew)
    assert (done.status, done.json["events_from_log"], done.json["jobs_opened"]) == (0, 8, 0)
    with opened(anew) as home:
        assert home.facts() == facts


def test_events_that_waited_for_publication_get_the_place_that_they_got_since(
    lived: dict[str, str], tmp_path: Path
) -> None:
    with opened(lived) as home:
        home.add_officer("000002")
        evidock_backup_without_publishing(home, tmp_path / "backup")
        home.add_officer("000003")
        home.publish()
        facts = home.facts()
    anew = environment(tmp_path / "anew", "sqlite", objects=objects_of(lived))
    done = restored(tmp_path / "backup", anew)
    assert (done.status, done.json["events_from_log"]) == (0, 1)
    with opened(anew) as home:
        assert home.facts() == facts


def evidock_backup_without_publishing(home: Home, target: Path) -> None:
    """As the command, which publishes when it has ended."""
    from app.backup import make_backup
    from pipeline.ports import unheard

    make_backup(target, ports=home.ports, settings=home.settings, with_keys=True, with_objects=False, progress=unheard)


def test_what_was_sealed_since_and_never_published_comes_back_from_its_receipt(
    lived: dict[str, str], tmp_path: Path
) -> None:
    backup = backed_up(lived, tmp_path / "backup")
    with opened(lived) as home:
        recording = home.offer(track(tmp_path / "card", "3.gpx", number=3))
        for step in ("fixity", "seal"):
            assert home.run(step, recording) is flow.Result.DONE
    anew = environment(tmp_path / "anew", "sqlite", objects=objects_of(lived))
    done = restored(backup, anew, "--no-verify")
    assert (done.json["events_from_receipts"], done.json["jobs_opened"]) == (2, 1)
    with opened(anew) as home:
        home.drain(recording)
        assert_whole(home, sorted((tmp_path / "card").iterdir()))


def test_a_backup_with_its_objects_needs_nothing_of_the_old_disk(lived: dict[str, str], tmp_path: Path) -> None:
    backup = backed_up(lived, tmp_path / "backup", "--objects")
    shutil.rmtree(lived["EVIDOCK_HOME"])
    anew = environment(tmp_path / "anew", "sqlite")
    done = restored(backup, anew)
    assert (done.status, done.json["verify"]["verdict"]) == (0, "proven")
    with opened(anew) as home:
        assert_whole(home, sorted((tmp_path / "card").iterdir()))


def test_a_backup_without_keys_waits_for_the_keys(lived: dict[str, str], tmp_path: Path) -> None:
    backup = backed_up(lived, tmp_path / "backup", "--without-keys")
    assert not (backup / "keys").exists()
    anew = environment(tmp_path / "anew", "sqlite", objects=objects_of(lived))
    refused = restored(backup, anew)
    assert (refused.status, refused.json["code"]) == (3, BadInput.code)
    shutil.copytree(Path(lived["EVIDOCK_HOME"]) / "keys", tmp_path / "anew" / "keys")
    done = restored(backup, anew)
    assert (done.status, done.json["signature"]) == (0, "installed key")


# --- what is refused ------------------------------------------------------------------------------


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.chmod(0o600)
    path.write_bytes(data)


@pytest.mark.parametrize(
    "name", ["register/officers.jsonl", "register/custody_events.jsonl", "objects.list", "place", "checkpoint"]
)
def test_one_flipped_bit_in_a_backup_is_refused_by_name_and_nothing_is_touched(
    lived: dict[str, str], tmp_path: Path, name: str
) -> None:
    backup = backed_up(lived, tmp_path / "backup")
    flip(backup / name)
    refused = restored(backup, environment(tmp_path / "anew", "sqlite", objects=objects_of(lived)))
    assert (refused.status, refused.json["code"]) == (1, BackupInvalid.code)
    assert name in refused.json["message"]
    assert sorted(path.name for path in (tmp_path / "anew").iterdir()) == ["in-use"]


def test_a_backup_that_lacks_a_file_is_refused(lived: dict[str, str], tmp_path: Path) -> None:
    backup = backed_up(lived, tmp_path / "backup")
    (backup / "register" / "segments.jsonl").unlink()
    refused = restored(backup, environment(tmp_path / "anew", "sqlite", objects=objects_of(lived)))
    assert (refused.json["code"], "segments" in refused.json["message"]) == (BackupInvalid.code, True)


def test_a_manifest_that_was_changed_is_refused(lived: dict[str, str], tmp_path: Path) -> None:
    backup = backed_up(lived, tmp_path / "backup")
    manifest = backup / "manifest"
    manifest.write_text(manifest.read_text().replace('"events":', '"events":1', 1))
    refused = restored(backup, environment(tmp_path / "anew", "sqlite", objects=objects_of(lived)))
    assert refused.json["code"] == BackupInvalid.code


def test_a_manifest_that_names_a_file_outside_the_backup_is_refused(lived: dict[str, str], tmp_path: Path) -> None:
    backup = backed_up(lived, tmp_path / "backup")
    manifest = backup / "manifest"
    manifest.write_text(manifest.read_text().replace('"objects.list"', '"../objects.list"', 1))
    refused = restored(backup, environment(tmp_path / "anew", "sqlite", objects=objects_of(lived)))
    assert (refused.json["code"], "outside" in refused.json["message"]) == (BackupInvalid.code, True)


def test_a_flipped_bit_in_a_copied_object_is_refused_by_name(lived: dict[str, str], tmp_path: Path) -> None:
    backup = backed_up(lived, tmp_path / "backup", "--objects")
    key = next(iter(sorted((backup / "objects" / "originals").rglob("*.receipt")))).with_suffix("")
    copied = key.read_bytes()
    key.unlink()  # it may share its bytes with the store
    key.write_bytes(copied[:-1] + bytes([copied[-1] ^ 1]))
    refused = restored(backup, environment(tmp_path / "anew", "sqlite"))
    assert (refused.status, refused.json["code"]) == (1, BackupInvalid.code)
    assert key.name in refused.json["message"]


def test_a_folder_that_is_no_backup_is_not_found(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    assert restored(tmp_path / "folder", environment(tmp_path / "anew", "sqlite")).json["code"] == "not-found"


@pytest.mark.parametrize("engine", ENGINES)
def test_a_restore_never_overwrites_a_register(lived: dict[str, str], tmp_path: Path, engine: str) -> None:
    backup = backed_up(lived, tmp_path / "backup")
    other = environment(tmp_path / "other", engine, objects=objects_of(lived))
    shutil.copytree(Path(lived["EVIDOCK_HOME"]) / "keys", tmp_path / "other" / "keys")
    assert evidock("doctor", "--rebuild-register", home=None, **environment(tmp_path / "other", "sqlite")).status == 0
    with opened(environment(tmp_path / "other", engine)) as home:
        home.add_officer("999999")
        before = home.facts()
        told = {"EVIDOCK_HOME": str(home.settings.home), "EVIDOCK_REGISTER_URL": home.settings.register_url}
    refused = restored(backup, told | {"EVIDOCK_OBJECTS_URL": other["EVIDOCK_OBJECTS_URL"]})
    assert (refused.status, refused.json["code"]) == (77, Conflict.code)
    with opened(told) as home:
        assert home.facts() == before


def test_an_installation_with_keys_of_its_own_is_left_alone(lived: dict[str, str], tmp_path: Path) -> None:
    backup = backed_up(lived, tmp_path / "backup")
    other = environment(tmp_path / "other", "sqlite")
    assert evidock("log", "keys", home=None, **other).status == 0
    before = (tmp_path / "other" / "keys" / "log.pem").read_bytes()
    refused = restored(backup, other)
    assert (refused.status, refused.json["code"]) == (77, Conflict.code)
    assert (tmp_path / "other" / "keys" / "log.pem").read_bytes() == before


def test_a_store_that_was_set_back_behind_the_backup_is_refused(lived: dict[str, str], tmp_path: Path) -> None:
    shutil.copytree(objects_of(lived), tmp_path / "earlier")
    with opened(lived) as home:
        home.add_officer("000002")
        home.publish()
    backup = backed_up(lived, tmp_path / "backup")
    refused = restored(backup, environment(tmp_path / "anew", "sqlite", objects=tmp_path / "earlier"))
    assert (refused.status, refused.json["code"]) == (1, LogInconsistent.code)


def test_another_name_of_the_log_is_told(lived: dict[str, str], tmp_path: Path) -> None:
    backup = backed_up(lived, tmp_path / "backup")
    anew = environment(tmp_path / "anew", "sqlite", objects=objects_of(lived))
    refused = restored(backup, anew | {"EVIDOCK_AGENCY": "log.example.org"})
    assert (refused.json["code"], "EVIDOCK_AGENCY" in refused.json["message"]) == (BadInput.code, True)


def test_objects_that_are_gone_since_the_backup_are_counted_and_the_audit_says_so(
    lived: dict[str, str], tmp_path: Path
) -> None:
    backup = backed_up(lived, tmp_path / "backup")
    for path in objects_of(lived).glob("originals/*/*/*.chunks"):
        path.unlink()
    done = restored(backup, environment(tmp_path / "anew", "sqlite", objects=objects_of(lived)))
    assert (done.json["objects_missing"], done.status) == (3, 1)


# --- what a backup is -----------------------------------------------------------------------------


def test_only_its_owner_may_read_a_backup(lived: dict[str, str], tmp_path: Path) -> None:
    backup = backed_up(lived, tmp_path / "backup")
    modes = {stat.S_IMODE(path.stat().st_mode) for path in [backup, *backup.rglob("*")] if path.is_dir()}
    assert modes == {0o700}
    assert {stat.S_IMODE(path.stat().st_mode) for path in backup.rglob("*") if path.is_file()} == {0o600}


def test_a_backup_never_overwrites(lived: dict[str, str], tmp_path: Path) -> None:
    backup = backed_up(lived, tmp_path / "backup")
    before = (backup / "manifest").read_bytes()
    refused = evidock("backup", "-o", backup, "--json", home=None, **lived)
    assert (refused.status, refused.json["code"]) == (77, Conflict.code)
    assert (backup / "manifest").read_bytes() == before


def test_what_a_killed_backup_left_is_removed_by_the_next(lived: dict[str, str], tmp_path: Path) -> None:
    left = tmp_path / ".backup.0123abcd.part"
    left.mkdir()
    (left / "names").write_text("of people")
    backed_up(lived, tmp_path / "backup")
    assert [path.name for path in tmp_path.glob(".*")] == []


def test_no_password_is_in_the_settings_of_a_backup(lived: dict[str, str], tmp_path: Path) -> None:
    broker = "redis://:s3cret@127.0.0.1:1/0"
    backup = backed_up(lived | {"EVIDOCK_BROKER_URL": broker}, tmp_path / "backup")
    text = (backup / "settings.json").read_text()
    assert "s3cret" not in text
    assert {"setting": "EVIDOCK_BROKER_URL", "value": "redis://:…@127.0.0.1:1/0", "origin": "EVIDOCK_BROKER_URL"} in (
        json.loads(text)
    )


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("postgresql://evidock:p%40ss@db/evidock", "postgresql://evidock:…@db/evidock"),
        ("postgresql://db/evidock?user=a&password=b&sslmode=require", "postgresql://db/evidock?user=a&password=…&sslmode=require"),
        ("s3://bucket/prefix?endpoint=https%3A%2F%2Fs3&lock=none", "s3://bucket/prefix?endpoint=https%3A%2F%2Fs3&lock=none"),
        ("sqlite:////srv/evidock/register.db", "sqlite:////srv/evidock/register.db"),
    ],
)  # fmt: skip
def test_a_setting_is_told_without_its_password(value: str, told: str) -> None:
    assert without_password(value) == told


# --- killed and tried -----------------------------------------------------------------------------


@pytest.mark.parametrize("engine", ENGINES)
def test_a_restore_killed_at_any_statement_is_whole_when_it_is_run_again(
    lived: dict[str, str], tmp_path: Path, engine: str
) -> None:
    backup = backed_up(lived, tmp_path / "backup")
    with opened(lived) as home:
        home.add_officer("000002")
        home.publish()
        facts = home.facts()
    anew = environment(tmp_path / "anew", engine, objects=objects_of(lived))
    killed = 0
    with dying() as process:
        # Each attempt goes on where the one before was killed.
        while not process.attempt("restore", at=killed * times(9, 1), backup=str(backup), environment=anew):
            killed += 1
    assert killed >= 5
    with opened(anew) as home:
        assert home.facts() == facts
        assert evidock("verify", "--all", home=None, **anew).status == 0
    print(f"{killed} kills on {engine}")


def test_a_drill_proves_the_backup_and_leaves_nothing(lived: dict[str, str], tmp_path: Path) -> None:
    backup = backed_up(lived, tmp_path / "backup")
    before = sorted(Path(lived["EVIDOCK_HOME"]).rglob("*"))
    tried = evidock("restore", "--drill", backup, "--json", home=None, **lived)
    assert (tried.status, tried.json["verify"]["verdict"]) == (0, "proven"), tried.out
    assert tried.json["counts"]["recordings"] == 3
    assert sorted(Path(lived["EVIDOCK_HOME"]).rglob("*")) == before


def test_a_drill_of_a_backup_with_objects_uses_these_alone(lived: dict[str, str], tmp_path: Path) -> None:
    backup = backed_up(lived, tmp_path / "backup", "--objects")
    shutil.rmtree(lived["EVIDOCK_HOME"])
    before = sorted(backup.rglob("*"))
    tried = evidock("restore", "--drill", backup, "--json", EVIDOCK_HOME=str(tmp_path / "elsewhere"))
    assert (tried.status, tried.json["verify"]["verdict"]) == (0, "proven"), tried.out
    assert sorted(backup.rglob("*")) == before
    assert [path.name for path in (tmp_path / "elsewhere").iterdir()] == ["in-use"] or not any(
        path.is_dir() for path in (tmp_path / "elsewhere").iterdir()
    )
