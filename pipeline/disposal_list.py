# SPDX-License-Identifier: Apache-2.0
"""This is where a disposal list is read back from its signed records, and its entries are made anew to compare.

What counts is what the records in the custody log say, not what the register's rows say: whoever may write rows can
approve nothing. An entry is checked against the register as it is at that moment, by making it anew and comparing.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from evidence import instant
from evidence.custody import CustodyEvent, open_detail, parse_event
from evidence.disposal import Entry, digest_of
from evidence.errors import Conflict, LogInconsistent, NotFound, WrongState
from evidence.ids import stream_of
from evidence.note import open_note
from evidence.retention import Decision, Outcome
from pipeline.ports import Ports
from storage import layout
from storage.register import ends, jobs, search
from storage.register.search import Connection

_LARGEST_DETAIL = 256 << 20

DecisionOf = Callable[[Connection, str], Decision]
"""Says of a recording until when it is kept, on the steady clock, by all that the register holds in a transaction."""


@dataclass(frozen=True, slots=True)
class DisposalList:
    """A list as its signed records tell it. `steps` is how many there are: another one, and it is another list."""

    id: str
    entries: tuple[Entry, ...]
    digest: str
    why: str
    proposed_by: str
    proposed_at: datetime
    approved_by: str | None
    approved_at: datetime | None
    grace: timedelta
    grace_until: datetime | None
    withdrawn: frozenset[str]
    is_withdrawn: bool
    is_finished: bool
    steps: int

    @property
    def standing(self) -> tuple[Entry, ...]:
        """The entries that nobody has taken back, by recording."""
        if self.is_withdrawn:
            return ()
        return tuple(one for one in self.entries if one.recording not in self.withdrawn)

    def entry(self, recording: str) -> Entry:
        """The standing entry of a recording.

        Raises:
            NotFound: there is none.
        """
        found = next((one for one in self.standing if one.recording == recording), None)
        if found is None:
            raise NotFound(f"{recording} is not, or not any more, on the disposal list {self.id}", recording=recording)
        return found


# --- reading ------------------------------------------------------------------------------------


def read_list(identifier: str, *, ports: Ports) -> DisposalList:
    """The list of this id, from its signed records.

    Raises:
        NotFound: there is none.
        SignatureInvalid, RecordMalformed, LogInconsistent: its records do not hold; a person must look.
    """
    with ports.register.view() as connection:
        rows = search.events_of(connection, stream_of("disposal", identifier))
    if not rows:
        raise NotFound(f"no disposal list {identifier!r} (`evidock dispose list` shows them)", disposal=identifier)
    events = [parse_event(open_note(row["note"], ports.verifiers).text) for row in rows]
    if any((e.stream, e.seq) != (f"disposal/{identifier}", number) for number, e in enumerate(events)):
        raise LogInconsistent(f"the records of the disposal list {identifier} are not in their order")
    return _told(identifier, events, ports)


def _told(identifier: str, events: Sequence[CustodyEvent], ports: Ports) -> DisposalList:
    first = events[0]
    proposed = _detail(first, ports)
    entries = tuple(Entry.from_json(one) for one in proposed["entries"])
    if first.kind != "disposal-proposed" or digest_of(entries) != first.facts["digest"]:
        raise LogInconsistent(f"the entries of the disposal list {identifier} are not those that were proposed")
    approved = next((e for e in events if e.kind == "disposal-approved"), None)
    if approved is not None and approved.facts["digest"] != first.facts["digest"]:
        raise LogInconsistent(f"what was approved of the disposal list {identifier} is not what was proposed")
    undone = [_detail(e, ports)["recordings"] for e in events if e.kind == "disposal-withdrawn"]
    return DisposalList(
        id=identifier,
        entries=tuple(sorted(entries, key=lambda one: one.recording)),
        digest=first.facts["digest"],
        why=proposed["why"],
        proposed_by=first.actor,
        proposed_at=first.at,
        approved_by=None if approved is None else approved.actor,
        approved_at=None if approved is None else approved.at,
        grace=timedelta(seconds=first.facts.get("grace_s", 0)),
        grace_until=None if approved is None else instant.from_text(approved.facts["grace_until"]),
        withdrawn=frozenset(name for names in undone for name in names or ()),
        is_withdrawn=None in undone,
        is_finished=any(e.kind == "disposal-finished" for e in events),
        steps=len(events),
    )


def _detail(event: CustodyEvent, ports: Ports) -> Mapping[str, Any]:
    sha256 = event.detail_sha256 or ""
    return open_detail(ports.store.read(layout.detail_key(sha256), limit=_LARGEST_DETAIL), sha256=sha256)


# --- the moment's own entry -----------------------------------------------------------------------


def entry_now(connection: Connection, recording: str, *, judge: DecisionOf) -> Entry:
    """The entry that a recording makes now.

    Raises:
        NotFound: no such recording.
        WrongState: it is not due now, it is not appraised for disposal, or something is still done with it.
    """
    decision = judge(connection, recording)
    if decision.outcome is not Outcome.DUE:
        raise WrongState(
            f"{recording} is not due: {decision.outcome} (`evidock retention explain {recording}` tells why)",
            recording=recording,
            outcome=decision.outcome,
        )
    appraisal = ends.appraisal_of(connection, recording)
    if appraisal is None or appraisal["decision"] != "dispose":
        raise WrongState(f"{recording} is not appraised for disposal: `evidock appraise dispose {recording}` first")
    if jobs.open_jobs(connection, [recording]):
        raise WrongState(f"steps of {recording} are still under way: let a worker finish them first")
    original = search.original(connection, recording)
    return Entry.of(recording, decision, sha256=original["sha256"], size_bytes=original["size_bytes"])


def changes(connection: Connection, wanted: Sequence[Entry], *, judge: DecisionOf) -> dict[str, str]:
    """Why each entry of `wanted` that does not stand today as it was proposed does not; by recording."""
    found = {}
    for entry in wanted:
        try:
            now = entry_now(connection, entry.recording, judge=judge)
        except (WrongState, NotFound) as error:
            found[entry.recording] = error.message
            continue
        if now != entry:
            found[entry.recording] = _difference(entry, now)
    return found


def _difference(proposed: Entry, now: Entry) -> str:
    if (proposed.sha256, proposed.size_bytes) != (now.sha256, now.size_bytes):
        return "its bytes are others than were proposed"
    if proposed.until != now.until:
        return f"its keeping ends {now.until}, and {proposed.until} was proposed"
    return "the reasons for its date are others than were proposed"


def refuse_changed(told: DisposalList, found: Mapping[str, str]) -> None:
    """Refuse a list of which some entries changed, naming each.

    Raises:
        Conflict: there are some, in `changed`.
    """
    if found:
        words = "; ".join(f"{name}: {why}" for name, why in list(found.items())[:5])
        more = f"; and {len(found) - 5} more" if len(found) > 5 else ""
        advice = f"take them back (`evidock dispose undo {told.id} RECORDING…`) or propose a new list"
        raise Conflict(
            f"{len(found)} entries of {told.id} are not as they were proposed: {words}{more}. {advice}", changed=found
        )


def check_same(connection: Connection, told: DisposalList) -> None:
    """Be sure, inside a transaction, that nothing was recorded of a list since it was read.

    Raises:
        Conflict: something was: read it again.
    """
    if len(search.events_of(connection, stream_of("disposal", told.id))) != told.steps:
        raise Conflict(f"somebody changed the disposal list {told.id} meanwhile: look at it again", disposal=told.id)
