# SPDX-License-Identifier: Apache-2.0
"""This is where it is declared who may do what: one table of acts by roles, and how far each role reaches.

The table is all there is: a route names its act, and what no line allows is refused. How far a role reaches becomes
a filter of the register's lists, so that nobody is shown what they may not open.

Source: the design notes on security (roles, matrix, break-glass), and rules on access approval (调阅审批).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum, StrEnum


class Role(StrEnum):
    """What a person, a program or a dock is to us."""

    DOCK = "dock"
    OFFICER = "officer"
    INVESTIGATOR = "investigator"
    LEGAL = "legal"
    AUDITOR = "auditor"
    APPROVER = "approver"
    ADMIN = "admin"
    SERVICE = "service"


PRIVILEGED = frozenset({Role.ADMIN, Role.APPROVER, Role.AUDITOR})
"""Roles that two people give together."""


class Reach(IntEnum):
    """How far an act reaches, for a role; a larger one holds the smaller.

    SELF: what is one's own (account, requests, accesses). GRANTED: what a standing grant names.
    OWN: besides, recordings one filmed, and cases one is an officer or a member of, with their recordings.
    UNIT: besides, those of one's unit and the units below it, but no case that is restricted, nor its recordings,
    unless one is a member of it. ALL: everything, restricted cases too.
    """

    NONE = 0
    SELF = 1
    GRANTED = 2
    OWN = 3
    UNIT = 4
    ALL = 5


@dataclass(frozen=True, slots=True)
class Act:
    """Something one may ask for. `is_sensitive`: the person must have proved themselves minutes ago.

    `is_told`: that it was allowed is a custody event; a refusal always is.
    """

    name: str
    reach: Mapping[Role, Reach]
    is_sensitive: bool = False
    is_told: bool = True


_O, _I, _L, _A, _P, _M, _S = (
    Role.OFFICER, Role.INVESTIGATOR, Role.LEGAL, Role.AUDITOR, Role.APPROVER, Role.ADMIN, Role.SERVICE,
)  # fmt: skip
_PEOPLE = (_O, _I, _L, _A, _P, _M)


def _reads(*, admin: Reach = Reach.NONE) -> dict[Role, Reach]:
    """What everybody who works on cases reads as far as they reach, and an auditor everywhere."""
    told = {_O: Reach.OWN, _I: Reach.UNIT, _L: Reach.UNIT, _P: Reach.UNIT, _S: Reach.UNIT, _A: Reach.ALL}
    return told | ({_M: admin} if admin else {})


def _of(reach: Reach, *roles: Role) -> dict[Role, Reach]:
    return dict.fromkeys(roles, reach)


def _acts() -> dict[str, Act]:
    unit, every, own, self_ = Reach.UNIT, Reach.ALL, Reach.OWN, Reach.SELF
    works = {_O: own} | _of(unit, _I)
    sees = {_O: own} | _of(unit, _I, _L, _P, _S) | _of(Reach.GRANTED, _A, _M)
    lists = _of(unit, _O, _I, _L, _P, _S) | _of(every, _A, _M)
    system = _of(every, _M, _A)
    told: dict[str, Mapping[Role, Reach]] = {
        # recordings and what is made of them
        "recording.read": _reads(), "segment.read": _reads(), "search": _reads(), "verify": _reads(),
        "media.view": sees, "media.original": _of(Reach.GRANTED, *_PEOPLE),
        "clip.make": _of(unit, _I, _L) | {_O: own}, "clip.read": _reads(),
        "recording.release": _of(unit, _I), "recording.review": _of(unit, _I, _L), "recording.condition": _of(unit, _I),
        # cases
        "case.read": _reads(), "case.open": works, "case.change": works, "case.link": works,
        "case.member": _of(unit, _I, _P), "case.restrict": _of(unit, _I, _P), "case.reopen": _of(unit, _P),
        "coverage.read": _reads(),
        # keeping
        "catalog.read": _of(every, *_PEOPLE, _S), "catalog.propose": _of(every, _L),
        "catalog.approve": _of(every, _P), "catalog.withdraw": _of(every, _L, _P),
        "hold.read": _reads(), "hold.place": _of(unit, _I, _L), "retention.read": _reads(admin=every),
        "appraisal.read": _reads(), "appraisal.make": _of(unit, _L), "disposal.read": _reads(admin=every),
        "disposal.propose": _of(unit, _L), "disposal.approve": _of(unit, _P), "disposal.undo": _of(every, _L, _P, _A),
        # registries
        "unit.read": _of(every, *_PEOPLE, _S), "unit.change": _of(every, _M),
        "officer.read": lists, "officer.change": _of(every, _M),
        "device.read": lists, "device.change": _of(every, _M), "device.issue": _of(every, _M),
        "dock.read": lists, "dock.change": _of(every, _M),
        # proof
        "custody.read": _reads(), "log.read": _of(every, *_PEOPLE, _S), "access.read": _of(every, _A),
        "access.own": _of(self_, *_PEOPLE), "access.export": _of(every, _A),
        # running
        "job.read": system, "job.retry": _of(every, _M), "quarantine.read": _of(unit, _I) | system,
        # people
        "user.read": _of(every, _M, _A, _P), "user.change": _of(every, _M), "user.self": _of(self_, *_PEOPLE),
        "key.read": system, "key.change": _of(every, _M), "webhook.read": system, "webhook.change": _of(every, _M),
        "grant.read": _of(self_, _O, _I, _L, _M) | _of(unit, _P) | {_A: every},
        "grant.revoke": _of(unit, _P),
        "approval.request": _of(self_, *_PEOPLE),
        "approval.read": _of(self_, _O, _I, _L, _M) | _of(unit, _P) | {_A: every},
        "approval.decide": _of(unit, _P), "approval.withdraw": _of(self_, *_PEOPLE),
        "export.read": _of(own, _I, _L, _P) | {_A: every}, "export.make": _of(Reach.GRANTED, _I, _L),
        "export.take": _of(Reach.GRANTED, _I, _L),
        # docks speak their own protocol
        "dock.speak": {Role.DOCK: self_},
    }  # fmt: skip
    sensitive = {
        "approval.decide", "catalog.approve", "disposal.approve", "export.make", "export.take", "key.change",
        "media.original", "user.change", "webhook.change", "access.export", "dock.change",
    }  # fmt: skip
    untold = {"dock.speak", "user.self", "unit.read", "catalog.read", "log.read", "job.read"}
    return {
        name: Act(name, reach, is_sensitive=name in sensitive, is_told=name not in untold)
        for name, reach in told.items()
    }


ACTS: Mapping[str, Act] = _acts()


@dataclass(frozen=True, slots=True)
class Actor:
    """Who asks: `id` as in events (`user:usr-…`, `key:key-…`, `dock:dck-…`).

    `unit`: what UNIT means for them; None: the whole agency. `units`: that unit and all below it. `officer`: the
    number of their certificate. `acts`: of a key, the only acts it may; None: all of its roles.
    """

    id: str
    roles: frozenset[Role]
    unit: str | None = None
    units: tuple[str, ...] = ()
    officer: str | None = None
    acts: frozenset[str] | None = None

    @property
    def name(self) -> str:
        """The id alone, without its door: `usr-…`."""
        return self.id.partition(":")[2]


def reach_of(actor: Actor, act: str) -> Reach:
    """How far `actor` reaches with an act: the furthest of their roles, NONE when it is not theirs.

    An act that is not declared is nobody's. Reaches form one line, so several roles are the furthest of them.
    """
    declared = ACTS.get(act)
    if declared is None or (actor.acts is not None and act not in actor.acts):
        return Reach.NONE
    return max((declared.reach.get(role, Reach.NONE) for role in actor.roles), default=Reach.NONE)


_GRANTS: Mapping[str, frozenset[str]] = {
    "media.view": frozenset({"view", "original", "break-glass"}),
    "media.original": frozenset({"original"}),
    "export.make": frozenset({"export"}),
    "export.take": frozenset({"export"}),
}
_ANY_GRANT = frozenset({"view", "original", "export"})


def kinds_of_grant(act: str) -> frozenset[str]:
    """What a grant must be for, to let its holder reach something with an act.

    A grant to see, take or hand over also shows what is written of its subject; one that breaks glass shows footage
    alone.
    """
    return _GRANTS.get(act, _ANY_GRANT)
