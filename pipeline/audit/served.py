# SPDX-License-Identifier: Apache-2.0
"""This is where the records a clip's proof carries are believed or not: signature, place in the log, order."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeVar

from evidence.custody import CustodyEvent, parse_event
from evidence.errors import IntegrityError, SignatureInvalid
from evidence.note import open_note, split_note
from evidence.verdict import Verdict
from pipeline.audit.proof import ClipProofFile, ProvenRecord
from pipeline.audit.records import Clipped, Measured, Sealed, clipped_of, measured_of, sealed_of
from pipeline.audit.sheet import Sheet
from pipeline.audit.trust import Trust, origin_of, signers_of, verdict_on_unopened

_WANTED = ("measured", "sealed", "clipped")  # in the order in which they must have happened
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Served:
    """What the trusted records of a proof say; None where there is none that could be believed.

    `checkpoints`: texts of the checkpoints whose signature held, by size.
    """

    measured: Measured | None
    sealed: Sealed | None
    clipped: Clipped | None
    checkpoints: Mapping[int, str]


def read_served(proof: ClipProofFile, *, name: str, trust: Trust, sheet: Sheet) -> Served:
    """The records of `proof` that hold; whatever does not is written down against `name`."""
    believed: dict[str, CustodyEvent] = {}
    checkpoints: dict[int, str] = {}
    for record in proof.records:
        event = _believed(record, name=name, trust=trust, sheet=sheet)
        if event is None:
            continue
        if event.kind in believed:
            sheet.blame(name, "record-malformed", f"two records say {event.kind}")
        believed[event.kind] = event
        checkpoints[record.log.size] = split_note(record.log.checkpoint)[0]
    if len(believed) == len(proof.records):
        for kind in [kind for kind in _WANTED if kind not in believed]:
            sheet.blame(name, "record-missing", f"the proof carries no {kind} record")
    _check_order(believed, name=name, sheet=sheet)

    def said(kind: str, read: Callable[[CustodyEvent], T]) -> T | None:
        try:
            return read(believed[kind]) if kind in believed else None
        except IntegrityError as error:
            sheet.blame(name, error.code, f"{kind} record: {error.message}")
            return None

    return Served(
        measured=said("measured", measured_of),
        sealed=said("sealed", sealed_of),
        clipped=said("clipped", clipped_of),
        checkpoints=checkpoints,
    )


def _believed(record: ProvenRecord, *, name: str, trust: Trust, sheet: Sheet) -> CustodyEvent | None:
    """The event in `record`, once a trusted log holds it and a trusted records key signed it."""
    note = record.log.checkpoint
    try:
        # (1) The log that the auditor knows signed the checkpoint, and the record is a leaf under it.
        origin = origin_of(note)
        record.log.verify(record.note.encode(), origin=origin, verifiers=trust.log_keys(origin))
        # (2) A records key of the same agency signed the record itself.
        note = record.note
        return parse_event(open_note(note, trust.record_keys(origin)).text)
    except SignatureInvalid as error:
        if verdict_on_unopened(note, trust) is Verdict.TAMPERED:
            sheet.blame(name, error.code, f"{_named(record)}: {error.message}")
        else:
            sheet.doubt(
                name,
                "untrusted",
                f"signed by {signers_of(note)}, whose key was not given: get it from its agency, "
                "never from beside the proof, and verify with it",
            )
    except IntegrityError as error:
        sheet.blame(name, error.code, f"{_named(record)}: {error.message}")
    except UnicodeEncodeError as error:
        sheet.blame(name, "record-malformed", f"{_named(record)}: {error}")
    return None


def _named(record: ProvenRecord) -> str:
    """What a record calls itself, for the words of a finding; nothing of it is believed."""
    try:
        kind = parse_event(split_note(record.note)[0]).kind
    except IntegrityError:
        kind = "unreadable"
    return f"{kind[:40]} record, entry {record.log.index} of the log"


def _check_order(believed: Mapping[str, CustodyEvent], *, name: str, sheet: Sheet) -> None:
    events = [believed[kind] for kind in _WANTED if kind in believed]
    for before, after in pairwise(events):
        if before.stream != after.stream or before.seq >= after.seq:
            where = f"{after.kind} is number {after.seq} of {after.stream}, {before.kind} is number {before.seq}"
            sheet.blame(name, "record-malformed", f"{where} of {before.stream}")
