# SPDX-License-Identifier: Apache-2.0
"""This is where footage of a pack is held against the signed records: originals, their receipts, and clips."""

import hashlib
from collections.abc import Callable, Mapping
from typing import TypeVar

from evidence.custody import CustodyEvent
from evidence.errors import EvidockError, IntegrityError
from evidence.receipt import parse_receipt
from pipeline.audit.clip import verify_clip
from pipeline.audit.proof import LARGEST_PROOF, parse_proof
from pipeline.audit.records import Measured, Sealed, measured_of, sealed_of
from pipeline.audit.sheet import Sheet
from pipeline.audit.trust import Trust
from pipeline.pack import names
from pipeline.pack.check_records import Records, take
from pipeline.pack.index import ClipTold, Index, OriginalTold
from pipeline.pack.notes import Notes
from pipeline.pack.opened import OpenedPack

_LARGEST_RECEIPT = 1 << 20
T = TypeVar("T")


def check_originals(
    pack: OpenedPack, index: Index, records: Records, found: Mapping[str, str], notes: Notes, *, sheet: Sheet
) -> None:
    """Each original is the one that its recording's records say was measured and sealed; `found`: digests of files."""
    cut = {clip.recording for clip in index.clips}
    told_of = {one.recording for one in index.originals}
    for recording in sorted(index.recordings - told_of):
        sheet.blame(names.INDEX, "contradicts-record", f"{recording} has no original")
    for told in index.originals:
        if told.file is None and not told.is_gone and told.recording not in cut:
            sheet.blame(names.INDEX, "missing", f"neither the original of {told.recording} nor a clip of it is here")
        _check_original(pack, told, records, found, sheet=sheet)
        _check_receipt(pack, told, index, records, notes, sheet=sheet)


def _said(records: Records, told: OriginalTold, kind: str, read: Callable[[CustodyEvent], T], sheet: Sheet) -> T | None:
    event = records.newest(f"recording/{told.recording}", kind)
    if event is None:
        return None
    try:
        return read(event)
    except IntegrityError as error:
        sheet.blame(names.note_name(event.stream, event.seq), error.code, error.message)
        return None


def _check_original(
    pack: OpenedPack, told: OriginalTold, records: Records, found: Mapping[str, str], *, sheet: Sheet
) -> None:
    name = told.file or names.INDEX
    has = (told.sha256, told.size_bytes)
    if told.file is not None:
        if told.file not in pack.files:
            sheet.blame(name, "missing", "the index of the pack speaks of it")
            return
        has = (found.get(told.file, ""), pack.files[told.file])
    measured: Measured | None = _said(records, told, "measured", measured_of, sheet)
    sealed: Sealed | None = _said(records, told, "sealed", sealed_of, sheet)
    if measured is None:
        sheet.blame(name, "record-missing", f"no record says what {told.recording} was when it was measured")
    for word, recorded in (("measured", measured), ("sealed", sealed)):
        if recorded is not None and (recorded.sha256, recorded.size_bytes) != has:
            expected = f"{word} was {recorded.sha256} ({recorded.size_bytes} bytes)"
            sheet.blame(name, "contradicts-record", f"sha256 {has[0]} ({has[1]} bytes); {expected}")
    if told.is_gone and records.newest(f"recording/{told.recording}", "disposing") is None:
        sheet.blame(name, "missing", f"{told.recording} is told to be disposed of, and no record says so")


def _check_receipt(
    pack: OpenedPack, told: OriginalTold, index: Index, records: Records, notes: Notes, *, sheet: Sheet
) -> None:
    sealed: Sealed | None = _said(records, told, "sealed", sealed_of, sheet)
    if told.receipt is None:
        if sealed is not None:
            sheet.blame(names.INDEX, "missing", f"the receipt of {told.recording}")
        return
    note = take(pack, told.receipt, sheet=sheet, limit=_LARGEST_RECEIPT)
    if note is None:
        return
    text = notes.text_of(note, lambda trust: trust.record_keys(index.origin), name=told.receipt)
    if sealed is not None and hashlib.sha256(note).hexdigest() != sealed.receipt_sha256:
        sheet.blame(told.receipt, "contradicts-record", f"recorded is the receipt {sealed.receipt_sha256}")
    if text is None:
        return
    try:
        said = parse_receipt(text)
    except EvidockError as error:
        sheet.blame(told.receipt, error.code, error.message)
        return
    if (said.recording, said.sha256, said.size_bytes) != (told.recording, told.sha256, told.size_bytes):
        sheet.blame(told.receipt, "contradicts-record", f"it is the receipt of {said.recording}, {said.sha256}")


# --- clips ------------------------------------------------------------------------------------------


def check_clips(pack: OpenedPack, index: Index, records: Records, *, trust: Trust, sheet: Sheet) -> None:
    """Each clip is whole packets of the original that its own proof, and the pack's records, speak of."""
    for clip in index.clips:
        missing = [name for name in (clip.file, clip.proof) if name not in pack.files]
        for name in missing:
            sheet.blame(name, "missing", "the index of the pack speaks of it")
        if not missing:
            _check_clip(pack, clip, records, trust=trust, sheet=sheet)


def _check_clip(pack: OpenedPack, clip: ClipTold, records: Records, *, trust: Trust, sheet: Sheet) -> None:
    found = verify_clip(pack.folder / clip.file, pack.folder / clip.proof, trust=trust)
    folder = clip.file.rpartition("/")[0]
    for one in found.findings:
        sheet.absorb([type(one)(f"{folder}/{one.object}", one.what, one.where, one.verdict)])
    for note in found.notes:
        sheet.remark(note)
    try:
        proof = parse_proof(pack.read(clip.proof, limit=LARGEST_PROOF))
    except EvidockError:
        return  # told above
    served = [one.facts.get("clip_sha256") for one in records.events.get(f"recording/{clip.recording}", [])]
    if proof.recording != clip.recording or proof.clip_sha256 not in served:
        sheet.blame(clip.file, "contradicts-record", f"no record of {clip.recording} says that this clip was served")
