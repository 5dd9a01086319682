# SPDX-License-Identifier: Apache-2.0
"""How far people reach: by what they filmed, by case, unit, membership and grant; and never past a restricted case."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import pytest
from fastapi import APIRouter
from sqlalchemy import select

from app import clocks
from evidence import instant
from evidence.access import Actor, Reach, Role, kinds_of_grant
from evidence.custody import Happening
from pipeline.casework import link
from storage.register import reach, schema
from storage.register.reach import Sight
from tests.support.grants import give
from tests.support.home import NOON, open_home
from tests.support.people import OURS, Hall, hall_of_people
from web.access.acting import Acting, Asker
from web.access.audited import AuditedRoute

HOUR = timedelta(hours=1)


@pytest.fixture(scope="module")
def notes() -> list[str]:
    return []


@pytest.fixture(scope="module")
def hall(tmp_path_factory: pytest.TempPathFactory, notes: list[str]) -> Iterator[Hall]:
    folder: Path = tmp_path_factory.mktemp("reach")

    def note(event: str, sentence: str, **ids: object) -> None:
        notes.append(event)

    with open_home(folder / "home") as home, hall_of_people(home, note=note) as hall:
        hall.app.include_router(_footage())
        yield hall


def _footage() -> APIRouter:
    """A route that shows footage, for what it takes to get there."""
    router = APIRouter(prefix="/v1/footage", route_class=AuditedRoute)

    @router.get("/{recording}")
    def footage(recording: str, asker: Annotated[Asker, Acting("media.view")]) -> dict[str, str]:
        with asker.view() as connection:
            return {"recording": str(asker.recording(connection, recording)["id"])}

    return router


def status(hall: Hall, role: str, kind: str) -> int:
    return hall[role].get(f"/footage/{hall.recordings[kind]}").status_code


def test_admins_and_auditors_see_no_footage_of_anybody(hall: Hall) -> None:
    for role in ("admin", "auditor"):
        assert [status(hall, role, kind) for kind in hall.recordings] == [404] * 3


def test_glass_that_is_broken_shows_one_recording_and_is_told_aloud(hall: Hall, notes: list[str]) -> None:
    grant = give(hall, "admin", "recording", hall.recordings["own"], "break-glass")
    assert status(hall, "admin", "own") == 200
    told = hall.accesses(hall["admin"])[-1]
    assert (told["act"], told["subject"], told["outcome"]) == ("media.view", hall.recordings["own"], "allowed")
    assert '"break_glass":true' in told["told"].replace(" ", "")
    assert grant in told["told"]
    assert notes.count("glass-broken") == 1
    assert [status(hall, "admin", kind) for kind in ("other", "restricted")] == [404, 404]
    # What is written of it stays closed: broken glass is for footage.
    assert hall["admin"].get(f"/recordings/{hall.recordings['own']}").status_code == 403


def test_a_grant_on_a_case_shows_what_stands_in_it_restricted_or_not(hall: Hall) -> None:
    assert status(hall, "legal", "restricted") == 404
    give(hall, "legal", "case", hall.cases["restricted"], "view")
    assert status(hall, "legal", "restricted") == 200
    assert '"break_glass"' not in hall.accesses(hall["legal"])[-1]["told"]


def test_a_grant_that_has_ended_or_not_begun_shows_nothing(hall: Hall) -> None:
    now = clocks.now()
    give(hall, "officer", "recording", hall.recordings["other"], "view", start=now - 3 * HOUR)
    assert status(hall, "officer", "other") == 404
    give(hall, "officer", "recording", hall.recordings["restricted"], "view", start=now + HOUR)
    assert status(hall, "officer", "restricted") == 404


def test_a_grant_that_was_revoked_shows_nothing(hall: Hall) -> None:
    grant = give(hall, "officer", "case", hall.cases["other"], "original")
    assert status(hall, "officer", "other") == 200
    with hall.home.ports.register.begin() as facts:
        ended = Happening("grant-revoked", f"grant/{grant}", detail={"why": "done"})
        facts.record(ended, actor="user:usr-boss", at=clocks.now())
    assert status(hall, "officer", "other") == 404


def test_leave_to_hand_a_case_out_is_no_leave_to_take_originals(hall: Hall) -> None:
    assert kinds_of_grant("media.original") == {"original"}
    assert "export" not in kinds_of_grant("media.view")
    assert "break-glass" not in kinds_of_grant("recording.read") | kinds_of_grant("media.original")


def test_footage_of_another_unit_in_a_case_of_ours_is_seen_until_it_is_unlinked(hall: Hall) -> None:
    thing, ports = [hall.recordings["other"]], hall.home.ports
    assert status(hall, "approver", "other") == 404
    link("A-own", thing, why="same street", withdraw=False, ports=ports, now=clocks.now())
    assert status(hall, "approver", "other") == 200
    link("A-own", thing, why="other street", withdraw=True, ports=ports, now=clocks.now())
    assert status(hall, "approver", "other") == 404


def test_what_one_filmed_oneself_is_hidden_in_a_restricted_case_of_others(hall: Hall) -> None:
    thing, ports = [hall.recordings["own"]], hall.home.ports
    link("A-restricted", thing, why="same man", withdraw=False, ports=ports, now=clocks.now())
    assert [status(hall, role, "own") for role in ("officer", "investigator", "service")] == [404] * 3
    link("A-restricted", thing, why="another man", withdraw=True, ports=ports, now=clocks.now())
    assert status(hall, "officer", "own") == 200


def test_units_above_see_what_is_below_and_the_whole_agency_all_but_what_is_restricted(hall: Hall) -> None:
    def kinds(unit: str | None, *units: str) -> set[str]:
        actor = Actor("user:usr-x", frozenset({Role.INVESTIGATOR}), unit, units)
        sight = Sight(actor, Reach.UNIT, instant.to_text(NOON), kinds_of_grant("recording.read"))
        with hall.home.ports.register.view() as connection:
            found = set(connection.scalars(select(schema.recordings.c.id).where(reach.recordings_seen(sight))))
        return {kind for kind, one in hall.recordings.items() if one in found}

    assert kinds(OURS, OURS) == {"own"}
    assert kinds("00", "00", OURS, "02") == {"own", "other"}
    assert kinds(None) == {"own", "other"}
    assert kinds("77", "77") == set()
