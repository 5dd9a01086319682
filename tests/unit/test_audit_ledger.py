# SPDX-License-Identifier: Apache-2.0
"""This is where streams of custody events are cut, doubled, moved and forged before an audit reads them."""

from dataclasses import replace

import pytest

from evidence.custody import CustodyEvent
from evidence.instant import to_text
from evidence.merkle import leaf_hash
from evidence.note import Signer, sign_note
from evidence.verdict import Finding, Verdict
from pipeline.audit.ledger import Ledger
from pipeline.audit.sheet import MOST_FINDINGS, Sheet
from storage.register.search import Row
from tests.support.authorities import NOON
from tests.support.custody_log import KEY, STRANGER, keys

SIGNER, VERIFIER = keys(KEY, "example.org/records")
FORGER, _ = keys(STRANGER, "example.org/records")
SHA = "ab" * 32


def note_of(event: CustodyEvent, signer: Signer = SIGNER) -> str:
    return sign_note(event.to_text(), [signer])


def event(stream: str, seq: int, prev: str | None, kind: str = "noted") -> CustodyEvent:
    return CustodyEvent(stream, seq, prev, kind, NOON, "test", {}, None, None)


def chain(*streams: str) -> list[str]:
    """A sound log: one event for each name, each the next of its stream."""
    last: dict[str, tuple[int, str]] = {}
    notes = []
    for stream in streams:
        seq, prev = last.get(stream, (-1, ""))
        notes.append(note_of(event(stream, seq + 1, prev or None)))
        last[stream] = (seq + 1, leaf_hash(notes[-1].encode()).hex())
    return notes


def read(notes: list[str], *, lost: tuple[int, ...] = ()) -> list[tuple[str, str]]:
    """What an audit says of a log with these entries, of which `lost` do not hold where they rest."""
    sheet = Sheet()
    ledger = Ledger(sheet, [VERIFIER])
    for index, note in enumerate(notes):
        if index not in lost:
            ledger.entry(index, note.encode())
    return [(finding.object, finding.what) for finding in sheet.report().findings]


SOUND = ("a/1", "a/1", "b/1", "a/1", "b/1", "b/2")


def test_streams_that_run_on_without_gaps_hold() -> None:
    assert read(chain(*SOUND)) == []


def test_23_an_event_taken_out_of_its_stream_shows_at_the_next_one() -> None:
    notes = chain(*SOUND)
    assert read([*notes[:1], *notes[2:]]) == [("log entry 2", "out-of-sequence")]


def test_23_a_first_event_taken_away_shows() -> None:
    notes = chain(*SOUND)
    assert read(notes[1:]) == [("log entry 0", "out-of-sequence")]


def test_26_two_events_in_each_others_place_show() -> None:
    notes = chain(*SOUND)
    notes[1], notes[3] = notes[3], notes[1]
    assert {what for _, what in read(notes)} == {"out-of-sequence"}


def test_27_a_second_event_of_the_same_number_is_a_fork() -> None:
    notes = chain("a/1", "a/1")
    other = note_of(event("a/1", 1, leaf_hash(notes[0].encode()).hex(), kind="another"))
    assert read([*notes, other]) == [("log entry 2", "out-of-sequence")]


def test_27_an_event_that_names_another_predecessor_is_a_fork() -> None:
    notes = chain("a/1")
    assert read([*notes, note_of(event("a/1", 1, SHA))]) == [("log entry 1", "out-of-sequence")]


def test_23_a_number_that_was_skipped_shows_though_the_chain_holds() -> None:
    notes = chain("a/1")
    skipped = note_of(event("a/1", 2, leaf_hash(notes[0].encode()).hex()))
    assert read([*notes, skipped]) == [("log entry 1", "out-of-sequence")]


def test_25_an_event_put_in_between_shows() -> None:
    notes = chain(*SOUND)
    inserted = note_of(event("a/1", 1, leaf_hash(notes[0].encode()).hex(), kind="another"))
    assert ("log entry 2", "out-of-sequence") in read([notes[0], inserted, *notes[1:]])


