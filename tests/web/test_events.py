# SPDX-License-Identifier: Apache-2.0
"""This is where it is tried what people are told of while it happens, and that nobody is told more than is theirs."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import replace
from datetime import timedelta
from typing import Any

import httpx2
import pytest

from app import clocks
from evidence import instant
from evidence.access import Role
from evidence.custody import Happening
from pipeline.program_keys import Key, make_key, revoke_key
from pipeline.users import disable_user
from storage.register import live_rows
from storage.register.schema import jobs
from tests.support.event_reader import watching
from tests.support.home import open_home
from tests.support.people import OURS, THEIRS, Hall, Person, add_user, hall_of_people, signed_in
from tests.support.plugged import invited, plug_in
from web.api.app import create_app
from web.api.limits import shipped_limits
from web.server.listening import bound, listening

LIMITS = replace(
    shipped_limits(), streams_per_person=2, stream_heart_s=1, stream_look_s=1, stream_unread_s=2, stream_behind=20
)


@pytest.fixture(scope="module")
def hall(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hall]:
    with open_home(tmp_path_factory.mktemp("home")) as home, hall_of_people(home, limits=LIMITS) as made:
        yield made


def test_a_dock_within_reach_is_told_of_and_one_beyond_is_not(hall: Hall) -> None:
    with watching(hall["officer"]) as reader:
        ready = reader.next("ready")
        invited(hall, "beyond", THEIRS)
        within = invited(hall, "within", OURS)
        told = reader.next("dock")
    assert told.body["id"] == within
    assert int(told.id) > int(ready.id)


def test_an_auditor_is_told_of_every_dock(hall: Hall) -> None:
    with watching(hall["auditor"]) as reader:
        reader.next("ready")
        beyond = invited(hall, "far", THEIRS)
        assert reader.next("dock").body["id"] == beyond


def test_a_device_that_is_plugged_in_is_told_with_its_port(hall: Hall) -> None:
    dock = invited(hall, "station", OURS)
    hall.home.add_device("CAM1")
    with watching(hall["investigator"]) as reader:
        reader.next("ready")
        plug_in(hall, dock, "CAM1", "dkg-one")
        slot = reader.next("dock").body["slots"][0]
    told = {name: slot[name] for name in ("port", "docking", "device", "state", "files", "bytes", "came_files")}
    assert told == {
        "port": "1", "docking": "dkg-one", "device": "CAM1", "state": "copying", "files": 4, "bytes": 4000,
        "came_files": 0,
    }  # fmt: skip
    shown = hall["investigator"].get("/docks/wall").json()["docks"]
    assert [one["slots"][0]["docking"] for one in shown if one["id"] == dock] == ["dkg-one"]


def test_the_wall_shows_docks_within_reach_alone(hall: Hall) -> None:
    beyond, within = invited(hall, "wall-beyond", THEIRS), invited(hall, "wall-within", OURS)
    shown = {
        role: {one["id"] for one in hall[role].get("/docks/wall").json()["docks"]} for role in ("officer", "admin")
    }
    assert within in shown["officer"]
    assert beyond not in shown["officer"]
    assert {beyond, within} <= shown["admin"]


def add_job(hall: Hall, name: str) -> None:
    row = {"id": name, "step": "fixity", "subject": "rec-x", "state": "dead", "attempts": 3, "failures": 3, "fence": 1}
    row |= {
        "due_at": instant.to_text(clocks.now()),
        "created_at": "2000-01-01T00:00:00.000000Z",
        "progress_permille": 5,
    }
    with hall.home.ports.register.leasing() as connection:
        connection.execute(jobs.insert().values(row))


def test_a_job_is_told_to_those_who_may_read_jobs_alone(hall: Hall) -> None:
    with watching(hall["admin"]) as admin, watching(hall["officer"]) as officer:
        admin.next("ready"), officer.next("ready")
        add_job(hall, "fixity:told")
        while (told := admin.next("job").body)["id"] != "fixity:told":
            pass
        assert (told["state"], told["progress_permille"]) == ("dead", 5)
        dock = invited(hall, "after-the-job", OURS)
        lines = []
        for line in officer.lines:
            lines.append(line)
            if dock in line:
                break
    assert not [line for line in lines if "event: job" in line]


def test_who_comes_back_with_the_last_number_is_told_what_was_missed(hall: Hall) -> None:
    with watching(hall["officer"]) as reader:
        last = reader.next("ready").id
    missed = invited(hall, "missed", OURS)
    with watching(hall["officer"], Last_Event_ID=last) as reader:
        assert reader.next("dock").body["id"] == missed


@pytest.mark.parametrize("told", ["999999999", "-1", "x", "9" * 30])
def test_a_number_that_no_event_has_is_answered_by_a_reset(hall: Hall, told: str) -> None:
    with watching(hall["officer"], Last_Event_ID=told) as reader:
        assert reader.next("reset").id.isdigit()


def test_who_missed_too_much_is_told_to_begin_anew(hall: Hall) -> None:
    with hall.home.ports.register.view() as connection:
        last = live_rows.newest_event(connection)
    for number in range(LIMITS.stream_behind + 1):
        invited(hall, f"many-{number}", OURS)
    with watching(hall["officer"], Last_Event_ID=str(last)) as reader:
        assert int(reader.next("reset").id) > last


def test_a_stream_of_which_nothing_is_new_says_that_it_is_there(hall: Hall) -> None:
    with watching(hall["legal"]) as reader:
        reader.next("ready")
        assert next(line for line in reader.lines if line.startswith(":"))


def test_a_person_has_so_many_streams_and_no_more(hall: Hall) -> None:
    person = hall["approver"]
    with watching(person) as one, watching(person) as two:
        one.next("ready"), two.next("ready")
        refused = person.get("/events")
        assert (refused.status_code, refused.json()["code"]) == (429, "overloaded")
    with watching(person) as again:  # who went makes room
        again.next("ready")


def fresh(hall: Hall, role: str) -> Person:
    person = hall[role]
    return signed_in(hall.home.ports, person.actor.name, hall.nobody, person.actor)


def test_a_stream_ends_when_its_person_signs_out(hall: Hall) -> None:
    person = fresh(hall, "legal")
    with watching(person) as reader:
        reader.next("ready")
        assert person.ask("DELETE", "/session").status_code == 204
        assert not [line for line in reader.rest() if line.startswith("event")]


def test_a_stream_ends_when_the_account_loses_its_role(hall: Hall) -> None:
    person = fresh(hall, "legal")
    with watching(person) as reader:
        reader.next("ready")
        with hall.home.ports.register.begin() as writing:
            gone = Happening("role-taken", f"user/{person.actor.name}", {"role": "legal"}, {"why": "left"})
            writing.record(gone, actor="cli:test", at=clocks.now())
        reader.rest()


def test_a_stream_ends_when_the_account_is_disabled(hall: Hall) -> None:
    user = add_user(hall.home.ports, "leaver", Role.OFFICER)
    leaver = replace(hall["officer"].actor, id=f"user:{user}", officer=None)
    with watching(signed_in(hall.home.ports, user, hall.nobody, leaver)) as reader:
        reader.next("ready")
        assert disable_user(user, why="left", ports=hall.home.ports, now=clocks.now())
        assert not [line for line in reader.rest() if line.startswith("event")]


def test_a_stream_ends_when_its_key_is_revoked(hall: Hall) -> None:
    wanted = Key("wall", ["dock.read"], clocks.now() + timedelta(days=1), OURS)
    made = make_key(wanted, longest=timedelta(days=2), ports=hall.home.ports, now=clocks.now())
    program = Person(hall["service"].actor, {"Authorization": f"Bearer {made.secret}"}, hall.nobody)
    with watching(program) as reader:
        reader.next("ready")
        assert revoke_key(made.id, why="lost", ports=hall.home.ports, now=clocks.now())
        assert not [line for line in reader.rest() if line.startswith("event")]


def test_an_approval_is_told_to_who_may_decide_it_and_to_nobody_without_approvals(hall: Hall) -> None:
    with watching(hall["approver"]) as approver, watching(hall["service"]) as service:
        approver.next("ready"), service.next("ready")
        asked = {"act": "access", "noun": "case", "subject": "A-own", "params": {}, "why": "a complaint"}
        made = hall["investigator"].post("/approvals", asked)
        assert made.status_code == 201, made.text
        assert approver.next("approval").body["id"] == made.json()["id"]
        dock = invited(hall, "after-the-approval", OURS)
        lines = []
        for line in service.lines:
            lines.append(line)
            if dock in line:
                break
    assert not [line for line in lines if "event: approval" in line]


def test_that_somebody_watches_is_on_record_once(hall: Hall) -> None:
    person = hall["service"]
    before = len(hall.accesses(person))
    with watching(person) as reader:
        reader.next("ready")
        invited(hall, "seen", OURS)
        reader.next("dock")
    assert [one["act"] for one in hall.accesses(person)[before:]] == ["dock.read"]


def test_nobody_is_told_anything_who_is_not_signed_in(hall: Hall) -> None:
    assert hall.nobody.get("/v1/events").status_code == 401


def test_the_end_of_the_server_ends_streams_at_once(hall: Hall) -> None:
    app = create_app(hall.app.state.context)
    with closing(app.state.desk), bound("127.0.0.1", 0) as listener, ExitStack() as serving:
        server = serving.enter_context(listening(app, listener, identity=None, grace_s=10))
        told = {"headers": dict(hall["auditor"].headers), "timeout": 15}
        with httpx2.stream("GET", f"{server.address}/v1/events", **told) as response:  # type: ignore[arg-type]
            next(response.iter_lines())
            began = time.monotonic()
            serving.close()
            assert time.monotonic() - began < 3


async def never_taken(hall: Hall) -> list[str]:
    """Ask as a client does that takes the head of the answer and nothing more; what was sent until it was let go."""
    sent: list[str] = []
    headers = [(name.lower().encode(), value.encode()) for name, value in hall["investigator"].headers.items()]
    scope: dict[str, Any] = {
        "type": "http",
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": "/v1/events",
    }
    scope |= {"raw_path": b"/v1/events", "query_string": b"", "headers": headers, "client": ("127.0.0.1", 9)}
    asked = iter([{"type": "http.request", "body": b"", "more_body": False}])

    async def receive() -> Any:
        for message in asked:
            return message
        return await asyncio.Event().wait()

    async def send(message: Any) -> None:
        sent.append(message["type"])
        if message["type"] == "http.response.body":
            await asyncio.Event().wait()

    await asyncio.wait_for(hall.app(scope | {"server": ("127.0.0.1", 80)}, receive, send), 10)
    return sent


def test_a_reader_that_takes_nothing_is_let_go(hall: Hall) -> None:
    assert asyncio.run(never_taken(hall)) == ["http.response.start", "http.response.body"]
