# SPDX-License-Identifier: Apache-2.0
"""This is where one audit is put together: of everything at rest, of one recording, or of a file somebody holds."""

import hashlib
from functools import partial
from pathlib import Path

from evidence.errors import IntegrityError, NotFound, SourceUnavailable
from evidence.ids import stream_of
from evidence.verdict import CheckReport
from pipeline.audit import agreements
from pipeline.audit.agreed import check_agreements
from pipeline.audit.checkpoints import Checkpoints, check_anchors, check_tokens, spare_tokens
from pipeline.audit.clip import verify_clip
from pipeline.audit.devices import check_attachments, check_devices
from pipeline.audit.disposals import check_disposals, read_detail
from pipeline.audit.keeping import read_filings
from pipeline.audit.ledger import EVENTS_TABLE, Ledger, Told
from pipeline.audit.log import check_events, trust_of, walk_log
from pipeline.audit.names import check_derivatives, check_details, check_names, names_at_rest
from pipeline.audit.original import check_original
from pipeline.audit.records import Measured
from pipeline.audit.register import check_rows, read_rows, rows_of
from pipeline.audit.sheet import StoreSheet
from pipeline.outcome import about
from pipeline.ports import Ports, Progress, unheard
from storage import layout
from storage.custody_log import SignedCheckpoint
from storage.register import ends, search
from storage.register.search import Connection, Row

PROOF_SUFFIX = ".proof.json"


def verify_all(ports: Ports, *, progress: Progress = unheard) -> CheckReport:
    """Audit everything: log, register, originals and what was made from them, and every name at rest.

    Raises:
        StoreUnavailable, RegisterUnavailable: nothing was decided.
    """
    sheet = StoreSheet(ports.store, progress)
    ledger = _ledger(ports, sheet)
    # (1) What rests, and what the register remembers of the log, come before the log is read: what is
    #     laid down or published meanwhile can then look neither untracked nor lost.
    names = names_at_rest(sheet)
    with ports.register.view() as connection:
        remembered = search.every(connection, "checkpoints")
    size = walk_log(ports, ledger, remembered, sheet=sheet)
    # (2) The register after the log: every entry was in it before it was published.
    with ports.register.view() as connection:
        events, rows = search.every(connection, "custody_events"), read_rows(connection)
    check_events(events, ledger, log_size=size, sheet=sheet)
    check_disposals(ledger.told, sheet=sheet)
    try:
        read_filings(ledger.told.keeping, partial(read_detail, sheet=sheet))
        agreements.read_filings(ledger.told.agreements, partial(read_detail, sheet=sheet))
    except IntegrityError as error:
        sheet.blame("details", error.code, error.message)
    check_agreements(ledger.told.agreements, sheet=sheet)
    check_rows(ledger.told, rows, sheet=sheet)
    # (3) From the records to the store, (4) and from the store to the records.
    checkpoints = Checkpoints(ports, sheet)
    _check_store(ledger.told, checkpoints, ports, sheet=sheet)
    spare = spare_tokens(ledger.told, names, checkpoints, ports=ports, sheet=sheet)
    check_names(ledger.told, names, spare=spare, sheet=sheet)
    for name in ports.store.strays():
        sheet.remark(f"{name}: somebody put something there or over it; what is ours is as the other findings say")
    return sheet.report()


def verify_recording(ports: Ports, recording: str, *, progress: Progress = unheard) -> CheckReport:
    """Audit one recording: its records and their place in the newest checkpoint, its rows, its objects.

    NOT checked: records of it that the register has lost, and the rest of the log: `verify_all` reads that.

    Raises:
        NotFound: the register knows no such recording.
        StoreUnavailable, RegisterUnavailable: nothing was decided.
    """
    sheet = StoreSheet(ports.store, progress)
    ledger = _ledger(ports, sheet)
    with ports.register.view() as connection:
        events, rows = search.events_of(connection, about(recording)), rows_of(connection, recording)
        # That it is due, or gone, is told by the lists it is on.
        lists = [one for name in ends.lists_with(connection, recording) for one in _events_of_list(connection, name)]
    newest = _newest(ports, sheet)
    waiting = 0
    for row in (*events, *lists):
        ledger.placed(row)
        waiting += not _is_published(row, newest, ports=ports, sheet=sheet)
    if not events:
        sheet.blame(EVENTS_TABLE, "missing", f"no event tells of {recording}")
    if waiting:
        sheet.remark(f"{waiting} events wait for the next publication of the log")
    check_disposals(ledger.told, sheet=sheet)
    check_rows(ledger.told, rows, sheet=sheet)
    _check_store(ledger.told, Checkpoints(ports, sheet), ports, sheet=sheet)
    return sheet.report()


