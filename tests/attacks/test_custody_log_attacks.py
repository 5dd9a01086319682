# SPDX-License-Identifier: Apache-2.0
"""This is where the custody log is attacked by people who hold the store, the register, or the true key."""

import base64
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from evidence.checkpoint import Checkpoint
from evidence.errors import Conflict, IntegrityError, LogInconsistent
from evidence.note import sign_note
from evidence.verdict import Finding, Verdict
from storage.custody_log import CustodyLog, open_checkpoint
from storage.layout import CHECKPOINT_KEY, checkpoint_key, entries_key, tile_key
from storage.objects_file import DirectoryStore
from tests.support.custody_log import (
    ORIGIN,
    SIGNER,
    SIZE,
    STRANGER,
    VERIFIER,
    change,
    check,
    entries,
    found,
    keys,
    opened,
    published,
    put_back,
    remove,
)


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("sound") / "store"
    published(root)
    return root


@pytest.fixture
def store(tmp_path: Path, sound: Path) -> DirectoryStore:
    return DirectoryStore(Path(shutil.copytree(sound, tmp_path / "store")))


def signed_note(size: int, root: bytes, *, origin: str = ORIGIN) -> bytes:
    """What a thief of the true key can sign."""
    return sign_note(Checkpoint(origin, size, root).to_text(), [SIGNER]).encode()


def true_root(store: DirectoryStore, size: int) -> bytes:
    return opened(store).tiles.root(size)


# --- 34 to 37: history taken back or told twice -------------------------------------------------


def test_34_a_register_rolled_back_to_yesterday_cannot_give_old_indexes_to_new_events(
    store: DirectoryStore,
) -> None:
    before = sorted(store.keys("log/"))
    with pytest.raises(LogInconsistent, match="holds other entries"):
        opened(store).publish([b"today's event"] * 250, at=400)
    with pytest.raises(Conflict, match="older than the newest"):
        opened(store).publish([b"today's event"], at=400)
    assert sorted(store.keys("log/")) == before
    assert found(store) == []


def test_35_store_and_register_rolled_back_together_are_found_by_a_checkpoint_kept_outside(
    store: DirectoryStore, tmp_path: Path
) -> None:
    kept = opened(store).newest()
    assert kept is not None
    younger = published(tmp_path / "younger", 100, 256)
    assert check(younger).findings == ()  # alone, it looks like the younger log it was
    assert found(younger, kept) == [
        (CHECKPOINT_KEY, "rolled-back", "size 256, though the auditor keeps a checkpoint of size 600")
    ]


def test_35_a_log_grown_anew_after_a_rollback_is_found_by_a_checkpoint_kept_outside(
    store: DirectoryStore, tmp_path: Path
) -> None:
    kept = opened(store).checkpoint(400)
    forked = published(tmp_path / "forked", 100, 256)
    opened(forked).publish([b"another history"] * 400, at=256)
    ((name, what, where),) = found(forked, kept)
    assert (name, what) == ("checkpoint kept by the auditor", "another-root")
    assert where.startswith("at size 400 ")
    assert where.endswith("the log agrees up to size 256")


def test_36_a_smaller_checkpoint_put_back_is_found(store: DirectoryStore) -> None:
    store.replace(CHECKPOINT_KEY, opened(store).checkpoint(256).note.encode())
    assert found(store) == [(CHECKPOINT_KEY, "rolled-back", "size 256, though log/checkpoints/600 was signed")]


def test_36_a_smaller_checkpoint_signed_anew_is_found(store: DirectoryStore) -> None:
    store.replace(CHECKPOINT_KEY, signed_note(300, true_root(store, 300)))
    assert found(store) == [(CHECKPOINT_KEY, "rolled-back", "size 300, though log/checkpoints/600 was signed")]


def test_36_entries_cut_off_below_the_checkpoint_are_named(store: DirectoryStore) -> None:
    remove(store, entries_key(2, width=88), tile_key(0, 2, width=88))
    assert found(store) == [
        (entries_key(2, width=88), "missing", "entries 512 to 599"),
        (tile_key(0, 2, width=88), "missing", "entries 512 to 599"),
    ]


def test_36_a_pointer_taken_away_is_found_and_nothing_is_published_over_it(store: DirectoryStore) -> None:
    remove(store, CHECKPOINT_KEY)
    assert found(store) == [(CHECKPOINT_KEY, "missing", "the newest checkpoint")]
    with pytest.raises(LogInconsistent, match="missing"):
        opened(store).publish(entries(1), at=0)


