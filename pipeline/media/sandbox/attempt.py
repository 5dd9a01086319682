# SPDX-License-Identifier: Apache-2.0
"""This is where the probe's child tries to break out, and says how far it came. Standard library only.

Run as `python -I -S attempt.py INPUT OUTPUT FORBIDDEN PORT SOCKET PROCESS`; it prints one word for each thing it
managed to do, of which only `input` and `output` are allowed. What it reaches outside is seen there too.
"""

import os
import signal
import socket
import sys
from collections.abc import Callable


def main(arguments: list[str]) -> None:
    """Try everything; the arguments are named in the module's docstring."""
    given, output, forbidden, port, path, process = arguments
    attempts: dict[str, Callable[[], object]] = {
        "input": lambda: _read(given),
        "output": lambda: _write(output),
        "read": lambda: _read(forbidden),
        "list": lambda: os.listdir(os.path.dirname(forbidden)),  # noqa: PTH120, PTH208
        "create": lambda: _write(f"{forbidden}.new"),
        "change": lambda: os.open(forbidden, os.O_WRONLY),
        "truncate": lambda: os.truncate(forbidden, 0),
        "truncate-open": lambda: os.open(forbidden, os.O_RDONLY | os.O_TRUNC),
        "empty-input": lambda: os.truncate(given, 0),
        "empty-input-open": lambda: os.open(given, os.O_RDONLY | os.O_TRUNC),
        "chmod": lambda: os.chmod(forbidden, 0o777),  # noqa: PTH101, S103
        "link": lambda: os.link(forbidden, f"{output}.link"),
        "tcp": lambda: _connect(socket.AF_INET, socket.SOCK_STREAM, ("127.0.0.1", int(port))),
        "udp": lambda: _connect(socket.AF_INET, socket.SOCK_DGRAM, ("127.0.0.1", int(port))),
        "unix": lambda: _connect(socket.AF_UNIX, socket.SOCK_STREAM, path),
        "signal": lambda: os.kill(int(process), signal.SIGCONT),
        "fork": _fork,
    }
    for name, attempt in attempts.items():
        try:
            attempt()
        except OSError:
            continue
        sys.stdout.write(f"{name}\n")


def _read(path: str) -> None:
    with open(path, "rb") as file:  # noqa: PTH123
        file.read(1)


def _write(path: str) -> None:
    with open(path, "xb") as file:  # noqa: PTH123
        file.write(b"written")


def _connect(family: int, kind: int, address: tuple[str, int] | str) -> None:
    with socket.socket(family, kind) as talk:
        talk.settimeout(1)
        talk.connect(address)
        talk.send(b"out")


def _fork() -> None:
    if os.fork() == 0:
        os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1:])