def _events_of_list(connection: Connection, name: str) -> list[Row]:
    return search.events_of(connection, stream_of("disposal", name))


def verify_file(path: Path, ports: Ports, *, progress: Progress = unheard) -> CheckReport:
    """Check a file that somebody holds: a clip with its proof beside it, or bytes that are ours.

    The proof of `FILE` is `FILE.proof.json`; it may be named instead of the file. A file whose bytes are an
    original or a derivative of ours is as good as the recording it belongs to.

    Raises:
        NotFound, SourceUnavailable: the file cannot be read.
        StoreUnavailable, RegisterUnavailable: nothing was decided.
    """
    clip = path.with_name(path.name.removesuffix(PROOF_SUFFIX)) if path.name.endswith(PROOF_SUFFIX) else path
    proof = clip.with_name(clip.name + PROOF_SUFFIX)
    if proof.exists() and clip.exists():
        return verify_clip(clip, proof, trust=trust_of(ports), progress=progress)
    sha256 = _sha256(path)
    holder = _holder(ports, sha256)
    if holder is not None:
        report = verify_recording(ports, holder[1], progress=progress)
        note = f"{path.name} is {holder[0]} of {holder[1]}, byte for byte"
        return CheckReport(report.findings, report.objects, report.size_bytes, (note, *report.notes))
    sheet = StoreSheet(ports.store)
    sheet.count(path.stat().st_size)
    sheet.doubt(path.name, "unknown", f"sha256 {sha256}: no original or derivative of ours, and no proof beside it")
    return sheet.report()


def _ledger(ports: Ports, sheet: StoreSheet) -> Ledger:
    return Ledger(sheet, trust_of(ports).record_keys(ports.log.origin))


def _check_store(told: Told, checkpoints: Checkpoints, ports: Ports, *, sheet: StoreSheet) -> None:
    """Everything the records speak of, at rest."""
    made = sum(one.size_bytes for one in told.derived.values())
    sheet.expect(made + sum(one.size_bytes for one in told.measured.values()))
    check_anchors(told, checkpoints, sheet=sheet)
    check_tokens(told, checkpoints, ports=ports, sheet=sheet)
    check_details(told, sheet=sheet)
    for measured in told.measured.values():
        _check_original(measured, told, ports, sheet=sheet)
    check_derivatives(told, sheet=sheet)
    check_devices(told.devices, sheet=sheet)
    check_attachments(told.devices, told.endings, sheet=sheet)


def _check_original(measured: Measured, told: Told, ports: Ports, *, sheet: StoreSheet) -> None:
    try:
        check_original(measured, told, trust=trust_of(ports), origin=ports.log.origin, cold=ports.cold, sheet=sheet)
    except (IntegrityError, NotFound) as error:
        # Somebody is at it while we look: it is not what it was a moment ago.
        sheet.blame(layout.original_key(measured.sha256), error.code, error.message)


# --- one recording --------------------------------------------------------------------------------


def _newest(ports: Ports, sheet: StoreSheet) -> SignedCheckpoint | None:
    try:
        newest = ports.log.newest()
    except IntegrityError as error:
        sheet.blame("log/checkpoint", error.code, error.message)
        return None
    if newest is not None:
        sheet.count(len(newest.note))
    return newest


def _is_published(row: Row, newest: SignedCheckpoint | None, *, ports: Ports, sheet: StoreSheet) -> bool:
    """True when the event is (or should be) under the newest checkpoint; what does not prove it is noted."""
    index = row["leaf_index"]
    if newest is None or not isinstance(index, int) or index >= newest.size:
        return False
    name, note = f"log entry {index}", str(row["note"]).encode("utf-8", "surrogateescape")
    try:
        if next(ports.log.tiles.entries(index, index + 1)) != note:
            sheet.blame(name, "altered", f"it is not number {row['seq']} of {row['stream']}")
        proof = ports.log.proof(index, newest)
        proof.verify(note, origin=ports.log.origin, verifiers=trust_of(ports).log_keys(ports.log.origin))
    except IntegrityError as error:
        sheet.blame(name, error.code, f"number {row['seq']} of {row['stream']}: {error.message}")
    return True


# --- a file ---------------------------------------------------------------------------------------


def _sha256(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError as error:
        raise NotFound(f"there is no file {path}") from error
    except OSError as error:
        raise SourceUnavailable(f"{path} cannot be read: {error.strerror}") from error


def _holder(ports: Ports, sha256: str) -> tuple[str, str] | None:
    """What these bytes are to us, and of which recording."""
    with ports.register.view() as connection:
        holder = search.holder_of(connection, sha256)
        if holder is not None:
            return "the original", holder
        made = [row for row in search.every_derivative(connection) if row["sha256"] == sha256]
    return (f"the {made[0]['kind']}", made[0]["recording"]) if made else None
