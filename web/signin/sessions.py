# SPDX-License-Identifier: Apache-2.0
"""This is where a person's session begins, goes on and ends: an opaque token, of which only the SHA-256 is kept.

Each sign-in and each new proof gives a new token: one that was planted or seen before is worth nothing.
"""

from dataclasses import dataclass
from datetime import datetime

from evidence import instant
from evidence.custody import Happening
from evidence.errors import NotSignedIn
from evidence.ids import stream_of
from evidence.tokens import TOKEN_BYTES, token_of, token_sha256
from pipeline.ports import Ports
from storage.register import session_rows
from storage.register.answers import Row
from storage.register.facts import Facts
from web.signin.figures import Figures


@dataclass(frozen=True, slots=True)
class Session:
    """A session of a person; `sha256` is of its token. `proved_at`: when they last proved who they are."""

    sha256: str
    user: str
    how: str
    made_at: datetime
    seen_at: datetime
    until_at: datetime
    proved_at: datetime

    @classmethod
    def of_row(cls, row: Row) -> "Session":
        """The session of a row."""
        times = {name: instant.from_text(row[name]) for name in ("made_at", "seen_at", "until_at", "proved_at")}
        return cls(row["sha256"], row["user"], row["how"], **times)

    def is_over(self, figures: Figures, now: datetime) -> bool:
        """True when it ran out: nobody used it for long, or it is too old."""
        return now >= self.until_at or now >= self.seen_at + figures.idle


def open_session(user: str, how: str, *, ports: Ports, figures: Figures, now: datetime) -> str:
    """Begin a session of a user who proved themselves by `how`; its token, which is kept nowhere."""
    with ports.register.begin() as writing:
        return open_session_in(writing, user, how, ports=ports, figures=figures, now=now)


def open_session_in(
    writing: Facts, user: str, how: str, *, ports: Ports, figures: Figures, now: datetime, until: datetime | None = None
) -> str:
    """As `open_session`, in open facts. `until`: when the session ends that this one goes on with.

    Repeat: every call begins another session.
    """
    token, at = token_of(ports.chance(TOKEN_BYTES)), instant.to_text(now)
    row = {
        "sha256": token_sha256(token),
        "user": user,
        "how": how,
        "made_at": at,
        "seen_at": at,
        "until_at": instant.to_text(until or now + figures.absolute),
        "proved_at": at,
    }
    session_rows.forget_sessions(writing.connection, before=instant.to_text(now - figures.absolute))
    _make_room(writing, user, figures, at)
    session_rows.add_session(writing.connection, row)
    told = {"how": how} | ({"is_proof": True} if until is not None else {})
    writing.record(Happening("signed-in", stream_of("user", user), facts=told), actor=f"user:{user}", at=now)
    return token


def _make_room(writing: Facts, user: str, figures: Figures, at: str) -> None:
    held = session_rows.sessions_of(writing.connection, user)
    for row in held[: max(0, len(held) - figures.sessions_per_user + 1)]:
        session_rows.end_session(writing.connection, row["sha256"], at=at)


def renew_session(session: Session, how: str, *, ports: Ports, figures: Figures, now: datetime) -> str:
    """The token of the session that goes on from here, its person proved anew; the old token ends.

    Raises:
        NotSignedIn: it has ended meanwhile.
    """
    with ports.register.begin() as writing:
        if not session_rows.end_session(writing.connection, session.sha256, at=instant.to_text(now)):
            raise NotSignedIn("this session has ended: sign in again")
        return open_session_in(
            writing, session.user, how, ports=ports, figures=figures, now=now, until=session.until_at
        )


def end_session(sha256_: str, *, user: str, why: str, ports: Ports, now: datetime) -> bool:
    """End a session of a user; False, and no event, when it is not theirs or had ended. `why` is a word."""
    with ports.register.begin() as writing:
        mine = {row["sha256"] for row in session_rows.sessions_of(writing.connection, user)}
        if sha256_ not in mine:
            return False
        session_rows.end_session(writing.connection, sha256_, at=instant.to_text(now))
        happening = Happening("signed-out", stream_of("user", user), facts={"why": why})
        writing.record(happening, actor=ports.actor, at=now)
    return True
