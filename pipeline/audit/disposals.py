# SPDX-License-Identifier: Apache-2.0
"""This is where each disposal is held against its own records: two people, the grace, the entry, the Tombstone.

Whoever could remove bytes without these, and write `disposed` into the log, would have destroyed evidence: such an
event is a finding, however well it is signed.
"""

from collections.abc import Mapping, Set
from datetime import timedelta
from typing import Any

from evidence import instant
from evidence.custody import CustodyEvent, open_detail
from evidence.disposal import Entry, digest_of, is_same_person
from evidence.errors import IntegrityError, NotFound
from evidence.lifecycle import State
from pipeline.audit.endings import Begun, ListHeard
from pipeline.audit.ledger import Told
from pipeline.audit.sheet import StoreSheet
from pipeline.tombstone import HOT
from storage import layout

_LARGEST_DETAIL = 256 << 20
_MISSING = "not there"  # as the removal door answers


def check_disposals(told: Told, *, sheet: StoreSheet) -> None:
    """Check every disposal that was begun; what its Tombstone says was kept for others is noted in `told`.

    Raises:
        StoreUnavailable: nothing was decided.
    """
    entries = {name: _entries(name, heard, sheet=sheet) for name, heard in told.endings.lists.items()}
    _move_due(told, entries, sheet=sheet)
    for recording, begun in told.endings.begun.items():
        heard = told.endings.lists.get(begun.disposal, ListHeard())
        for what in _wrong_with(recording, begun, heard, entries.get(begun.disposal), told):
            sheet.blame(f"disposal of {recording}", "not-agreed", f"list {begun.disposal}: {what}")
        if recording not in told.endings.disposed:
            sheet.remark(
                f"the disposal of {recording} was begun and is not finished: run `evidock dispose run {begun.disposal}`"
            )
    for recording, event in told.endings.disposed.items():
        _check_tombstone(recording, event, told, sheet=sheet)
    gone = list(told.endings.disposed)
    if gone:
        named = gone[0] if len(gone) == 1 else f"{len(gone)} recordings"
        sheet.remark(f"{named} disposed of: what was there is proven by the Tombstone in the log, and that it is gone")


def _wrong_with(
    recording: str, begun: Begun, heard: ListHeard, entries: Mapping[str, Entry] | None, told: Told
) -> list[str]:
    """What of the agreement is missing or does not fit."""
    proposed, approved = heard.of("disposal-proposed"), heard.of("disposal-approved")
    if not proposed or not approved:
        return ["it was never proposed" if not proposed else "nobody approved it"]
    wrong = []
    if is_same_person(proposed[0].actor, approved[0].actor):
        wrong.append(f"{proposed[0].actor} proposed and approved it")
    if proposed[0].facts.get("digest") != approved[0].facts.get("digest"):
        wrong.append("what was approved is not what was proposed")
    if str(approved[0].facts.get("grace_until")) > instant.to_text(begun.at):
        wrong.append(f"it was begun at {instant.to_text(begun.at)}, within its grace")
    least = approved[0].at + timedelta(seconds=proposed[0].facts.get("grace_s", 0))
    if str(approved[0].facts.get("grace_until")) < instant.to_text(least):
        wrong.append("its grace is shorter than was proposed")
    measured = [one for one in told.measured.values() if one.recording == recording]
    entry = None if entries is None else entries.get(recording)
    if entries is not None and entry is None:
        wrong.append("the recording is not on it")
    if entry is not None and [(one.sha256, one.size_bytes) for one in measured] != [(entry.sha256, entry.size_bytes)]:
        wrong.append("it names other bytes than were measured")
    return wrong


# --- lists ----------------------------------------------------------------------------------------


def _entries(name: str, heard: ListHeard, *, sheet: StoreSheet) -> Mapping[str, Entry] | None:
    """The entries of a list by recording; None when its detail cannot tell them."""
    proposed = heard.of("disposal-proposed")
    detail = None if not proposed else read_detail(proposed[0], sheet=sheet)
    if detail is None:
        sheet.doubt(f"disposal/{name}", "unreadable", "what was proposed cannot be read")
        return None
    try:
        entries = [Entry.from_json(one) for one in detail["entries"]]
    except (IntegrityError, KeyError, TypeError) as error:
        sheet.blame(f"disposal/{name}", "record-malformed", str(error))
        return None
    if digest_of(entries) != proposed[0].facts.get("digest"):
        sheet.blame(f"disposal/{name}", "altered", "its entries do not have the digest that was approved")
    return {one.recording: one for one in entries}


