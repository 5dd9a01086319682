# SPDX-License-Identifier: Apache-2.0
"""This is where it is looked at who filmed, and with what: certificate not valid that day, device lost or stopped.

Days are the agency's: an officer whose certificate ends on the 19th may film until midnight there. What is not known
(no officer, no start, no days on the certificate) is no remark, and an agency that registers no officers at all is
told of none.
"""

from collections.abc import Iterator
from datetime import datetime
from zoneinfo import ZoneInfo

from evidence import instant
from evidence.custody import Happening, parse_event
from evidence.device import Status
from evidence.ids import stream_of
from evidence.note import split_note
from pipeline.people import is_valid_on, officer_of
from storage.register import device_rows, dock_rows, search
from storage.register.search import Connection, Row

Remark = tuple[str, str]
"""A code and its words."""
CERTIFICATE_INVALID = "certificate-invalid"
OFFICER_UNKNOWN = "officer-unknown"
_OUT = {
    Status.LOST: "was on record as lost",
    Status.STOPPED: "was out of use",
    Status.SCRAPPED: "was scrapped",
}


def who_and_what(connection: Connection, row: Row, zone: ZoneInfo) -> Iterator[Happening]:
    """Remarks on the officer and the device of a recording; what stands already is not said again."""
    said = {(one["code"], one["text"]) for one in dock_rows.remarks_of(connection, row["id"])}
    for code, text in _found(connection, row, zone):
        if (code, text) not in said:
            yield Happening("remarked", stream_of("recording", row["id"]), facts={"code": code}, detail={"text": text})


def _found(connection: Connection, row: Row, zone: ZoneInfo) -> Iterator[Remark]:
    moments = _moments(row)
    if row["officer"] is not None:
        yield from _of_officer(connection, row["officer"], moments, zone)
    if row["device"] is not None and moments:
        yield from _of_device(connection, row["device"], moments[0])


def _moments(row: Row) -> list[datetime]:
    """When it begins and ends, as far as that is known."""
    if row["start_at"] is None:
        return []
    return [instant.from_text(row[name]) for name in ("start_at", "end_at") if row[name] is not None]


def _of_officer(connection: Connection, number: str, moments: list[datetime], zone: ZoneInfo) -> Iterator[Remark]:
    known = search.officer(connection, number)
    if known is None and not device_rows.has_officers(connection):
        return
    if known is None:
        yield OFFICER_UNKNOWN, f"no officer {number} was registered when it was taken in"
        return
    officer = officer_of(known)
    days = [one.astimezone(zone).date() for one in moments]
    invalid = [day for day in days if not is_valid_on(officer, day)]
    if invalid:
        span = f"from {officer.valid_from or '–'} to {officer.valid_to or '–'}"
        yield CERTIFICATE_INVALID, f"filmed on {invalid[0]} by {number}, whose certificate is valid {span}"


def _of_device(connection: Connection, serial: str, start: datetime) -> Iterator[Remark]:
    since, status = _status_at(connection, serial, start)
    if status in _OUT:
        yield (
            f"device-{status}",
            f"filmed at {instant.to_text(start)} with {serial}, which {_OUT[status]} since {since}",
        )


def _status_at(connection: Connection, serial: str, at: datetime) -> tuple[str, Status]:
    """What a device's status was on record as at an instant, and since when; in use, where no record says."""
    since, status = "", Status.IN_USE
    for event in device_rows.registrations_of(connection, serial):
        if event["at"] > instant.to_text(at):
            break
        told = parse_event(split_note(event["note"])[0]).facts.get("status")
        if told in tuple(Status) and told != status:
            since, status = event["at"], Status(told)
    return since, status
