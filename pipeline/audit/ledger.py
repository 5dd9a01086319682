# SPDX-License-Identifier: Apache-2.0
"""This is where custody events are read one after another, each believed only for its signature and place.

An event must be signed by a records key, and be the next of its stream: number one more than the last,
`prev` the last one's leaf. What the events say of things at rest is gathered here for the rest of an audit.
Memory: some hundred bytes an event.
"""

from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import TypeVar

from evidence import instant, merkle
from evidence.custody import CustodyEvent, parse_event
from evidence.errors import IntegrityError
from evidence.lifecycle import State
from evidence.note import Verifier, open_note, split_note
from pipeline.audit.agreements import Agreements
from pipeline.audit.devices import Devices
from pipeline.audit.endings import Endings
from pipeline.audit.keeping import Keeping
from pipeline.audit.records import (
    STATES,
    Derived,
    Measured,
    Sealed,
    Stamped,
    derived_of,
    measured_of,
    recording_of,
    sealed_of,
    stamped_of,
)
from pipeline.audit.sheet import Sheet
from storage.register.search import Row

EVENTS_TABLE = "register/custody_events"
K = TypeVar("K")
V = TypeVar("V")
_UNNUMBERED = 1 << 63  # after every index of the log; of two such the one read later is the later


@dataclass(frozen=True, slots=True)
class _Last:
    """The newest event of a stream: its number, its leaf hash, and its index in the log (None: not there yet)."""

    seq: int
    leaf: str
    index: int | None


@dataclass(slots=True)
class Told:
    """Everything the believed events say of things at rest.

    `leaves`: by recording, leaf hashes of its events, of which its receipt carries some. `details`, `anchors`:
    with the name of an event that speaks of them. `first_derived`, `first_stamped` and `states` hold what
    a row of the register should, each after the place of its event: a register keeps the first derivative
    of a kind, the first token of an authority, and the last state (None: the row is taken away).
    """

    measured: dict[str, Measured] = field(default_factory=dict)
    sealed: dict[str, Sealed] = field(default_factory=dict)
    derived: dict[str, Derived] = field(default_factory=dict)
    first_derived: dict[tuple[str, str], tuple[int, Derived]] = field(default_factory=dict)
    stamped: dict[tuple[int, str, str], Stamped] = field(default_factory=dict)
    first_stamped: dict[tuple[int, str], tuple[int, Stamped]] = field(default_factory=dict)
    leaves: dict[str, set[str]] = field(default_factory=dict)
    states: dict[str, tuple[int, State | None]] = field(default_factory=dict)
    details: dict[str, str] = field(default_factory=dict)
    anchors: dict[tuple[int, str], str] = field(default_factory=dict)
    endings: Endings = field(default_factory=Endings)
    keeping: Keeping = field(default_factory=Keeping)
    devices: Devices = field(default_factory=Devices)
    agreements: Agreements = field(default_factory=Agreements)


