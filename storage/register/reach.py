# SPDX-License-Identifier: Apache-2.0
"""This is where it becomes SQL how far a person reaches: conditions that lists and single questions are asked under.

Whatever the reach, a recording that stands in a restricted case is seen by those of that case alone, by whoever
holds a grant on it, and by those who reach everything. What row-level security of PostgreSQL says (`walls`) is the
same once more.
"""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, exists, false, func, or_, select, true, union

from evidence.access import Actor, Reach
from evidence.errors import NotFound
from storage.register.answers import Row, one_row
from storage.register.schema import (
    case_links,
    case_members,
    case_officers,
    cases,
    devices,
    docks,
    grants,
    officers,
    recordings,
)

BREAK_GLASS = "break-glass"


@dataclass(frozen=True, slots=True)
class Sight:
    """Who looks, how far they reach with an act, when (an instant as text), and which grants serve the act."""

    actor: Actor
    reach: Reach
    now: str
    grants: frozenset[str]

    def recordings(self) -> ColumnElement[bool]:
        """What of the table `recordings` is seen."""
        return recordings_seen(self)

    def recording_of(self, column: ColumnElement[Any]) -> ColumnElement[bool]:
        """Rows whose `column` names a recording that is seen."""
        if self.reach is Reach.ALL:
            return true()
        return exists(select(recordings.c.id).where(recordings.c.id == column, recordings_seen(self)))

    def cases(self) -> ColumnElement[bool]:
        """What of the table `cases` is seen."""
        return cases_seen(self)

    def case_of(self, column: ColumnElement[Any]) -> ColumnElement[bool]:
        """Rows whose `column` holds the id of a case that is seen."""
        if self.reach is Reach.ALL:
            return true()
        return exists(select(cases.c.id).where(cases.c.id == column, cases_seen(self)))

    def unit(self, column: ColumnElement[Any]) -> ColumnElement[bool]:
        """Rows whose `column` holds the code of a unit within reach."""
        return unit_seen(self, column)


def recordings_seen(sight: Sight) -> ColumnElement[bool]:
    """What of the table `recordings` is seen: nothing below GRANTED, all of it with ALL."""
    if sight.reach <= Reach.SELF:
        return false()
    if sight.reach is Reach.ALL:
        return true()
    named = _recordings_granted(sight)
    if sight.reach is Reach.UNIT:
        return or_(recordings.c.id.in_(union(*named)), and_(_is_open_to(sight, recordings.c.id), _is_near(sight)))
    if sight.reach is Reach.OWN:
        named += _recordings_of_own(sight)
    # A person's own are few among all: the list of their names is what is begun with.
    return recordings.c.id.in_(union(*named))


def cases_seen(sight: Sight) -> ColumnElement[bool]:
    """What of the table `cases` is seen: nothing below GRANTED, all of it with ALL."""
    if sight.reach <= Reach.SELF:
        return false()
    if sight.reach is Reach.ALL:
        return true()
    granted = cases.c.id.in_(_granted(sight, "case"))
    if sight.reach is Reach.GRANTED:
        return granted
    if sight.reach is Reach.OWN:
        return or_(granted, _mine(sight))
    near = true() if sight.actor.unit is None else cases.c.unit.in_(sight.actor.units)
    return or_(granted, _mine(sight), and_(cases.c.restricted == 0, near))


def unit_seen(sight: Sight, column: ColumnElement[Any]) -> ColumnElement[bool]:
    """Rows whose `column` holds the code of a unit within reach; of the whole agency where that is one's unit."""
    if sight.reach is Reach.ALL or (sight.reach is Reach.UNIT and sight.actor.unit is None):
        return true()
    return column.in_(sight.actor.units) if sight.reach is Reach.UNIT else false()


def recording(connection: Connection, identifier: str, sight: Sight) -> Row:
    """The recording of this id, if it is seen.

    Raises:
        NotFound: it is not, or there is none; nobody can tell which.
    """
    row = one_row(connection, select(recordings).where(recordings.c.id == identifier, recordings_seen(sight)))
    if row is None:
        raise NotFound("no such recording, or none that is yours to see", noun="recording")
    return row


def case(connection: Connection, number_or_id: str, sight: Sight) -> Row:
    """The case of this number or id, if it is seen.

    Raises:
        NotFound: it is not, or there is none; nobody can tell which.
    """
    named = or_(cases.c.id == number_or_id, cases.c.number == number_or_id)
    row = one_row(connection, select(cases).where(named, cases_seen(sight)))
    if row is None:
        raise NotFound("no such case, or none that is yours to see", noun="case")
    return row


