# SPDX-License-Identifier: Apache-2.0
"""This is where the time tokens of a pack are checked, and that the log grew from the checkpoints they are over.

A record under the newest checkpoint, whose leaf lies before the size of an older one, was under that one too, once
the older is shown to be the beginning of the newest.
"""

import hashlib
from typing import Any

from evidence import canonical_json
from evidence.checkpoint import Checkpoint
from evidence.errors import EvidockError, IntegrityError, RecordMalformed, TokenInvalid
from evidence.merkle import verify_consistency
from pipeline.audit.sheet import Sheet
from pipeline.audit.trust import Trust, is_by_a_stranger
from pipeline.pack import names
from pipeline.pack.check_records import Records, open_checkpoint, take
from pipeline.pack.index import Index
from pipeline.pack.notes import Notes
from pipeline.pack.opened import OpenedPack
from pipeline.tsa.port import TrustAnchors
from pipeline.tsa.rfc3161 import verify_response

_LARGEST = 1 << 20


def check_times(pack: OpenedPack, index: Index, records: Records, notes: Notes, *, trust: Trust, sheet: Sheet) -> None:
    """Check older checkpoints against the newest, and each time token over its checkpoint."""
    proofs = _proofs(pack, index, sheet=sheet)
    checkpoints: dict[int, Checkpoint] = {}
    for size in index.checkpoints:
        name = names.checkpoint_name(size)
        found = open_checkpoint(pack, name, index.origin, notes, sheet=sheet)
        if found is not None and _grew(found, size, records.checkpoint, proofs, name=name, sheet=sheet):
            checkpoints[size] = found
    for size, authority, word, file in index.tokens:
        who = f"time token of {authority} over the checkpoint of size {size}"
        response = take(pack, file, sheet=sheet, limit=_LARGEST)
        if response is None or size not in checkpoints:
            continue
        if trust.anchors is None:
            sheet.remark(f"not checked: {who}: no trust anchor was given")
        else:
            _check_token(response, checkpoints[size], (who, word, file), anchors=trust.anchors, sheet=sheet)


def _proofs(pack: OpenedPack, index: Index, *, sheet: Sheet) -> dict[str, list[bytes]]:
    data = take(pack, names.CONSISTENCY, sheet=sheet, limit=64 << 20)
    if data is None:
        return {}
    try:
        body: Any = canonical_json.loads(data)
        if body["size"] != index.size or sorted(map(int, body["proofs"])) != sorted(index.checkpoints):
            raise RecordMalformed("not the proofs for the checkpoints of this pack")
        return {size: [bytes.fromhex(step) for step in path] for size, path in body["proofs"].items()}
    except (EvidockError, KeyError, TypeError, ValueError, AttributeError) as error:
        sheet.blame(names.CONSISTENCY, "record-malformed", str(error)[:300])
        return {}


def _grew(
    old: Checkpoint, size: int, new: Checkpoint | None, proofs: dict[str, list[bytes]], *, name: str, sheet: Sheet
) -> bool:
    """True when the log of `new` begins with that of `old`."""
    if old.size != size:
        sheet.blame(name, "contradicts-record", f"a checkpoint of size {old.size}")
        return False
    if new is None:
        return False
    try:
        verify_consistency(old.size, new.size, old.root, new.root, proofs.get(str(size), []))
    except IntegrityError as error:
        sheet.blame(name, error.code, error.message)
        return False
    return True


def _check_token(
    response: bytes, checkpoint: Checkpoint, told: tuple[str, str, str], *, anchors: TrustAnchors, sheet: Sheet
) -> None:
    who, word, file = told
    imprint = hashlib.sha256(checkpoint.to_text().encode()).digest()
    try:
        stamped = verify_response(response, message_sha256=imprint, anchors=anchors)
    except TokenInvalid as error:
        if not is_by_a_stranger(error):
            sheet.blame(file, error.code, f"{who}: {error.message}")
        elif word == "self":
            sheet.remark(f"not checked: {who}: no anchor vouches for it, and it calls itself self-asserted")
        else:
            sheet.doubt(file, "untrusted", f"{who}: no trust anchor vouches for its signer")
        return
    sheet.remark(f"{who}: existed before {stamped.latest.isoformat()} ({word})")
