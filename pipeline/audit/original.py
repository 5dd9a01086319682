# SPDX-License-Identifier: Apache-2.0
"""This is where one original is checked with all that rests beside it: bytes, chunk list, packets, receipt."""

import hashlib

from evidence.chunk_tree import CHUNK_SIZE, chunk_tree_of, differences
from evidence.digest import Digest
from evidence.errors import IntegrityError, ProofInvalid, RecordMalformed, Unacceptable
from evidence.merkle import HASH_SIZE, leaf_hash
from evidence.merkle_tree import root_of_joined
from evidence.note import open_note
from evidence.receipt import Receipt, parse_receipt
from pipeline.audit.cold import check_cold, check_cold_gone
from pipeline.audit.endings import Fate
from pipeline.audit.ledger import Told
from pipeline.audit.place import Damaged, place_damage
from pipeline.audit.records import Measured, Sealed
from pipeline.audit.sheet import StoreSheet
from pipeline.audit.trust import Trust
from pipeline.media.packet_reader import PacketTable, check_table, open_table
from pipeline.ports import Cold
from storage import layout

_LARGEST_RECEIPT = 1 << 20


def check_original(
    measured: Measured, told: Told, *, trust: Trust, origin: str, cold: Cold | None, sheet: StoreSheet
) -> None:
    """Check the original that `measured` speaks of; what was not sealed yet need not be there, what is gone must not.

    Raises:
        StoreUnavailable: nothing was decided.
    """
    key, sealed = layout.original_key(measured.sha256), told.sealed.get(measured.sha256)
    fate = told.endings.fate_of(measured.recording)
    if fate in (Fate.HERE, Fate.COLD):
        if sealed is None and not sheet.store.exists(key):
            return
        _check_bytes(measured, told, sealed=sealed, cold=cold, sheet=sheet)
    elif fate is Fate.GONE:
        _check_gone(measured, sheet=sheet)
        check_cold_gone(measured, told.endings.archived.get(measured.recording), cold, sheet=sheet)
    if sealed is not None:
        _check_seal(measured, sealed, sheet=sheet)
        _check_receipt(sealed, told, trust=trust, origin=origin, sheet=sheet)


def _check_gone(measured: Measured, *, sheet: StoreSheet) -> None:
    """Nothing is left of what was disposed of; were there anything, the Tombstone would be a lie."""
    keys = [
        layout.original_key(measured.sha256),
        layout.chunks_key(measured.sha256),
        layout.packets_key(measured.sha256),
    ]
    for key in (*keys, layout.envelope_key_of(keys[0])):
        if key is not None and sheet.store.exists(key):
            sheet.blame(key, "not-gone", f"{measured.recording} was disposed of, and this is still there, or again")


def _check_bytes(
    measured: Measured, told: Told, *, sealed: Sealed | None, cold: Cold | None, sheet: StoreSheet
) -> None:
    key = layout.original_key(measured.sha256)
    why = f"{'sealed' if sealed else 'measured'} as {measured.recording}"
    archived = told.endings.archived.get(measured.recording)
    if archived is not None and not archived.is_back:
        check_cold(measured, archived, cold, sheet=sheet)
        if not sheet.store.exists(key):
            # Its tables stay; it is the bytes that cost.
            _chunks(measured, is_whole=False, why=why, sheet=sheet)
            _table(measured, why=why, sheet=sheet)
            return
    found = sheet.measure(key, why=why)
    chunks = _chunks(measured, is_whole=_is(found, measured), why=why, sheet=sheet)
    table = _table(measured, why=why, sheet=sheet)
    if found is not None and not _is(found, measured):
        damaged = Damaged(key, measured, found, chunks, table)
        what, where = place_damage(damaged, store=sheet.store)
        sheet.blame(key, what, where)


def _is(found: Digest | None, measured: Measured) -> bool:
    return found is not None and (found.hex, found.size_bytes) == (measured.sha256, measured.size_bytes)


