# SPDX-License-Identifier: Apache-2.0
"""This is where the records of a pack are checked: signed, in the order of their streams, and leaves of the log."""

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from evidence import canonical_json
from evidence.checkpoint import Checkpoint, parse
from evidence.custody import CustodyEvent, open_detail, parse_event
from evidence.errors import EvidockError, IntegrityError, NotFound, RecordMalformed, TooLarge
from evidence.merkle import leaf_hash, verify_inclusion
from pipeline.audit.sheet import Sheet
from pipeline.pack import names
from pipeline.pack.index import Index
from pipeline.pack.notes import Notes
from pipeline.pack.opened import OpenedPack

_LARGEST_NOTE = 1 << 20
_LARGEST_JSON = 64 << 20


@dataclass(slots=True)
class Records:
    """What the records of a pack say. `places`: the leaf of each event, by stream and number."""

    checkpoint: Checkpoint | None
    events: dict[str, list[CustodyEvent]] = field(default_factory=lambda: defaultdict(list))
    places: dict[tuple[str, int], int] = field(default_factory=dict)
    names: set[str] = field(default_factory=set)

    def newest(self, stream: str, kind: str) -> CustodyEvent | None:
        """The newest event of a kind in a stream."""
        return next((one for one in reversed(self.events.get(stream, [])) if one.kind == kind), None)


def read_records(pack: OpenedPack, index: Index, notes: Notes, *, sheet: Sheet) -> Records:
    """The records of every stream that the index names; whatever does not hold is noted against its file."""
    records = Records(_checkpoint(pack, index, notes, sheet=sheet))
    wanted = {f"case/{index.case}", f"export/{index.export}", *(f"recording/{one}" for one in index.recordings)}
    for stream in sorted(wanted - set(index.streams)):
        sheet.blame(names.INDEX, "record-missing", f"the pack has no records of {stream}")
    if sum(index.streams.values()) > len(pack.files):
        sheet.blame(names.INDEX, "record-malformed", "it speaks of more records than the pack has files")
        return records
    for stream, count in index.streams.items():
        _read_stream(pack, stream, count, records, index, notes, sheet=sheet)
    _check_details(pack, records, index, sheet=sheet)
    return records


def _checkpoint(pack: OpenedPack, index: Index, notes: Notes, *, sheet: Sheet) -> Checkpoint | None:
    name = names.CHECKPOINT
    found = open_checkpoint(pack, name, index.origin, notes, sheet=sheet)
    if found is not None and (found.size, found.root.hex()) != (index.size, index.root):
        told = f"size {found.size}, root {found.root.hex()}; the pack was made at size {index.size}, root {index.root}"
        sheet.blame(name, "contradicts-record", told)
    return found


def open_checkpoint(pack: OpenedPack, name: str, origin: str, notes: Notes, *, sheet: Sheet) -> Checkpoint | None:
    """The checkpoint in a file, if it is one of the log `origin`; whether it is to be believed is noted."""
    note = take(pack, name, sheet=sheet, limit=_LARGEST_NOTE)
    if note is None:
        return None
    text = notes.text_of(note, lambda trust: trust.log_keys(origin), name=name)
    if text is None:
        return None
    try:
        found = parse(text)
        if found.origin != origin:
            raise RecordMalformed(f"a checkpoint of the log {found.origin}, not of {origin}")
    except IntegrityError as error:
        sheet.blame(name, error.code, error.message)
        return None
    return found


def take(pack: OpenedPack, name: str, *, sheet: Sheet, limit: int) -> bytes | None:
    """A small file; None, and noted, when it is missing or too large."""
    try:
        return pack.read(name, limit=limit)
    except NotFound:
        sheet.blame(name, "missing", "the index of the pack speaks of it")
    except TooLarge as error:
        sheet.blame(name, error.code, error.message)
    return None


# --- one stream -----------------------------------------------------------------------------------


