# SPDX-License-Identifier: Apache-2.0
"""This is where it is found out who asks: a person by a session's cookie, a program by its key, a dock by its token.

A header beats a cookie: what a program says on purpose counts more than what a browser sends along.
"""

from dataclasses import dataclass, replace
from datetime import datetime

from fastapi import Request

from evidence import instant
from evidence.access import PRIVILEGED, Actor, Role
from evidence.errors import NotSignedIn, ProveAgain, SecondFactorNeeded
from evidence.tokens import token_sha256
from storage.register import session_rows, user_rows
from storage.register.answers import Row
from storage.register.search import Connection
from web.access.known import Known
from web.api.context import Context
from web.api.signed_in import dock_of_token
from web.signin.sessions import Session

KEY_PREFIX = "evk_"
SECURE_COOKIE = "__Host-evidock"
PLAIN_COOKIE = "evidock"
TWO_FACTORS = frozenset({"password+totp", "passkey"})
"""Ways to be believed that are two factors; as `web.signin.accounts` calls them."""
_SCHEME = "bearer"


@dataclass(frozen=True, slots=True)
class SignedIn:
    """Who asks; `session` is None for programs and docks."""

    actor: Actor
    session: Session | None = None

    @property
    def known(self) -> Known:
        """The same as authorization takes it."""
        if self.session is None:
            return Known(self.actor, self.actor.name, None, by_cookie=False)
        return Known(self.actor, self.session.sha256, self.session.proved_at, by_cookie=True)


def who(request: Request, here: Context) -> Actor:
    """Who asks.

    Raises:
        NotSignedIn: nobody is known by what the request brings, or no longer.
        Overloaded: a program asks too often. RegisterUnavailable: worth another try.
    """
    return signed_in(request, here).actor


def signed_in(request: Request, here: Context) -> SignedIn:
    """Who asks, and by which session.

    Raises:
        NotSignedIn, Overloaded, RegisterUnavailable: as `who`.
    """
    scheme, _, told = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == _SCHEME:
        token = told.strip()
        return SignedIn(_program(token, here) if token.startswith(KEY_PREFIX) else _dock(token, here))
    token = request.cookies.get(cookie_name(request, here), "")
    if not token:
        raise NotSignedIn("sign in first")
    return _person(token, here)


def check_proved(asking: SignedIn, here: Context) -> None:
    """Return when the person proved minutes ago who they are.

    Raises:
        ProveAgain: it is longer ago; or it is no person.
    """
    check_fresh(None if asking.session is None else asking.session.proved_at, here)


def check_fresh(proved_at: datetime | None, here: Context) -> None:
    """Return when it is minutes ago that a person proved who they are; None: it is no person.

    Raises:
        ProveAgain: it is longer ago.
    """
    if proved_at is None or not proved_at <= here.now() < proved_at + here.sign_in.figures.proof:
        raise ProveAgain("prove once more who you are (POST /v1/session/proof), then ask again")


def lacks_factor(asking: SignedIn, here: Context) -> bool:
    """True when a person holds a role that two people give, and proved themselves by less than two factors.

    A passkey is two: the thing, and the finger or PIN that it asked for. What another provider asked is not known.
    """
    session = asking.session
    if session is None or not here.sign_in.is_second_factor_asked:
        return False
    return bool(asking.actor.roles & PRIVILEGED) and session.how not in TWO_FACTORS


def check_factors(asking: SignedIn, here: Context) -> None:
    """Return when the person's last proof was strong enough for their roles.

    Raises:
        SecondFactorNeeded: it was not. They may add codes or a passkey, and prove themselves with it.
    """
    if lacks_factor(asking, here):
        raise SecondFactorNeeded(
            "your roles want a second factor for this: add codes (POST /v1/me/totp) or a passkey, then prove with it "
            "who you are (POST /v1/session/proof)"
        )


def is_secure(request: Request, here: Context) -> bool:
    """True when browsers reach us by TLS, our own or that of a proxy before us."""
    return request.url.scheme == "https" or here.sign_in.public_url.startswith("https://")


def cookie_name(request: Request, here: Context) -> str:
    """What the cookie of a session is called; a browser takes the secure name from nobody but us, and by TLS only."""
    return SECURE_COOKIE if is_secure(request, here) else PLAIN_COOKIE


def _person(token: str, here: Context) -> SignedIn:
    now = here.now()
    with here.ports.register.view() as connection:
        row = session_rows.session(connection, token_sha256(token))
        actor = None if row is None or row["state"] != "active" else actor_of(connection, row, row["user"])
    session = None if row is None else Session.of_row(row)
    if actor is None or session is None or session.is_over(here.sign_in.figures, now):
        raise NotSignedIn("this session has ended: sign in again")
    return SignedIn(actor, _touched(session, here, now))


def _touched(session: Session, here: Context, now: datetime) -> Session:
    if (now - session.seen_at).total_seconds() < here.sign_in.figures.touch_s:
        return session
    with here.ports.register.leasing() as connection:
        session_rows.touch_session(connection, session.sha256, at=instant.to_text(now))
    return replace(session, seen_at=now)


def actor_of(connection: Connection, row: Row, user: str) -> Actor:
    """The user `user` as one who acts; `row` has their `unit` and `officer`."""
    roles = frozenset(Role(name) for name in user_rows.roles_of(connection, user))
    return Actor(f"user:{user}", roles, row["unit"], _units(connection, row["unit"]), row["officer"])


def _units(connection: Connection, unit: str | None) -> tuple[str, ...]:
    return () if unit is None else user_rows.units_below(connection, unit)


def _program(token: str, here: Context) -> Actor:
    with here.ports.register.view() as connection:
        row = user_rows.key_of_digest(connection, token_sha256(token))
        units = () if row is None else _units(connection, row["unit"])
    if row is None or row["revoked_at"] is not None or here.now() >= instant.from_text(row["until_at"]):
        raise NotSignedIn("this key is not known, or no longer")
    here.rates.keys.count(row["id"], at=here.monotonic())
    return Actor(f"key:{row['id']}", frozenset({Role.SERVICE}), row["unit"], units, acts=frozenset(row["acts"]))


def _dock(token: str, here: Context) -> Actor:
    row = dock_of_token(token, here)
    return Actor(f"dock:{row['id']}", frozenset({Role.DOCK}), row["unit"] or None)
