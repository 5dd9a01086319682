# SPDX-License-Identifier: Apache-2.0
"""A wire that is cut: bytes pass through untouched, TLS or not, until a test cuts every connection, or lets none in.

It counts, so that a test knows what happened: connections that were carrying something when they were cut, and bytes.
"""

import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

_BLOCK = 1 << 16


@dataclass(eq=False, slots=True)
class _Pair:
    near: socket.socket
    far: socket.socket
    bytes_out: int = 0

    def reset(self) -> None:
        for end in (self.near, self.far):
            with suppress(OSError):  # linger for no time: both sides get a reset, not an end
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            with suppress(OSError):
                end.close()


@dataclass(slots=True)
class Wire:
    """A port on loopback in front of another. `bytes_a_second` 0: as fast as it goes; all connections together."""

    to: int
    bytes_a_second: int = 0
    change: Callable[[bytes], bytes] | None = None
    is_open: bool = True
    answers_to_lose: int = 0
    broken: int = 0
    bytes_out: int = 0
    port: int = field(init=False)
    _listener: socket.socket = field(init=False)
    _pairs: set[_Pair] = field(init=False, default_factory=set)
    _lock: threading.Lock = field(init=False, default_factory=threading.Lock)
    _due: float = field(init=False, default=0.0)

    def start(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listener.close()
        self.cut()

    def cut(self) -> int:
        """Break every connection, as a pulled cable that is noticed; how many there were."""
        with self._lock:
            pairs, self._pairs = self._pairs, set()
            self.broken += len(pairs)
        for pair in pairs:
            pair.reset()
        return len(pairs)

    def shut(self) -> None:
        """Break every connection and take none until `is_open` is set again."""
        self.is_open = False
        self.cut()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            if not self.is_open:
                near.close()
                continue
            try:
                far = socket.create_connection(("127.0.0.1", self.to), timeout=10)
            except OSError:  # the server is not there: as if the port were closed
                near.close()
                continue
            pair = _Pair(near, far)
            for end in (near, far):
                end.settimeout(None)
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._lock:
                self._pairs.add(pair)
            threading.Thread(target=self._pour, args=(pair, near, far, True), daemon=True).start()
            threading.Thread(target=self._pour, args=(pair, far, near, False), daemon=True).start()

    def _pour(self, pair: _Pair, source: socket.socket, sink: socket.socket, is_out: bool) -> None:
        try:
            while data := source.recv(_BLOCK):
                if is_out:
                    data = self._weathered(pair, data)
                elif self.answers_to_lose and data.startswith(b"HTTP/1.1 204"):
                    self.answers_to_lose -= 1
                    break
                sink.sendall(data)
        except OSError:
            pass
        with self._lock:
            was_there = pair in self._pairs
            self._pairs.discard(pair)
            self.broken += was_there and not is_out  # the server ended it
        pair.reset()

    def _weathered(self, pair: _Pair, data: bytes) -> bytes:
        with self._lock:
            self.bytes_out += len(data)
            pair.bytes_out += len(data)
            now = time.monotonic()
            if self.bytes_a_second:
                self._due = max(self._due, now) + len(data) / self.bytes_a_second
            pause = self._due - now
        if pause > 0:
            time.sleep(pause)
        return data if self.change is None else self.change(data)


@contextmanager
def wire_to(to: int) -> Iterator[Wire]:
    """A running one in front of a port of loopback, gone at the end."""
    made = Wire(to)
    made.start()
    try:
        yield made
    finally:
        made.close()
