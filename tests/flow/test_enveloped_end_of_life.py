# SPDX-License-Identifier: Apache-2.0
"""The end of footage in envelopes: its data keys go in every place, and copies kept elsewhere open no more."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from evidence.verdict import Verdict
from pipeline import archive, audit
from pipeline.appraise import Wish
from pipeline.tombstone import HOT
from storage import layout
from tests.support.ending import LATER, Ending, ending, tracks


@pytest.fixture
def at(tmp_path: Path) -> Iterator[Ending]:
    """An installation with envelopes and an archive."""
    with ending(tmp_path, envelope="on", cold_url=f"file://{tmp_path / 'cold'}") as opened:
        yield opened


def files_below(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def wrapped_of(at: Ending, recording: str) -> set[str]:
    return {name for key in at.keys(recording) if (name := layout.envelope_key_of(key))}


def assert_proven(at: Ending) -> None:
    at.home.publish()
    report = audit.verify_all(at.home.ports)
    assert report.verdict is Verdict.PROVEN, report.findings


def archived(at: Ending, recording: str) -> None:
    at.appraise(recording, wish=Wish.ARCHIVE)
    archive.archive(recording, judge=at.judge(), ports=at.home.ports, now=LATER)
    assert archive.leave(recording, at.places[HOT], ports=at.home.ports, now=LATER) is None


def test_disposal_takes_the_data_keys_and_a_tape_opens_no_more(at: Ending, tmp_path: Path) -> None:
    gone, kept = tracks(at, tmp_path, 2)
    objects, tape = tmp_path / "home" / "objects", tmp_path / "tape"
    key = at.keys(gone)[0]
    data = at.home.ports.store.read(key, limit=10_000)
    shutil.copytree(objects / "originals", tape)
    wrapped = wrapped_of(at, gone)
    assert wrapped <= files_below(objects)

    at.run(at.approved(gone))

    assert not wrapped & files_below(objects)
    assert {one["key"] for one in at.told(gone)["removed"]} >= wrapped, "the Tombstone names them"
    assert wrapped_of(at, kept) <= files_below(objects)
    assert_proven(at)
    shutil.copytree(tape, objects / "originals", dirs_exist_ok=True)
    assert data not in at.home.ports.store.read(key, limit=10_000)
    assert at.home.ports.store.read(at.keys(kept)[0], limit=10_000)


def test_the_archive_rests_in_envelopes_and_comes_back_byte_for_byte(at: Ending, tmp_path: Path) -> None:
    [one] = tracks(at, tmp_path, 1)
    key = at.keys(one)[0]
    data, sealed = at.home.ports.store.read(key, limit=10_000), (tmp_path / "home" / "objects" / key).read_bytes()
    archived(at, one)
    assert not (tmp_path / "home" / "objects" / key).exists()
    there = (tmp_path / "cold" / key).read_bytes()
    assert data not in there
    assert there != sealed, "under a data key of its own"
    assert_proven(at)

    archive.restore(one, why="court", recall=None, judge=at.judge(), ports=at.home.ports, now=LATER)

    assert at.home.ports.store.read(key, limit=10_000) == data
    assert (tmp_path / "home" / "objects" / key).read_bytes() == sealed, "under the data key that its tables kept"
    assert_proven(at)


def test_archived_footage_that_is_disposed_of_leaves_no_data_key_in_either_store(at: Ending, tmp_path: Path) -> None:
    [one] = tracks(at, tmp_path, 1)
    archived(at, one)
    assert wrapped_of(at, one) <= files_below(tmp_path / "cold")
    at.run(at.approved(one))
    assert files_below(tmp_path / "cold") == set()
    assert not [name for name in files_below(tmp_path / "home" / "objects") if name.startswith("envelopes/")]
    assert_proven(at)