def test_36_all_checkpoints_taken_away_leave_a_log_that_nobody_calls_proven(store: DirectoryStore) -> None:
    remove(store, CHECKPOINT_KEY, *list(store.keys("log/checkpoints/")))
    report = check(store)
    assert report.checkpoint is None
    assert [finding.verdict for finding in report.findings] == [Verdict.UNDECIDABLE]


def test_37_the_same_size_with_another_root_by_the_true_key_is_found(store: DirectoryStore) -> None:
    store.replace(CHECKPOINT_KEY, signed_note(SIZE, bytes(32)))
    ((name, what, where),) = found(store)
    assert (name, what) == (CHECKPOINT_KEY, "another-root")
    root = true_root(store, SIZE).hex()
    assert where == f"at size 600 the entries lead to {root}; the log agrees up to size 400"


def test_37_an_absurd_size_signed_by_the_true_key_does_not_keep_the_audit_for_ever(
    store: DirectoryStore,
) -> None:
    store.replace(CHECKPOINT_KEY, signed_note(2**62, bytes(32)))
    report = check(store)
    assert (len(report.findings), report.unlisted > 0) == (1000, True)
    assert report.entries <= SIZE
    with pytest.raises(Conflict, match="older than the newest"):
        opened(store).publish([], at=SIZE)


def test_37_nothing_is_published_on_a_checkpoint_that_the_tiles_do_not_lead_to(store: DirectoryStore) -> None:
    store.replace(CHECKPOINT_KEY, signed_note(SIZE, bytes(32)))
    before = sorted(store.keys("log/"))
    with pytest.raises(LogInconsistent, match="do not lead to the root"):
        opened(store).publish(entries(1, start=SIZE), at=SIZE)
    assert sorted(store.keys("log/")) == before


def test_37_a_kept_checkpoint_with_another_root_by_the_true_key_is_found(store: DirectoryStore) -> None:
    change(store, checkpoint_key(256), lambda _: signed_note(256, bytes(32)))
    ((name, what, _),) = found(store)
    assert (name, what) == (checkpoint_key(256), "another-root")


def test_37_nothing_is_published_while_the_kept_copy_of_the_newest_says_otherwise(
    store: DirectoryStore,
) -> None:
    put_back(store, checkpoint_key(SIZE), signed_note(SIZE, bytes(32)))
    before = sorted(store.keys("log/"))
    with pytest.raises(LogInconsistent, match="log/checkpoints/600 is signed for another root"):
        opened(store).publish(entries(1, start=SIZE), at=SIZE)
    assert sorted(store.keys("log/")) == before


def test_37_a_kept_checkpoint_put_under_another_size_is_found(store: DirectoryStore) -> None:
    put_back(store, checkpoint_key(256), opened(store).checkpoint(400).note.encode())
    assert found(store) == [(checkpoint_key(256), "misplaced", "it is the checkpoint of size 400")]
    with pytest.raises(LogInconsistent, match="log/checkpoints/256 is a checkpoint of size 400"):
        opened(store).checkpoint(256)


def test_37_a_size_is_never_signed_for_a_second_root(tmp_path: Path) -> None:
    store = published(tmp_path, 100)
    # A copy that says 120 was signed for something else: the thief published elsewhere.
    store.put_bytes_once(checkpoint_key(120), signed_note(120, bytes(32)))
    with pytest.raises(LogInconsistent, match="signed for another root"):
        opened(store).publish(entries(20, start=100), at=100)
    newest = opened(store).newest()
    assert newest is not None
    assert newest.size == 100


# --- 38, 41, 43: checkpoints that are none ------------------------------------------------------


def replaced_pointer_is_found(store: DirectoryStore, note: bytes, code: str) -> Finding:
    store.replace(CHECKPOINT_KEY, note)
    with pytest.raises(IntegrityError):
        opened(store).newest()
    report = check(store)
    # The kept copy of the true checkpoint lets everything else be checked.
    assert report.checkpoint is not None
    assert (report.checkpoint.size, report.entries) == (SIZE, SIZE)
    (finding,) = report.findings
    assert (finding.object, finding.what) == (CHECKPOINT_KEY, code)
    return finding


