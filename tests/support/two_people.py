# SPDX-License-Identifier: Apache-2.0
"""This is where tests let two people agree on something, and register the users who do."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from app import clocks
from evidence.custody import Happening
from pipeline import approvals
from pipeline.approvals import Decided, Request
from pipeline.ports import Ports
from storage.register.facts import Facts
from tests.support.home import Home

ASKER, SECOND = "cli:zhang", "cli:wang"


def by(home: Home, actor: str) -> Ports:
    """The installation's ports in somebody's name."""
    return replace(home.ports, actor=actor)


def agreed(ports: Ports, wanted: Request, *, why: str = "over", now: datetime, one: str = ASKER) -> Decided:
    """What two people at the machine agree on."""
    told = approvals.request(wanted, why=why, ports=replace(ports, actor=one), now=now)
    return approvals.approve(told.id, ports=replace(ports, actor=SECOND), now=now)


def lift_hold(ports: Ports, hold: str, *, now: datetime, why: str = "over") -> Decided:
    """Lift a hold as two people."""
    return agreed(ports, Request("hold-lift", "hold", hold), why=why, now=now)


def leave_the_sandbox(home: Home) -> None:
    """Let two people agree that an installation decodes without walls: it does so when it is opened again."""
    agreed(home.ports, Request("sandbox-off", "installation", home.ports.place), now=clocks.now())


def add_user(writing: Facts, name: str, *roles: str, at: datetime, **told: Any) -> str:
    """An active user `usr-NAME` whose login is `name`, with roles; a privileged one as by whoever installs."""
    identifier = f"usr-{name}"
    detail = {"login": name, "name": name.title(), "officer": None, "unit": None} | told
    stream = f"user/{identifier}"
    writing.record(Happening("user-registered", stream, detail=detail), actor="cli:root", at=at)
    for role in roles:
        facts = {"is_founding": role in ("admin", "approver", "auditor"), "role": role}
        writing.record(Happening("role-given", stream, facts=facts), actor="cli:root", at=at)
    return identifier


def hours(number: float) -> timedelta:
    return timedelta(hours=number)
