# SPDX-License-Identifier: Apache-2.0
"""This is where the audit of the custody log is held to silence about a sound log, else to few words."""

from pathlib import Path

import pytest

from evidence.merkle import leaf_hash, root_of
from storage.custody_log import SignedCheckpoint
from storage.log_check import check_log
from storage.objects_file import DirectoryStore
from storage.tiles import pack_bundle
from tests.support.custody_log import ORIGIN, VERIFIER, entries, found, opened, put_back


@pytest.fixture
def store(tmp_path: Path) -> DirectoryStore:
    return DirectoryStore(tmp_path / "store")


@pytest.mark.parametrize("size", [0, 1, 2, 255, 256, 257, 512, 600])
def test_a_sound_log_has_no_findings_and_every_entry_is_visited_in_order(store: DirectoryStore, size: int) -> None:
    signed = opened(store).publish(entries(size), at=0)
    seen: list[tuple[int, bytes]] = []
    report = check_log(store, [VERIFIER], origin=ORIGIN, visit=lambda index, entry: seen.append((index, entry)))
    assert report.findings == ()
    assert seen == list(enumerate(entries(size)))
    assert (report.checkpoint, report.entries, report.uncovered) == (signed, size, 0)


def test_a_sound_log_of_many_small_publications_has_no_findings(store: DirectoryStore) -> None:
    log, at = opened(store), 0
    kept: list[SignedCheckpoint] = []
    for size in (1, 3, 200, 52, 1, 255, 100):
        kept.append(log.publish(entries(size, start=at), at=at))
        at += size
    report = check_log(store, [VERIFIER], origin=ORIGIN, known=kept)
    assert report.findings == ()
    assert report.entries == at
    # Every object was read, those that a wider one has outgrown included.
    assert report.objects >= len(list(store.keys("log/")))


def test_a_store_without_a_log_has_none(store: DirectoryStore) -> None:
    report = check_log(store, [VERIFIER], origin=ORIGIN)
    assert (report.checkpoint, report.findings, report.entries) == (None, (), 0)


def test_what_an_unfinished_publication_left_is_counted_and_is_no_finding(store: DirectoryStore) -> None:
    log = opened(store)
    log.publish(entries(250), at=0)
    log.tiles.append(entries(10, start=250), at=250)
    report = check_log(store, [VERIFIER], origin=ORIGIN)
    assert (report.findings, report.entries) == ((), 250)
    assert report.uncovered == 5


def test_a_forgery_up_to_a_full_tile_of_the_second_level_is_named_by_the_third(store: DirectoryStore) -> None:
    sound = entries(65_536)
    opened(store).publish(sound, at=0)
    assert found(store) == []

    # The thief rewrites entry 5 and every hash above it that he reaches; the top tile is out of his reach.
    forged = [*sound[:5], b"forged", *sound[6:256]]
    leaves = [leaf_hash(entry) for entry in forged]
    put_back(store, "log/tile/entries/000", pack_bundle(forged))
    put_back(store, "log/tile/0/000", b"".join(leaves))
    above = store.read("log/tile/1/000", limit=1 << 20)
    put_back(store, "log/tile/1/000", root_of(leaves) + above[32:])
    where = "entries 0 to 65535 do not lead to hash 0 of log/tile/2/000.p/1"
    assert found(store) == [("log/tile/1/000", "altered", where)]

    # Now that too: nothing says which is true, and one change is still not told again at every level.
    put_back(store, "log/tile/2/000.p/1", bytes(32))
    where = "hash 0 = entries 0 to 65535"
    assert found(store) == [("log/tile/2/000.p/1", "altered, or what it hashes is", where)]


def test_a_publication_while_the_audit_runs_is_no_finding(store: DirectoryStore) -> None:
    opened(store).publish(entries(300), at=0)

    def publish_meanwhile(index: int, _: bytes) -> None:
        if index == 10:
            opened(store).publish(entries(300, start=300), at=300)

    report = check_log(store, [VERIFIER], origin=ORIGIN, visit=publish_meanwhile)
    assert (report.findings, report.entries) == ((), 300)
    assert report.uncovered > 0
