# SPDX-License-Identifier: Apache-2.0
"""This is where every file of the hostile corpus goes through a whole ingest, in the real sandbox (F17).

The ingest runs once, in a process and a network namespace of its own; each file is a test of its own. Every landing
takes every other file; `make chaos` takes all (tests/faults/test_mutated_media.py).
"""

from pathlib import Path
from typing import Any

import pytest

from tests.support.chaos import times
from tests.support.hostile_media import corpus
from tests.support.hostile_run import Watched, check, check_one, run
from tests.support.hostile_texts import Bait, Hostile

EVERY = times(2, 1)
TAKEN = corpus()[::EVERY]


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return run(tmp_path_factory.mktemp("corpus"), every=EVERY)


@pytest.mark.parametrize("hostile", TAKEN, ids=lambda one: one.name)
def test_a_hostile_file_ends_in_time_as_what_it_must_become(hostile: Hostile, found: dict[str, Any]) -> None:
    check_one(hostile, found["files"][hostile.file], level="full")


def test_no_hostile_file_opened_another(found: dict[str, Any]) -> None:
    assert found["opened"] == []
    assert found["marks"] == []


def test_no_hostile_file_sent_a_packet(found: dict[str, Any]) -> None:
    assert (found["packets"], found["came"]) == (0, 0)


def test_the_worker_lived_and_its_memory_was_bounded(found: dict[str, Any]) -> None:
    assert len(found["files"]) == len(TAKEN) >= 60
    assert found["skipped"] == []
    assert found["peak_bytes"] <= 2 << 30


def test_no_hostile_file_left_anything_in_the_spool(found: dict[str, Any]) -> None:
    assert found["left"] == []


def test_without_bubblewrap_a_share_of_the_corpus_fares_no_better(tmp_path: Path) -> None:
    check(run(tmp_path, every=15, has_bubblewrap=False), level="landlock")


def test_the_corpus_is_large_and_its_files_differ() -> None:
    bait = Bait(Path("/tmp/secret.ts"), "neighbour.ts", 9)  # noqa: S108
    files = {one.make(bait) for one in corpus()}
    assert len(files) == len(corpus()) == len({one.file for one in corpus()}) >= 60


def test_who_watches_sees_a_file_being_opened(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"secret")
    watched = Watched(tmp_path / "secret")
    assert watched.opened() == []
    (tmp_path / "secret").read_bytes()
    assert set(watched.opened()) == {str(tmp_path / "secret")}
