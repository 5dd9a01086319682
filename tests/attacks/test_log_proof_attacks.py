# SPDX-License-Identifier: Apache-2.0
"""This is where proofs that an entry is in the custody log are forged, and every forgery is refused."""

from dataclasses import replace
from pathlib import Path

import pytest

from evidence.checkpoint import Checkpoint
from evidence.errors import LogInconsistent, ProofInvalid, SignatureInvalid
from evidence.merkle import leaf_hash
from evidence.note import sign_note
from storage.objects_file import DirectoryStore
from tests.support.custody_log import ORIGIN, SIZE, STRANGER, VERIFIER, keys, opened, published


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> DirectoryStore:
    return published(Path(tmp_path_factory.mktemp("sound")))


def test_39_a_forged_inclusion_proof_is_refused(store: DirectoryStore) -> None:
    log = opened(store)
    proof = log.proof(273, log.checkpoint(SIZE))
    proof.verify(b"entry 273", origin=ORIGIN, verifiers=[VERIFIER])
    path = proof.path
    forged = [
        replace(proof, index=272),
        replace(proof, index=274),
        replace(proof, index=-1),
        replace(proof, index=SIZE),
        replace(proof, path=path[:-1]),
        replace(proof, path=path[1:]),
        replace(proof, path=(*path, bytes(32))),
        replace(proof, path=()),
        replace(proof, path=(path[1], path[0], *path[2:])),
        replace(proof, path=(path[0][:-1], *path[1:])),
        *(replace(proof, path=(*path[:at], bytes(32), *path[at + 1 :])) for at in range(len(path))),
    ]
    for one in forged:
        with pytest.raises(ProofInvalid):
            one.verify(b"entry 273", origin=ORIGIN, verifiers=[VERIFIER])
    with pytest.raises(ProofInvalid):
        proof.verify(b"entry 274", origin=ORIGIN, verifiers=[VERIFIER])


def test_39_a_proof_beside_another_checkpoint_is_refused(store: DirectoryStore) -> None:
    log = opened(store)
    proof = log.proof(273, log.checkpoint(SIZE))
    with pytest.raises(LogInconsistent, match="size 600 beside a checkpoint of size 400"):
        replace(proof, checkpoint=log.checkpoint(400).note).verify(b"entry 273", origin=ORIGIN, verifiers=[VERIFIER])
    stale = log.checkpoint(400)
    with pytest.raises(ProofInvalid):
        replace(proof, size=400, checkpoint=stale.note).verify(b"entry 273", origin=ORIGIN, verifiers=[VERIFIER])


def test_39_an_inner_node_offered_as_an_entry_is_refused(store: DirectoryStore) -> None:
    log = opened(store)
    proof = log.proof(2, log.checkpoint(SIZE))
    inner = leaf_hash(b"entry 2") + proof.path[0]
    with pytest.raises(ProofInvalid):
        replace(proof, index=1, path=proof.path[1:]).verify(inner, origin=ORIGIN, verifiers=[VERIFIER])


def test_39_a_proof_under_a_strangers_checkpoint_is_refused(store: DirectoryStore) -> None:
    log = opened(store)
    signer, _ = keys(STRANGER)
    text = Checkpoint(ORIGIN, 1, leaf_hash(b"never logged")).to_text()
    forged = replace(log.proof(0, log.checkpoint(SIZE)), size=1, path=(), checkpoint=sign_note(text, [signer]))
    with pytest.raises(SignatureInvalid):
        forged.verify(b"never logged", origin=ORIGIN, verifiers=[VERIFIER])
