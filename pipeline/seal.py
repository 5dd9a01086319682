# SPDX-License-Identifier: Apache-2.0
"""This is where an original is put to rest, once, and proven to rest: the only leave to erase a camera.

The order is the safety argument: store, read back, compare, lock, sign the receipt, record. Nothing
here decodes media. The receipt rests beside the bytes with every fact they need, so that the
register can be remade from the store alone.
"""

import hashlib
from datetime import datetime
from pathlib import Path

from evidence.custody import Happening
from evidence.digest import Digest
from evidence.errors import Conflict, FixityMismatch
from evidence.merkle_tree import root_of_joined
from evidence.note import open_note, sign_note
from evidence.receipt import Receipt, parse_receipt
from pipeline import spool
from pipeline.fixity import offer_of_row, read_source
from pipeline.inside import look_inside
from pipeline.outcome import Done, about
from pipeline.ports import Ports, Progress, unheard
from pipeline.protect import lock_receipt, lock_sealed, told
from storage import layout
from storage.durable import store_errors
from storage.register import search

_RECEIPT_LIMIT = 1 << 20


def seal(recording: str, *, ports: Ports, now: datetime, progress: Progress) -> Done:
    """Store the original of `recording`, read it back, and issue its receipt.

    Safe to repeat: equal bytes under their own key change nothing, and the first receipt wins.

    Raises:
        FixityMismatch: bytes at rest are not the bytes that were measured. Final: no receipt is
            issued, the camera keeps its copy, a person must look.
        NotProtected: the store was to lock the bytes, and does not hold the lock.
        StoreUnavailable, SourceUnavailable: worth another try.
    """
    with ports.register.view() as connection:
        row = search.recording(connection, recording)
        original = search.original(connection, recording)
    digest = Digest(bytes.fromhex(original["sha256"]), original["size_bytes"])
    files = spool.spooled(ports.spool, recording)

    # (1) Store. The key is the digest, so a repeat meets its own earlier bytes.
    _rest(recording, original, digest=digest, files=files, ports=ports)
    progress(0.4)

    # (2) Read back: a store that acknowledges is not yet a store that remembers.
    at_rest = ports.store.measure(layout.original_key(digest.hex))
    if at_rest != digest:
        raise FixityMismatch(
            f"{recording} rests with other bytes than were measured",
            expected=str(digest),
            actual=str(at_rest),
        )
    progress(0.8)

    # (3) Lock, where the store locks: a store that does not hold its lock gets no receipt out of us.
    locked = lock_sealed(digest.hex, ports=ports, now=now)
    progress(0.9)

    # (4) Sign, and rest the receipt beside the bytes: the first one wins.
    note = _receipt(recording, digest, ports=ports, now=now)
    lock_receipt(digest.hex, ports=ports, now=now)

    # (5) Record: the state, its custody event and the next jobs commit together (in flow).
    receipt_sha256 = hashlib.sha256(note.encode()).hexdigest()
    facts = {
        "receipt_sha256": receipt_sha256,
        "sha256": digest.hex,
        "size_bytes": digest.size_bytes,
        **told(locked),
    }
    sealed = Happening("sealed", about(recording), facts=facts)
    if row["problem_code"] is None:
        return Done((sealed,), then=files.clear)
    why = {"reason": row["problem_text"]}
    aside = Happening("quarantined", about(recording), facts={"code": row["problem_code"]}, detail=why)
    return Done((sealed, aside), then=files.clear)


def _rest(recording: str, original: search.Row, *, digest: Digest, files: spool.Spooled, ports: Ports) -> None:
    """Rest the tables, then the bytes: where the bytes are, their tables are."""
    resting = {layout.chunks_key(digest.hex): files.chunks}
    if original["packets_sha256"] is not None:
        resting[layout.packets_key(digest.hex)] = files.packets
    resting[layout.original_key(digest.hex)] = files.original
    missing = {key: path for key, path in resting.items() if not ports.store.exists(key)}
    with store_errors("the spool cannot be read"):
        if missing and not _is_whole(original, files=files, wanted=set(missing.values())):
            _read_again(recording, original, digest=digest, files=files, ports=ports)
        for key, path in missing.items():
            expected = digest if path == files.original else _digest_of(path)
            ports.store.put_once(key, path, digest=expected, give=True)


def _is_whole(original: search.Row, *, files: spool.Spooled, wanted: set[Path]) -> bool:
    """True when the wanted spool files are those the measured event speaks of; the bytes themselves are read back."""
    if not all(path.exists() for path in wanted):
        return False
    if files.original in wanted and files.original.stat().st_size != original["size_bytes"]:
        return False
    if files.chunks in wanted and not _leads_to(files.chunks.read_bytes(), original["chunk_root"]):
        return False
    return files.packets not in wanted or _digest_of(files.packets).hex == original["packets_sha256"]


def _leads_to(leaves: bytes, chunk_root: str) -> bool:
    return len(leaves) % 32 == 0 and root_of_joined(leaves).hex() == chunk_root


def _read_again(recording: str, original: search.Row, *, digest: Digest, files: spool.Spooled, ports: Ports) -> None:
    """Fill the spool from the source once more: it was lost between measuring and sealing."""
    with ports.register.view() as connection:
        offered = search.offer_of(connection, recording)
    offer = offer_of_row(offered)
    # To last: it takes the place of a copy that does, and a power cut must not leave a name without its bytes.
    found = read_source(offer, offered["root"], ports=ports, files=files, progress=unheard, is_to_last=True)
    if found != digest:
        raise FixityMismatch(
            f"the source of {recording} has other bytes than were measured",
            expected=str(digest),
            actual=str(found),
        )
    spool.measure_chunks(files)
    if original["packets_sha256"] is not None:
        look_inside(files, name=offer.name)


def _digest_of(path: Path) -> Digest:
    with path.open("rb") as file:
        return Digest(hashlib.file_digest(file, "sha256").digest(), path.stat().st_size)


def _receipt(recording: str, digest: Digest, *, ports: Ports, now: datetime) -> str:
    """The text of the receipt that rests for these bytes: the first that was signed."""
    with ports.register.view() as connection:
        events = search.events_of(connection, about(recording))
    # Every event so far: a chain with a gap could not be taken up again.
    notes = [event["note"] for event in events]
    receipt = Receipt(recording, digest.hex, digest.size_bytes, now, {"events": notes})
    note = sign_note(receipt.to_text(), [ports.signer])
    key = layout.receipt_key(digest.hex)
    try:
        ports.store.put_bytes_once(key, note.encode())
    except Conflict:
        note = ports.store.read(key, limit=_RECEIPT_LIMIT).decode()
        first = parse_receipt(open_note(note, ports.verifiers).text)
        if (first.recording, first.sha256) != (recording, digest.hex):
            raise
    return note
