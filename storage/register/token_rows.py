# SPDX-License-Identifier: Apache-2.0
"""This is where leave to fetch footage is kept and asked for: a token's digest, whose it is, what was seen by it."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, delete, exists, insert, or_, select, update

from evidence.lifecycle import State
from storage.register.answers import Row, all_rows, one_row
from storage.register.schema import recordings
from storage.register.schema_cases import case_links
from storage.register.schema_doors import media_tokens, sessions
from storage.register.schema_people import api_keys, grants, users

_TAKEN = (State.DISPOSING.value, State.DISPOSED.value)
Stretches = Sequence[Sequence[Any]]
"""Pairs, as the caller wrote them: from, to."""


def add_token(connection: Connection, row: Mapping[str, Any]) -> None:
    """Keep a token: a row of the table."""
    connection.execute(insert(media_tokens).values(**row))


def token(connection: Connection, sha256: str) -> Row | None:
    """The token of this digest that is not folded, whatever its times say; they are for the caller.

    None also once the grant that it hangs on is revoked, or the recording's bytes are being taken away.
    """
    revoked = exists().where(grants.c.id == media_tokens.c.grant, grants.c.revoked_at.is_not(None))
    taken = exists().where(recordings.c.id == media_tokens.c.recording, recordings.c.state.in_(_TAKEN))
    mine = (media_tokens.c.sha256 == sha256, media_tokens.c.folded_at.is_(None))
    return one_row(connection, select(media_tokens).where(*mine, ~revoked, ~taken))


def grant_of(connection: Connection, user: str, recording: str, *, kinds: Iterable[str], at: str) -> Row | None:
    """The grant that lets `user` see `recording` at an instant, of these kinds; of several, the one that marks least.

    It names the recording, or a case that any of its footage stands linked to.
    """
    linked = select(case_links.c.case_id).where(
        case_links.c.recording == recording, case_links.c.withdrawn_at.is_(None)
    )
    names = or_(
        (grants.c.noun == "recording") & (grants.c.subject == recording),
        (grants.c.noun == "case") & grants.c.subject.in_(linked),
    )
    wanted = select(grants).where(
        grants.c.user == user,
        grants.c.what.in_(list(kinds)),
        grants.c.revoked_at.is_(None),
        grants.c.from_at <= at,
        grants.c.until_at > at,
        names,
    )
    return one_row(connection, wanted.order_by(grants.c.watermark, grants.c.until_at.desc(), grants.c.id).limit(1))


def seen_of(connection: Connection, sha256: str) -> tuple[Stretches, Stretches] | None:
    """What went out by a token that is not folded, and what its player says was shown."""
    wanted = select(media_tokens.c.served, media_tokens.c.watched)
    row = one_row(connection, wanted.where(media_tokens.c.sha256 == sha256, media_tokens.c.folded_at.is_(None)))
    return None if row is None else stretches_of(row)


def stretches_of(row: Row) -> tuple[Stretches, Stretches]:
    """What was served and watched, of a row."""
    return json.loads(row["served"]), json.loads(row["watched"])


def set_seen(connection: Connection, sha256: str, *, served: Stretches, watched: Stretches) -> None:
    """Keep what was seen by a token."""
    mine = (media_tokens.c.sha256 == sha256, media_tokens.c.folded_at.is_(None))
    connection.execute(update(media_tokens).where(*mine).values(served=json.dumps(served), watched=json.dumps(watched)))


def ended(connection: Connection, *, at: str, limit: int) -> list[Row]:
    """At most `limit` tokens that nobody can use any more and that are not folded, the oldest first.

    They ran out; or the session they are bound to ended, or the key, or the person was disabled.
    """
    session = exists().where(sessions.c.sha256 == media_tokens.c.holder, sessions.c.ended_at.is_(None))
    key = exists().where(api_keys.c.id == media_tokens.c.holder, api_keys.c.revoked_at.is_(None))
    disabled = exists().where(users.c.state == "disabled", media_tokens.c.actor == "user:" + users.c.id)
    is_over = or_(media_tokens.c.until_at <= at, ~(session | key), disabled)
    wanted = select(media_tokens).where(media_tokens.c.folded_at.is_(None), is_over)
    return all_rows(connection, wanted.order_by(media_tokens.c.until_at, media_tokens.c.id).limit(limit))


def fold(connection: Connection, sha256: str, *, at: str) -> bool:
    """What was seen by a token became an event; False when it had already."""
    mine = (media_tokens.c.sha256 == sha256, media_tokens.c.folded_at.is_(None))
    return bool(connection.execute(update(media_tokens).where(*mine).values(folded_at=at)).rowcount)


def forget_tokens(connection: Connection, *, before: str) -> int:
    """Take out what was folded before an instant: its events stay; how many that were."""
    gone = (media_tokens.c.folded_at.is_not(None), media_tokens.c.folded_at < before)
    return connection.execute(delete(media_tokens).where(*gone)).rowcount