def test_29_an_event_signed_by_another_key_of_the_same_name_is_not_believed() -> None:
    notes = chain("a/1")
    forged = note_of(event("a/1", 1, leaf_hash(notes[0].encode()).hex()), FORGER)
    assert read([*notes, forged]) == [("log entry 1", "signature-invalid")]


def test_an_entry_that_is_no_record_is_malformed() -> None:
    assert read([sign_note("hello\n", [SIGNER])]) == [("log entry 0", "record-malformed")]
    assert read(["\x00"]) == [("log entry 0", "record-malformed")]


@pytest.mark.parametrize("kind", ["measured", "sealed", "derived", "stamped"])
def test_a_record_that_does_not_say_what_its_kind_must_is_malformed(kind: str) -> None:
    assert read([note_of(event("recording/rec-1", 0, None, kind))]) == [("log entry 0", "record-malformed")]


def test_what_was_changed_where_it_rests_is_not_blamed_again_on_its_stream() -> None:
    assert read(chain(*SOUND), lost=(1,)) == []


def test_damage_elsewhere_excuses_no_gap() -> None:
    notes = chain("b/1", "a/1", "a/1", "a/1")
    assert read([notes[0], notes[1], notes[3]], lost=(0,)) == [("log entry 2", "out-of-sequence")]


# --- the register beside the log ----------------------------------------------------------------------


def row(note: str, told: CustodyEvent, index: int | None) -> Row:
    return {
        "stream": told.stream,
        "seq": told.seq,
        "kind": told.kind,
        "at": to_text(told.at),
        "actor": told.actor,
        "note": note,
        "leaf_hash": leaf_hash(note.encode()).hex(),
        "detail_sha256": told.detail_sha256,
        "leaf_index": index,
    }


def test_a_row_stands_in_for_an_entry_that_was_lost_and_is_believed_for_its_signature_only() -> None:
    first = event("a/1", 0, None)
    sheet = Sheet()
    ledger = Ledger(sheet, [VERIFIER])
    ledger.row(row(note_of(first), first, 0), log_size=1)
    assert sheet.report().findings == ()
    forged = replace(first, actor="another")
    ledger.row(row(note_of(forged, FORGER), forged, 0), log_size=1)
    (finding,) = sheet.report().findings
    assert (finding.object, finding.what) == ("register/custody_events a/1 number 0", "signature-invalid")
    assert ledger.unpublished == 0


def test_a_row_of_a_stand_in_does_not_undo_what_came_after_it() -> None:
    arrived = event("recording/rec-1", 0, None, "arrived")
    note = note_of(arrived)
    indexed = event("recording/rec-1", 1, leaf_hash(note.encode()).hex(), "indexed")
    ledger = Ledger(Sheet(), [VERIFIER])
    ledger.entry(1, note_of(indexed).encode())
    ledger.row(row(note, arrived, 0), log_size=2)
    assert ledger.told.states["rec-1"][1] == "indexed"


# --- the sheet ------------------------------------------------------------------------------------------


def test_findings_beyond_the_listed_ones_still_decide_the_verdict() -> None:
    sheet = Sheet()
    for number in range(MOST_FINDINGS):
        sheet.doubt(f"thing {number}", "untracked")
    assert sheet.report().verdict is Verdict.UNDECIDABLE
    sheet.blame("the last one", "altered")
    report = sheet.report()
    assert report.verdict is Verdict.TAMPERED
    assert report.findings[-1] == Finding("audit", "unlisted", "1 more findings", Verdict.TAMPERED)


def test_the_same_finding_is_written_down_once() -> None:
    sheet = Sheet()
    for _ in range(3):
        sheet.blame("thing", "altered", "here")
        sheet.remark("by the way")
    assert len(sheet.report().findings) == len(sheet.report().notes) == 1


def test_progress_runs_up_to_one_and_never_beyond() -> None:
    told: list[float] = []
    sheet = Sheet(told.append)
    sheet.count(10)
    sheet.expect(100)
    for _ in range(4):
        sheet.count(30)
    assert told == sorted(told)
    assert told[-1] == 1.0
