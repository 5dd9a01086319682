# SPDX-License-Identifier: Apache-2.0
"""This is where devices are issued to officers and given back (领用/归还): who held which camera when.

Nothing in it is edited: a hand-out is ended, never changed, and footage keeps the officer that it was taken in with.
"""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from evidence import instant
from evidence.agency import Officer
from evidence.custody import Happening
from evidence.device import Status
from evidence.errors import BadInput, Conflict, NotFound, Refused, WrongState
from evidence.ids import stream_of
from evidence.written import moment, one_line
from pipeline.devices_register import registered
from pipeline.people import is_valid_on, officer_of
from pipeline.ports import Ports
from storage.register import device_rows, search
from storage.register.search import Connection, Row

_AHEAD = timedelta(minutes=5)
_NOT_ISSUED = (Status.LOST, Status.SCRAPPED, Status.REPAIR, Status.STOPPED)


def assign_device(
    serial: str,
    number: str,
    *,
    start: datetime,
    end: datetime | None = None,
    due: datetime | None = None,
    note: str = "",
    ports: Ports,
    now: datetime,
) -> None:
    """Issue a device to an officer from `start` (until `end`, when that is known); it is to be back by `due`.

    A hand-out that is open ends when a later one begins.

    Raises:
        NotFound: device or officer are not registered.
        WrongState: the device is lost, scrapped, stopped or in repair, or off the white list.
        Refused: the officer's certificate is not valid that day.
        Conflict: another held it then. BadInput: an end, or the time it is due, before the start.
    """
    _check_span(start, end, due)
    facts = {"end_at": _text(end), "start_at": instant.to_text(start)}
    told = {"officer": number, "note": one_line(note, "a note", may_be_empty=True)}
    with ports.register.begin() as writing:
        _check_issuable(writing.connection, serial)
        row = search.officer(writing.connection, number)
        if row is None:
            raise NotFound(f"no officer {number!r}: run `evidock officer add {number}` first", officer=number)
        _check_certificate(officer_of(row), start, ports.zone)
        _check_free(device_rows.hand_outs(writing.connection, device=serial), start, end)
        facts |= {} if due is None else {"due_at": _text(due)}
        writing.record(
            Happening("assigned", stream_of("device", serial), facts=facts, detail=told), actor=ports.actor, at=now
        )


def return_device(serial: str, *, at: datetime, note: str = "", ports: Ports, now: datetime) -> Row:
    """Take a device back: its newest open hand-out ends at `at`. Returns that hand-out as it was.

    Raises:
        NotFound: the device is not registered. WrongState: nobody holds it then.
        BadInput: a time to come.
    """
    if moment(at, "the return") > now + _AHEAD:
        raise BadInput(f"{instant.to_text(at)} is still to come: nothing is given back ahead of time")
    told = {"note": one_line(note, "a note", may_be_empty=True)}
    with ports.register.begin() as writing:
        registered(writing.connection, serial)
        out = [row for row in device_rows.hand_outs(writing.connection, device=serial) if _is_out(row, at)]
        if not out:
            raise WrongState(f"nobody holds {serial} at {instant.to_text(at)} (`evidock device ledger {serial}`)")
        facts = {"assignment": out[-1]["id"], "at": instant.to_text(at)}
        happening = Happening("returned", stream_of("device", serial), facts=facts, detail=told)
        writing.record(happening, actor=ports.actor, at=now)
    return out[-1]


def _check_span(start: datetime, end: datetime | None, due: datetime | None) -> None:
    moment(start, "the start of a hand-out")
    for told, what in ((end, "end"), (due, "due")):
        if told is not None and moment(told, f"the {what} of a hand-out") <= start:
            raise BadInput(f"a hand-out from {instant.to_text(start)} cannot be {what} at {instant.to_text(told)}")


def _check_issuable(connection: Connection, serial: str) -> None:
    device = registered(connection, serial)
    if device.status in _NOT_ISSUED:
        told = f"{serial} is not issued: its status is {device.status}"
        raise WrongState(f"{told} (`evidock device add {serial} --status in-use` when it is back)", device=serial)
    if not device.is_allowed:
        raise WrongState(f"{serial} is not issued: it is off the white list (`evidock device allow`)", device=serial)


def _check_certificate(officer: Officer, start: datetime, zone: ZoneInfo) -> None:
    day = start.astimezone(zone).date()
    if is_valid_on(officer, day):
        return
    span = f"{officer.valid_from or '–'} to {officer.valid_to or '–'}"
    told = f"the certificate of {officer.number} is not valid on {day}: it is valid from {span}"
    raise Refused(f"{told} (`evidock officer add {officer.number} --valid-to DAY`)", officer=officer.number)


def _check_free(rows: list[Row], start: datetime, end: datetime | None) -> None:
    since, until = instant.to_text(start), _text(end)
    for row in rows:
        is_open_before = row["end_at"] is None and row["start_at"] <= since
        is_empty = row["end_at"] == row["start_at"]
        begins_before = until is None or row["start_at"] < until
        ends_after = row["end_at"] is None or row["end_at"] > since
        if begins_before and ends_after and not is_open_before and not is_empty:
            span = f"from {row['start_at']} to {row['end_at'] or 'now'}"
            raise Conflict(f"{row['device']} was with {row['officer']} {span}", assignment=row["id"])


def _is_out(row: Row, at: datetime) -> bool:
    told = instant.to_text(at)
    return bool(row["start_at"] <= told and (row["end_at"] is None or row["end_at"] > told))


def _text(told: datetime | None) -> str | None:
    return None if told is None else instant.to_text(told)
