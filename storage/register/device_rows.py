# SPDX-License-Identifier: Apache-2.0
"""This is where the register is asked about devices over time: who held them, when they were seen, what came of them.

As in `search`, each function takes the connection of a view or of open facts; rows are plain mappings.
"""

from collections.abc import Iterable

from sqlalchemy import Connection, func, or_, select

from storage.register.answers import Row, all_rows, one_row
from storage.register.schema import (
    archives,
    assignments,
    custody_events,
    devices,
    dockings,
    docks,
    offers,
    officers,
    originals,
    reconciliations,
    recordings,
    tombstones,
)

_AT_ONCE = 500


def every_device(connection: Connection) -> list[Row]:
    """All devices, by serial."""
    return all_rows(connection, select(devices).order_by(devices.c.serial))


def has_officers(connection: Connection) -> bool:
    """True when any officer is registered."""
    return connection.scalar(select(officers.c.id).limit(1)) is not None


def registrations_of(connection: Connection, serial: str) -> list[Row]:
    """The events by which a device was registered, or changed, in order."""
    table = custody_events
    wanted = select(table).where(table.c.stream == f"device/{serial}", table.c.kind == "device-registered")
    return all_rows(connection, wanted.order_by(table.c.seq))


def hand_outs(connection: Connection, *, device: str | None = None, officer: str | None = None) -> list[Row]:
    """Who held which device when, by start: of one device, of one officer, or all."""
    wanted = select(assignments)
    if device is not None:
        wanted = wanted.where(assignments.c.device == device)
    if officer is not None:
        wanted = wanted.where(assignments.c.officer == officer)
    return all_rows(connection, wanted.order_by(assignments.c.start_at, assignments.c.id))


def overdue_hand_outs(connection: Connection, at: str) -> list[Row]:
    """Devices that were to be back before `at` and were not, by when they were due."""
    table = assignments
    is_out = or_(table.c.end_at.is_(None), table.c.end_at > at)
    wanted = select(table).where(table.c.due_at < at, table.c.start_at <= at, is_out)
    return all_rows(connection, wanted.order_by(table.c.due_at, table.c.id))


def seen_last(connection: Connection, before: str) -> dict[str, str]:
    """For each device that was docked, or of which footage came, before an instant: when it last was."""
    docked = select(dockings.c.device, func.max(dockings.c.began_at).label("at"))
    arrived = select(recordings.c.device, func.max(recordings.c.arrived_at).label("at"))
    found: dict[str, str] = {}
    for asked, table, moment in (
        (docked, dockings, dockings.c.began_at),
        (arrived, recordings, recordings.c.arrived_at),
    ):
        wanted = asked.where(table.c.device.is_not(None), moment < before).group_by(table.c.device)
        for row in connection.execute(wanted):
            found[row.device] = max(found.get(row.device, ""), row.at)
    return found


def docks_seen_last(connection: Connection, before: str) -> dict[str, str]:
    """For each dock of which something came before an instant: when it last did."""
    docked = select(dockings.c.dock, func.max(dockings.c.began_at).label("at")).where(dockings.c.began_at < before)
    arrived = select(offers.c.dock, func.max(offers.c.at).label("at")).where(offers.c.at < before)
    arrived = arrived.where(offers.c.dock.in_(select(docks.c.id)))
    found: dict[str, str] = {}
    for wanted in (docked.group_by(dockings.c.dock), arrived.group_by(offers.c.dock)):
        for row in connection.execute(wanted):
            found[row.dock] = max(found.get(row.dock, ""), row.at)
    return found


def offers_between(connection: Connection, start: str, end: str) -> list[Row]:
    """What docks of ours handed in during `[start, end)`, and was not withdrawn, by dock and path."""
    within = (offers.c.at >= start, offers.c.at < end, offers.c.outcome != "withdrawn")
    wanted = select(offers, docks.c.kind.label("dock_kind")).join(docks, docks.c.id == offers.c.dock).where(*within)
    return all_rows(connection, wanted.order_by(offers.c.dock, offers.c.path, offers.c.id))


def dockings_of_dock_before(connection: Connection, dock: str, before: str, since: str) -> list[Row]:
    """Dockings at a dock that began in `[since, before)`, the newest first."""
    table = dockings
    wanted = select(table).where(table.c.dock == dock, table.c.began_at >= since, table.c.began_at < before)
    return all_rows(connection, wanted.order_by(table.c.began_at.desc(), table.c.id.desc()))


def finished_after(connection: Connection, docking: Row) -> bool:
    """True when the device of a docking (the port, when it named none) was docked again and that one finished."""
    table = dockings
    same = (
        (table.c.dock == docking["dock"], table.c.port == docking["port"], table.c.device.is_(None))
        if docking["device"] is None
        else (table.c.device == docking["device"],)
    )
    wanted = select(table.c.id).where(*same, table.c.began_at > docking["began_at"], table.c.outcome == "finished")
    return connection.scalar(wanted.limit(1)) is not None


def unfinished_dockings(connection: Connection, start: str, end: str) -> list[Row]:
    """Dockings that began in `[start, end)` and were cut off, failed, or of which no end was told."""
    table = dockings
    open_or_cut = or_(table.c.outcome.is_(None), table.c.outcome.in_(("interrupted", "failed")))
    wanted = select(table).where(table.c.began_at >= start, table.c.began_at < end, open_or_cut)
    return all_rows(connection, wanted.order_by(table.c.began_at, table.c.id))


def came_between(connection: Connection, start: str, end: str) -> list[Row]:
    """Recordings that arrived in `[start, end)`, by arrival."""
    wanted = select(recordings).where(recordings.c.arrived_at >= start, recordings.c.arrived_at < end)
    return all_rows(connection, wanted.order_by(recordings.c.arrived_at, recordings.c.id))


def at_rest(connection: Connection, identifiers: Iterable[str]) -> list[Row]:
    """Sealed originals of these recordings that are to rest in the store: disposed and archived ones are left out."""
    wanted = sorted(set(identifiers))
    cold = select(archives.c.recording).where(archives.c.hot_removed_at.is_not(None), archives.c.restored_at.is_(None))
    gone = select(tombstones.c.recording)
    found: list[Row] = []
    for first in range(0, len(wanted), _AT_ONCE):
        some = originals.c.recording.in_(wanted[first : first + _AT_ONCE])
        kept = (originals.c.recording.not_in(cold), originals.c.recording.not_in(gone))
        asked = select(originals).where(some, originals.c.sealed_at.is_not(None), *kept)
        found += all_rows(connection, asked.order_by(originals.c.sha256))
    return found


def files_of_device(connection: Connection, device: str, start: str, end: str) -> list[Row]:
    """Files of a device that were offered in `[start, end)`: name, mtime_ns, at, and the recording's claims."""
    wanted = (
        select(offers.c.name, offers.c.mtime_ns, offers.c.at, recordings.c.claims)
        .join(recordings, recordings.c.id == offers.c.recording)
        .where(recordings.c.device == device, offers.c.at >= start, offers.c.at < end)
    )
    return all_rows(connection, wanted)


def reconciliation(connection: Connection, day: str) -> Row | None:
    """The comparison of a day as it was taken down, if it was."""
    return one_row(connection, select(reconciliations).where(reconciliations.c.day == day))
