# SPDX-License-Identifier: Apache-2.0
"""This is where two people agree (四眼原则): one asks, another one decides, and what they agreed on is done at once.

Agreeing and doing are one transaction: no approval lies about that somebody could use for something else. That the
two are two is checked here, where a person's several doors are known, and again by the database, which knows only
names, but whom no step can forget to ask.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from evidence import ids, instant
from evidence.custody import Happening
from evidence.errors import BadInput, Conflict, NotAllowed, RecordMalformed, Refused, WrongState
from evidence.ids import stream_of
from evidence.note import Verifier
from evidence.written import reason
from pipeline.approval_acts import sandbox_off
from pipeline.approval_acts.act import Agreed, Asked, Performed
from pipeline.approval_acts.every import act_named
from pipeline.approval_figures import approval_figures
from pipeline.approval_people import check_may_ask, check_may_decide, same_person
from pipeline.approval_told import APPROVED, REFUSED, WITHDRAWN, Approval, digest_of, read_approval
from pipeline.ports import Ports
from pipeline.retain import refresh
from storage.register import approval_rows, hold_rows, user_rows
from storage.register.facts import Facts
from storage.register.search import Connection, Row


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked for: an act on a noun, with what it takes. `expires`: how long it may wait; None: as usual."""

    act: str
    noun: str
    subject: str
    params: Mapping[str, Any] = field(default_factory=dict)
    expires: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Decided:
    """An approval that was decided, and what was done at once because of it."""

    approval: Approval
    performed: Performed = field(default_factory=Performed)


def request(wanted: Request, *, why: str, ports: Ports, now: datetime) -> Approval:
    """Ask for what needs two people. Nothing is done until another person agrees.

    `now` is steady time that never goes back (`Steady.now`), here and below.

    Raises:
        BadInput: no such act, no reason, or the act cannot be asked for like this. NotFound: no such noun or user.
        NotAllowed: a program, or a user who is disabled. Conflict: the same waits for a decision already.
    """
    figures, act = approval_figures().request, act_named(wanted.act)
    expires = figures.expires if wanted.expires is None else wanted.expires
    if not timedelta(0) < expires <= figures.longest:
        raise BadInput(f"a request waits for at most {figures.longest_expires_hours} hours", field="expires")
    told_why = reason(why)
    identifier = ids.opaque("apv", ports.chance(10))
    with ports.register.begin() as writing:
        connection = writing.connection
        check_may_ask(connection, ports.actor)
        asked = Asked(wanted.noun, wanted.subject, wanted.params, ports.actor, ports.place, now)
        settled = act.settle(connection, asked)
        digest = _digest(act.name, settled.noun, settled.subject, settled.params)
        _refuse_second(connection, digest, ports.actor, now)
        facts = {
            "act": act.name,
            "digest": digest,
            "expires_at": instant.to_text(now + expires),
            "noun": settled.noun,
            "subject": settled.subject,
            "unit": settled.unit,
        }
        detail = {"params": dict(settled.params), "why": told_why}
        happening = Happening("approval-requested", stream_of("approval", identifier), facts=facts, detail=detail)
        writing.record(happening, actor=ports.actor, at=now)
        return read_approval(connection, identifier, verifiers=ports.verifiers)


def _digest(act: str, noun: str, subject: str, params: Mapping[str, Any]) -> str:
    try:
        return digest_of(act, noun, subject, params)
    except RecordMalformed as error:
        raise BadInput(f"this cannot be asked for: {error.message}") from error


def _refuse_second(connection: Connection, digest: str, actor: str, now: datetime) -> None:
    for row in approval_rows.waiting_like(connection, digest, at=instant.to_text(now)):
        if same_person(connection, row["requested_by"], actor):
            raise Conflict(f"{row['id']} asks for this already and waits for a decision", approval=row["id"])


def approve(
    identifier: str, *, why: str = "", digest: str | None = None, ports: Ports, now: datetime,
    counted: datetime | None = None,
) -> Decided:  # fmt: skip
    """Agree as the second person, and have done what was agreed on: both are recorded, or neither.

    `digest`: of what the person was shown; None: they were shown what stands in the register. `counted`: the time
    that keeping is counted at, when it is another. A store that has to follow does so after the commit.

    Raises:
        NotFound: no such approval. WrongState: it is decided, or nobody decided it in time.
        Refused: it was asked for by this same person. NotAllowed: they may not decide it.
        Conflict: it is not what the person was shown, or the noun has changed since.
        LogInconsistent, SignatureInvalid: its row is not what was recorded.
        NotProtected, StoreUnavailable: it is done, and the store has not followed: a sweep tries again.
    """
    with ports.register.begin() as writing:
        told = _waiting(writing.connection, identifier, ports=ports, now=now)
        if digest is not None and digest != told.digest:
            raise Conflict(f"{identifier} asks for something else than you were shown: look again", approval=identifier)
        agreed = _agreed(told, ports, now)
        _check_second(writing.connection, told, agreed)
        _record_decision(writing, told, APPROVED, why=why, ports=ports, now=now)
        performed = act_named(told.act).perform(writing, agreed)
        # A leave that says how long it holds is in use from now on; whatever else was agreed on has been done.
        writing.record(Happening("approval-used", stream_of("approval", identifier)), actor=ports.actor, at=now)
        done = read_approval(writing.connection, identifier, verifiers=ports.verifiers)
    if performed.recordings:
        refresh(list(performed.recordings), ports=ports, now=min(now, counted or now), was_held=True)
    return Decided(done, performed)


