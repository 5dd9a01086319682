# SPDX-License-Identifier: Apache-2.0
"""This is where the custody log has a newest size: signed checkpoints over the entries in `tiles`.

`log/checkpoint` is the newest; every one ever signed stays under `log/checkpoints/`. The pointer is moved
first and its copy kept second. A death between the two leaves a newest checkpoint without a copy, which
the next publication makes good; so a kept checkpoint larger than the pointer's has one meaning only:
somebody put an older pointer back.

Source: C2SP tlog-checkpoint, C2SP signed-note.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from evidence import canonical_json
from evidence.checkpoint import Checkpoint, parse
from evidence.errors import Conflict, LogInconsistent, NotFound, RecordMalformed
from evidence.merkle import HASH_SIZE, leaf_hash, verify_inclusion
from evidence.note import Signer, Verifier, open_note, sign_note
from storage.layout import CHECKPOINT_KEY, CHECKPOINTS_PREFIX, checkpoint_key
from storage.objects import ObjectStore
from storage.tiles import TiledLog

LARGEST_NOTE = 1 << 20


@dataclass(frozen=True, slots=True)
class SignedCheckpoint:
    """A checkpoint whose signature held when this was made, and the note it was read from."""

    origin: str
    size: int
    root: bytes
    note: str


@dataclass(frozen=True, slots=True)
class LogProof:
    """That one entry is leaf `index` of the log at `size`: the path, lowest hash first, and the note."""

    index: int
    size: int
    path: tuple[bytes, ...]
    checkpoint: str

    def verify(self, entry: bytes, *, origin: str, verifiers: Sequence[Verifier]) -> SignedCheckpoint:
        """Return the checkpoint only when its log signed it and `entry` is the leaf the proof names.

        Raises:
            ProofInvalid: the path does not lead from the entry to the signed root.
            SignatureInvalid, RecordMalformed, LogInconsistent: as `open_checkpoint`.

        Source: RFC 6962 §2.1.1.

        """
        signed = open_checkpoint(self.checkpoint, origin=origin, verifiers=verifiers)
        if signed.size != self.size:
            raise LogInconsistent(f"a proof for size {self.size} beside a checkpoint of size {signed.size}")
        verify_inclusion(leaf_hash(entry), self.index, signed.size, list(self.path), signed.root)
        return signed

    def to_json(self) -> dict[str, Any]:
        """The proof as a JSON object: `index`, `size`, `path` (hexadecimal), `checkpoint` (note text)."""
        path = [step.hex() for step in self.path]
        return {"index": self.index, "size": self.size, "path": path, "checkpoint": self.checkpoint}


def proof_from_json(body: Mapping[str, Any]) -> LogProof:
    """The proof whose `to_json` is exactly `body`; nothing is verified.

    Raises:
        RecordMalformed: missing, unknown or wrong fields.

    """
    try:
        path = tuple(bytes.fromhex(step) for step in body["path"])
        proof = LogProof(int(body["index"]), int(body["size"]), path, str(body["checkpoint"]))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise RecordMalformed(f"log proof with missing or wrong fields: {error}") from error
    # Compared as bytes: Python takes True for 1 and 3.0 for 3.
    is_canonical = canonical_json.dumps(proof.to_json()) == canonical_json.dumps(dict(body))
    if not is_canonical or any(len(step) != HASH_SIZE for step in path):
        raise RecordMalformed("log proof that is not in its canonical form")
    return proof


def open_checkpoint(note: str | bytes, *, origin: str, verifiers: Sequence[Verifier]) -> SignedCheckpoint:
    """The checkpoint in `note`, when the log `origin` signed it by one of `verifiers`.

    Raises:
        SignatureInvalid: none of the verifiers signed it, or one of their signatures is wrong.
        RecordMalformed: it is no note, or its text no checkpoint (extension lines included).
        LogInconsistent: it is the checkpoint of another log.

    Source: C2SP tlog-checkpoint, "Note text".

    """
    opened = open_note(note, verifiers)
    checkpoint = parse(opened.text)
    if checkpoint.origin != origin:
        raise LogInconsistent(
            f"a checkpoint of the log {checkpoint.origin}, not of {origin}",
            expected=origin,
            actual=checkpoint.origin,
        )
    text = note if isinstance(note, str) else note.decode()
    return SignedCheckpoint(origin, checkpoint.size, checkpoint.root, text)


class CustodyLog:
    """The log of one origin in one store. Reading may go on anywhere; publishing is one caller's at a time.

    The caller holds an exclusive lock around `newest` and `publish`, and decides which entry takes
    which index; the log refuses whatever contradicts what it has signed or stored.
    """

    def __init__(
        self,
        store: ObjectStore,
        origin: str,
        *,
        signers: Sequence[Signer] = (),
        verifiers: Sequence[Verifier],
    ) -> None:
        self.tiles = TiledLog(store)
        self.origin = origin
        self._store = store
        self._signers = tuple(signers)
        self._verifiers = tuple(verifiers)

    def newest(self) -> SignedCheckpoint | None:
        """The newest checkpoint, its signature verified; None while nothing was ever published.

        Raises:
            LogInconsistent: there is none, yet older ones are kept; or it is of another log.
            SignatureInvalid, RecordMalformed: it is not what the log signed.

        """
        signed = self._read(CHECKPOINT_KEY)
        if signed is None and next(self._store.keys(CHECKPOINTS_PREFIX), None):
            raise LogInconsistent(f"{CHECKPOINT_KEY} is missing, though checkpoints were published")
        return signed

    def checkpoint(self, size: int) -> SignedCheckpoint:
        """The checkpoint signed at `size`, its signature verified.

        Raises:
            NotFound: none was published at this size.
            LogInconsistent, SignatureInvalid, RecordMalformed: as `newest`.

        """
        signed = self._kept(size) or self._read(CHECKPOINT_KEY)
        if signed is None or signed.size != size:
            raise NotFound(f"no checkpoint of size {size} was published", size=size)
        return signed

    def publish(self, entries: Sequence[bytes], *, at: int) -> SignedCheckpoint:
        """Append `entries` at indexes `at`, `at` + 1, …, sign the new size and make it the newest checkpoint.

        Safe to repeat after a death anywhere: the same call ends in the same log. Entries that the
        newest checkpoint covers already may be given again; when it covers all of them, it is
        returned and nothing changes.

        Raises:
            Conflict: `at` leaves a gap behind the newest checkpoint, or the entries end before it does.
            LogInconsistent: an entry differs from what rests at its index, or the stored log is not the
                one that was signed. Nothing was signed; a person must look.
            BadInput: an entry is larger than 65,535 bytes.
            StoreUnavailable: worth the same call again.

        """
        newest = self.newest()
        size = at + len(entries)
        _check_reach(newest, at, size)
        # (1) What was signed must still stand: nothing is built on a log that was changed at rest.
        if newest:
            self._check_stands(newest)
            self._keep(newest)
        # (2) Entries and tiles are durable before a signature speaks of them.
        root = self.tiles.append(entries, at=at)
        if newest and newest.size == size:
            return newest
        # (3) A size once signed is never signed again: whoever holds the first must meet the same.
        signed = self._kept(size) or self._sign(size, root)
        if signed.root != root:
            raise LogInconsistent(f"{checkpoint_key(size)} is signed for another root", size=size)
        # (4) Pointer, then copy: see the head of this file.
        self._store.replace(CHECKPOINT_KEY, signed.note.encode())
        self._keep(signed)
        return signed

    def proof(self, index: int, checkpoint: SignedCheckpoint) -> LogProof:
        """Proof that the entry at `index` is in the log of `checkpoint`.

        Raises:
            BadInput: there is no such entry at that size.
            LogInconsistent: a tile is missing or misshapen. (A changed hash is not noticed here: it
                makes a proof that does not verify.)

        """
        path = tuple(self.tiles.inclusion(index, checkpoint.size))
        return LogProof(index, checkpoint.size, path, checkpoint.note)

    def _read(self, key: str) -> SignedCheckpoint | None:
        try:
            note = self._store.read(key, limit=LARGEST_NOTE)
        except NotFound:
            return None
        return open_checkpoint(note, origin=self.origin, verifiers=self._verifiers)

    def _kept(self, size: int) -> SignedCheckpoint | None:
        signed = self._read(checkpoint_key(size))
        if signed and signed.size != size:
            raise LogInconsistent(f"{checkpoint_key(size)} is a checkpoint of size {signed.size}")
        return signed

    def _keep(self, signed: SignedCheckpoint) -> None:
        key = checkpoint_key(signed.size)
        try:
            self._store.put_bytes_once(key, signed.note.encode())
        except Conflict as conflict:
            kept = self._kept(signed.size)
            # Two notes over one root differ in their signatures only, which not every scheme repeats.
            if kept is None or kept.root != signed.root:
                raise LogInconsistent(f"{key} is signed for another root", object=key) from conflict

    def _check_stands(self, newest: SignedCheckpoint) -> None:
        root = self.tiles.root(newest.size)
        if root != newest.root:
            raise LogInconsistent(
                f"the tiles of the log at size {newest.size} do not lead to the root it signed",
                expected=newest.root.hex(),
                actual=root.hex(),
            )

    def _sign(self, size: int, root: bytes) -> SignedCheckpoint:
        text = Checkpoint(self.origin, size, root).to_text()
        # Read back through the verifiers: a key that no reader knows must not sign the log.
        note = sign_note(text, self._signers)
        return open_checkpoint(note, origin=self.origin, verifiers=self._verifiers)


def _check_reach(newest: SignedCheckpoint | None, at: int, size: int) -> None:
    covered = newest.size if newest else 0
    if at < 0 or at > covered:
        raise Conflict(f"entries from {at} on would leave a gap: the log ends at {covered}", at=at)
    if size < covered:
        raise Conflict(f"a checkpoint of size {size} would be older than the newest, of {covered}", size=size)