def test_38_a_checkpoint_of_another_origin_is_refused(store: DirectoryStore) -> None:
    note = signed_note(SIZE, true_root(store, SIZE), origin="example.net/other")
    finding = replaced_pointer_is_found(store, note, "log-inconsistent")
    assert "example.net/other" in finding.where


def test_41_a_checkpoint_signed_by_a_stranger_is_refused(store: DirectoryStore) -> None:
    text = Checkpoint(ORIGIN, SIZE, true_root(store, SIZE)).to_text()
    for name in ("stranger.example", ORIGIN):
        signer, _ = keys(STRANGER, name)
        replaced_pointer_is_found(store, sign_note(text, [signer]).encode(), "signature-invalid")


def test_41_a_strangers_signature_under_the_logs_key_id_is_refused(store: DirectoryStore) -> None:
    text = Checkpoint(ORIGIN, SIZE, true_root(store, SIZE)).to_text()
    signer = replace(SIGNER, sign=STRANGER.sign)
    replaced_pointer_is_found(store, sign_note(text, [signer]).encode(), "signature-invalid")


def test_41_a_signature_lifted_from_another_checkpoint_is_refused(store: DirectoryStore) -> None:
    other = opened(store).checkpoint(400).note
    note = opened(store).checkpoint(SIZE).note
    lifted = note.partition("\n\n")[0] + "\n\n" + other.partition("\n\n")[2]
    replaced_pointer_is_found(store, lifted.encode(), "signature-invalid")


@pytest.mark.parametrize(
    "text",
    [
        "{origin}\n600\n{root}\nan extension\n",
        "{origin}\r\n600\n{root}\n",
        "{origin}\n600\n{root}\r\n",
        "{origin}\x00\n600\n{root}\n",
        "{origin}\n0600\n{root}\n",
        "{origin}\n+600\n{root}\n",
        "{origin}\n 600\n{root}\n",
        "{origin}\n-600\n{root}\n",
        "{origin}\n٦٠٠\n{root}\n",
        "{origin}\n99999999999999999999\n{root}\n",
        "{origin}\n600\n{root}=\n",
        "{origin}\n600\n\n{root}\n",
        "{origin}\n600\n",
        "\n600\n{root}\n",
    ],
)
def test_43_a_checkpoint_text_in_any_other_form_is_refused_though_the_true_key_signed_it(
    store: DirectoryStore, text: str
) -> None:
    root = base64.b64encode(true_root(store, SIZE)).decode()
    text = text.format(origin=ORIGIN, root=root)
    # sign_note would refuse some of these texts, so the note is put together by hand.
    packed = SIGNER.key_hash.to_bytes(4, "big") + SIGNER.sign(text.encode())
    note = f"{text}\n— {ORIGIN} {base64.b64encode(packed).decode()}\n"
    finding = replaced_pointer_is_found(store, note.encode(), "record-malformed")
    assert finding.where


def test_43_the_form_by_hand_is_accepted_when_the_text_is_right(store: DirectoryStore) -> None:
    note = opened(store).checkpoint(SIZE).note
    text = note.partition("\n\n")[0] + "\n"
    packed = SIGNER.key_hash.to_bytes(4, "big") + SIGNER.sign(text.encode())
    by_hand = f"{text}\n— {ORIGIN} {base64.b64encode(packed).decode()}\n"
    assert open_checkpoint(by_hand, origin=ORIGIN, verifiers=[VERIFIER]).size == SIZE


# --- 42: races ----------------------------------------------------------------------------------


def test_42_an_older_size_published_after_a_newer_one_is_refused(store: DirectoryStore) -> None:
    # Two publishers at once, which the caller's lock forbids: the slower one still cannot take back.
    slow = CustodyLog(store, ORIGIN, signers=[SIGNER], verifiers=[VERIFIER])
    opened(store).publish(entries(50, start=SIZE), at=SIZE)
    with pytest.raises(Conflict, match="older than the newest"):
        slow.publish(entries(20, start=SIZE), at=SIZE)
    newest = slow.newest()
    assert newest is not None
    assert newest.size == 650


def test_42_two_publishers_with_different_entries_never_both_sign(store: DirectoryStore) -> None:
    opened(store).publish([b"one"], at=SIZE)
    for batch in ([b"other"], [b"other", b"more"]):
        with pytest.raises(LogInconsistent):
            opened(store).publish(batch, at=SIZE)
    assert found(store) == []
