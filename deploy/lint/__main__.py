# SPDX-License-Identifier: Apache-2.0
"""This is where `.boot/lint` is made to hold the tools that check `deploy/`, and left alone while it does.

What `tools.txt` names comes by digest. Two programs more are taken out of Debian's packages, where there is an apt:
unpacked, never installed, so that no server of theirs is started and nothing outside `.boot` changes.
"""

import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from deploy.bootstrap.environment import digest, one_at_a_time
from deploy.bootstrap.installer import find_installer
from deploy.bootstrap.surroundings import BOOT, Stop, pip_settings, run, say, surroundings

LOCK = Path(__file__).with_name("tools.txt")
TOOLS = BOOT / "lint"
STAMP = TOOLS / ".whole"
# The package, and the one program of it that is wanted.
DEBIAN = {"prometheus": "usr/bin/promtool", "udev": "bin/udevadm"}


def prepare(env: Mapping[str, str]) -> None:
    """Make the tools ready. Safe to repeat, and after a kill.

    Raises:
        Stop: they cannot be had; the lines above say why.

    """
    if not STAMP.exists() or STAMP.read_text("utf-8") != digest(LOCK):
        installer = find_installer(env)
        say("fetching the tools that check deploy/")
        # The stamp goes with the old environment and comes back last: half of one is never taken for a whole one.
        if not installer.make_venv(TOOLS, env) or not installer.hold(TOOLS, LOCK, env):
            raise Stop("the tools that check deploy/ could not be installed; the lines above say why.")
        STAMP.write_text(digest(LOCK), "utf-8")
    for package, program in DEBIAN.items():
        unpack(package, program, env)


def unpack(package: str, program: str, env: Mapping[str, str]) -> None:
    """Put one program of a Debian package among the tools, unless it is on PATH; without it its tests say so."""
    target = TOOLS / "bin" / Path(program).name
    if target.exists() or shutil.which(target.name) or not shutil.which("apt-get") or not shutil.which("dpkg-deb"):
        return
    folder = TOOLS / "debian" / package
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    words = ["apt-get", "-qq", "-o", "APT::Sandbox::User=root", "download", package]
    script = 'cd "$1" && shift && "$@" && exec dpkg-deb -x ./*.deb unpacked'
    if not run(["/bin/sh", "-c", script, "sh", folder, *words], env):
        say(f"{target.name} could not be had from the package {package} (apt-get update helps, once)")
        return
    shutil.copy2(folder / "unpacked" / program, target)
    shutil.rmtree(folder)


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
