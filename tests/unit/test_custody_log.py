# SPDX-License-Identifier: Apache-2.0
"""This is where the custody log is held to its promises: one history, signed, safe to publish again."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from evidence.errors import BadInput, Conflict, LogInconsistent, NotFound, RecordMalformed, SignatureInvalid
from storage.custody_log import CustodyLog, open_checkpoint, proof_from_json
from storage.layout import CHECKPOINT_KEY, checkpoint_key
from storage.log_check import check_log
from storage.objects_file import DirectoryStore
from tests.support.custody_log import ORIGIN, SIGNER, STRANGER, VERIFIER, at_rest, entries, keys, opened


@pytest.fixture
def store(tmp_path: Path) -> DirectoryStore:
    return DirectoryStore(tmp_path / "store")


@pytest.fixture
def log(store: DirectoryStore) -> CustodyLog:
    return opened(store)


def test_a_log_that_was_never_published_has_no_newest_checkpoint(log: CustodyLog) -> None:
    assert log.newest() is None


def test_a_published_checkpoint_is_the_newest_and_is_kept(store: DirectoryStore, log: CustodyLog) -> None:
    signed = log.publish(entries(5), at=0)
    assert (signed.origin, signed.size, signed.root) == (ORIGIN, 5, log.tiles.root(5))
    assert log.newest() == signed == log.checkpoint(5)
    assert store.read(CHECKPOINT_KEY, limit=1000) == signed.note.encode()
    assert store.read(checkpoint_key(5), limit=1000) == signed.note.encode()
    assert signed.note.startswith(f"{ORIGIN}\n5\n")


def test_every_published_size_stays_readable(log: CustodyLog) -> None:
    notes = [log.publish(entries(4, start=at), at=at) for at in (0, 4, 8)]
    assert [log.checkpoint(size) for size in (4, 8, 12)] == notes
    with pytest.raises(NotFound):
        log.checkpoint(5)


def test_publishing_nothing_signs_the_empty_log_and_then_nothing_new(store: DirectoryStore, log: CustodyLog) -> None:
    empty = log.publish([], at=0)
    assert empty.size == 0
    assert log.publish([], at=0) == empty
    first = log.publish(entries(3), at=0)
    assert log.publish([], at=3) == first
    assert sorted(store.keys("log/checkpoints/")) == ["log/checkpoints/000", "log/checkpoints/003"]


def test_the_same_publication_again_returns_the_same_checkpoint_and_writes_nothing(
    store: DirectoryStore, log: CustodyLog
) -> None:
    log.publish(entries(300), at=0)
    signed = log.publish(entries(20, start=300), at=300)
    before = at_rest(store)
    assert log.publish(entries(20, start=300), at=300) == signed
    assert at_rest(store) == before


def test_entries_already_covered_may_be_given_again_with_new_ones(log: CustodyLog) -> None:
    log.publish(entries(10), at=0)
    assert log.publish(entries(15, start=5), at=5).size == 20
    assert list(log.tiles.entries(0, 20)) == entries(20)


def test_a_gap_behind_the_newest_checkpoint_is_refused(store: DirectoryStore, log: CustodyLog) -> None:
    log.publish(entries(10), at=0)
    before = at_rest(store)
    with pytest.raises(Conflict, match="gap"):
        log.publish(entries(1, start=11), at=11)
    with pytest.raises(Conflict):
        log.publish(entries(1), at=-1)
    assert at_rest(store) == before


def test_an_older_checkpoint_never_replaces_a_newer_one(store: DirectoryStore, log: CustodyLog) -> None:
    log.publish(entries(10), at=0)
    before = at_rest(store)
    with pytest.raises(Conflict, match="older than the newest"):
        log.publish(entries(9), at=0)
    assert at_rest(store) == before


def test_an_entry_too_large_signs_nothing(log: CustodyLog) -> None:
    log.publish(entries(2), at=0)
    with pytest.raises(BadInput):
        log.publish([bytes(65_536)], at=2)
    newest = log.newest()
    assert newest is not None
    assert newest.size == 2


def test_a_log_without_a_key_its_readers_trust_signs_nothing(store: DirectoryStore) -> None:
    stranger, _ = keys(STRANGER)
    with pytest.raises(SignatureInvalid):
        CustodyLog(store, ORIGIN, signers=[stranger], verifiers=[VERIFIER]).publish(entries(1), at=0)
    assert not store.exists(CHECKPOINT_KEY)


def test_a_size_that_was_signed_by_a_scheme_that_never_repeats_keeps_its_first_note(
    store: DirectoryStore,
) -> None:
    # A death after the copy was kept by another process, before this one learnt of it.
    signed = opened(store).publish(entries(3), at=0)
    with store.local_file(CHECKPOINT_KEY) as pointer:
        pointer.unlink()
    witness, _ = keys(STRANGER, "witness.example")
    log = CustodyLog(store, ORIGIN, signers=[SIGNER, witness], verifiers=[VERIFIER])
    store.replace(CHECKPOINT_KEY, log._sign(3, signed.root).note.encode())
    assert log.publish(entries(1, start=3), at=3).size == 4
    assert log.checkpoint(3) == signed


def test_a_proof_verifies_offline_and_survives_json(log: CustodyLog) -> None:
    log.publish(entries(300), at=0)
    signed = log.publish(entries(300, start=300), at=300)
    for index in (0, 255, 256, 599):
        proof = log.proof(index, signed)
        again = proof_from_json(json.loads(json.dumps(proof.to_json())))
        assert again == proof
        assert again.verify(b"entry %d" % index, origin=ORIGIN, verifiers=[VERIFIER]) == signed


def test_a_proof_can_be_had_for_an_older_checkpoint(log: CustodyLog) -> None:
    old = log.publish(entries(300), at=0)
    log.publish(entries(300, start=300), at=300)
    proof = log.proof(299, log.checkpoint(300))
    assert proof.verify(b"entry 299", origin=ORIGIN, verifiers=[VERIFIER]) == old
    with pytest.raises(BadInput):
        log.proof(300, old)


@pytest.mark.parametrize(
    "change",
    [
        {"index": "1"},
        {"index": True},
        {"size": 3.0},
        {"path": ["zz"]},
        {"path": ["AB" * 32]},
        {"path": ["ab" * 31]},
        {"path": None},
        {"path": [1]},
        {"checkpoint": 5},
        {"extra": 1},
    ],
)
def test_a_proof_in_another_form_is_refused(log: CustodyLog, change: dict[str, object]) -> None:
    body = log.proof(1, log.publish(entries(2), at=0)).to_json()
    with pytest.raises(RecordMalformed):
        proof_from_json({**body, **change})
    del body["path"]
    with pytest.raises(RecordMalformed):
        proof_from_json(body)


def test_a_checkpoint_opens_from_text_and_from_bytes(log: CustodyLog) -> None:
    signed = log.publish(entries(2), at=0)
    assert open_checkpoint(signed.note, origin=ORIGIN, verifiers=[VERIFIER]) == signed
    assert open_checkpoint(signed.note.encode(), origin=ORIGIN, verifiers=[VERIFIER]) == signed
    with pytest.raises(LogInconsistent, match="of the log example"):
        open_checkpoint(signed.note, origin="example.net/other", verifiers=[VERIFIER])


# --- killed in the middle -----------------------------------------------------------------------

KILLED = """
import os, signal, sys
from pathlib import Path
from storage.objects_file import DirectoryStore
from tests.support.custody_log import entries, opened

