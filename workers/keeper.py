# SPDX-License-Identifier: Apache-2.0
"""This is where the embedded server is kept: a small process of its own that starts it and ends it.

Run as a script, with the server's program and the broker's folder; it imports nothing of ours. Every
process that uses the server holds `users.lock` shared, for as long as it lives. The keeper waits for
that lock alone: it gets it when the last user is gone, however that one ended, and then ends the server.
A keeper that is killed takes the server with it (the kernel sends the signal), and a server that dies
takes the keeper with it: there is never one without the other for long, and never two.
"""

import ctypes
import fcntl
import os
import subprocess
import sys
import threading
import time

KEEPER_LOCK = "keeper.lock"
USERS_LOCK = "users.lock"
SOCKET = "server.sock"
PID_FILE = "server.pid"
LOG = "server.log"

# Hints only: nothing is written to disk, and a full server refuses instead of forgetting. Paths are
# relative to the folder, because the path of a socket holds a hundred bytes only.
CONFIGURATION = f"""\
port 0
unixsocket {SOCKET}
unixsocketperm 700
protected-mode yes
databases 1
save ""
appendonly no
maxmemory 128mb
maxmemory-policy noeviction
daemonize no
pidfile {PID_FILE}
"""

_PR_SET_PDEATHSIG = 1
_SIGKILL = 9
OTHER_KEEPER = 3
_END_S = 2.0


def main(program: str, folder: str) -> int:
    """Keep one server for the folder until nobody uses it; OTHER_KEEPER when one is kept already."""
    os.chdir(folder)
    lock = _open(KEEPER_LOCK)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return OTHER_KEEPER
    # Our starter waits for this first process only, and has no child to look after. The lock is the
    # child's too: it ends with the last of the two.
    if os.fork():
        os._exit(0)
    os.setsid()
    os.ftruncate(lock, 0)
    os.write(lock, str(os.getpid()).encode())
    _keep(program)
    return 0


def _keep(program: str) -> None:
    keeper = os.getpid()
    log = os.open(LOG, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    libc = ctypes.CDLL(None)

    def die_with_keeper() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, _SIGKILL)
        if os.getppid() != keeper:  # it died before we asked
            os._exit(1)

    server = subprocess.Popen(
        [program, "-"],
        stdin=subprocess.PIPE,
        stdout=log,
        stderr=log,
        preexec_fn=die_with_keeper,  # this process has one thread at this moment
    )
    if server.stdin is not None:
        server.stdin.write(CONFIGURATION.encode())
        server.stdin.close()
    threading.Thread(target=_follow, args=(server,), daemon=True).start()
    fcntl.flock(_open(USERS_LOCK), fcntl.LOCK_EX)
    # Asked, it takes its socket and its number away. `_follow` ends us with it.
    server.terminate()
    time.sleep(_END_S)
    server.kill()


def _follow(server: "subprocess.Popen[bytes]") -> None:
    server.wait()
    os._exit(1)


def _open(name: str) -> int:
    return os.open(name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
