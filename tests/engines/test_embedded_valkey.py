# SPDX-License-Identifier: Apache-2.0
"""The embedded Valkey: one for a home, private, healed when it dies, gone when nobody uses it."""

import fcntl
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from evidence.errors import BadInput, Unavailable
from tests.support.nursery import ROOT
from tests.support.servers import until
from workers import keeper, valkey
from workers.valkey import EmbeddedValkey


@pytest.fixture
def server(tmp_path: Path) -> Iterator[EmbeddedValkey]:
    embedded = EmbeddedValkey(tmp_path)
    embedded.ensure()
    yield embedded
    pid = embedded.pid
    embedded.close()
    assert pid is not None
    until(lambda: not is_running(pid), "the server ends with its last user")


def pid_of(server: EmbeddedValkey) -> int:
    pid = server.pid
    assert pid is not None
    return pid


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def keeper_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def test_users_of_one_home_share_one_server(server: EmbeddedValkey, tmp_path: Path) -> None:
    other = EmbeddedValkey(tmp_path)
    assert not other.ensure()
    assert other.pid == server.pid
    other.close()
    assert server.is_answering()


def test_the_starter_may_leave_before_the_others(tmp_path: Path, server: EmbeddedValkey) -> None:
    starter = EmbeddedValkey(tmp_path / "home")
    starter.ensure()
    other = EmbeddedValkey(tmp_path / "home")
    starter.close()
    assert other.is_answering()
    other.close()


def test_nobody_else_can_reach_it(server: EmbeddedValkey, tmp_path: Path) -> None:
    folder = tmp_path / "broker"
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert modes["server.sock"] == 0o700
    # No port: of the sockets that the server's process holds, none is of the internet's families.
    held = {str(link.readlink()) for link in Path(f"/proc/{server.pid}/fd").iterdir()}
    tables = "".join(Path(f"/proc/{server.pid}/net/{name}").read_text() for name in ("tcp", "tcp6", "udp"))
    numbers = {name.removeprefix("socket:[").rstrip("]") for name in held if name.startswith("socket:[")}
    assert numbers
    assert not [line for line in tables.splitlines() if numbers & set(line.split())]


def test_a_folder_left_open_to_others_is_closed_before_it_is_used(tmp_path: Path) -> None:
    folder = tmp_path / "broker"
    folder.mkdir()
    folder.chmod(0o777)
    EmbeddedValkey(tmp_path).close()
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder to another user")
def test_a_folder_of_another_user_is_refused(tmp_path: Path) -> None:
    (tmp_path / "broker").mkdir(mode=0o700)
    os.chown(tmp_path / "broker", 65534, 65534)
    with pytest.raises(BadInput, match="belongs to another user"):
        EmbeddedValkey(tmp_path)


def test_a_home_too_deep_for_a_sockets_path_works_like_any_other(tmp_path: Path) -> None:
    home = tmp_path / ("deep" * 20) / ("deeper" * 20)
    server = EmbeddedValkey(home)
    assert server.ensure()
    assert server.is_answering()
    assert (home / "broker" / "server.sock").is_socket()
    server.close()


def test_it_keeps_nothing_on_disk_and_refuses_rather_than_forgets(server: EmbeddedValkey, tmp_path: Path) -> None:
    import redis

    with redis.Redis(unix_socket_path=server.socket) as asks:
        told = {name: asks.config_get(name)[name] for name in ("save", "appendonly", "maxmemory-policy", "port")}
        asks.set("hint", "x" * 1000)
    assert told == {"save": "", "appendonly": "no", "maxmemory-policy": "noeviction", "port": "0"}
    assert {path.name for path in (tmp_path / "broker").iterdir()} == {
        "keeper.lock",
        "server.log",
        "server.pid",
        "server.sock",
        "start.lock",
        "users.lock",
    }


def test_a_killed_server_is_started_again(server: EmbeddedValkey) -> None:
    os.kill(pid_of(server), signal.SIGKILL)
    until(lambda: not server.is_answering(), "it is dead")
    assert server.ensure()
    assert server.is_answering()


def test_a_killed_keeper_takes_the_server_along(server: EmbeddedValkey) -> None:
    first = pid_of(server)
    os.kill(keeper_of(first), signal.SIGKILL)
    until(lambda: not is_running(first), "the server is dead")
    assert server.ensure()


def test_a_server_that_is_frozen_is_replaced(server: EmbeddedValkey) -> None:
    first = pid_of(server)
    os.kill(first, signal.SIGSTOP)
    assert server.ensure()
    assert pid_of(server) != first
    assert not is_running(first)


_USER = """
import sys, time
from pathlib import Path
from workers import keeper, valkey
from workers.valkey import EmbeddedValkey
server = EmbeddedValkey(Path(sys.argv[1]))
print(server.ensure(), flush=True)
time.sleep(60)
"""


def test_of_many_that_find_none_one_starts_it_and_when_all_are_killed_it_ends(tmp_path: Path) -> None:
    command = [sys.executable, "-c", _USER, str(tmp_path)]
    users = [subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    answers = [user.stdout.readline().strip() for user in users if user.stdout is not None]
    pid = int((tmp_path / "broker" / "server.pid").read_text())
    for user in users:
        user.kill()
        user.communicate()
    assert sorted(answers) == ["False", "False", "False", "True"]
    until(lambda: not is_running(pid), "the server ends after its users were killed", timeout_s=5)


def test_a_strangers_number_in_the_keepers_lock_costs_the_stranger_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A keeper holds its lock before it has written its number: what stands there is an earlier keeper's, and
    # may be anybody's by now.
    monkeypatch.setattr(valkey, "_START_S", 1.0)
    embedded = EmbeddedValkey(tmp_path)
    stranger = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    lock = next(tmp_path.glob("**/users.lock")).with_name(keeper.KEEPER_LOCK)
    try:
        with lock.open("w") as held:
            held.write(str(stranger.pid))
            held.flush()
            fcntl.flock(held, fcntl.LOCK_EX)
            with pytest.raises(Unavailable, match="could not be ended"):
                embedded.ensure()
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()
        embedded.close()
