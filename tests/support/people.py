# SPDX-License-Identifier: Apache-2.0
"""This is where tests get people who are signed in: one of each role in one unit, and cases that are theirs or not.

Nobody goes through a password: users, roles and keys are written as events, sessions as sign-in writes them.
"""

import hashlib
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
from fastapi import FastAPI

from app import clocks
from evidence.access import ACTS, Actor, Reach, Role
from evidence.agency import Officer, Unit
from evidence.custody import Happening
from pipeline.casework import NewCase, link, open_case
from pipeline.people import register_officer
from pipeline.ports import Ports
from pipeline.received import ReceivedFiles
from pipeline.units import register_unit
from storage.secret_box import SecretBox
from tests.support.home import NOON, Home, track
from web.api.app import create_app
from web.api.context import Context
from web.api.limits import shipped_limits
from web.api.sessions import Sessions
from web.server.listening import bound, listening
from web.signin.figures import shipped_figures
from web.signin.means import Means
from web.signin.sessions import open_session

OURS, THEIRS = "01", "02"
OFFICER, STRANGER, SECRET = "7", "8", "9"
"""Certificates: of our officer; of one of another unit; of one of ours whose case is restricted."""
ROLES = (Role.OFFICER, Role.INVESTIGATOR, Role.LEGAL, Role.AUDITOR, Role.APPROVER, Role.ADMIN, Role.SERVICE)
CASES = ("own", "other", "restricted")
"""Our officer's; of the other unit; of our unit, restricted, and of none of these people."""
_EVERYWHERE = frozenset({Role.AUDITOR, Role.ADMIN})
_UNTIL = "2099-01-01T00:00:00.000000Z"


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who is signed in; `headers` are what proves it."""

    actor: Actor
    headers: Mapping[str, str]
    client: httpx2.Client

    @property
    def role(self) -> Role:
        """Their one role."""
        return next(iter(self.actor.roles))

    def get(self, path: str, **params: Any) -> httpx2.Response:
        """Ask for something below /v1."""
        return self.ask("GET", path, params=params)

    def post(self, path: str, body: Any = None, **headers: str) -> httpx2.Response:
        """Send JSON to something below /v1; names of headers are written with `_`."""
        return self.ask("POST", path, json=body, headers=headers)

    def ask(self, method: str, path: str, *, headers: Mapping[str, str] | None = None, **more: Any) -> httpx2.Response:
        """One request below /v1."""
        told = {name.replace("_", "-"): value for name, value in (headers or {}).items()}
        return self.client.request(method, f"/v1{path}", headers={**self.headers, **told}, **more)


@dataclass(frozen=True, slots=True)
class Hall:
    """An installation with people, two units, and a case with a recording of each kind (`CASES`), by name."""

    home: Home
    app: FastAPI
    people: Mapping[Role, Person]
    nobody: httpx2.Client
    cases: Mapping[str, str] = field(default_factory=dict)
    """Ids of the cases; numbers are `A-own` and so on."""
    recordings: Mapping[str, str] = field(default_factory=dict)

    def __getitem__(self, role: str) -> Person:
        return self.people[Role(role)]

    def accesses(self, person: Person) -> list[dict[str, Any]]:
        """What is on record of what somebody saw, in order."""
        from sqlalchemy import select

        from storage.register.schema import accesses

        stream = person.actor.id.replace(":", "/")
        with self.home.ports.register.view() as connection:
            wanted = select(accesses).where(accesses.c.stream == stream).order_by(accesses.c.seq)
            return [dict(row) for row in connection.execute(wanted).mappings()]


def context_for(home: Home, **changed: Any) -> Context:
    """What requests may use, as the tests' own server has it."""
    limits = shipped_limits()
    told: dict[str, Any] = {
        "ports": home.ports,
        "files": ReceivedFiles(home.ports.received),
        "sessions": Sessions(time.monotonic, home.ports.chance, limits),
        "limits": limits,
        "now": clocks.now,
        "monotonic": time.monotonic,
        "admit": lambda size_bytes: None,
        "hint": lambda job: None,
        "sign_in": Means(box=SecretBox.create_or_load(home.settings.home / "keys", chance=home.ports.chance)),
    }
    return Context(**told | changed)