def refuse(identifier: str, *, why: str, ports: Ports, now: datetime) -> Decided:
    """Decide against a request, for a reason.

    Raises:
        NotFound, WrongState, Refused, NotAllowed, LogInconsistent, SignatureInvalid: as `approve`.
        BadInput: no reason is given.
    """
    told_why = reason(why)
    with ports.register.begin() as writing:
        told = _waiting(writing.connection, identifier, ports=ports, now=now)
        _check_second(writing.connection, told, _agreed(told, ports, now))
        _record_decision(writing, told, REFUSED, why=told_why, ports=ports, now=now)
        return Decided(read_approval(writing.connection, identifier, verifiers=ports.verifiers))


def withdraw(identifier: str, *, why: str = "", ports: Ports, now: datetime) -> Approval:
    """Take back what one asked for oneself, before it is decided.

    Raises:
        NotFound, WrongState, LogInconsistent, SignatureInvalid: as `approve`. NotAllowed: somebody else asked for it.
    """
    with ports.register.begin() as writing:
        told = _waiting(writing.connection, identifier, ports=ports, now=now)
        if not same_person(writing.connection, told.requested_by, ports.actor):
            raise NotAllowed(f"{identifier} was asked for by somebody else: only they take it back")
        _record_decision(writing, told, WITHDRAWN, why=why, ports=ports, now=now)
        return read_approval(writing.connection, identifier, verifiers=ports.verifiers)


def _waiting(connection: Connection, identifier: str, *, ports: Ports, now: datetime) -> Approval:
    told = read_approval(connection, identifier, verifiers=ports.verifiers)
    if told.decision is not None:
        raise WrongState(f"{identifier} is {told.decision} by {told.decided_by} already", approval=identifier)
    if now > told.expires_at:
        ended = instant.to_text(told.expires_at)
        raise WrongState(f"nobody decided {identifier} before {ended}: ask again", approval=identifier)
    if now < told.requested_at:
        raise WrongState(f"the clock shows less than when {identifier} was asked for", approval=identifier)
    return told


def _check_second(connection: Connection, told: Approval, agreed: Agreed) -> None:
    if same_person(connection, told.requested_by, agreed.decider):
        raise Refused(f"{told.id} was asked for by {told.requested_by}: another person decides it", approval=told.id)
    check_may_decide(connection, agreed.decider, unit=told.unit, gains=act_named(told.act).gains(agreed))


def _agreed(told: Approval, ports: Ports, now: datetime) -> Agreed:
    return Agreed(
        approval=told.id,
        noun=told.noun,
        subject=told.subject,
        params=told.params,
        why=told.why,
        decider=ports.actor,
        now=now,
        chance=ports.chance,
    )


def _record_decision(writing: Facts, told: Approval, decision: str, *, why: str, ports: Ports, now: datetime) -> None:
    facts = {"decision": decision, "digest": told.digest}
    detail = {"why": reason(why) if why.strip() else ""}
    happening = Happening("approval-decided", stream_of("approval", told.id), facts=facts, detail=detail)
    writing.record(happening, actor=ports.actor, at=now)


# --- what stands until a time -----------------------------------------------------------------------


def sandbox_may_be_off(
    connection: Connection, place: str, *, verifiers: Sequence[Verifier], now: datetime
) -> datetime | None:
    """Until when two people agreed that the installation `place` decodes without walls; None: they did not.

    Raises:
        SignatureInvalid, RecordMalformed, LogInconsistent: a row says so that no signed record made.
    """
    ends = [_leave_of(row["id"], connection, verifiers) for row in approval_rows.agreed_on(
        connection, sandbox_off.NAME, place
    )]  # fmt: skip
    return max((one for one in ends if one > now), default=None)


def _leave_of(identifier: str, connection: Connection, verifiers: Sequence[Verifier]) -> datetime:
    told = read_approval(connection, identifier, verifiers=verifiers)
    return instant.from_text(told.params["until"])


# --- what is shown beside ---------------------------------------------------------------------------


def at_other_doors(connection: Connection) -> list[Row]:
    """What waits for a second person in records of its own: told here, decided through its own door (`decide`)."""
    found: list[Row] = [
        _elsewhere("catalog-shorten", "catalog", row, f"evidock catalog approve {row['id']}")
        for row in approval_rows.catalogs_waiting(connection)
    ]
    found += [
        _elsewhere("dispose", "disposal", row, f"evidock dispose approve {row['id']}")
        for row in approval_rows.disposals_waiting(connection)
    ]
    return sorted(found, key=lambda one: (one["requested_at"], one["subject"]))


def _elsewhere(act: str, noun: str, row: Row, decide: str) -> Row:
    told = {"act": act, "noun": noun, "subject": row["id"], "why": row["why"], "decide": decide}
    return told | {"requested_by": row["proposed_by"], "requested_at": row["proposed_at"]}


def context_of(connection: Connection, told: Approval) -> dict[str, Any]:
    """What the second person should know beside the request: the noun as it is now, and who is to get something."""
    found: dict[str, Any] = {}
    user = told.subject if told.noun == "user" else told.params.get("user")
    if isinstance(user, str):
        row = user_rows.user(connection, user)
        found |= {"login": row["login"], "name": row["name"], "roles": user_rows.roles_of(connection, user)}
        found |= {"user_unit": row["unit"], "user_state": row["state"]}
    if told.noun == "hold":
        hold = hold_rows.hold(connection, told.subject)
        found |= {f"hold_{name}": hold[name] for name in ("noun", "subject", "why", "authority", "placed_by")}
    if told.noun == "case":
        case = approval_rows.case_named(connection, told.subject)
        found |= {"number": case["number"], "title": case["title"], "is_restricted": bool(case["restricted"])}
    return found