def _check_seal(measured: Measured, sealed: Sealed, *, sheet: StoreSheet) -> None:
    if (sealed.recording, sealed.size_bytes) != (measured.recording, measured.size_bytes):
        where = f"sealed as {sealed.recording} with {sealed.size_bytes} bytes"
        name = f"records of {measured.recording}"
        sheet.blame(name, "contradictory", f"measured with {measured.size_bytes} bytes, {where}")


# --- the chunk list -----------------------------------------------------------------------------


def _chunks(measured: Measured, *, is_whole: bool, why: str, sheet: StoreSheet) -> bytes | None:
    """The leaf hashes of the original's chunks, once they lead to the recorded root."""
    key = layout.chunks_key(measured.sha256)
    expected = -(-measured.size_bytes // CHUNK_SIZE) * HASH_SIZE
    leaves = sheet.take(key, expected + CHUNK_SIZE, why=why)
    if leaves is None:
        return None
    if len(leaves) == expected and root_of_joined(leaves).hex() == measured.chunk_root:
        return leaves
    where = f"{len(leaves)} bytes; recorded are {expected}, with the root {measured.chunk_root}"
    if is_whole and len(leaves) == expected:
        # The original holds, so it can say which of the hashes are wrong.
        true = chunk_tree_of(sheet.store.blocks(layout.original_key(measured.sha256))).leaves
        where = f"hash of 64 KiB chunk {', '.join(map(str, differences(true, leaves)[:8]))}"
    sheet.blame(key, "altered", where)
    return None


# --- the packet table ---------------------------------------------------------------------------


def _table(measured: Measured, *, why: str, sheet: StoreSheet) -> PacketTable | None:
    """The original's packet table, once its bytes are the recorded ones and lead to the recorded root."""
    if measured.packets_sha256 is None or measured.packet_root is None:
        return None
    key = layout.packets_key(measured.sha256)
    found = sheet.measure(key, why=why)
    if found is None:
        return None
    store = sheet.store

    def read(start: int, length: int) -> bytes:
        return store.read_range(key, start, length)

    try:
        if found.hex != measured.packets_sha256:
            check_table(read, size_bytes=found.size_bytes, packet_root=measured.packet_root)
            raise ProofInvalid("its bytes are not those recorded, though its parts agree with each other")
        return open_table(read, packet_root=measured.packet_root)
    except (IntegrityError, Unacceptable, ValueError, OverflowError) as error:
        # Whatever a table forged with care may do to its reader, it is not the one recorded.
        sheet.blame(key, "altered", str(error))
        return None


# --- the receipt --------------------------------------------------------------------------------


def _check_receipt(sealed: Sealed, told: Told, *, trust: Trust, origin: str, sheet: StoreSheet) -> None:
    key = layout.receipt_key(sealed.sha256)
    note = sheet.take(key, _LARGEST_RECEIPT, why=f"sealed as {sealed.recording}")
    if note is None:
        return
    digest = hashlib.sha256(note).hexdigest()
    try:
        receipt = parse_receipt(open_note(note, trust.record_keys(origin)).text)
        carried = _carried(receipt)
    except IntegrityError as error:
        sheet.blame(key, "altered", error.message)
        return
    if digest != sealed.receipt_sha256:
        sheet.blame(key, "altered", f"its digest is {digest}, recorded is {sealed.receipt_sha256}")
    said = (receipt.recording, receipt.sha256, receipt.size_bytes)
    if said != (sealed.recording, sealed.sha256, sealed.size_bytes):
        sheet.blame(key, "contradictory", f"it speaks of {said[0]}, {said[1]} with {said[2]} bytes")
    elif not carried <= told.leaves.get(sealed.recording, set()):
        sheet.blame(key, "contradictory", f"it carries events that the records of {sealed.recording} lack")


def _carried(receipt: Receipt) -> set[str]:
    """Leaf hashes of the events a receipt carries."""
    notes = receipt.facts.get("events")
    if not isinstance(notes, list):
        raise RecordMalformed("a receipt without its events")
    return {leaf_hash(str(note).encode()).hex() for note in notes}