def _move_due(told: Told, entries: Mapping[str, Mapping[str, Entry] | None], *, sheet: StoreSheet) -> None:
    """What stands on an approved list is due: the only state whose event is not in the recording's own stream."""
    for name, heard in told.endings.lists.items():
        if not heard.of("disposal-approved"):
            continue
        undone = [read_detail(event, sheet=sheet) for event in heard.of("disposal-withdrawn")]
        taken_back = [None if one is None else one.get("recordings") for one in undone]
        if None in taken_back:
            continue
        withdrawn = {recording for some in taken_back for recording in some or ()}
        for recording in set(entries[name] or ()) - withdrawn:
            place, state = told.states.get(recording, (0, None))
            if state in (State.INDEXED, State.ARCHIVED):
                told.states[recording] = (place, State.DUE)


# --- Tombstones -------------------------------------------------------------------------------------


def _check_tombstone(recording: str, event: CustodyEvent, told: Told, *, sheet: StoreSheet) -> None:
    name = f"Tombstone of {recording}"
    begun = told.endings.begun.get(recording)
    if begun is None or begun.disposal != event.facts.get("disposal"):
        sheet.blame(name, "contradictory", "no event says that this list began it")
    detail = read_detail(event, sheet=sheet)
    if detail is None:
        sheet.doubt(name, "unreadable", "its detail cannot be read")
        return
    stone = detail.get("tombstone")
    measured = next((one for one in told.measured.values() if one.recording == recording), None)
    if not isinstance(stone, dict) or measured is None:
        sheet.blame(name, "record-malformed", "it does not say what is gone")
        return
    told.endings.stones[recording] = stone
    said = {key: stone.get(key) for key in ("recording", "sha256", "size_bytes", "chunk_root", "packet_root")}
    true = {key: getattr(measured, key) for key in said}
    if said != true:
        sheet.blame(name, "contradictory", f"it speaks of {said}; measured was {true}")
    told.endings.kept |= set(stone.get("kept_for_others", ()))
    archived = told.endings.archived.get(recording)
    places = {HOT} if archived is None else {HOT, archived.place}
    _check_asked(name, measured.sha256, stone, places, sheet=sheet)


def _check_asked(name: str, sha256: str, stone: Mapping[str, Any], places: Set[str], *, sheet: StoreSheet) -> None:
    """The Tombstone must tell that the bytes were there, were asked for in each place, and where some may be left."""
    key, removed = layout.original_key(sha256), stone.get("removed", ())
    if not any(key in found for found in stone.get("found", {}).values()):
        sheet.blame(name, "gone-before", "the original was gone before its disposal began: no rule took it away")
    proven = {one.get("place") for one in removed if one.get("key") == key and _is_proven(one)}
    for place in sorted(places - proven):
        sheet.blame(name, "unproven", f"nothing proves that the original is gone from {place}")
    for one in removed:
        for trace in one.get("traces", ()):
            sheet.remark(f"{name}: {one.get('key')} at {one.get('place')}: {trace}")


def _is_proven(removed: Mapping[str, Any]) -> bool:
    """True when the store was asked, and every answer to where the bytes are was that they are not there."""
    answers = [one.get("answer", "") for one in removed.get("asked", ()) if one.get("question") != "names of the file"]
    return bool(answers) and all(answer.startswith(_MISSING) for answer in answers)


def read_detail(event: CustodyEvent, *, sheet: StoreSheet) -> Mapping[str, Any] | None:
    """The detail of an event; None where there is none, or none that can be read."""
    if event.detail_sha256 is None:
        return None
    try:
        data = sheet.store.read(layout.detail_key(event.detail_sha256), limit=_LARGEST_DETAIL)
        return open_detail(data, sha256=event.detail_sha256)
    except (IntegrityError, NotFound):
        return None  # what is wrong with a detail is noted where all details are checked
