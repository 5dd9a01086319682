# SPDX-License-Identifier: Apache-2.0
"""This is where a day is put together: what docks listed, what the register holds, what rests, and what is overdue.

Nothing is lost between the camera and us, or this says what: three records that were written by different hands at
different times are held against one another. It reads; only `record_day` writes, one event.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from evidence import canonical_json, instant
from evidence.custody import Happening
from evidence.errors import WrongState
from evidence.ids import stream_of
from pipeline import reconcile_lists, reconcile_overdue
from pipeline.device_figures import DeviceFigures, load_device_figures
from pipeline.ports import Ports, Progress, unheard
from pipeline.reconcile_terms import Code, Findings, Found
from storage.register import device_rows, dock_rows
from storage.register.search import Row

FORM = "evidock/reconciliation/v1"


@dataclass(frozen=True, slots=True)
class Reconciled:
    """A day's comparison: what was counted, and what does not agree; the counts of findings are of all of them."""

    day: date
    start: datetime
    end: datetime
    counts: Mapping[str, int]
    found: tuple[Found, ...]
    numbers: Mapping[Code, int]
    is_deep: bool

    def to_json(self) -> dict[str, Any]:
        """As the body of the `reconciled` event, and for JSON."""
        return {
            "form": FORM,
            "day": self.day.isoformat(),
            "from": instant.to_text(self.start),
            "to": instant.to_text(self.end),
            "is_deep": self.is_deep,
            "counts": dict(self.counts),
            "numbers": {code.value: number for code, number in self.numbers.items()},
            "findings": [one.to_json() for one in self.found],
        }

    @property
    def digest(self) -> str:
        """SHA-256 of the canonical form, in hexadecimal."""
        return hashlib.sha256(canonical_json.dumps(self.to_json())).hexdigest()


def span_of(day: date, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """The instants at which a day of the agency's begins, and the next one does."""
    start, end = (datetime.combine(day + timedelta(days=more), time(0), zone) for more in (0, 1))
    return start, end


def reconcile_day(
    day: date,
    *,
    ports: Ports,
    now: datetime,
    is_deep: bool = False,
    figures: DeviceFigures | None = None,
    progress: Progress = unheard,
) -> Reconciled:
    """Compare a day of the agency's three ways; `is_deep`: every original that it touches is read again.

    Of a day that is not over, what was there by `now`.

    Raises:
        StoreUnavailable, RegisterUnavailable: nothing was decided.
    """
    told = load_device_figures() if figures is None else figures
    start, end = span_of(day, ports.zone)
    found = Findings(told.most_named)
    since, until = instant.to_text(start), instant.to_text(end)
    with ports.register.view() as connection:
        dockings = dock_rows.dockings_between(connection, since, until)
        came = device_rows.came_between(connection, since, until)
    counts, recordings = _compare_lists(dockings, found, ports, progress)
    found.add(reconcile_lists.unlisted(since, until, ports=ports, back=told.manifests))
    resting = recordings | {row["id"] for row in came}
    found.add(reconcile_lists.at_rest(resting, ports=ports, is_deep=is_deep))
    progress(0.9)
    _add_overdue(found, dockings, came, until=min(end, now), since=start, figures=told, ports=ports, now=now)
    counts |= {"arrived": len(came), "at_rest": len(resting)}
    return Reconciled(day, start, end, counts, tuple(found.found), dict(sorted(found.counts.items())), is_deep)


def record_day(done: Reconciled, *, ports: Ports, now: datetime) -> None:
    """Take a comparison down as an event; a later one of the same day takes its place.

    Raises:
        WrongState: the day is not over.
    """
    if now < done.end:
        raise WrongState(f"{done.day} is not over: what it lacks may still come")
    name = done.day.isoformat()
    facts = {"day": name, "digest": done.digest}
    happening = Happening("reconciled", stream_of("day", name), facts=facts, detail={"body": done.to_json()})
    with ports.register.begin() as writing:
        writing.record(happening, actor=ports.actor, at=now)


def _compare_lists(
    dockings: list[Row], found: Findings, ports: Ports, progress: Progress
) -> tuple[dict[str, int], set[str]]:
    counts = {"dockings": len(dockings), "refused": 0, "listed": 0, "received": 0}
    recordings: set[str] = set()
    for number, docking in enumerate(dockings):
        progress(0.6 * number / len(dockings))
        if docking["refusal"] is not None:
            counts["refused"] += 1
            facts = {"why": docking["refusal"], "taken": docking["taken"]}
            whose = {"device": docking["device"], "dock": docking["dock"]}
            found.add([Found(Code.REFUSED, docking["id"], facts=facts, **whose)])
            continue
        one = reconcile_lists.compare_list(docking, found, ports=ports)
        counts["listed"] += one.listed
        counts["received"] += one.received
        recordings |= one.recordings
    return counts, recordings


def _add_overdue(
    found: Findings,
    dockings: Iterable[Row],
    came: list[Row],
    *,
    since: datetime,
    until: datetime,
    figures: DeviceFigures,
    ports: Ports,
    now: datetime,
) -> None:
    start, back = instant.to_text(since), instant.to_text(since - figures.manifests)
    devices = {row["device"] for row in (*dockings, *came) if row["device"] is not None}
    with ports.register.view(is_long=True) as connection:
        late = reconcile_overdue.handed_in_late(connection, came, figures=figures, ports=ports, now=now)
        found.add(late)
        found.add(reconcile_overdue.unseen(connection, end=until, figures=figures))
        found.add(reconcile_overdue.not_resumed(connection, start=back, end=until, figures=figures))
        found.add(reconcile_overdue.sequence_gaps(connection, devices, start=start, end=until, figures=figures))
