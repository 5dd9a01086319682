# SPDX-License-Identifier: Apache-2.0
"""This is where wrong tries are counted, by account and by address, and where nobody is heard who was wrong too often.

A try is counted before anything is looked at, and taken back when it was right: of many at once none is free. Whoever
is locked out learns nothing, the right password neither helps nor is told apart.

Source: OWASP ASVS 5.0 V6.3.1; RFC 6585 §4 (429).
"""

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from evidence import instant
from evidence.custody import Happening
from evidence.errors import NotSignedIn, TooManyTries
from evidence.ids import stream_of
from evidence.tokens import token_sha256
from pipeline.ports import Ports
from storage.register import credential_rows
from web.signin.figures import Figures

_FOLD_S = 60.0
_LOGINS = 20


@contextmanager
def trying(account: str, address: str, *, ports: Ports, figures: Figures, now: datetime) -> Iterator[None]:
    """Count one try to be `account` from `address` (as neighbours are counted); right unless NotSignedIn is raised.

    A right one also clears the account of earlier tries, but not the address, from which others may be tried.

    Raises:
        TooManyTries: there were too many; nothing was looked at.
    """
    names = (f"account:{token_sha256(account)}", f"address:{address}")
    mine = _count(names, ports=ports, figures=figures, now=now)
    try:
        yield
    except NotSignedIn:
        raise  # it counts
    except BaseException:
        _take_back(mine, ports)  # nothing was learned
        raise
    _take_back(mine, ports, name=names[0])


def _count(names: tuple[str, str], *, ports: Ports, figures: Figures, now: datetime) -> list[int]:
    since = instant.to_text(now - figures.window)
    with ports.register.leasing() as connection:
        mine = credential_rows.add_tries(connection, names, at=instant.to_text(now), forget_before=since)
    # Asked only after the commit: of any number at once, the last to be counted sees all of them.
    with ports.register.view() as connection:
        met = [credential_rows.tries_of(connection, name, since=since) for name in names]
    waits = [_wait(times, figures, now) for times in met if len(times) > figures.tries]
    if waits:
        _take_back(mine, ports)  # whoever is locked out does not lengthen it
        raise TooManyTries("too many wrong tries: wait, then try again", retry_s=max(waits))
    return mine


def _wait(times: list[str], figures: Figures, now: datetime) -> int:
    """Seconds until so few are left that one more is heard; `times` newest first, the try itself among them."""
    left = instant.from_text(times[figures.tries]) + figures.window - now
    return max(1, int(left / timedelta(seconds=1)) + 1)


def _take_back(mine: list[int], ports: Ports, *, name: str | None = None) -> None:
    with ports.register.leasing() as connection:
        credential_rows.take_back_tries(connection, mine, name=name)


@dataclass(slots=True)
class Failures:
    """Folds tries that failed into one event a minute. Threads may share it; `monotonic` counts seconds.

    The first of a quiet time is told at once, so that an attack is on record though the server be killed.
    """

    monotonic: Callable[[], float]
    _met: "Counter[str]" = field(init=False, repr=False, default_factory=Counter)
    _next: float = field(init=False, repr=False, default=float("-inf"))
    _lock: threading.Lock = field(init=False, repr=False, default_factory=threading.Lock)

    def add(self, login: str | None, *, ports: Ports, now: datetime) -> None:
        """One more; `login` of an account that there is, None: what was typed may be anything, and is not kept."""
        with self._lock:
            name = login or ""
            self._met[name if name in self._met or len(self._met) < _LOGINS else ""] += 1
        self.tell(ports=ports, now=now)

    def tell(self, *, ports: Ports, now: datetime, is_last: bool = False) -> None:
        """Put on record what was met, when it is time for it.

        Raises:
            RegisterUnavailable, StoreUnavailable: it is not on record, and will be tried again.
        """
        with self._lock:
            if not self._met or (self.monotonic() < self._next and not is_last):
                return
            met, self._met = self._met, Counter()
            self._next = self.monotonic() + _FOLD_S
        try:
            with ports.register.begin() as writing:
                for login, count in sorted(met.items()):
                    detail = {"login": login} if login else None
                    happening = Happening(
                        "sign-in-failed", stream_of("door", "sign-in"), facts={"count": count}, detail=detail
                    )
                    writing.record(happening, actor=ports.actor, at=now)
        except BaseException:
            with self._lock:
                self._met.update(met)
            raise