def broken_glass(connection: Connection, identifier: str, sight: Sight) -> str | None:
    """The grant that broke glass, where a recording is seen by nothing but such a one."""
    if sight.reach is not Reach.GRANTED:
        return None
    of_cases = select(case_links.c.case_id).where(
        case_links.c.recording == identifier, case_links.c.withdrawn_at.is_(None)
    )
    named = or_(
        and_(grants.c.noun == "recording", grants.c.subject == identifier),
        and_(grants.c.noun == "case", grants.c.subject.in_(of_cases)),
    )
    wanted = select(grants.c.id, grants.c.what).where(_stands(sight), named)
    kinds = {row.what: row.id for row in connection.execute(wanted)}
    glass = kinds.pop(BREAK_GLASS, None)
    return None if kinds else glass


# --- parts ----------------------------------------------------------------------------------------


def _mine(sight: Sight) -> ColumnElement[bool]:
    """Cases that one is an officer or a member of."""
    members = select(case_members.c.case_id).where(
        case_members.c.user == sight.actor.name, case_members.c.until.is_(None)
    )
    if sight.actor.officer is None:
        return cases.c.id.in_(members)
    theirs = select(case_officers.c.case_id).where(case_officers.c.officer == sight.actor.officer)
    return or_(cases.c.id.in_(members), cases.c.id.in_(theirs))


def _linked(condition: ColumnElement[bool], recording: ColumnElement[Any]) -> ColumnElement[bool]:
    """Recordings (by the column that names them) that stand in a case of which `condition` holds."""
    standing = select(case_links.c.segment).join(cases, cases.c.id == case_links.c.case_id)
    wanted = standing.where(case_links.c.recording == recording, case_links.c.withdrawn_at.is_(None), condition)
    return exists(wanted.correlate_except(case_links, cases))


def _is_open_to(sight: Sight, recording: ColumnElement[Any]) -> ColumnElement[bool]:
    """Recordings that stand in no restricted case, or in one of one's own."""
    restricted = cases.c.restricted == 1
    return or_(~_linked(restricted, recording), _linked(and_(restricted, _mine(sight)), recording))


def _is_near(sight: Sight) -> ColumnElement[bool]:
    """Recordings that are one's own, of one's cases, of one's unit, or of a case of the unit."""
    if sight.actor.unit is None:
        return true()
    near = [
        _unit_of_recording().in_(sight.actor.units),
        _linked(or_(_mine(sight), cases.c.unit.in_(sight.actor.units)), recordings.c.id),
    ]
    if sight.actor.officer is not None:
        near.insert(0, recordings.c.officer == sight.actor.officer)
    return or_(*near)


def _recordings_of_own(sight: Sight) -> list[Select[Any]]:
    """Names of what one filmed, and of what stands in one's cases, as far as it is in no other restricted one."""
    mine = recordings.alias("mine")
    held = case_links.alias("held")
    of_cases = select(held.c.recording).where(
        held.c.case_id.in_(select(cases.c.id).where(_mine(sight))), held.c.withdrawn_at.is_(None)
    )
    found = [of_cases.where(_is_open_to(sight, held.c.recording))]
    if sight.actor.officer is not None:
        filmed = select(mine.c.id).where(mine.c.officer == sight.actor.officer)
        found.append(filmed.where(_is_open_to(sight, mine.c.id)))
    return found


def _granted(sight: Sight, noun: str) -> Select[Any]:
    return select(grants.c.subject).where(grants.c.noun == noun, _stands(sight))


def _stands(sight: Sight) -> ColumnElement[bool]:
    """Grants of the person that serve the act, now."""
    return and_(
        grants.c.user == sight.actor.name,
        grants.c.what.in_(sorted(sight.grants)),
        grants.c.from_at <= sight.now,
        grants.c.until_at > sight.now,
        grants.c.revoked_at.is_(None),
    )


def _recordings_granted(sight: Sight) -> list[Select[Any]]:
    by_case = select(case_links.c.recording).where(
        case_links.c.case_id.in_(_granted(sight, "case")), case_links.c.withdrawn_at.is_(None)
    )
    return [_granted(sight, "recording"), by_case]


def _unit_of_recording() -> ColumnElement[Any]:
    """The unit of whoever filmed, else of the device, else of the dock it came by."""
    of_officer = select(officers.c.unit).where(officers.c.number == recordings.c.officer).correlate(recordings)
    of_device = select(devices.c.unit).where(devices.c.serial == recordings.c.device).correlate(recordings)
    of_dock = select(docks.c.unit).where(docks.c.id == recordings.c.dock).correlate(recordings)
    parts = (of_officer, of_device, of_dock)
    return func.coalesce(*(func.nullif(one.scalar_subquery(), "") for one in parts))
