# SPDX-License-Identifier: Apache-2.0
"""A watcher process for tests: the shipped one, started as a process manager would, on the folders it is given."""

import sys
from pathlib import Path

from app.cli.processes import stopping
from app.settings import load_settings
from app.watcher import run_watcher
from app.worker import to_stderr


def main() -> int:
    with stopping() as stop:
        return run_watcher(load_settings(), [Path(word) for word in sys.argv[1:]], stop=stop, on_notice=to_stderr)


if __name__ == "__main__":
    sys.exit(main())
