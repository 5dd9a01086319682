# SPDX-License-Identifier: Apache-2.0
"""This is where passwords are hashed and compared, always with the same work, whether there is an account or not.

Source: RFC 9106 (Argon2id); OWASP ASVS 5.0 V6.2, V11.4.2.
"""

import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from evidence.errors import BadInput, Overloaded
from web.signin.figures import Figures, shipped_figures
from web.signin.tried_first import is_tried_first

_PATIENCE_S = 10.0


@dataclass(slots=True)
class Passwords:
    """Hashes by Argon2id, as many at once as memory was planned for. Threads may share it.

    `worked`: how often a password was hashed or compared, which costs the same.
    """

    figures: Figures = field(default_factory=shipped_figures)
    worked: int = field(init=False, default=0)
    _hasher: PasswordHasher = field(init=False, repr=False)
    _places: threading.BoundedSemaphore = field(init=False, repr=False)
    _lock: threading.Lock = field(init=False, repr=False, default_factory=threading.Lock)
    _nobodys: str | None = field(init=False, repr=False, default=None)

    def __post_init__(self) -> None:
        told = self.figures
        self._hasher = PasswordHasher(told.argon2_passes, told.argon2_memory_kib, told.argon2_lanes)
        self._places = threading.BoundedSemaphore(told.hashes_at_once)

    def check_new(self, password: str, *, known: Iterable[str], is_alone: bool) -> None:
        """Return when somebody may choose this password. `is_alone`: there is no second factor beside it.

        Raises:
            BadInput: it is too short or too long, or among those that are tried first.
        """
        told = self.figures
        least = told.password_better if is_alone else told.password_least
        if not least <= len(password) <= told.password_most:
            beside = f", or {told.password_least} beside a second factor" if is_alone else ""
            words = f"a password has {least} to {told.password_most} characters{beside}"
            raise BadInput(f"{words}: several words are easy to remember", field="password")
        if is_tried_first(password, known=known):
            raise BadInput("this password is among those that are tried first: choose another", field="password")

    def hash(self, password: str) -> str:
        """What is kept of a password.

        Raises:
            Overloaded: too many sign in at this moment.
        """
        with self._working():
            return self._hasher.hash(_as_bytes(password))

    def is_right(self, kept: str | None, password: str) -> bool:
        """True when `kept` is of this password; None is of nobody's, and costs the same time.

        Raises:
            Overloaded: too many sign in at this moment.
        """
        against = kept or self._of_nobody()
        with self._working():
            try:
                self._hasher.verify(against, _as_bytes(password))
            except (VerificationError, InvalidHashError):
                return False
        return kept is not None

    def is_outdated(self, kept: str) -> bool:
        """True when it was hashed with other figures than are asked for now."""
        return self._hasher.check_needs_rehash(kept)

    def _of_nobody(self) -> str:
        if self._nobodys is None:
            self._nobodys = self._hasher.hash(b"nobody's")
        return self._nobodys

    @contextmanager
    def _working(self) -> Iterator[None]:
        if not self._places.acquire(timeout=_PATIENCE_S):
            raise Overloaded("too many people sign in at this moment: try again")
        try:
            with self._lock:
                self.worked += 1
            yield
        finally:
            self._places.release()


def _as_bytes(password: str) -> bytes:
    # As it came, not folded: every character counts. Half a character, which no keyboard makes, is told apart too.
    return password.encode("utf-8", "surrogatepass")
