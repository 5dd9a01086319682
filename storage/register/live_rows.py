# SPDX-License-Identifier: Apache-2.0
"""This is where it is asked what goes on at the docks, and what changed since an event of the custody log.

Events are numbered in the order in which they are committed: what is asked for behind a number is never missed.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, func, or_, select, union

from storage.register.answers import Row, all_rows
from storage.register.jobs import OPEN
from storage.register.reach import Sight
from storage.register.schema import (
    assignments,
    clock_readings,
    custody_events,
    dockings,
    docks,
    jobs,
    offers,
    originals,
    recordings,
)
from storage.register.schema_people import approvals

_NOUNS = ("dock", "device", "recording", "approval")


@dataclass(frozen=True, slots=True)
class Changes:
    """Ids of what events were about, up to event `at`. `is_whole`: False when there were more than were asked for."""

    at: int
    docks: frozenset[str] = frozenset()
    devices: frozenset[str] = frozenset()
    recordings: frozenset[str] = frozenset()
    approvals: frozenset[str] = frozenset()
    is_whole: bool = True


def newest_event(connection: Connection) -> int:
    """The number of the newest event; 0 when there is none."""
    return connection.scalar(select(func.max(custody_events.c.id))) or 0


def changes_after(connection: Connection, after: int, *, most: int) -> Changes:
    """What the events behind number `after` were about, of which at most `most` are read."""
    newest = newest_event(connection)
    about = or_(*(custody_events.c.stream.startswith(f"{noun}/") for noun in _NOUNS))
    wanted = select(custody_events.c.stream).where(custody_events.c.id > after, custody_events.c.id <= newest, about)
    streams = list(connection.scalars(wanted.order_by(custody_events.c.id).limit(most + 1)))
    found: dict[str, set[str]] = {noun: set() for noun in _NOUNS}
    for stream in streams:
        noun, _, name = stream.partition("/")
        found[noun].add(name)
    named = {f"{noun}s": frozenset(names) for noun, names in found.items()}
    return Changes(newest, **named, is_whole=len(streams) <= most)


def docks_of(connection: Connection, changes: Changes) -> frozenset[str]:
    """Ids of the docks that changes are of: themselves, where a device was plugged in, where a recording came in."""
    plugged = select(dockings.c.dock).where(dockings.c.device.in_(sorted(changes.devices)))
    came = select(recordings.c.dock).where(recordings.c.id.in_(sorted(changes.recordings)))
    return changes.docks | frozenset(connection.scalars(union(plugged, came)))


def docks_seen(connection: Connection, sight: Sight, identifiers: Collection[str] | None = None) -> list[Row]:
    """Docks within reach, by name; of these ids, if any are given."""
    wanted = select(docks).where(sight.unit(docks.c.unit))
    if identifiers is not None:
        wanted = wanted.where(docks.c.id.in_(sorted(identifiers)))
    return all_rows(connection, wanted.order_by(docks.c.name, docks.c.id))


def slots_of(connection: Connection, identifiers: Sequence[str], *, since: str) -> list[Row]:
    """The newest docking of each port of these docks that began since then; with who holds the device."""
    holder = (
        select(assignments.c.officer)
        .where(assignments.c.device == dockings.c.device, assignments.c.end_at.is_(None))
        .order_by(assignments.c.start_at.desc())
        .limit(1)
        .scalar_subquery()
    )
    wanted = select(dockings, holder.label("officer")).where(
        dockings.c.dock.in_(list(identifiers)), dockings.c.began_at >= since
    )
    rows = all_rows(connection, wanted.order_by(dockings.c.began_at.desc(), dockings.c.id.desc()))
    newest: dict[tuple[str, str], Row] = {}
    for row in rows:
        newest.setdefault((row["dock"], row["port"]), row)
    return sorted(newest.values(), key=lambda row: (row["dock"], row["port"]))


def come_of(connection: Connection, docking: Row) -> tuple[int, int]:
    """Number of files that came whole of a docking so far, and their bytes as they were announced."""
    wanted = (
        select(func.count(), func.coalesce(func.sum(offers.c.size_bytes), 0))
        .select_from(recordings.join(offers, offers.c.recording == recordings.c.id))
        .where(
            recordings.c.device == docking["device"],
            recordings.c.dock == docking["dock"],
            recordings.c.arrived_at >= docking["began_at"],
            offers.c.outcome != "withdrawn",
            select(originals.c.recording).where(originals.c.recording == recordings.c.id).exists(),
        )
    )
    number, size = connection.execute(wanted).one()
    return int(number), int(size)


def clock_of(connection: Connection, docking: str) -> Row | None:
    """What a docking measured of its device's clock."""
    wanted = select(clock_readings).where(clock_readings.c.docking == docking).limit(1)
    return next(iter(all_rows(connection, wanted)), None)


def jobs_going_on(connection: Connection, *, most: int) -> list[Row]:
    """Jobs that wait or run, or were given up, the oldest first: at most so many."""
    wanted = select(jobs).where(jobs.c.state.in_((*OPEN, "dead")))
    return all_rows(connection, wanted.order_by(jobs.c.created_at, jobs.c.id).limit(most))


def jobs_named(connection: Connection, identifiers: Collection[str]) -> list[Row]:
    """Jobs of these ids."""
    return all_rows(connection, select(jobs).where(jobs.c.id.in_(sorted(identifiers))).order_by(jobs.c.id))


def approvals_seen(
    connection: Connection, identifiers: Collection[str], *, units: Collection[str] | None, by: str, is_all: bool
) -> list[Row]:
    """Of these approvals those of these units, or of the whole agency where `is_all`, or asked for by this actor."""
    conditions: list[Any] = [approvals.c.requested_by == by]
    if units is not None:
        conditions.append(approvals.c.unit.in_(sorted(units)))
    wanted = select(approvals).where(approvals.c.id.in_(sorted(identifiers)))
    if not is_all:
        wanted = wanted.where(or_(*conditions))
    return all_rows(connection, wanted.order_by(approvals.c.id))
