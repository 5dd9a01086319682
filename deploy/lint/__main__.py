# SPDX-License-Identifier: Apache-2.0
"""This is where `.boot/lint` is made to hold exactly what `tools.txt` names, and left alone while it does."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from deploy.bootstrap.environment import digest, one_at_a_time
from deploy.bootstrap.installer import find_installer
from deploy.bootstrap.surroundings import BOOT, Stop, pip_settings, say, surroundings

LOCK = Path(__file__).with_name("tools.txt")
TOOLS = BOOT / "lint"
STAMP = TOOLS / ".whole"


def prepare(env: Mapping[str, str]) -> None:
    """Make the tools ready. Safe to repeat, and after a kill.

    Raises:
        Stop: they cannot be had; the lines above say why.

    """
    if STAMP.exists() and STAMP.read_text("utf-8") == digest(LOCK):
        return
    installer = find_installer(env)
    say("fetching the tools that check deploy/")
    # The stamp goes with the old environment and comes back last: half an environment is never taken for a whole one.
    if not installer.make_venv(TOOLS, env) or not installer.hold(TOOLS, LOCK, env):
        raise Stop("the tools that check deploy/ could not be installed; the lines above say why.")
    STAMP.write_text(digest(LOCK), "utf-8")


def main() -> int:
    """0 when the tools are ready."""
    try:
        with one_at_a_time(BOOT):
            prepare(surroundings(os.environ, pip_settings(os.environ)))
    except Stop as stop:
        say(str(stop))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
