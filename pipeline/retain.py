# SPDX-License-Identifier: Apache-2.0
"""This is where it is answered until when recordings are kept: one of them in full, or all of them in a sweep.

A sweep writes what has changed into the table `retention`, which lists what is due, and has the store's locks follow.
Nothing is removed here, and nothing becomes so: what is due is a person's to appraise. `now` is steady time
(`pipeline/steady.py`): a clock that jumped must not make anything due.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime

from evidence import instant
from evidence.retention import Decision, Outcome
from pipeline.judging import Judge, rulebook_at
from pipeline.locks import Locksmith
from pipeline.ports import Ports, Progress, unheard
from pipeline.retention_figures import figures
from storage.register import keeping, retention_rows
from storage.register.keeping import GONE, Entry
from storage.register.retention_rows import Answer
from storage.register.search import Connection


@dataclass(frozen=True, slots=True)
class Swept:
    """What a sweep found: recordings by outcome, answers that have changed since the last one, locks extended."""

    outcomes: Mapping[Outcome, int]
    changed: int
    locks_extended: int


@dataclass(frozen=True, slots=True)
class Answered:
    """An entry with its answer."""

    entry: Entry
    outcome: Outcome
    until: datetime | None

    @property
    def is_new(self) -> bool:
        """True when the last sweep did not say the same."""
        was = self.entry.was
        if was is None or was[0] != self.outcome.value:
            return True
        return (None if was[1] is None else instant.from_text(was[1])) != self.until

    @property
    def until_text(self) -> str | None:
        """The date as the register has it."""
        return None if self.until is None else instant.to_text(self.until)

    def row(self) -> Answer:
        """As the register keeps it."""
        return Answer(self.entry.id, self.outcome.value, self.until_text)


def decision_of(recording: str, *, ports: Ports, now: datetime) -> Decision:
    """Until when a recording is kept, with every reason, by all that the register holds at this moment.

    Raises:
        NotFound: no such recording.
    """
    with ports.register.view() as connection:
        return decision_within(connection, recording, ports=ports, now=now)[1]


def decision_within(connection: Connection, recording: str, *, ports: Ports, now: datetime) -> tuple[Entry, Decision]:
    """The same inside a view or transaction, with what it was asked of.

    Raises:
        NotFound: no such recording.
    """
    entry = keeping.entry(connection, recording)
    return entry, Judge(rulebook_at(connection, ports, now), figures(), now).decision(entry)


def answers(ports: Ports, now: datetime, progress: Progress = unheard) -> Iterator[list[Answered]]:
    """Every recording that is not disposed of, page by page by id, with its answer at `now`; flat in memory.

    Each page is of one moment of the register. Nothing is written.

    Raises:
        RegisterUnavailable: worth another try.
    """
    with ports.register.view() as connection:
        judge = Judge(rulebook_at(connection, ports, now), figures(), now)
        total = max(keeping.count(connection), 1)
    done = 0
    with ThreadPoolExecutor(1, "pages") as reader:
        waiting = reader.submit(_page, ports, "", judge.figures.page)
        while page := waiting.result():
            # The next page is read while this one is judged and written.
            waiting = reader.submit(_page, ports, page[-1].id, judge.figures.page)
            yield [Answered(entry, *judge.answer(entry)) for entry in page if entry.state not in GONE]
            done += len(page)
            progress(min(done / total, 1.0))


def _page(ports: Ports, after: str, limit: int) -> list[Entry]:
    with ports.register.view() as connection:
        return keeping.page(connection, after=after, limit=limit)


def sweep(ports: Ports, now: datetime, progress: Progress = unheard) -> Swept:
    """Answer for every recording, write what has changed, and have locks and legal holds follow.

    Safe to repeat and to run beside another. When a lock could not be set, the answers are written all the same, and
    what went wrong first is raised at the end.

    Raises:
        NotProtected, StoreUnavailable: a lock could not be set. RegisterUnavailable: worth another try.
    """
    smith = Locksmith(ports, figures(), now)
    counts: Counter[Outcome] = Counter()
    changed = 0
    for page in answers(ports, now, progress):
        counts.update(one.outcome for one in page)
        changed += _take_in(page, smith)
    with ports.register.leasing() as connection:
        retention_rows.forget_gone(connection)
        if smith.failed is None:
            retention_rows.swept(connection, at=now)
    if smith.failed is not None:
        raise smith.failed
    return Swept(dict(counts), changed, smith.extended)


def refresh(recordings: list[str], *, ports: Ports, now: datetime, was_held: bool = False) -> None:
    """Answer anew for some recordings at once, as a sweep would: after a hold was placed or lifted on them.

    `was_held`: the store may hold them, whatever the last answer was.

    Raises:
        NotProtected, StoreUnavailable, RegisterUnavailable: as `sweep`.
    """
    smith = Locksmith(ports, figures(), now)
    with ports.register.view() as connection:
        judge = Judge(rulebook_at(connection, ports, now), figures(), now)
    for recording in recordings:
        with ports.register.view() as connection:
            entry = keeping.entry(connection, recording)
        if was_held:
            entry = replace(entry, was=(Outcome.HELD.value, None))
        if entry.state not in GONE:
            _take_in([Answered(entry, *judge.answer(entry))], smith)
    if smith.failed is not None:
        raise smith.failed


def _take_in(page: list[Answered], smith: Locksmith) -> int:
    """Write a page's changes; how many there were."""
    # A hold that the store could not let go of stays written as held, so that the next sweep tries again.
    new = [one for one in page if one.is_new and smith.may_forget_hold(one.entry, one.outcome)]
    if new:
        with smith.ports.register.leasing() as connection:
            retention_rows.put(connection, [one.row() for one in new], swept_at=smith.now)
    for one in page:
        smith.look_after(one.entry, one.outcome, one.until)
    return len(new)
