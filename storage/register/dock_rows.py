# SPDX-License-Identifier: Apache-2.0
"""This is where the register is asked about docks, dockings, clocks, and what belongs to a recording."""

from collections.abc import Sequence

from sqlalchemy import Connection, select

from evidence.errors import NotFound
from storage.register.answers import Row, all_rows, one_row
from storage.register.schema import (
    assignments,
    attachments,
    clock_readings,
    custody_events,
    derivatives,
    dockings,
    docks,
    offers,
    originals,
    recordings,
    remarks,
    series_parts,
)


def dock(connection: Connection, identifier: str) -> Row:
    """The dock of this id.

    Raises:
        NotFound: there is none.
    """
    row = one_row(connection, select(docks).where(docks.c.id == identifier))
    if row is None:
        raise NotFound(f"no dock {identifier!r} (`evidock dock list` lists them)", dock=identifier)
    return row


def dock_of_code(connection: Connection, code_sha256: str) -> Row | None:
    """The dock that was invited with the code of this digest, while it is not enrolled."""
    return one_row(connection, select(docks).where(docks.c.code_sha256 == code_sha256))


def every_dock(connection: Connection) -> list[Row]:
    """All docks, by name."""
    return all_rows(connection, select(docks).order_by(docks.c.name, docks.c.id))


def docking(connection: Connection, identifier: str) -> Row | None:
    """The docking of this id, if we were told of it."""
    return one_row(connection, select(dockings).where(dockings.c.id == identifier))


def newest_dockings(connection: Connection, dock: str, limit: int) -> list[Row]:
    """The dockings of a dock that began last, newest first."""
    wanted = select(dockings).where(dockings.c.dock == dock)
    return all_rows(connection, wanted.order_by(dockings.c.began_at.desc(), dockings.c.id).limit(limit))


def dockings_between(connection: Connection, start: str, end: str) -> list[Row]:
    """Dockings that began in `[start, end)`, in order of time."""
    wanted = select(dockings).where(dockings.c.began_at >= start, dockings.c.began_at < end)
    return all_rows(connection, wanted.order_by(dockings.c.began_at, dockings.c.id))


def emptied_before(connection: Connection, device: str, began_at: str) -> Row | None:
    """The last docking of a device that began before `began_at` and took all that the device held."""
    of_it = (dockings.c.device == device, dockings.c.began_at < began_at, dockings.c.outcome == "finished")
    return one_row(connection, select(dockings).where(*of_it).order_by(dockings.c.began_at.desc()).limit(1))


def newest_leaves(connection: Connection, stream: str, limit: int) -> list[Row]:
    """The events of leave to clear a device, in the stream of its dockings, newest first."""
    of_it = (custody_events.c.stream == stream, custody_events.c.kind == "erasing")
    return all_rows(connection, select(custody_events).where(*of_it).order_by(custody_events.c.seq.desc()).limit(limit))


def readings_of(connection: Connection, device: str) -> list[Row]:
    """What was measured of a device's clock, in order of time."""
    wanted = select(clock_readings).where(clock_readings.c.device == device)
    return all_rows(connection, wanted.order_by(clock_readings.c.at))


def known_offers(connection: Connection, identifiers: Sequence[str]) -> list[Row]:
    """Of these offers those that were made: id, dock, recording, outcome; sha256 and sealed_at of what came of each.

    Ask for at most 500 at a time: an engine takes only so many names in one question.
    """
    wanted = (
        select(
            *(offers.c[name] for name in ("id", "dock", "recording", "outcome")),
            originals.c.sha256,
            originals.c.sealed_at,
        )
        .select_from(offers.outerjoin(originals, originals.c.recording == offers.c.recording))
        .where(offers.c.id.in_(identifiers))
    )
    return all_rows(connection, wanted.order_by(offers.c.id))


def offer_of_root(connection: Connection, dock: str, root: str) -> Row | None:
    """The offer that a dock made from this root. All offers are looked through: for what is asked rarely."""
    return one_row(connection, select(offers).where(offers.c.root == root, offers.c.dock == dock).limit(1))


def open_assignment(connection: Connection, device: str) -> Row | None:
    """The hand-out of a device that is not given back, the newest of them."""
    wanted = select(assignments).where(assignments.c.device == device, assignments.c.end_at.is_(None))
    return one_row(connection, wanted.order_by(assignments.c.start_at.desc()).limit(1))


def series_of(connection: Connection, recording: str) -> list[Row]:
    """The parts of the series that a recording belongs to, in order; none when it stands alone."""
    named = select(series_parts.c.series).where(series_parts.c.recording == recording).scalar_subquery()
    wanted = select(series_parts).where(series_parts.c.series == named)
    return all_rows(connection, wanted.order_by(series_parts.c.position))


def remarks_of(connection: Connection, recording: str) -> list[Row]:
    """What was noticed of a recording, by code."""
    return all_rows(connection, select(remarks).where(remarks.c.recording == recording).order_by(remarks.c.code))


def attachments_of(connection: Connection, recording: str) -> list[Row]:
    """What came along with a recording, by role."""
    wanted = select(attachments).where(attachments.c.recording == recording)
    return all_rows(connection, wanted.order_by(attachments.c.role, attachments.c.sha256))


def recordings_of_device(connection: Connection, device: str, start: str, end: str) -> list[Row]:
    """Recordings of a device that start in `[start, end)`, in order of time."""
    within = (recordings.c.device == device, recordings.c.start_at >= start, recordings.c.start_at < end)
    return all_rows(connection, select(recordings).where(*within).order_by(recordings.c.start_at, recordings.c.id))


def references_for(connection: Connection, damaged: Row, *, limit: int) -> list[Row]:
    """Originals of whole videos of the device that a damaged recording came from, the nearest in time first."""
    if damaged["device"] is None:
        return []
    wanted = (
        select(originals, recordings.c.arrived_at)
        .join(recordings, recordings.c.id == originals.c.recording)
        .where(
            recordings.c.device == damaged["device"],
            recordings.c.kind == "video",
            recordings.c.problem_code.is_(None),
            recordings.c.state == "indexed",
            originals.c.container.in_(("mp4", "mov")),
        )
    )
    later = wanted.where(recordings.c.arrived_at >= damaged["arrived_at"]).order_by(recordings.c.arrived_at)
    earlier = wanted.where(recordings.c.arrived_at < damaged["arrived_at"]).order_by(recordings.c.arrived_at.desc())
    return (all_rows(connection, earlier.limit(limit)) + all_rows(connection, later.limit(limit)))[:limit]


def damaged_of(connection: Connection, device: str, *, codes: Sequence[str], kind: str) -> list[Row]:
    """Recordings of a device that were put aside for one of these reasons, and have no derivative of this kind."""
    has_one = select(derivatives.c.recording).where(
        derivatives.c.recording == recordings.c.id, derivatives.c.kind == kind
    )
    wanted = select(recordings).where(
        recordings.c.device == device,
        recordings.c.state == "quarantined",
        recordings.c.problem_code.in_(codes),
        ~has_one.exists(),
    )
    return all_rows(connection, wanted.order_by(recordings.c.id))
