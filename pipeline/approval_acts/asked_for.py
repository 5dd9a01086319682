# SPDX-License-Identifier: Apache-2.0
"""This is where what a request names is looked up and brought into its one spelling: users, nouns, spans of time."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from evidence import instant
from evidence.errors import BadInput, NotAllowed, NotFound, RecordMalformed
from evidence.people import fold_login
from storage.register import approval_rows, casebook, hold_rows, search, user_rows
from storage.register.search import Connection, Row


def only(params: Mapping[str, Any], *names: str) -> None:
    """Return when nothing else is told.

    Raises:
        BadInput: something is, which nobody would have agreed on.
    """
    unknown = sorted(set(params) - set(names))
    if unknown:
        raise BadInput(f"this act takes {', '.join(names) or 'nothing more'}, not {', '.join(unknown)[:80]}")


def text(params: Mapping[str, Any], name: str) -> str | None:
    """A text that is told, None when it is not.

    Raises:
        BadInput: it is something else.
    """
    told = params.get(name)
    if told is None or (isinstance(told, str) and 1 <= len(told) <= 200 and told.isprintable()):
        return told
    raise BadInput(f"{name} is a short text", field=name)


def whole(params: Mapping[str, Any], name: str, *, most: int) -> int:
    """A whole number from 1 to `most`; `most` when none is told.

    Raises:
        BadInput: it is something else.
    """
    told = params.get(name, most)
    if type(told) is not int or not 1 <= told <= most:
        raise BadInput(f"{name} is a whole number from 1 to {most}", field=name)
    return told


def yes(params: Mapping[str, Any], name: str) -> bool:
    """A word that is true or false; false when it is not told.

    Raises:
        BadInput: it is something else.
    """
    told = params.get(name, False)
    if type(told) is not bool:
        raise BadInput(f"{name} is true or false", field=name)
    return told


def until(params: Mapping[str, Any], *, now: datetime, days: int) -> str:
    """The instant at which a leave ends, as text; so many days from now when none is told.

    Raises:
        BadInput: it is no instant, has passed, or is further away than may be agreed on.
    """
    told, longest = text(params, "until"), timedelta(days=days)
    if told is None:
        return instant.to_text(now + longest)
    try:
        ends = instant.from_text(told)
    except RecordMalformed as error:
        raise BadInput(f"until is an instant such as 2026-06-19T01:00:00Z, not {told!r}", field="until") from error
    if not now < ends <= now + longest:
        raise BadInput(f"a leave of this sort ends within {days} days from now, not at {told}", field="until")
    return instant.to_text(ends)


def user(connection: Connection, told: str | None, *, asker: str) -> Row:
    """An active user, by id or login; the one who asks, when none is told.

    Raises:
        BadInput: none is told, and who asks is no user. NotFound: there is none. NotAllowed: they are disabled.
    """
    door, _, account = asker.partition(":")
    name = told or (account if door == "user" else None)
    if name is None:
        raise BadInput("say for whom: the user's login or id", field="user")
    row = user_rows.user_of_login(connection, _folded(name)) or user_rows.user(connection, name)
    if row["state"] != "active":
        raise NotAllowed(f"the user {row['id']} is disabled", user=row["id"])
    return row


def _folded(login: str) -> str:
    try:
        return fold_login(login)
    except BadInput:
        return ""  # nobody's: it may be an id


def noun(connection: Connection, kind: str, subject: str) -> tuple[str, str | None]:
    """The id of a `recording`, `case` or `hold`, and the unit that it is of, as far as one is known.

    Raises:
        BadInput: no such kind of noun. NotFound: there is no such thing.
    """
    if kind == "case":
        row = approval_rows.case_named(connection, subject)
        return row["id"], row["unit"] or None
    if kind == "recording":
        found: str = search.recording(connection, subject)["id"]
        told = approval_rows.unit_told_of_recording(connection, found)
        return found, None if told is None else casebook.unit_told(connection, told)
    if kind == "hold":
        hold = hold_rows.hold(connection, subject)
        return hold["id"], _unit_of_hold(connection, hold)
    raise BadInput(f"this is of a recording or a case, not of a {kind[:40]!r}", field="noun")


def _unit_of_hold(connection: Connection, hold: Row) -> str | None:
    try:
        return noun(connection, hold["noun"], hold["subject"])[1]
    except NotFound:
        return None


def one_of(kind: str, *kinds: str) -> str:
    """The kind of noun, when it is one of these.

    Raises:
        BadInput: it is none of them.
    """
    if kind not in kinds:
        raise BadInput(f"this act is about a {' or a '.join(kinds)}, not a {kind[:40]!r}", field="noun")
    return kind
