# SPDX-License-Identifier: Apache-2.0
"""This is where tests get the network of a street: a port before the server's, that drops connections, or all of them.

A dropped connection is reset with whatever it carried; what is announced and half sent stays half sent.
"""

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

_BLOCK = 1 << 14


@dataclass(slots=True)
class StreetNetwork:
    """A running one. While `is_there` is False nobody gets through."""

    to: int
    is_there: bool = True
    dropped: int = 0
    _listener: socket.socket = field(default_factory=lambda: socket.create_server(("127.0.0.1", 0)))
    _ends: set[socket.socket] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def port(self) -> int:
        return int(self._listener.getsockname()[1])

    def lose(self) -> None:
        """Be gone until `is_there` is set again."""
        self.is_there = False
        self.drop()

    def drop(self) -> None:
        """Reset what is open now."""
        with self._lock:
            ends, self._ends = self._ends, set()
        self.dropped += len(ends) // 2
        for end in ends:
            with suppress(OSError):
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                end.shutdown(socket.SHUT_RDWR)

    def serve(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            self._meet(near)

    def _meet(self, near: socket.socket) -> None:
        try:
            far = socket.create_connection(("127.0.0.1", self.to), timeout=10) if self.is_there else None
        except OSError:
            far = None
        if far is None:
            near.close()
            return
        far.settimeout(None)
        with self._lock:
            self._ends |= {near, far}
        for pair in ((near, far), (far, near)):
            threading.Thread(target=self._pour, args=pair, daemon=True).start()

    def _pour(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(_BLOCK):
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
        with self._lock:
            self._ends.discard(source)
        source.close()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.lose()


@contextmanager
def street_network(to: int) -> Iterator[StreetNetwork]:
    """One in front of a port of loopback, gone at the end."""
    made = StreetNetwork(to)
    threading.Thread(target=made.serve, daemon=True).start()
    try:
        yield made
    finally:
        made.close()
