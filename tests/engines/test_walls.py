# SPDX-License-Identifier: Apache-2.0
"""The second wall: PostgreSQL itself shows a person no more than they may see, when a question forgot to ask."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import Table, select, text

from evidence import instant
from evidence.access import Reach, kinds_of_grant, reach_of
from pipeline import memberships
from pipeline.casework import link
from storage.register import reach, schema
from storage.register.reach import Sight
from storage.register.roles import prepare_register
from tests.support.grants import give
from tests.support.home import NOON, open_home
from tests.support.people import Hall, Person, hall_of_people
from tests.support.postgres import SERVICE, shared_postgres

WALLED = (schema.recordings, schema.segments, schema.derivatives, schema.cases, schema.case_links, schema.accesses)


@pytest.fixture(scope="module")
def hall(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hall]:
    server = shared_postgres()
    server.have_role(SERVICE)
    database = server.new_database()
    prepare_register(server.url(database), service=SERVICE)
    folder: Path = tmp_path_factory.mktemp("walls")
    url = server.url(database, user=SERVICE)
    with open_home(folder / "home", register_url=url) as home, hall_of_people(home) as hall:
        yield hall


def sight(person: Person, act: str) -> Sight:
    return Sight(person.actor, reach_of(person.actor, act), instant.to_text(NOON), kinds_of_grant(act))


def shown(hall: Hall, table: Table, seen_by: Sight | None) -> set[str]:
    """What a question without any condition is answered."""
    with hall.home.ports.register.view(seen_by=seen_by) as connection:
        return set(connection.scalars(select(table.primary_key.columns[0])))


@pytest.mark.parametrize("act", ["recording.read", "media.view", "case.read"])
def test_a_question_without_conditions_shows_what_the_first_wall_shows(hall: Hall, act: str) -> None:
    told = 0
    for person in hall.people.values():
        seen_by = sight(person, act)
        with hall.home.ports.register.view() as connection:
            recordings = set(connection.scalars(select(schema.recordings.c.id).where(reach.recordings_seen(seen_by))))
            cases = set(connection.scalars(select(schema.cases.c.id).where(reach.cases_seen(seen_by))))
        assert shown(hall, schema.recordings, seen_by) == recordings, person.role
        assert shown(hall, schema.cases, seen_by) == cases, person.role
        told += len(recordings)
    assert told or act == "media.view"


def test_an_investigator_is_shown_neither_another_unit_nor_a_restricted_case(hall: Hall) -> None:
    seen_by = sight(hall["investigator"], "recording.read")
    assert shown(hall, schema.recordings, seen_by) == {hall.recordings["own"]}
    assert shown(hall, schema.cases, seen_by) == {hall.cases["own"]}
    with hall.home.ports.register.view(seen_by=seen_by) as connection:
        for table in (schema.segments, schema.derivatives, schema.case_links):
            assert set(connection.scalars(select(table.c.recording))) <= {hall.recordings["own"]}, table.name


def test_nobody_is_shown_what_others_looked_at(hall: Hall) -> None:
    for person in (hall["officer"], hall["auditor"]):
        person.get(f"/recordings/{hall.recordings['own']}")
    mine = sight(hall["officer"], "access.own")
    assert shown(hall, schema.accesses, mine) <= {"user/usr-officer"}


def test_one_who_reaches_nothing_is_shown_nothing(hall: Hall) -> None:
    nothing = Sight(hall["admin"].actor, Reach.NONE, instant.to_text(NOON), frozenset())
    for table in WALLED:
        assert shown(hall, table, nothing) <= {"user/usr-admin"}, table.name


def test_steps_see_everything(hall: Hall) -> None:
    assert shown(hall, schema.recordings, None) == set(hall.recordings.values())
    assert shown(hall, schema.cases, None) == set(hall.cases.values())


def test_the_wall_falls_with_the_transaction_and_not_before(hall: Hall) -> None:
    nothing = Sight(hall["admin"].actor, Reach.NONE, instant.to_text(NOON), frozenset())
    for _ in range(20):  # whichever connection of the pool it was
        assert shown(hall, schema.recordings, nothing) == set()
        assert shown(hall, schema.recordings, None) == set(hall.recordings.values())


def test_the_owner_of_the_tables_stands_before_the_wall_too(hall: Hall) -> None:
    with hall.home.ports.register.view() as connection:
        forced = connection.execute(text("SELECT relname FROM pg_class WHERE relforcerowsecurity"))
        assert set(forced.scalars()) == {table.name for table in WALLED}


def test_both_walls_agree_when_people_join_link_and_are_granted(hall: Hall) -> None:
    ports, now = hall.home.ports, hall.app.state.context.now()
    memberships.add_member("A-restricted", "usr-approver", ports=ports, now=now)
    link("A-own", [hall.recordings["other"]], why="same street", withdraw=False, ports=ports, now=now)
    link("A-restricted", [hall.recordings["own"]], why="same man", withdraw=False, ports=ports, now=now)
    give(hall, "officer", "recording", hall.recordings["own"], "view")
    give(hall, "legal", "case", hall.cases["restricted"], "view")
    give(hall, "admin", "case", hall.cases["other"], "break-glass")
    found: dict[str, set[str]] = {}
    for act in ("recording.read", "media.view", "media.original", "case.read"):
        for person in hall.people.values():
            seen_by = replace(sight(person, act), now=instant.to_text(hall.app.state.context.now()))
            with ports.register.view() as connection:
                wanted = select(schema.recordings.c.id).where(reach.recordings_seen(seen_by))
                recordings = set(connection.scalars(wanted))
                cases = set(connection.scalars(select(schema.cases.c.id).where(reach.cases_seen(seen_by))))
            assert shown(hall, schema.recordings, seen_by) == recordings, (act, person.role)
            assert shown(hall, schema.cases, seen_by) == cases, (act, person.role)
            found[f"{person.role} {act}"] = {kind for kind, one in hall.recordings.items() if one in recordings}
    assert found["approver recording.read"] == {"own", "other", "restricted"}  # a member of the restricted case
    assert found["investigator recording.read"] == {"other"}  # their own stands in a restricted case now
    assert found["officer recording.read"] == {"own", "other"}  # by grant, and by the case
    assert found["legal media.view"] == {"own", "other", "restricted"}
    assert found["admin media.view"] == {"other"}
    assert found["service media.original"] == set()
