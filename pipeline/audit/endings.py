# SPDX-License-Identifier: Apache-2.0
"""This is where an audit hears of what is gone, going or elsewhere: disposals, the archive, removed derivatives.

What a believed record says is gone must be absent, and what none says is gone must be there.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from evidence import instant
from evidence.custody import CustodyEvent
from evidence.errors import RecordMalformed


class Fate(StrEnum):
    """What the records say of a recording's bytes."""

    HERE = "here"
    GOING = "going"
    """Their disposal was begun and is not finished: they may be there, and may not."""
    GONE = "gone"
    COLD = "cold"
    """They rest in the archive; in the object store too, until a lock there ends."""


@dataclass(frozen=True, slots=True)
class Begun:
    """That a recording's disposal was begun, by which list and when."""

    disposal: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Archived:
    """Where a recording's bytes rest, and whether they have left the object store."""

    place: str
    storage_class: str | None
    has_left: bool = False
    is_back: bool = False


@dataclass(slots=True)
class ListHeard:
    """The events of one disposal list, in order."""

    events: list[CustodyEvent] = field(default_factory=list)

    def of(self, kind: str) -> list[CustodyEvent]:
        """Those of one kind."""
        return [event for event in self.events if event.kind == kind]


@dataclass(slots=True)
class Endings:
    """What was heard; keys are recordings, but for `makers` (by digest) and `removed` (recording and kind)."""

    makers: dict[str, set[tuple[str, str]]] = field(default_factory=dict)
    removed: dict[tuple[str, str], str] = field(default_factory=dict)
    begun: dict[str, Begun] = field(default_factory=dict)
    disposed: dict[str, CustodyEvent] = field(default_factory=dict)
    archived: dict[str, Archived] = field(default_factory=dict)
    lists: dict[str, ListHeard] = field(default_factory=dict)
    stones: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    """What the Tombstones tell, by recording, as far as they can be read."""
    kept: set[str] = field(default_factory=set)
    """Keys that a Tombstone says were kept, because another recording has the same bytes."""

    def fate_of(self, recording: str) -> Fate:
        """What the records say of a recording's bytes."""
        if recording in self.disposed:
            return Fate.GONE
        if recording in self.begun:
            return Fate.GOING
        archived = self.archived.get(recording)
        return Fate.COLD if archived is not None and not archived.is_back else Fate.HERE

    def fate_of_derivative(self, sha256: str) -> Fate:
        """The same of a derivative, which is there as long as one of its recordings is to have it."""
        fates = set()
        for recording, kind in self.makers.get(sha256, ()):
            fate = self.fate_of(recording)
            if (recording, kind) in self.removed and fate is not Fate.GOING:
                fate = Fate.GONE
            fates.add(Fate.HERE if fate is Fate.COLD else fate)
        return next((fate for fate in (Fate.HERE, Fate.GOING) if fate in fates), Fate.GONE)

    def removed_at(self, recording: str, kind: str) -> str | None:
        """When a derivative was removed, as its row should say."""
        gone = self.disposed.get(recording)
        return self.removed.get((recording, kind)) or (None if gone is None else instant.to_text(gone.at))

    def hear(self, recording: str, event: CustodyEvent) -> None:
        """Take an event about a recording.

        Raises:
            RecordMalformed: it does not say what its kind must say.
        """
        try:
            _HEARD.get(event.kind, _nothing)(self, recording, event)
        except (KeyError, TypeError) as error:
            raise RecordMalformed(f"a {event.kind} record lacks {error}") from error

    def hear_list(self, event: CustodyEvent) -> None:
        """Take an event about a disposal list."""
        self.lists.setdefault(event.stream.partition("/")[2], ListHeard()).events.append(event)


def _derived(heard: Endings, recording: str, event: CustodyEvent) -> None:
    heard.makers.setdefault(event.facts["sha256"], set()).add((recording, event.facts["kind"]))


def _derivative_removed(heard: Endings, recording: str, event: CustodyEvent) -> None:
    heard.removed.setdefault((recording, event.facts["derivative"]), instant.to_text(event.at))


def _disposing(heard: Endings, recording: str, event: CustodyEvent) -> None:
    heard.begun.setdefault(recording, Begun(event.facts["disposal"], event.at))


def _disposed(heard: Endings, recording: str, event: CustodyEvent) -> None:
    heard.disposed.setdefault(recording, event)


def _archived(heard: Endings, recording: str, event: CustodyEvent) -> None:
    heard.archived[recording] = Archived(event.facts["place"], event.facts["storage_class"])


def _hot_removed(heard: Endings, recording: str, _: CustodyEvent) -> None:
    before = heard.archived[recording]
    heard.archived[recording] = Archived(before.place, before.storage_class, has_left=True)


def _restored(heard: Endings, recording: str, _: CustodyEvent) -> None:
    before = heard.archived[recording]
    heard.archived[recording] = Archived(before.place, before.storage_class, before.has_left, is_back=True)


def _nothing(_: Endings, __: str, ___: CustodyEvent) -> None:
    """Other events take nothing away."""


_HEARD: Mapping[str, Callable[[Endings, str, CustodyEvent], None]] = {
    "archived": _archived,
    "derivative-removed": _derivative_removed,
    "derived": _derived,
    "disposed": _disposed,
    "disposing": _disposing,
    "hot-removed": _hot_removed,
    "restored": _restored,
}
