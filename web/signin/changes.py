# SPDX-License-Identifier: Apache-2.0
"""This is where people change what they prove themselves by. Each change is an event, and ends their other sessions.

Whether the person proved themselves minutes ago is for the route to ask.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from evidence import ids, instant
from evidence.custody import Happening
from evidence.errors import BadInput, Conflict, NotFound, NotSignedIn, Refused, WrongState
from evidence.ids import stream_of
from evidence.tokens import token_sha256
from evidence.written import one_line
from pipeline.ports import Ports
from pipeline.sign_in_links import check_link_maker
from pipeline.users import LINK
from storage.register import credential_rows, session_rows, user_rows
from storage.register.answers import Row
from storage.register.facts import Facts
from storage.register.search import Connection
from web.signin import passkeys, totp
from web.signin.accounts import BY_PASSKEY, BY_PASSWORD, PASSWORD
from web.signin.means import Means
from web.signin.sessions import open_session_in

LONG, SHORT = "long", "short"
"""Labels of a password: one that stands alone, one that does beside a second factor only."""
_BAD_LINK = "this link is not known, was used, or is good no longer: ask for another"


@dataclass(frozen=True, slots=True)
class Changing:
    """Where a change is made: by whom (`ports.actor`), with what, when, and in which session (its SHA-256)."""

    ports: Ports
    means: Means
    now: datetime
    session: str | None = None


def set_password(user: str, password: str, *, by: Changing) -> None:
    """Have a new password.

    Raises:
        BadInput: it cannot be chosen. Overloaded.
    """
    with by.ports.register.view() as connection:
        row = user_rows.user(connection, user)
        is_alone = not credential_rows.credentials_of(connection, user, totp.KIND)
    kept = _password_row(row, password, is_alone=is_alone, by=by)
    with by.ports.register.begin() as writing:
        credential_rows.remove_credentials(writing.connection, user, kind=PASSWORD)
        credential_rows.add_credential(writing.connection, kept)
        _changed(writing, user, PASSWORD, "set", by)


def keep_totp(user: str, offer: str, code: str, *, by: Changing) -> None:
    """Have codes from now on, by the secret of an offer that a code is shown for.

    Raises:
        NotFound: no such offer, or no longer. BadInput: it is not its code. StoreUnavailable.
    """
    at = instant.to_text(by.now)
    with by.ports.register.begin() as writing:
        row = credential_rows.one_time_of(writing.connection, token_sha256(offer), totp.KIND, at=at)
        if row is None or row["subject"] != user:
            raise NotFound("this offer is not known, or no longer: begin again")
        totp.keep(writing.connection, user, row["told"], code, means=by.means, ports=by.ports, now=by.now)
        credential_rows.use_one_time(writing.connection, token_sha256(offer), totp.KIND, at=at)
        _changed(writing, user, totp.KIND, "set", by)


def remove_totp(user: str, *, by: Changing) -> None:
    """Have codes no longer.

    Raises:
        NotFound: there are none. Refused: the password is too short to stand alone.
    """
    with by.ports.register.begin() as writing:
        kept = credential_rows.credentials_of(writing.connection, user, PASSWORD)
        if any(row["label"] == SHORT for row in kept):
            raise Refused("the password is too short to stand alone: set a longer one first")
        if not credential_rows.remove_credentials(writing.connection, user, kind=totp.KIND):
            raise NotFound("there are no codes to remove")
        _changed(writing, user, totp.KIND, "removed", by)


def keep_passkey(user: str, told: passkeys.Told, label: str, *, by: Changing) -> str:
    """Have one more passkey; its id.

    Raises:
        BadInput: it cannot be taken. Conflict: somebody has it.
    """
    made = passkeys.made(told, user, means=by.means, ports=by.ports, now=by.now)
    with by.ports.register.begin() as writing:
        credential_rows.add_credential(writing.connection, _passkey_row(writing.connection, user, made, label, by))
        _changed(writing, user, passkeys.KIND, "added", by)
    return made.id


def remove_passkey(user: str, identifier: str, *, by: Changing) -> None:
    """Have a passkey no longer.

    Raises:
        NotFound: it is not this user's. Refused: it is all they have.
    """
    with by.ports.register.begin() as writing:
        kept = credential_rows.credentials_of(writing.connection, user)
        if identifier not in {row["id"] for row in kept if row["kind"] == passkeys.KIND}:
            raise NotFound("no such passkey of yours")
        if not [row for row in kept if row["kind"] in (PASSWORD, passkeys.KIND) and row["id"] != identifier]:
            raise Refused("this passkey is all that you sign in with: add another one, or a password, first")
        credential_rows.remove_credentials(writing.connection, user, kind=passkeys.KIND, only=identifier)
        _changed(writing, user, passkeys.KIND, "removed", by)


@dataclass(frozen=True, slots=True)
class Beginning:
    """What somebody begins an account with: a password, a passkey, or both; its text form shows neither."""

    password: str | None = field(default=None, repr=False)
    passkey: passkeys.Told | None = field(default=None, repr=False)
    label: str = ""


def user_of_link(connection: Connection, token: str, *, now: datetime) -> tuple[Row, Row]:
    """The user whom a link is for, and the link, while it is good.

    Raises:
        NotSignedIn: it is not known, was used, or is good no longer; which of these is not told.
        Refused: it was made by somebody who may not make one for this user.
    """
    link = credential_rows.one_time_of(connection, token_sha256(token), LINK, at=instant.to_text(now))
    if link is None:
        raise NotSignedIn(_BAD_LINK)
    user = user_rows.user(connection, link["subject"])
    if user["state"] != "active":
        raise NotSignedIn(_BAD_LINK)
    check_link_maker(user_rows.roles_of(connection, user["id"]), link["told"])
    return user, link


def begin_by_link(token: str, beginning: Beginning, *, by: Changing) -> str:
    """Use a link up: what the user proved themselves by before has ended, and a session begins; its token.

    Raises:
        NotSignedIn, Refused: as `user_of_link`. BadInput: neither password nor passkey, or one that cannot be.
    """
    if beginning.password is None and beginning.passkey is None:
        raise BadInput("choose a password, or make a passkey")
    with by.ports.register.view() as connection:
        user, _ = user_of_link(connection, token, now=by.now)
    rows = []
    if beginning.password is not None:
        rows.append(_password_row(user, beginning.password, is_alone=True, by=by))
    made = None
    if beginning.passkey is not None:
        made = passkeys.made(beginning.passkey, user["id"], means=by.means, ports=by.ports, now=by.now)
    with by.ports.register.begin() as writing:
        user, link = user_of_link(writing.connection, token, now=by.now)
        at = instant.to_text(by.now)
        if credential_rows.use_one_time(writing.connection, link["sha256"], LINK, at=at) is None:
            raise WrongState(_BAD_LINK)
        credential_rows.remove_credentials(writing.connection, user["id"])
        if made is not None:
            rows.append(_passkey_row(writing.connection, user["id"], made, beginning.label, by))
        return _begin(writing, user["id"], rows, by)


def _begin(writing: Facts, user: str, rows: Sequence[dict[str, Any]], by: Changing) -> str:
    for row in rows:
        credential_rows.add_credential(writing.connection, row)
        _changed(writing, user, row["kind"], "begun", by)
    session_rows.end_sessions_of(writing.connection, user, at=instant.to_text(by.now))
    how = BY_PASSKEY if rows[-1]["kind"] == passkeys.KIND else BY_PASSWORD
    return open_session_in(writing, user, how, ports=by.ports, figures=by.means.figures, now=by.now)


def _password_row(user: Row, password: str, *, is_alone: bool, by: Changing) -> dict[str, Any]:
    passwords, figures = by.means.passwords, by.means.figures
    known = [user[name] for name in ("login", "name", "officer", "unit") if user[name]]
    passwords.check_new(password, known=known, is_alone=is_alone)
    return {
        "id": ids.opaque("crd", by.ports.chance(10)),
        "user": user["id"],
        "kind": PASSWORD,
        "secret": passwords.hash(password),
        "label": LONG if len(password) >= figures.password_better else SHORT,
        "made_at": instant.to_text(by.now),
    }


def _passkey_row(connection: Connection, user: str, made: passkeys.Passkey, label: str, by: Changing) -> dict[str, Any]:
    if credential_rows.credential(connection, made.id) is not None:
        raise Conflict("this passkey is somebody's already")
    return {
        "id": made.id,
        "user": user,
        "kind": passkeys.KIND,
        "secret": made.secret,
        "counter": made.counter,
        "label": one_line(label, "the label of a passkey", may_be_empty=True),
        "made_at": instant.to_text(by.now),
    }


def _changed(writing: Facts, user: str, credential: str, change: str, by: Changing) -> None:
    session_rows.end_sessions_of(writing.connection, user, at=instant.to_text(by.now), but=by.session)
    happening = Happening(
        "credential-changed", stream_of("user", user), facts={"change": change, "credential": credential}
    )
    writing.record(happening, actor=f"user:{user}", at=by.now)
