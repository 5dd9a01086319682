# SPDX-License-Identifier: Apache-2.0
"""A worker process for tests: the shipped one, started as a process manager would."""

import sys

from app.cli.processes import stopping
from app.settings import load_settings
from app.worker import GRACE_S, run_worker


def main(grace_s: float = GRACE_S) -> int:
    settings = load_settings()
    with stopping() as stop:
        return run_worker(settings, stop=stop, threads=settings.workers, grace_s=grace_s)


if __name__ == "__main__":
    sys.exit(main())