def _read_stream(
    pack: OpenedPack, stream: str, count: int, records: Records, index: Index, notes: Notes, *, sheet: Sheet
) -> None:
    place_name = names.inclusion_name(stream)
    records.names |= {place_name, *(names.note_name(stream, seq) for seq in range(count))}
    places = _places(pack, stream, count, sheet=sheet)
    before: bytes | None = None
    for seq in range(count):
        name = names.note_name(stream, seq)
        note = take(pack, name, sheet=sheet, limit=_LARGEST_NOTE)
        if note is None:
            before = None
            continue
        event = _event(note, name, index.origin, notes, sheet=sheet)
        if event is not None:
            _check_place(event, stream, seq, before, name=name, sheet=sheet)
            records.events[stream].append(event)
        if seq < len(places) and records.checkpoint is not None:
            _check_leaf(note, places[seq], records.checkpoint, name=name, sheet=sheet)
            records.places[stream, seq] = places[seq][0]
        before = note


def _event(note: bytes, name: str, origin: str, notes: Notes, *, sheet: Sheet) -> CustodyEvent | None:
    text = notes.text_of(note, lambda trust: trust.record_keys(origin), name=name)
    if text is None:
        return None
    try:
        return parse_event(text)
    except IntegrityError as error:
        sheet.blame(name, error.code, error.message)
        return None


def _check_place(event: CustodyEvent, stream: str, seq: int, before: bytes | None, *, name: str, sheet: Sheet) -> None:
    if (event.stream, event.seq) != (stream, seq):
        sheet.blame(name, "contradicts-record", f"it is number {event.seq} of {event.stream}")
    elif seq == 0 and event.prev is not None:
        sheet.blame(name, "contradicts-record", "the first of a stream that names one before it")
    elif before is not None and event.prev != leaf_hash(before).hex():
        sheet.blame(name, "contradicts-record", f"it does not follow number {seq - 1} as it is here")


Place = tuple[int, tuple[bytes, ...]]


def _places(pack: OpenedPack, stream: str, count: int, *, sheet: Sheet) -> Sequence[Place]:
    name = names.inclusion_name(stream)
    data = take(pack, name, sheet=sheet, limit=_LARGEST_JSON)
    if data is None:
        return ()
    try:
        return tuple(_parsed_places(canonical_json.loads(data), stream, count))
    except (EvidockError, KeyError, TypeError, ValueError) as error:
        sheet.blame(name, "record-malformed", str(error)[:300])
        return ()


def _parsed_places(body: Any, stream: str, count: int) -> Iterator[Place]:
    events = body["events"]
    if body["stream"] != stream or [one["seq"] for one in events] != list(range(count)):
        raise RecordMalformed(f"not the places of {count} events of {stream}")
    for one in events:
        if type(one["index"]) is not int:
            raise RecordMalformed("the place of an event is not a number")
        yield one["index"], tuple(bytes.fromhex(step) for step in one["path"])


def _check_leaf(note: bytes, place: Place, checkpoint: Checkpoint, *, name: str, sheet: Sheet) -> None:
    try:
        verify_inclusion(leaf_hash(note), place[0], checkpoint.size, place[1], checkpoint.root)
    except IntegrityError as error:
        sheet.blame(name, error.code, error.message)


# --- details --------------------------------------------------------------------------------------


def _check_details(pack: OpenedPack, records: Records, index: Index, *, sheet: Sheet) -> None:
    wanted = {one.detail_sha256 for events in records.events.values() for one in events} - {None}
    for sha256 in sorted(str(one) for one in wanted):
        name = names.detail_name(sha256)
        records.names.add(name)
        if sha256 in index.withheld and name not in pack.files:
            sheet.remark(f"detail {sha256} was taken away before the pack was made: what its record says of it is gone")
            continue
        data = take(pack, name, sheet=sheet, limit=_LARGEST_JSON)
        if data is None:
            continue
        try:
            open_detail(data, sha256=sha256)
        except (IntegrityError, json.JSONDecodeError) as error:
            sheet.blame(name, "altered", str(error))
