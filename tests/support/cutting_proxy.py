# SPDX-License-Identifier: Apache-2.0
"""A wire that fails: connections to a server pass through it, and break after so many bytes went towards the server.

Or a bit of what goes towards the server is another when it arrives.
"""

import socket
import struct
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

_BLOCK = 65_536


class CuttingProxy:
    """A port on loopback in front of another; `cuts` counts the connections that it broke."""

    def __init__(self, port: int, *, cuts: Sequence[int] = (), flips: Sequence[int] = ()) -> None:
        self.cuts, self.flips = 0, 0
        self._upstream = port
        self._cut_at, self._flip_at = list(cuts), list(flips)
        self._passed = 0
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        # Closing alone would not wake who waits in `accept`.
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(("127.0.0.1", self._upstream))
                for one in (client, server):
                    one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                threading.Thread(target=self._pass, args=(client, server, True), daemon=True).start()
                threading.Thread(target=self._pass, args=(server, client, False), daemon=True).start()

    def _pass(self, source: socket.socket, target: socket.socket, is_up: bool) -> None:
        with suppress(OSError):
            while data := source.recv(_BLOCK):
                if is_up:
                    data = self._as_it_arrives(data)
                target.sendall(data)
                if not data:
                    break
        for one in (source, target):
            with suppress(OSError):
                if is_up and one is source:
                    # Linger for no time: the client gets a reset, not an end.
                    one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                one.shutdown(socket.SHUT_RDWR)
            with suppress(OSError):
                one.close()

    def _as_it_arrives(self, data: bytes) -> bytes:
        """The bytes, or others, or none when the wire is cut."""
        with self._lock:
            self._passed += len(data)
            if self._cut_at and self._passed >= self._cut_at[0]:
                self._cut_at.pop(0)
                self.cuts += 1
                return b""
            if self._flip_at and self._passed >= self._flip_at[0] and len(data) == _BLOCK:
                self._flip_at.pop(0)
                self.flips += 1
                return data[:-1] + bytes([data[-1] ^ 1])
            return data


@contextmanager
def cutting_proxy(port: int, *, size_bytes: int, cuts: int = 0, flips: int = 0) -> Iterator[CuttingProxy]:
    """One that fails so often, evenly, while a file of this size passes; gone at the end."""
    proxy = CuttingProxy(port, cuts=_evenly(size_bytes, cuts), flips=_evenly(size_bytes, flips))
    try:
        yield proxy
    finally:
        proxy.close()


def _evenly(size_bytes: int, count: int) -> Sequence[int]:
    return [size_bytes * number // (count + 1) for number in range(1, count + 1)]
