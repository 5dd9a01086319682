# SPDX-License-Identifier: Apache-2.0
"""This is where the custody log is walked as a whole, and the register's copy of it is held against it.

The log's own form is the business of `storage.log_check`; here its entries are read as records.
"""

from collections.abc import Sequence

from evidence.errors import IntegrityError
from pipeline.audit.ledger import EVENTS_TABLE, Ledger
from pipeline.audit.sheet import StoreSheet
from pipeline.audit.trust import Trust
from pipeline.ports import Ports
from pipeline.tsa.port import TrustAnchors
from storage import layout
from storage.custody_log import SignedCheckpoint, open_checkpoint
from storage.log_check import check_log
from storage.register.search import Row

CHECKPOINTS_TABLE = "register/checkpoints"


def trust_of(ports: Ports) -> Trust:
    """The keys and anchors of this installation."""
    anchors = TrustAnchors.all_of(one.anchors for one in ports.authorities) if ports.authorities else None
    return Trust(ports.verifiers, anchors)


def walk_log(ports: Ports, ledger: Ledger, remembered: Sequence[Row], *, sheet: StoreSheet) -> int:
    """Audit the whole log, hand its entries to `ledger`, and return the size it was audited at.

    `remembered` are the checkpoints that the register held before the walk: a log that was put back
    to an older state as a whole is shown up by them.

    Raises:
        StoreUnavailable: nothing was decided.
    """
    known = _known(ports, remembered, sheet=sheet)
    try:
        keys = trust_of(ports).log_keys(ports.log.origin)
        found = check_log(ports.store, keys, origin=ports.log.origin, known=known, visit=ledger.entry)
        size = 0 if found.checkpoint is None else found.checkpoint.size
        _check_kept(remembered, size, sheet=sheet)
    except IntegrityError as error:
        # A link or a pipe where a folder of the log should be: what was read before it was noted.
        sheet.blame("log", error.code, error.message)
        return 0
    sheet.absorb(found.findings)
    if found.unlisted:
        sheet.blame("log", "unlisted", f"{found.unlisted} more findings in the log")
    sheet.count(found.size_bytes, objects=found.objects)
    if found.uncovered:
        sheet.remark(f"{found.uncovered} objects of the log are beyond its newest checkpoint")
    return size


def _check_kept(remembered: Sequence[Row], size: int, *, sheet: StoreSheet) -> None:
    """Every checkpoint that the register remembers is still kept in the log."""
    for row in remembered:
        # The newest may still be without its copy; every older one was kept before the next was signed.
        key = layout.checkpoint_key(row["size"])
        if row["size"] < size and not sheet.store.exists(key):
            sheet.blame(key, "missing", "the register remembers it")


def _known(ports: Ports, remembered: Sequence[Row], *, sheet: StoreSheet) -> list[SignedCheckpoint]:
    """The register's checkpoints whose signature holds; the others are noted."""
    keys, known = trust_of(ports).log_keys(ports.log.origin), []
    for row in remembered:
        where = f"size {row['size']}"
        try:
            signed = open_checkpoint(str(row["note"]), origin=ports.log.origin, verifiers=keys)
        except IntegrityError as error:
            sheet.blame(CHECKPOINTS_TABLE, "altered", f"{where}: {error.message}")
            continue
        if (row["size"], row["root"]) != (signed.size, signed.root.hex()):
            told = f"its own note says size {signed.size}, root {signed.root.hex()}"
            sheet.blame(CHECKPOINTS_TABLE, "altered", f"{where}, root {row['root']}: {told}")
        known.append(signed)
    return known


def check_events(rows: Sequence[Row], ledger: Ledger, *, log_size: int, sheet: StoreSheet) -> None:
    """Hold every event of the register against the log, both ways; the unpublished ones are read, too."""
    for row in rows:
        ledger.row(row, log_size=log_size)
    lost = sorted(ledger.indexes - {row["leaf_index"] for row in rows})
    if lost:
        where = f"entry {lost[0]} of the log" + (f" and {len(lost) - 1} more" if len(lost) > 1 else "")
        sheet.blame(EVENTS_TABLE, "missing", f"the register has lost {where}")
    if ledger.unpublished:
        sheet.remark(f"{ledger.unpublished} events wait for the next publication of the log")
