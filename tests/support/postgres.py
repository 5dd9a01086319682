# SPDX-License-Identifier: Apache-2.0
"""This is where tests get a real PostgreSQL of their own: a private server, never root's, on a free loopback port.

One server serves a whole run; each test gets a database of its own. A test that restarts or kills it starts
another for itself.
"""

import atexit
import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

import psycopg

from tests.support.footage import missing

OWNER, SERVICE = "owner", "evidock"
_FOLDERS = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name), reverse=True)
_SETTINGS = (
    "fsync=on",
    "synchronous_commit=on",
    "shared_buffers=64MB",
    "max_connections=200",
    "listen_addresses=127.0.0.1",
    "max_wal_size=256MB",
)


class Postgres:
    """A server in a folder of its own; it ends with `close`, or with the process that started it."""

    def __init__(self, folder: Path) -> None:
        self._bin = _binaries()
        self._folder = folder
        self.port = _free_port()
        self.password = secrets.token_hex(8)
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o700)
        (folder / "password").write_text(self.password)
        if os.geteuid() == 0:
            for path in (folder, folder / "password"):
                shutil.chown(path, "nobody", "nogroup")
        make = ("initdb", "-D", folder / "data", "-U", OWNER, "-E", "UTF8", "--locale=C.UTF-8")
        self._run(*make, "-A", "scram-sha-256", f"--pwfile={folder / 'password'}", "--no-sync")
        with (folder / "data" / "pg_hba.conf").open("a") as allowed:
            # Machines of tests behind a network of their own; see network.py.
            allowed.write("host all all 198.18.0.0/15 scram-sha-256\n")
        self.start()

    def start(self) -> None:
        """Start it; returns when it answers."""
        options = " ".join(f"-c {setting}" for setting in _SETTINGS)
        told = f"-p {self.port} -c unix_socket_directories= {options}"
        self._run("pg_ctl", "-D", self._folder / "data", "-w", "-l", self._folder / "log", "-o", told, "start")

    def stop(self, mode: str = "immediate") -> None:
        """Stop it; `immediate` is as a crash: nothing is finished, recovery comes with the next start."""
        with suppress(subprocess.CalledProcessError):
            self._run("pg_ctl", "-D", self._folder / "data", "-m", mode, "-w", "stop")

    def kill(self) -> None:
        """End every process of it at once, as the kernel would."""
        pid = int((self._folder / "data" / "postmaster.pid").read_text().split()[0])
        with suppress(ProcessLookupError):
            os.killpg(os.getpgid(pid), signal.SIGKILL)
        while Path(f"/proc/{pid}").exists():
            time.sleep(0.02)

    def url(self, database: str, *, user: str = OWNER) -> str:
        """Where a database is, for EVIDOCK_REGISTER_URL."""
        return f"postgresql://{user}:{self.password}@127.0.0.1:{self.port}/{database}"

    def new_database(self) -> str:
        """The name of a new, empty database."""
        name = f"test_{secrets.token_hex(6)}"
        self.execute(f"CREATE DATABASE {name}")
        return name

    def have_role(self, role: str) -> None:
        """Make a role that may connect and owns nothing, with the server's password."""
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            if connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (role,)).fetchone() is None:
                connection.execute(f"CREATE ROLE {role} LOGIN PASSWORD '{self.password}'".encode())

    def execute(self, statement: str, *, database: str = "postgres") -> None:
        """Run one statement as the owner, whatever the register's rules say."""
        with psycopg.connect(self.url(database), autocommit=True) as connection:
            connection.execute(statement.encode())

    def close(self) -> None:
        """End it, and remove its folder."""
        self.stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _run(self, program: str, *words: str | Path) -> None:
        nobody = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"] if os.geteuid() == 0 else []
        command = [*nobody, str(self._bin / program), *map(str, words)]
        subprocess.run(command, check=True, cwd="/", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def _binaries() -> Path:
    if not _FOLDERS:
        missing("PostgreSQL's server", remedy="install the package postgresql")
    return _FOLDERS[0]


def _folder() -> Path:
    # Its own user must be able to walk there, which the folders of a test session do not allow.
    return Path(tempfile.mkdtemp(prefix="evidock-pg-", dir="/tmp"))


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def private_postgres() -> Iterator[Postgres]:
    """A server for one test alone, to be stopped and killed at will."""
    _binaries()
    server = Postgres(_folder())
    try:
        yield server
    finally:
        server.close()


@cache
def shared_postgres() -> Postgres:
    """The server of this run."""
    _binaries()
    server = Postgres(_folder())
    atexit.register(server.close)
    return server


def database_url() -> str:
    """The URL of a new, empty database, owned by the user it names."""
    server = shared_postgres()
    return server.url(server.new_database())
