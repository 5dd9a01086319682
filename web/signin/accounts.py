# SPDX-License-Identifier: Apache-2.0
"""This is where a person is believed to be a user: by a password and a code, or by a passkey.

Every wrong answer is the same answer. Which of login, password and code was wrong is for nobody to learn.
"""

from dataclasses import dataclass, field
from typing import Any

from evidence.errors import BadInput, NotSignedIn
from evidence.people import fold_login
from storage.register import credential_rows, user_rows
from storage.register.answers import Row
from web.api.context import Context
from web.signin import passkeys, totp
from web.signin.tries import trying

PASSWORD = "password"  # noqa: S105 - a kind of credential
BY_PASSWORD, BY_CODE, BY_PASSKEY = "password", "password+totp", "passkey"
_WRONG = "login, password or code is wrong"


@dataclass(frozen=True, slots=True)
class Proof:
    """What somebody brings to be believed; its text form shows none of it. `address`: as neighbours are counted."""

    address: str
    password: str = field(repr=False)
    code: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Believed:
    """A user, and how they proved it."""

    user: str
    how: str


@dataclass(frozen=True, slots=True)
class _Account:
    """What is known of a login; without a user, of none."""

    login: str
    user: Row | None = None
    password: Row | None = None
    totp: Row | None = None


def by_password(login: str, proof: Proof, here: Context) -> Believed:
    """The user of a login, who brought the right password, and the right code if they have codes.

    Raises:
        NotSignedIn: something is wrong; what, is not told. TooManyTries: nothing was looked at.
        Overloaded, RegisterUnavailable, StoreUnavailable: worth another try.
    """
    folded, now = _folded(login), here.now()
    means = here.sign_in
    try:
        with trying(folded, proof.address, ports=here.ports, figures=means.figures, now=now):
            return _believed(_account(folded, here), proof, here)
    except NotSignedIn:
        known = _account(folded, here).user is not None
        means.failures.add(folded if known else None, ports=here.ports, now=now)
        raise


def by_passkey(told: Any, here: Context) -> Believed:
    """The user whose passkey signed a challenge of ours.

    Raises:
        NotSignedIn: it is not known, or it signed something else. RegisterUnavailable.
    """
    try:
        row = passkeys.signer(told, means=here.sign_in, ports=here.ports, now=here.now())
        with here.ports.register.view() as connection:
            user = user_rows.user(connection, row["user"])
        if user["state"] != "active":
            raise NotSignedIn("this passkey does not sign you in here")
    except NotSignedIn:
        here.sign_in.failures.add(None, ports=here.ports, now=here.now())
        raise
    return Believed(user["id"], BY_PASSKEY)


def _folded(login: str) -> str:
    """A login in its one spelling; what is none is tried like one that nobody has."""
    try:
        return fold_login(login)
    except BadInput:
        return ""


def _account(login: str, here: Context) -> _Account:
    with here.ports.register.view() as connection:
        user = user_rows.user_of_login(connection, login)
        if user is None:
            return _Account(login)
        kept = {row["kind"]: row for row in credential_rows.credentials_of(connection, user["id"])}
    return _Account(login, user, kept.get(PASSWORD), kept.get(totp.KIND))


def _believed(account: _Account, proof: Proof, here: Context) -> Believed:
    passwords = here.sign_in.passwords
    kept = None if account.password is None else account.password["secret"]
    # (1) The same work for everybody, before anything is decided by who it is.
    is_right = passwords.is_right(kept, proof.password)
    user, row = account.user, account.password
    if not is_right or user is None or row is None or user["state"] != "active":
        raise NotSignedIn(_WRONG)
    # (2) A code is used up only by whoever had the password.
    if account.totp is not None and not _is_code(account.totp, proof.code, here):
        raise NotSignedIn(_WRONG)
    if passwords.is_outdated(row["secret"]):
        _hash_anew(row, proof.password, here)
    return Believed(user["id"], BY_PASSWORD if account.totp is None else BY_CODE)


def _is_code(row: Row, code: str, here: Context) -> bool:
    with here.ports.register.leasing() as connection:
        return totp.is_right(connection, row, code, means=here.sign_in, now=here.now())


def _hash_anew(row: Row, password: str, here: Context) -> None:
    secret = here.sign_in.passwords.hash(password)
    with here.ports.register.leasing() as connection:
        credential_rows.set_secret(connection, row["id"], was=row["secret"], secret=secret)
