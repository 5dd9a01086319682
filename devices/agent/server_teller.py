# SPDX-License-Identifier: Apache-2.0
"""This is where a dock keeps up with its server: tells what waits, asks for receipts, and so knows who is there.

It comes back often while something is on its way, and now and then when nothing is, so that a network that went is
noticed before a device needs it.
"""

import threading
from collections.abc import Callable

from devices.agent.server import HttpServer
from devices.agent.server_patience import Gate
from devices.agent.uploading_receipts import Receipts
from evidence.errors import EvidockError, NotSignedIn, RecordMalformed, ServerUnavailable, StoreUnavailable

_BUSY_S, _SLOW_S, _IDLE_S = 0.1, 2.0, 5.0
# After a second without a receipt it is asked three times a second, after four seconds once.
_SLOWER = 1.25
_REVOKED_S = 60.0
_DISK_S = 2.0


class Teller:
    """One thread, from `start` until `stop` is set."""

    def __init__(
        self,
        server: HttpServer,
        receipts: Receipts,
        gate: Gate,
        *,
        on_trouble: Callable[[str, EvidockError], None],
        on_failure: Callable[[Exception], None],
        on_online: Callable[[bool], None],
    ) -> None:
        self._server = server
        self._receipts = receipts
        self._gate = gate
        self._on_trouble = on_trouble
        self._on_failure = on_failure
        self._on_online = on_online
        self._pause_s = _BUSY_S
        self._thread = threading.Thread(target=self._run, name="dock-teller", daemon=True)
        self._stop = threading.Event()

    def start(self, stop: threading.Event) -> None:
        """Keep up until `stop` is set."""
        self._stop = stop
        self._thread.start()

    def join(self, timeout_s: float) -> None:
        """Return when the thread ended, or after a while."""
        self._thread.join(timeout_s)

    def _run(self) -> None:
        while not self._stop.is_set():
            self._gate.wait(self._stop)
            if self._stop.is_set():
                return
            self._stop.wait(self._once())
            self._on_online(self._gate.is_open)

    def _once(self) -> float:
        """One round; how long to wait for the next."""
        try:
            told = self._server.tell_waiting()
            received, waiting = self._receipts.round()
            if not told and not waiting:
                self._server.known(["ofr-none"])  # is it there?
        except ServerUnavailable as error:
            asked = error.values.get("retry_after_s")
            self._gate.failed(error.message, retry_after_s=asked if isinstance(asked, float) else None)
            return 0.0
        except NotSignedIn as error:
            self._gate.failed(error.message, retry_after_s=_REVOKED_S)
            self._on_trouble("", error)
            return 0.0
        except (StoreUnavailable, RecordMalformed) as error:
            self._on_trouble("", error)
            return _DISK_S
        except Exception as error:
            self._on_failure(error)
            return _DISK_S
        self._gate.worked()
        self._pause_s = self._pause(received=received, waiting=waiting)
        return self._pause_s

    def _pause(self, *, received: int, waiting: int) -> float:
        """Short while receipts come, longer the longer none comes."""
        if not waiting:
            return min(self._pause_s * 2, _IDLE_S)
        return _BUSY_S if received else min(self._pause_s * _SLOWER, _SLOW_S)
