# SPDX-License-Identifier: Apache-2.0
"""This is where it is read what two people agreed on or are to, and which leaves were granted from it."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, Select, and_, or_, select

from evidence.errors import NotFound
from storage.register.answers import Page, Place, Row, Stretch, all_rows, one_row, page_of
from storage.register.schema import devices, officers, recordings
from storage.register.schema_cases import case_links, cases
from storage.register.schema_keeping import catalogs, disposals
from storage.register.schema_people import approvals, grants, users

WAITING = "waiting"
EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class Wanted:
    """Conditions on approvals, all of which are met by what is listed.

    `state`: one of waiting, expired, approved, refused, withdrawn, as it is `at` an instant (text). `units`: of one of
    these units; None in it: of the whole agency. `by`: asked for by one of these actors.
    """

    at: str
    state: str | None = None
    units: Collection[str | None] | None = None
    by: Sequence[str] | None = None
    act: str | None = None


def approval(connection: Connection, identifier: str) -> Row:
    """The approval of this id.

    Raises:
        NotFound: there is none.
    """
    row = one_row(connection, select(approvals).where(approvals.c.id == identifier))
    if row is None:
        raise NotFound(
            f"no approval {identifier[:80]!r} (`evidock approval list` shows them)", approval=identifier[:80]
        )
    return row


def approvals_page(connection: Connection, wanted: Wanted, *, limit: int | None, after: Place | None = None) -> Page:
    """Approvals in the order in which they were asked for: at most `limit` (all, without one), behind `after`."""
    asked = select(approvals).where(*_conditions(wanted))
    stretch = Stretch(asked, approvals.c.requested_at, approvals.c.id, is_short=True)
    return page_of(connection, [stretch], limit=limit, after=after)


def _conditions(wanted: Wanted) -> list[ColumnElement[bool]]:
    table, found = approvals.c, list[ColumnElement[bool]]()
    if wanted.state in (WAITING, EXPIRED):
        is_late = table.expires_at < wanted.at
        found += [table.decision.is_(None), is_late if wanted.state == EXPIRED else ~is_late]
    elif wanted.state is not None:
        found.append(table.decision == wanted.state)
    if wanted.units is not None:
        found.append(or_(table.unit.in_([one for one in wanted.units if one is not None]), _whole(wanted.units)))
    if wanted.by is not None:
        found.append(table.requested_by.in_(list(wanted.by)))
    if wanted.act is not None:
        found.append(table.act == wanted.act)
    return found


def _whole(units: Collection[str | None]) -> ColumnElement[bool]:
    none = approvals.c.unit
    return none.is_(None) if None in units else and_(none.is_(None), none.is_not(None))


def waiting_like(connection: Connection, digest: str, *, at: str) -> list[Row]:
    """Approvals that wait for a decision and are over this digest."""
    wanted = select(approvals).where(
        approvals.c.digest == digest, approvals.c.decision.is_(None), approvals.c.expires_at >= at
    )
    return all_rows(connection, wanted.order_by(approvals.c.requested_at))


def agreed_on(connection: Connection, act: str, subject: str) -> list[Row]:
    """What was agreed on for an act and a subject, the newest decision first."""
    wanted = select(approvals).where(
        approvals.c.act == act, approvals.c.subject == subject, approvals.c.decision == "approved"
    )
    return all_rows(connection, wanted.order_by(approvals.c.decided_at.desc(), approvals.c.id))


# --- what other doors decide ----------------------------------------------------------------------


def catalogs_waiting(connection: Connection) -> list[Row]:
    """Catalog versions that would shorten a rule and wait for a second person."""
    table = catalogs.c
    wanted = select(table.id, table.sha256, table.why, table.proposed_by, table.proposed_at).where(
        table.approved_at.is_(None), table.withdrawn_at.is_(None), table.shortens != "[]"
    )
    return all_rows(connection, wanted.order_by(table.proposed_at, table.id))


def disposals_waiting(connection: Connection) -> list[Row]:
    """Disposal lists that wait for a second person."""
    table = disposals.c
    wanted = select(table.id, table.digest, table.why, table.proposed_by, table.proposed_at).where(
        table.approved_at.is_(None), table.withdrawn_at.is_(None)
    )
    return all_rows(connection, wanted.order_by(table.proposed_at, table.id))


# --- grants -----------------------------------------------------------------------------------------


def grant(connection: Connection, identifier: str) -> Row:
    """The grant of this id.

    Raises:
        NotFound: there is none.
    """
    row = one_row(connection, select(grants).where(grants.c.id == identifier))
    if row is None:
        raise NotFound(f"no grant {identifier[:80]!r} (`evidock grant list` shows them)", grant=identifier[:80])
    return row


@dataclass(frozen=True, slots=True)
class WantedGrants:
    """Conditions on grants. `user`: of this user. `at`: only those that stand at this instant (text).

    `units`: that came from an approval of one of these units; None in it: of the whole agency.
    """

    user: str | None = None
    at: str | None = None
    units: Collection[str | None] | None = None


def grants_page(connection: Connection, wanted: WantedGrants, *, limit: int | None, after: Place | None = None) -> Page:
    """Grants in the order in which they were given, each with the `unit` whose approver gave it."""
    unit = approvals.c.unit
    asked = select(grants, unit.label("unit")).join(approvals, approvals.c.id == grants.c.approval)
    if wanted.user is not None:
        asked = asked.where(grants.c.user == wanted.user)
    if wanted.at is not None:
        asked = asked.where(*_standing(wanted.at))
    if wanted.units is not None:
        asked = asked.where(or_(unit.in_([one for one in wanted.units if one is not None]), _whole(wanted.units)))
    stretch = Stretch(asked, grants.c.granted_at, grants.c.id, is_short=True)
    return page_of(connection, [stretch], limit=limit, after=after)


def standing_grants(connection: Connection, user: str, *, at: str) -> list[Row]:
    """The grants of an active user that stand at an instant, those that end last first."""
    return all_rows(connection, _of(user, at).order_by(grants.c.until_at.desc(), grants.c.id))


def grants_on(
    connection: Connection, user: str, *, at: str, what: Collection[str], recording: str | None, case: str | None
) -> list[Row]:
    """Of those, the ones of these kinds on a recording, on a case that holds a part of it, or on a case (by id)."""
    on: list[ColumnElement[bool]] = []
    if recording is not None:
        holding = select(case_links.c.case_id).where(
            case_links.c.recording == recording, case_links.c.withdrawn_at.is_(None)
        )
        on.append(and_(grants.c.noun == "recording", grants.c.subject == recording))
        on.append(and_(grants.c.noun == "case", grants.c.subject.in_(holding)))
    if case is not None:
        on.append(and_(grants.c.noun == "case", grants.c.subject == case))
    wanted = _of(user, at).where(grants.c.what.in_(list(what)), or_(*on))
    # Whoever has leave without a watermark needs none.
    return all_rows(connection, wanted.order_by(grants.c.watermark, grants.c.until_at.desc(), grants.c.id))


def _of(user: str, at: str) -> Select[tuple[object, ...]]:
    active = and_(users.c.id == grants.c.user, users.c.state == "active")
    return select(grants).join(users, active).where(grants.c.user == user, *_standing(at))


def _standing(at: str) -> tuple[ColumnElement[bool], ...]:
    return (grants.c.revoked_at.is_(None), grants.c.from_at <= at, grants.c.until_at > at)


# --- whose a noun is --------------------------------------------------------------------------------


def case_named(connection: Connection, name: str) -> Row:
    """The case of this id, or else of this number.

    Raises:
        NotFound: there is none.
    """
    for column in (cases.c.id, cases.c.number):
        row = one_row(connection, select(cases).where(column == name))
        if row is not None:
            return row
    raise NotFound(f"no case {name[:80]!r} (`evidock case list` shows them)", case=name[:80])


def unit_told_of_recording(connection: Connection, recording: str) -> str | None:
    """What is registered as the unit of a recording's officer, else of its device; None when neither says."""
    wanted = (
        select(officers.c.unit.label("officer"), devices.c.unit.label("device"))
        .select_from(recordings)
        .outerjoin(officers, officers.c.number == recordings.c.officer)
        .outerjoin(devices, devices.c.serial == recordings.c.device)
        .where(recordings.c.id == recording)
    )
    row = one_row(connection, wanted)
    return None if row is None else row["officer"] or row["device"] or None