class Killed(DirectoryStore):
    left = int(sys.argv[2])
    def spend(self):
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        self.left -= 1
    def put_bytes_once(self, key, data):
        self.spend()
        super().put_bytes_once(key, data)
    def replace(self, key, data):
        self.spend()
        super().replace(key, data)

opened(Killed(Path(sys.argv[1]))).publish(entries(60, start=250), at=250)
"""


def killed_at(root: Path, write: int) -> int:
    here = Path(__file__).parents[2]
    command = [sys.executable, "-c", KILLED, str(root), str(write)]
    return subprocess.run(command, cwd=here, check=False, env={**os.environ, "PYTHONPATH": "."}).returncode


# (1) keep the old copy, (2, 3) bundles, (4, 5, 6) tiles, (7) pointer, (8) copy.
@pytest.mark.parametrize("write", range(9))
def test_a_publication_killed_at_any_write_and_repeated_is_as_if_never_killed(tmp_path: Path, write: int) -> None:
    sound = DirectoryStore(tmp_path / "sound")
    opened(sound).publish(entries(250), at=0)
    opened(sound).publish(entries(60, start=250), at=250)
    opened(DirectoryStore(tmp_path / "killed")).publish(entries(250), at=0)

    assert killed_at(tmp_path / "killed", write) == (-signal.SIGKILL if write < 8 else 0)

    store = DirectoryStore(tmp_path / "killed")
    between = check_log(store, [VERIFIER], origin=ORIGIN)
    assert between.findings == ()
    assert between.entries == (310 if write >= 7 else 250)
    opened(store).publish(entries(60, start=250), at=250)
    assert at_rest(store) == at_rest(sound)


def test_a_larger_publication_after_a_kill_keeps_what_had_rested(tmp_path: Path) -> None:
    opened(DirectoryStore(tmp_path)).publish(entries(250), at=0)
    assert killed_at(tmp_path, 5) == -signal.SIGKILL
    store = DirectoryStore(tmp_path)
    signed = opened(store).publish(entries(80, start=250), at=250)
    assert (signed.size, list(opened(store).tiles.entries(0, 330))) == (330, entries(330))
    assert check_log(store, [VERIFIER], origin=ORIGIN).findings == ()