class Ledger:
    """Takes events in the order of the log, then those that only the register has."""

    def __init__(self, sheet: Sheet, keys: Sequence[Verifier]) -> None:
        self.told = Told()
        self.unpublished = 0
        self._sheet = sheet
        self._keys = tuple(keys)
        self._streams: dict[str, _Last] = {}
        self._leaves: dict[int, bytes] = {}
        self._next = 0
        self._hole = -1

    # --- the log ------------------------------------------------------------------------------

    def entry(self, index: int, entry: bytes) -> None:
        """The log's entry `index`, which holds in its bundle and tile; called in ascending order."""
        if index > self._next:
            self._hole = index - 1  # entries that do not hold were noted where they rest
        self._next = index + 1
        self._leaves[index] = merkle.leaf_hash(entry)
        self._take(entry, f"log entry {index}", index)

    @property
    def indexes(self) -> Set[int]:
        """Indexes of the entries that were taken."""
        return self._leaves.keys()

    # --- the register ---------------------------------------------------------------------------

    def row(self, row: Row, *, log_size: int) -> None:
        """An event as the register holds it; called in the order in which they were written.

        Where the log has the entry, the row must be equal to it. Where the log's entry does not hold,
        the row stands in for what it says. Beyond the log it is an event not yet published.
        """
        index = row["leaf_index"] if isinstance(row["leaf_index"], int) else None
        name, note = _named(row), str(row["note"])
        if index in self._leaves:
            if _leaf(note) == self._leaves[index]:
                self._check_columns(row, _parsed(note))
            else:
                self._sheet.blame(EVENTS_TABLE, "altered", f"{name}: its note is not entry {index} of the log")
            return
        is_published = index is not None and index < log_size
        self.unpublished += not is_published
        event = self._take(note, f"{EVENTS_TABLE} {name}", index, is_placed=not is_published)
        self._check_columns(row, event)

    def placed(self, row: Row) -> None:
        """An event of the register whose place in the log the caller checks himself; called in order."""
        event = self._take(str(row["note"]), f"{EVENTS_TABLE} {_named(row)}", row["leaf_index"])
        self._check_columns(row, event)

    def _check_columns(self, row: Row, event: CustodyEvent | None) -> None:
        """The columns beside a note must say what it says; None is an event that was noted already."""
        if event is None:
            return
        told = {
            "stream": event.stream,
            "seq": event.seq,
            "kind": event.kind,
            "at": instant.to_text(event.at),
            "actor": event.actor,
            "detail_sha256": event.detail_sha256,
            "leaf_hash": _leaf(str(row["note"])).hex(),
        }
        for column, value in told.items():
            if row[column] != value:
                where = f"{_named(row)}: {column} is {row[column]}, its own note says {value}"
                self._sheet.blame(EVENTS_TABLE, "altered", where)

    # --- one event --------------------------------------------------------------------------------

    def _take(self, note: str | bytes, name: str, index: int | None, *, is_placed: bool = True) -> CustodyEvent | None:
        try:
            event = parse_event(open_note(note, self._keys).text)
            leaf = (_leaf(note) if isinstance(note, str) else merkle.leaf_hash(note)).hex()
            if is_placed:
                self._place(event, name, _Last(event.seq, leaf, index))
            self._listen(event, name, leaf, _UNNUMBERED if index is None else index)
        except IntegrityError as error:
            self._sheet.blame(name, error.code, error.message)
            return None
        return event

    def _place(self, event: CustodyEvent, name: str, here: _Last) -> None:
        last = self._streams.get(event.stream)
        expected = (0, None) if last is None else (last.seq + 1, last.leaf)
        self._streams[event.stream] = here
        if (event.seq, event.prev) == expected:
            return
        if self._hole > (-1 if last is None or last.index is None else last.index):
            return  # what lies between was changed at rest, and noted there
        number = "nothing" if last is None else f"number {last.seq}"
        self._sheet.blame(
            name,
            "out-of-sequence",
            f"{event.kind} is number {event.seq} of {event.stream} and follows {number}: "
            "an event is missing, doubled or moved",
        )

    def _listen(self, event: CustodyEvent, name: str, leaf: str, order: int) -> None:
        if event.detail_sha256 is not None:
            self.told.details.setdefault(event.detail_sha256, f"{event.kind} of {event.stream}")
        if event.anchor is not None:
            self.told.anchors.setdefault(event.anchor, name)
        self.told.keeping.hear(event)
        self.told.devices.hear(event)
        self.told.agreements.hear(event)
        recording = recording_of(event)
        if recording is not None:
            self._listen_about(recording, event, leaf, order)
        elif event.stream.startswith("disposal/"):
            self.told.endings.hear_list(event)

    def _listen_about(self, recording: str, event: CustodyEvent, leaf: str, order: int) -> None:
        told = self.told
        told.leaves.setdefault(recording, set()).add(leaf)
        if event.kind in STATES:
            _later(told.states, recording, (order, STATES[event.kind]))
        _HEARD.get(event.kind, _unheard)(told, event, order)
        told.endings.hear(recording, event)


def _named(row: Row) -> str:
    return f"{row['stream']} number {row['seq']}"


def _leaf(note: str) -> bytes:
    return merkle.leaf_hash(note.encode("utf-8", "surrogateescape"))


def _parsed(note: str) -> CustodyEvent | None:
    """The event of a note whose signature was looked at before; None when it does not read."""
    try:
        return parse_event(split_note(note)[0])
    except IntegrityError:
        return None


def _later(table: dict[K, tuple[int, V]], key: K, placed: tuple[int, V]) -> None:
    """Keep the value of the later event."""
    if key not in table or table[key][0] <= placed[0]:
        table[key] = placed


def _earlier(table: dict[K, tuple[int, V]], key: K, placed: tuple[int, V]) -> None:
    """Keep the value of the earlier event."""
    if key not in table or table[key][0] > placed[0]:
        table[key] = placed


def _hear_measured(told: Told, event: CustodyEvent, _: int) -> None:
    measured = measured_of(event)
    told.measured[measured.sha256] = measured


def _hear_sealed(told: Told, event: CustodyEvent, _: int) -> None:
    sealed = sealed_of(event)
    told.sealed[sealed.sha256] = sealed


def _hear_derived(told: Told, event: CustodyEvent, order: int) -> None:
    derived = derived_of(event)
    told.derived[derived.sha256] = derived
    _earlier(told.first_derived, (derived.recording, derived.kind), (order, derived))


def _hear_stamped(told: Told, event: CustodyEvent, order: int) -> None:
    for stamped in stamped_of(event):
        told.stamped[stamped.size, stamped.authority, stamped.sha256] = stamped
        _earlier(told.first_stamped, (stamped.size, stamped.authority), (order, stamped))


def _hear_withdrawn(told: Told, event: CustodyEvent, order: int) -> None:
    _later(told.states, event.stream.partition("/")[2], (order, None))


def _hear_again(told: Told, event: CustodyEvent, order: int) -> None:
    folded = event.facts.get("was")
    if isinstance(folded, str):
        _later(told.states, folded, (order, None))


def _unheard(_: Told, __: CustodyEvent, ___: int) -> None:
    """Other events speak of nothing at rest but their detail."""


_HEARD: Mapping[str, Callable[[Told, CustodyEvent, int], None]] = {
    "derived": _hear_derived,
    "measured": _hear_measured,
    "offered-again": _hear_again,
    "sealed": _hear_sealed,
    "stamped": _hear_stamped,
    "withdrawn": _hear_withdrawn,
}
