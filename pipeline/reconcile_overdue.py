# SPDX-License-Identifier: Apache-2.0
"""This is where it is found what did not come, or came late: footage, devices, docks, dockings that were cut off."""

import json
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from evidence import instant
from evidence.catalog import CatalogItem
from evidence.claims import Claims
from evidence.device import Status
from evidence.errors import BadInput
from evidence.sequence import Numbered, gaps, numbered
from evidence.work_calendar import WorkCalendar
from pipeline.calendars import load_calendar
from pipeline.catalogs.in_force import in_force
from pipeline.device_figures import DeviceFigures
from pipeline.ports import Ports
from pipeline.reconcile_terms import Code, Found, Told
from storage.register import device_rows, dock_rows
from storage.register.search import Connection, Row


def handed_in_late(
    connection: Connection, rows: Iterable[Row], *, figures: DeviceFigures, ports: Ports, now: datetime
) -> Iterator[Found]:
    """Recordings that came after the deadline of their catalog item; where it says none, of the figures."""
    catalog, calendar = in_force(connection, now, default=ports.catalog), load_calendar()
    for row in rows:
        ended = row["end_at"] or row["start_at"]
        if ended is None:
            continue
        item = None if row["item"] is None else catalog.items.get(row["item"])
        due = _due(instant.from_text(ended), item, figures.hand_in, calendar, ports.zone)
        if row["arrived_at"] > instant.to_text(due):
            facts = {"due": instant.to_text(due), "arrived": row["arrived_at"], "officer": row["officer"]}
            yield Found(Code.HANDED_IN_LATE, row["id"], device=row["device"], dock=row["dock"], facts=facts)


def _due(
    ended: datetime, item: CatalogItem | None, otherwise: timedelta, calendar: WorkCalendar, zone: ZoneInfo
) -> datetime:
    within = otherwise if item is None else item.deadline.within
    if within is not None:
        return ended + within
    days = 0 if item is None else item.deadline.working_days or 0
    last = calendar.add_working_days(ended.astimezone(zone).date(), days)
    # So many working days end with the last of them.
    return datetime.combine(last + timedelta(days=1), time(0), zone).astimezone(UTC)


def unseen(connection: Connection, *, end: datetime, figures: DeviceFigures) -> Iterator[Found]:
    """Devices in use, and docks, of which nothing was seen for long, and devices that should be back."""
    until = instant.to_text(end)
    seen, since = device_rows.seen_last(connection, until), instant.to_text(end - figures.device_unseen)
    for device in device_rows.every_device(connection):
        is_silent = device["status"] == Status.IN_USE and seen.get(device["serial"], "") < since
        if is_silent and _first_registered(connection, device["serial"]) < since:
            facts = {"seen": seen.get(device["serial"]), "officer": device["officer"], "unit": device["unit"]}
            yield Found(Code.DEVICE_UNSEEN, device["serial"], device=device["serial"], facts=facts)
    heard, since = device_rows.docks_seen_last(connection, until), instant.to_text(end - figures.dock_unseen)
    for dock in dock_rows.every_dock(connection):
        last = max(heard.get(dock["id"], ""), dock["enrolled_at"] or "")
        if dock["state"] == "enrolled" and dock["kind"] == "dock" and last < since:
            facts = {"seen": heard.get(dock["id"]), "name": dock["name"]}
            yield Found(Code.DOCK_UNSEEN, dock["id"], dock=dock["id"], facts=facts)
    for row in device_rows.overdue_hand_outs(connection, until):
        facts = {"officer": row["officer"], "due": row["due_at"]}
        yield Found(Code.RETURN_OVERDUE, row["device"], device=row["device"], facts=facts)


def _first_registered(connection: Connection, serial: str) -> str:
    events = device_rows.registrations_of(connection, serial)
    return events[0]["at"] if events else ""


def not_resumed(connection: Connection, *, start: str, end: datetime, figures: DeviceFigures) -> Iterator[Found]:
    """Dockings since `start` that were cut off, or of which no end was told, and that did not go on in time."""
    until = instant.to_text(end - figures.resume)
    for row in device_rows.unfinished_dockings(connection, start, until):
        if row["refusal"] is None and not device_rows.finished_after(connection, row):
            facts = {"began": row["began_at"], "outcome": row["outcome"], "taken": row["taken"]}
            yield Found(Code.NOT_RESUMED, row["id"], device=row["device"], dock=row["dock"], facts=facts)


def sequence_gaps(
    connection: Connection, devices: Iterable[str], *, start: str, end: datetime, figures: DeviceFigures
) -> Iterator[Found]:
    """Numbers missing among the files of devices, where the later neighbour came since `start`."""
    since = instant.to_text(end - figures.manifests)
    for device in sorted(set(devices)):
        rows = device_rows.files_of_device(connection, device, since, instant.to_text(end))
        fresh = {row["name"] for row in rows if row["at"] >= start}
        files = [one for row in rows if (one := _numbered(row)) is not None]
        for gap in gaps(files, widest=figures.sequence_gap):
            if gap.after in fresh:
                facts: dict[str, Told] = {
                    "first": gap.first,
                    "last": gap.last,
                    "count": gap.count,
                    "before": gap.before,
                }
                yield Found(Code.SEQUENCE_GAP, gap.after, device=device, facts=facts)


def _numbered(row: Row) -> Numbered | None:
    """A file by its maker's word for its number, else by its name; ordered by its own clock."""
    try:
        told = Claims.from_json(json.loads(row["claims"])).value("sequence")
    except BadInput:
        told = None
    number = int(told) if told is not None and told.isascii() and told.isdecimal() and len(told) < 10 else None
    return numbered(row["name"], order=int(row["mtime_ns"]), number=number)
