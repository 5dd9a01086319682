# SPDX-License-Identifier: Apache-2.0
"""This is where many requests put what they saw on record at once: one transaction for all that wait (group commit).

Whoever records waits until the transaction has committed. When it cannot, everybody of it is told so, and answers
nothing.
"""

import queue
import threading
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from evidence.custody import CustodyEvent, Happening
from evidence.errors import EvidockError, Overloaded, RegisterUnavailable, Unavailable
from storage.register.facts import Facts, Rested
from storage.register.register import Register
from storage.register.savepoint import savepoint

Also = Callable[[Facts, int], None]
"""What is written in the same transaction as an event: told the open facts and the event's number in its stream."""

_WAITING = 4096
_AT_ONCE = 256
_IDLE_S = 5.0
_FOLD_S = 60.0
_PATIENCE_S = 15.0
_ADDRESSES = 10


@dataclass(frozen=True, slots=True)
class _Slip:
    rested: Rested
    actor: str
    at: datetime
    also: Also | None
    done: "Future[CustodyEvent]"


@dataclass(slots=True)
class Desk:
    """Writes events of many threads in few transactions. Threads may share it; a thread of its own comes and goes.

    `now` is UTC; `monotonic` counts seconds.
    """

    register: Register
    now: Callable[[], datetime]
    monotonic: Callable[[], float]
    fold_s: float = _FOLD_S
    _waiting: "queue.Queue[_Slip | None]" = field(init=False, repr=False, default_factory=lambda: queue.Queue(_WAITING))
    _lock: threading.Lock = field(init=False, repr=False, default_factory=threading.Lock)
    _thread: threading.Thread | None = field(init=False, repr=False, default=None)
    _is_closed: bool = field(init=False, repr=False, default=False)
    _folded: "dict[tuple[str, str, str], Counter[str]]" = field(init=False, repr=False, default_factory=dict)
    _fold_at: float = field(init=False, repr=False, default=0.0)

    def record(
        self,
        happening: Happening,
        *,
        actor: str,
        at: datetime,
        also: Also | None = None,
        patience_s: float = _PATIENCE_S,
    ) -> CustodyEvent:
        """Put one happening on record; returns after the commit.

        `also` runs in the same transaction, and is undone with the event when it raises: what others wrote stands.

        Raises:
            RegisterUnavailable, StoreUnavailable: nothing is on record, as far as anybody knows.
            Overloaded: too many wait already.
            what `also` raises.
        """
        waits = self.submit(self.register.rest(happening), actor=actor, at=at, also=also)
        try:
            return waits.result(patience_s)
        except TimeoutError as error:
            waits.cancel()
            raise RegisterUnavailable("what was seen could not be put on record in time") from error

    def submit(self, rested: Rested, *, actor: str, at: datetime, also: Also | None = None) -> "Future[CustodyEvent]":
        """The same for whoever waits by themselves; the detail rests already. What is cancelled in time is not written.

        Raises:
            Overloaded: too many wait already. RegisterUnavailable: the desk is closed.
        """
        done: Future[CustodyEvent] = Future()
        with self._lock:
            if self._is_closed:
                raise RegisterUnavailable("the server is ending")
            try:
                self._waiting.put_nowait(_Slip(rested, actor, at, also, done))
            except queue.Full as error:
                raise Overloaded("too many requests wait to be put on record") from error
            self._ensure()
        return done

    def refused_unknown(self, act: str, code: str, *, noun: str, address: str) -> None:
        """Count a refusal of somebody who is not known; once a minute each act has one event for all of them."""
        with self._lock:
            if not self._folded:
                self._fold_at = self.monotonic() + self.fold_s
            met = self._folded.setdefault((act, noun, code), Counter())
            met[address if address in met or len(met) < _ADDRESSES else "others"] += 1
            if not self._is_closed:
                self._ensure()

    def fold_now(self) -> None:
        """Put on record what was counted of strangers so far.

        Raises:
            RegisterUnavailable: it stays counted.
        """
        with self._lock:
            self._fold_at = self.monotonic()
        self._fold()

    def close(self) -> None:
        """Put on record what still waits, then end; whoever comes later is refused. Safe to repeat."""
        with self._lock:
            self._is_closed = True
            thread = self._thread
            if self._folded and thread is None:
                thread = self._ensure()
        if thread is not None:
            with suppress(queue.Full):
                self._waiting.put_nowait(None)
            thread.join(_PATIENCE_S)

    # --- the thread ---------------------------------------------------------------------------

    def _ensure(self) -> threading.Thread:
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="desk", daemon=True)
            self._thread.start()
        return self._thread

    def _run(self) -> None:
        while True:
            slips = self._take()
            if slips:
                self._write(slips)
            self._fold()
            with self._lock:
                if not slips and self._waiting.empty() and not self._folded:
                    self._thread = None
                    return

    def _take(self) -> list[_Slip]:
        """What waits: at least one, or nothing after a while of silence."""
        slips: list[_Slip] = []
        try:
            first = self._waiting.get(timeout=0.01 if self._is_closed else self._silence())
            while True:
                if first is not None and first.done.set_running_or_notify_cancel():
                    slips.append(first)
                if len(slips) >= _AT_ONCE:
                    return slips
                first = self._waiting.get_nowait()
        except queue.Empty:
            return slips

    def _silence(self) -> float:
        return min(_IDLE_S, max(0.01, self._fold_at - self.monotonic())) if self._folded else _IDLE_S

    def _write(self, slips: list[_Slip]) -> None:
        try:
            with self.register.begin() as facts:
                made = [self._write_one(facts, slip) for slip in slips]
        except Unavailable as error:
            _tell(slips, [error] * len(slips))
        except Exception as error:
            if len(slips) > 1:
                for slip in slips:
                    self._write([slip])
            else:
                _tell(slips, [_ours(error)])
        else:
            _tell(slips, made)

    @staticmethod
    def _write_one(facts: Facts, slip: _Slip) -> "CustodyEvent | EvidockError":
        """The event; or why it alone is not written."""
        if slip.also is None:
            return facts.record(slip.rested, actor=slip.actor, at=slip.at)
        try:
            with savepoint(facts.connection):
                event = facts.record(slip.rested, actor=slip.actor, at=slip.at)
                slip.also(facts, event.seq)
        except Exception as error:
            return _ours(error)
        return event

    def _fold(self) -> None:
        with self._lock:
            if not self._folded or (self.monotonic() < self._fold_at and not self._is_closed):
                return
            folded, self._folded = self._folded, {}
        try:
            with self.register.begin() as facts:
                for happening in _of_strangers(folded):
                    facts.record(happening, actor="server", at=self.now())
        except Unavailable:
            self._put_back(folded)

    def _put_back(self, folded: "dict[tuple[str, str, str], Counter[str]]") -> None:
        if self._is_closed:
            return  # the register is gone, and so are we: they were refused all the same
        with self._lock:
            for key, met in folded.items():
                self._folded.setdefault(key, Counter()).update(met)
            self._fold_at = self.monotonic() + self.fold_s


def _of_strangers(folded: "dict[tuple[str, str, str], Counter[str]]") -> Iterable[Happening]:
    for (act, noun, code), met in sorted(folded.items()):
        facts: dict[str, Any] = {"act": act, "noun": noun, "subject": "", "outcome": "refused", "code": code}
        facts["count"] = met.total()
        yield Happening("accessed", "door/api", facts=facts, detail={"addresses": dict(sorted(met.items()))})


def _tell(slips: Iterable[_Slip], made: Iterable["CustodyEvent | EvidockError"]) -> None:
    for slip, one in zip(slips, made, strict=True):
        if isinstance(one, EvidockError):
            slip.done.set_exception(one)
        else:
            slip.done.set_result(one)


def _ours(error: Exception) -> EvidockError:
    if isinstance(error, EvidockError):
        return error
    told = RegisterUnavailable(f"what was seen could not be put on record: {type(error).__name__}")
    told.__cause__ = error
    return told