@contextmanager
def hall_of_people(home: Home, *, is_filled: bool = True, **changed: Any) -> Iterator[Hall]:
    """A server with people of each role, signed in; with cases and recordings unless it is not `is_filled`.

    `changed` are other values of the server's context, as `now`.
    """
    app = create_app(context_for(home, **changed))
    recordings = _fill(home) if is_filled else {}
    with (
        bound("127.0.0.1", 0) as listener,
        listening(app, listener, identity=None, grace_s=1.0) as server,
        httpx2.Client(base_url=server.address, timeout=30) as client,
    ):
        try:
            people = {role: _person(home.ports, role, client) for role in ROLES}
            yield Hall(home, app, people, client, _cases(home), recordings)
        finally:
            app.state.desk.close()


def add_user(
    ports: Ports, login: str, *roles: Role, unit: str | None = OURS, officer: str | None = None, at: datetime = NOON
) -> str:
    """A user with roles; its id. Privileged ones too: the register takes them as founding."""
    user = f"usr-{login}"
    told = {"login": login, "name": login.title(), "officer": officer, "unit": unit}
    with ports.register.begin() as facts:

        def record(kind: str, detail: dict[str, Any] | None = None, **told: Any) -> None:
            facts.record(Happening(kind, f"user/{user}", told, detail), actor="cli:test", at=at)

        record("user-registered", told)
        for role in roles:
            record("role-given", role=role.value, is_founding=True)
    return user


def signed_in(ports: Ports, user: str, client: httpx2.Client, actor: Actor, *, now: datetime | None = None) -> Person:
    """Somebody with a session that just began."""
    token = open_session(user, "password+totp", ports=ports, figures=shipped_figures(), now=now or clocks.now())
    return Person(actor, {"Cookie": f"evidock={token}", "Origin": str(client.base_url).rstrip("/")}, client)


def _person(ports: Ports, role: Role, client: httpx2.Client) -> Person:
    if role is Role.SERVICE:
        return _program(ports, client)
    unit = None if role in _EVERYWHERE else OURS
    officer = OFFICER if role is Role.OFFICER else None
    user = add_user(ports, role.value, role, unit=unit, officer=officer)
    units = () if unit is None else (unit,)
    return signed_in(ports, user, client, Actor(f"user:{user}", frozenset({role}), unit, units, officer))


def _program(ports: Ports, client: httpx2.Client) -> Person:
    secret = "evk_" + "s" * 43
    acts = sorted(name for name, act in ACTS.items() if act.reach.get(Role.SERVICE, Reach.NONE) > Reach.NONE)
    facts_ = {"sha256": hashlib.sha256(secret.encode()).hexdigest(), "acts": acts, "unit": OURS, "until_at": _UNTIL}
    with ports.register.begin() as facts:
        made = Happening("key-made", "key/key-service", facts_, {"name": "case system"})
        facts.record(made, actor="cli:test", at=NOON)
    actor = Actor("key:key-service", frozenset({Role.SERVICE}), OURS, (OURS,), acts=frozenset(acts))
    return Person(actor, {"Authorization": f"Bearer {secret}"}, client)


def _fill(home: Home) -> dict[str, str]:
    """Two units, three officers, and of each a recording and a case that holds it."""
    ports, now, made = home.ports, clocks.now(), {}
    for unit in (OURS, THEIRS):
        register_unit(Unit(unit, f"Unit {unit}"), ports=ports, now=now)
    told = zip(CASES, (OFFICER, STRANGER, SECRET), (OURS, THEIRS, OURS), strict=True)
    for number, (name, officer, unit) in enumerate(told):
        register_officer(Officer(officer, unit=unit), ports=ports, now=now)
        at = NOON + timedelta(hours=number)
        path = track(Path(home.settings.home) / "cards", f"{name}.gpx", number=number, at=at)
        made[name] = home.ingest_one(path, officer=officer)["id"]
        case = NewCase(f"A-{name}", "", (officer,), at - timedelta(hours=1), at + timedelta(hours=1), unit=unit)
        open_case(case, ports=ports, now=now)
        assert link(case.number, [made[name]], why="filmed there", withdraw=False, ports=ports, now=now)
    with ports.register.begin() as facts:
        secret = Happening(
            "case-restricted", f"case/{_cases(home)['restricted']}", {"is_restricted": True}, {"why": "x"}
        )
        facts.record(secret, actor="cli:test", at=now)
    return made


def _cases(home: Home) -> dict[str, str]:
    from storage.register import search

    with home.ports.register.view() as connection:
        return {row["number"].removeprefix("A-"): row["id"] for row in search.every(connection, "cases")}
