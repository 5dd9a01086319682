# SPDX-License-Identifier: Apache-2.0
"""This is where docks are let in and shut out: invited with a one-time code, enrolled with a key, switched, revoked.

The code is shown once and never kept: the register and the log hold its SHA-256. It has 80 bits, so that its
digest, which stands in a public log, gives it to nobody while it is good.
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta

from evidence import ids, instant
from evidence.custody import Happening, parse_event
from evidence.errors import BadInput, NotFound, NotSignedIn, RecordMalformed, WrongState
from evidence.ids import stream_of
from evidence.note import VerifierKey, split_note
from evidence.written import one_line, reason
from pipeline.dock_figures import dock_figures
from pipeline.ports import Ports
from storage.register import casebook, dock_rows, search
from storage.register.search import Connection, Row
from storage.signing import verifier_of

KINDS = ("dock", "terminal", "axis")

# Crockford's base 32: no I, L, O or U, which are read or heard as something else.
_LETTERS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_MISREAD = str.maketrans({"O": "0", "I": "1", "L": "1", "-": None, " ": None})
_CODE_LENGTH, _GROUP = 16, 4


@dataclass(frozen=True, slots=True)
class Invitation:
    """Who is invited: `device` is the serial of the device that a terminal is; `minutes`: how long the code is good.

    Raises:
        BadInput: no such kind, no name, a terminal without its device, or a dock with one.
    """

    name: str
    kind: str = "dock"
    unit: str = ""
    device: str | None = None
    minutes: int | None = None

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise BadInput(f"a dock is of kind {', '.join(KINDS)}, not {self.kind[:40]!r}")
        if one_line(self.name, "the name of a dock") != self.name or self.unit != self.unit.strip():
            raise BadInput("a name begins and ends with a letter or a digit, not with a space")
        if (self.kind == "terminal") != (self.device is not None):
            raise BadInput("a terminal is a device: name its serial; a dock is none")
        longest = dock_figures().enrolment.longest_code_minutes
        if self.minutes is not None and not 1 <= self.minutes <= longest:
            raise BadInput(f"a code is good for 1 to {longest} minutes, not {self.minutes}")


@dataclass(frozen=True, slots=True)
class Invited:
    """What is told to the person at the dock; `code` is told once, here, and kept nowhere."""

    dock: str
    code: str
    until: datetime


def invite(invitation: Invitation, *, ports: Ports, now: datetime, again: str | None = None) -> Invited:
    """Invite a dock; `again`: one that is known already gets another code, and its key so far is worth nothing.

    Raises:
        NotFound: the unit, the device or the dock `again` is not registered.
        WrongState: the dock was revoked, or is of another kind.
    """
    code = _new_code(ports.chance(_CODE_LENGTH))
    minutes = invitation.minutes or dock_figures().enrolment.code_minutes
    until = now + timedelta(minutes=minutes)
    with ports.register.begin() as writing:
        connection = writing.connection
        identifier = ids.opaque("dck", ports.chance(10)) if again is None else again
        known = None if again is None else _still_let_in(connection, again, kind=invitation.kind)
        facts = {
            "code_sha256": code_sha256(code),
            "erases": False if known is None else bool(known["erases"]),
            "kind": invitation.kind,
            "until": instant.to_text(until),
        }
        detail = {"device": invitation.device, "name": invitation.name, "unit": _unit(connection, invitation.unit)}
        if invitation.device is not None and search.device(connection, invitation.device) is None:
            raise NotFound(f"no device {invitation.device!r}: run `evidock device add` first")
        happening = Happening("dock-invited", stream_of("dock", identifier), facts=facts, detail=detail)
        writing.record(happening, actor=ports.actor, at=now)
    return Invited(identifier, code, until)


def _unit(connection: Connection, told: str) -> str:
    if not told:
        return ""
    code = casebook.unit_told(connection, told)
    if code is None:
        raise NotFound(f"no unit {told[:80]!r}: run `evidock unit add` first")
    return code


def _still_let_in(connection: Connection, identifier: str, *, kind: str) -> Row:
    row = dock_rows.dock(connection, identifier)
    if row["state"] == "revoked" or row["kind"] != kind:
        raise WrongState(f"{identifier} is a {row['kind']}, {row['state']}: it cannot be invited again as a {kind}")
    return row


def enrol(code: str, key: bytes, *, ports: Ports, now: datetime, name: str = "") -> Row:
    """Take a dock in with the key that it made: the row of the dock that the code was for.

    A code is used up by one key. The same code with the same key again, while the code is good, is the same
    enrolment: the answer was lost on the way. `name` is what the dock calls itself, for the record.

    Raises:
        NotSignedIn: the code is not known, was used, or is good no longer; which of these is not told.
        BadInput: the key is no Ed25519 key that anyone may trust, or the name is none.
    """
    called = one_line(name, "the name of a dock", may_be_empty=True)
    _check_key(key)
    digest = code_sha256(code)
    with ports.register.begin() as writing:
        row = dock_rows.dock_of_code(writing.connection, digest)
        if row is None:
            return _enrolled_already(writing.connection, digest, key, now=now)
        if row["state"] != "invited" or instant.from_text(row["code_until"]) <= now:
            raise _unknown_code()
        detail = {"name": called} if called else None
        happening = Happening("dock-enrolled", stream_of("dock", row["id"]), facts={"key": key.hex()}, detail=detail)
        writing.record(happening, actor=actor_of(row), at=now)
        return dock_rows.dock(writing.connection, row["id"])


def _enrolled_already(connection: Connection, digest: str, key: bytes, *, now: datetime) -> Row:
    for row in dock_rows.every_dock(connection):
        if row["state"] == "enrolled" and row["key"] == key.hex():
            invited = search.event_of_kind(connection, stream_of("dock", row["id"]), "dock-invited")
            facts = parse_event(split_note(invited["note"])[0]).facts
            if facts["code_sha256"] == digest and instant.from_text(facts["until"]) > now:
                return row
    raise _unknown_code()


def _unknown_code() -> NotSignedIn:
    return NotSignedIn(
        "this code is not known, was used, or is good no longer: ask for another (`evidock dock invite`)"
    )


def _check_key(key: bytes) -> None:
    try:
        verifier_of(VerifierKey("dock", key))
    except RecordMalformed as error:
        raise BadInput("the key is no Ed25519 key that anyone may trust") from error


def switch_erasing(identifier: str, *, erases: bool, why: str, ports: Ports, now: datetime) -> bool:
    """Let a dock clear devices whose files all rest, or no longer; False, and no event, when it is so already.

    Raises:
        NotFound: no such dock. WrongState: it was revoked, or is no dock station. BadInput: no reason.
    """
    told = {"why": reason(why)}
    with ports.register.begin() as writing:
        row = dock_rows.dock(writing.connection, identifier)
        if row["state"] == "revoked" or (erases and row["kind"] != "dock"):
            raise WrongState(f"{identifier} is a {row['kind']}, {row['state']}: it clears no device")
        if bool(row["erases"]) == erases:
            return False
        happening = Happening("dock-switched", stream_of("dock", identifier), facts={"erases": erases}, detail=told)
        writing.record(happening, actor=ports.actor, at=now)
    return True


def revoke(identifier: str, *, why: str, ports: Ports, now: datetime) -> bool:
    """Shut a dock out, for good: its key, its tokens and an unused code end now. False when it was before.

    Raises:
        NotFound: no such dock. BadInput: no reason.
    """
    told = {"why": reason(why)}
    with ports.register.begin() as writing:
        if dock_rows.dock(writing.connection, identifier)["state"] == "revoked":
            return False
        happening = Happening("dock-revoked", stream_of("dock", identifier), detail=told)
        writing.record(happening, actor=ports.actor, at=now)
    return True


def named(connection: Connection, told: str) -> Row:
    """The dock of this id, or of this name when it is the only one.

    Raises:
        NotFound: there is none, or there are several of that name.
    """
    found = [row for row in dock_rows.every_dock(connection) if told in (row["id"], row["name"])]
    if len(found) > 1:
        raise NotFound(f"{len(found)} docks are called {told[:80]!r}: name one by its id")
    return found[0] if found else dock_rows.dock(connection, told)


def actor_of(dock: Row) -> str:
    """Who is named as the actor of what a dock does."""
    return f"dock:{dock['id']}"


def code_sha256(code: str) -> str:
    """What is kept of a one-time code; spaces, dashes, small letters and look-alikes of digits make no difference."""
    plain = code.upper().translate(_MISREAD)
    return hashlib.sha256(b"evidock-code-v1\n" + plain.encode("utf-8", "replace")).hexdigest()


def _new_code(chance: bytes) -> str:
    letters = "".join(_LETTERS[one % len(_LETTERS)] for one in chance)  # 256 is a multiple of 32: none is likelier
    return "-".join(letters[at : at + _GROUP] for at in range(0, len(letters), _GROUP))
