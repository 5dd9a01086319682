# SPDX-License-Identifier: Apache-2.0
"""This is where it is written down, outside the machine whose power is cut, what it has acknowledged so far.

Run as a script it looks at a register again and again, as a dock would that asks whether its camera may
forget a file, and prints each original's digest when it is said to be sealed. It is a process of its own:
the register's shared memory lies on the disk that goes down, and whoever touches it then dies.
"""

import sqlite3
import subprocess
import sys
import time
from contextlib import closing, suppress
from pathlib import Path

_SEALED = "SELECT sha256 FROM originals WHERE receipt_sha256 IS NOT NULL"
_PAUSE_S = 0.01


class Witness:
    """What the register in `home` has acknowledged, kept line by line in `history` beside it."""

    def __init__(self, home: Path) -> None:
        self._history = home.parent / "acknowledged"
        command = [sys.executable, "-S", "-I", __file__, str(home / "register.db")]
        with self._history.open("ab") as history:
            self._process = subprocess.Popen(command, stdout=history, stderr=subprocess.DEVNULL)

    def told(self) -> set[str]:
        """Digests of the originals that were said to be sealed, at any time."""
        whole, _, _ = self._history.read_text("ascii").rpartition("\n")
        return set(whole.split())

    def end(self) -> None:
        self._process.kill()
        self._process.wait()


def watch(register: Path) -> None:
    seen: set[str] = set()
    with closing(sqlite3.connect(f"file:{register}?mode=ro", uri=True)) as connection:
        while True:
            with suppress(sqlite3.Error):
                for (sha256,) in connection.execute(_SEALED).fetchall():
                    if sha256 not in seen:
                        sys.stdout.write(f"{sha256}\n")
                        sys.stdout.flush()
                        seen.add(sha256)
            time.sleep(_PAUSE_S)


if __name__ == "__main__":
    watch(Path(sys.argv[1]))
