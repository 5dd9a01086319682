# SPDX-License-Identifier: Apache-2.0
"""This is where uv is found, or fetched by whichever pip can be had; where neither can, pip itself installs.

uv is pinned by version and digest in `uv-requirements.txt`, like everything it will install.
"""

import os
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from deploy.bootstrap.surroundings import BOOT, Stop, answer, run, say

PINNED = Path(__file__).with_name("uv-requirements.txt")
OLDEST_UV = (0, 5)

NO_PIP = """neither uv nor any pip is on this machine, and none could be fetched. One of these helps:
  no network:         the first run needs it once; or put uv on PATH and use make WHEELS=DIR
  as root:            apt-get install python3-venv
  without root:       put the program uv on PATH
  behind a proxy:     set https_proxy, and PIP_CERT to its certificates
  with a mirror:      set PIP_INDEX_URL to it"""


@dataclass(frozen=True, slots=True)
class Installer:
    """A tool that makes an environment hold a lock; `argv` starts it."""

    argv: tuple[str, ...]
    is_uv: bool

    def make_venv(self, venv: Path, env: Mapping[str, str]) -> bool:
        """Make a new environment of the running Python, without pip inside; what was there is removed."""
        shutil.rmtree(venv, ignore_errors=True)
        if self.is_uv:
            return run([*self.argv, "venv", "--quiet", "--no-project", "--python", sys.executable, venv], env)
        return run([sys.executable, "-E", "-m", "venv", "--without-pip", venv], env)

    def hold(self, venv: Path, lock: Path, env: Mapping[str, str]) -> bool:
        """Make `venv` hold what `lock` names: digests checked, nothing compiled; uv also removes the rest."""
        python = venv / "bin" / "python"
        if self.is_uv:
            words: list[str | Path] = [
                *self.argv,
                "pip",
                "sync",
                "--no-build",
                "--require-hashes",
                "--python",
                python,
                lock,
            ]
            return run([*words, *from_where(env), *quiet_unless_watched()], env)
        words = [*self.argv, "--python", python, "install", "--quiet", "--only-binary", ":all:"]
        return run([*words, "--require-hashes", "--requirement", lock, *from_where(env)], env)

    def link_project(self, venv: Path, root: Path, env: Mapping[str, str]) -> bool:
        """Put the checkout itself on the path of `venv`, with its command, by the lock's own tools."""
        python = venv / "bin" / "python"
        words: list[str | Path] = [
            "install",
            "--quiet",
            "--no-deps",
            "--no-build-isolation",
            "--editable",
            root,
        ]
        if self.is_uv:
            return run([*self.argv, "pip", *words, "--offline", "--no-config", "--python", python], env)
        return run([*self.argv, "--python", python, *words, "--no-index"], env)


def from_where(env: Mapping[str, str]) -> list[str]:
    """Options, the same for uv and pip: with WHEELS, packages come from that folder and nowhere else."""
    folder = env.get("WHEELS")
    return ["--no-index", "--find-links", folder] if folder else []


def quiet_unless_watched() -> list[str]:
    """Options: uv draws progress bars at a terminal; elsewhere it would list sixty packages."""
    return [] if sys.stderr.isatty() else ["--quiet"]


def find_installer(env: Mapping[str, str]) -> Installer:
    """Return uv from PATH, else the pinned uv (of an earlier run, or through a pip), else that pip.

    Raises:
        Stop: neither uv nor a pip can be had.

    """
    on_path = shutil.which("uv", path=env.get("PATH"))
    for program in (on_path, str(pinned_uv())):
        if program and is_new_enough(answer([program, "--version"], env)):
            return Installer((program,), is_uv=True)
    pip = find_pip(env)
    if pip is None:
        raise Stop(NO_PIP)
    say("fetching uv, the installer")
    if fetch_uv(pip, env) and is_new_enough(answer([pinned_uv(), "--version"], env)):
        return Installer((str(pinned_uv()),), is_uv=True)
    say("uv cannot be had here; going on with pip, which is slower")
    return Installer(pip, is_uv=False)


def pinned_uv() -> Path:
    """Where the uv that we fetch ourselves is put."""
    return BOOT / "uv" / "bin" / "uv"


def is_new_enough(version_line: str | None) -> bool:
    """Whether `uv 1.2.3 (…)` names a version that knows the options we use."""
    words = (version_line or "").split()
    numbers = words[1].split(".") if len(words) > 1 else []
    return all(part.isdigit() for part in numbers[:2]) and tuple(map(int, numbers[:2])) >= OLDEST_UV


def fetch_uv(pip: tuple[str, ...], env: Mapping[str, str]) -> bool:
    """Put the pinned uv under `.boot`; a half-fetched one is taken away first."""
    target = BOOT / "uv"
    shutil.rmtree(target, ignore_errors=True)
    words: list[str | Path] = [
        *pip,
        "install",
        "--quiet",
        "--no-deps",
        "--only-binary",
        ":all:",
        "--target",
        target,
    ]
    return run([*words, "--require-hashes", "--requirement", PINNED, *from_where(env)], env)


def find_pip(env: Mapping[str, str]) -> tuple[str, ...] | None:
    """The words that start a pip that runs on this Python: its own, a private one, or the distribution's."""
    own = (sys.executable, "-E", "-m", "pip")
    if answer([*own, "--version"], env):
        return own
    for attempt in (pip_in_own_venv, pip_from_debian_archive, pip_from_debian_install):
        pip = attempt(env)
        if pip and answer([*pip, "--version"], env):
            return pip
    return None


def pip_in_own_venv(env: Mapping[str, str]) -> tuple[str, ...] | None:
    """A pip in a private environment; None where the distribution has taken `ensurepip` out."""
    venv = BOOT / "venv"
    shutil.rmtree(venv, ignore_errors=True)
    # answer() and not run(): Debian's long advice on failure is not ours to show, since we go on.
    made = answer([sys.executable, "-E", "-m", "venv", venv], env)
    return None if made is None else (str(venv / "bin" / "python"), "-m", "pip")


def pip_from_debian_archive(env: Mapping[str, str]) -> tuple[str, ...] | None:
    """Debian's or Ubuntu's own pip, fetched by apt, unpacked under `.boot`: no root, nothing installed."""
    folder = BOOT / "debian"
    if not shutil.which("apt-get") or not shutil.which("dpkg-deb"):
        return None
    say("no pip here: fetching the distribution's package python3-pip-whl into .boot")
    shutil.rmtree(folder, ignore_errors=True)
    for part in ("lists/partial", "cache/archives/partial", "download"):
        (folder / part).mkdir(parents=True)
    words = ["apt-get", "-qq", "-o", f"Dir::State::Lists={folder}/lists", "-o", f"Dir::Cache={folder}/cache"]
    # apt of root would hand the download to a user who cannot write below .boot.
    words += ["-o", "APT::Sandbox::User=root"]
    fetched = run([*words, "update"], env) and run(
        [
            "/bin/sh",
            "-c",
            'cd "$1" && shift && exec "$@"',
            "sh",
            folder / "download",
            *words,
            "download",
            "python3-pip-whl",
        ],
        env,
    )
    packages = sorted((folder / "download").glob("*.deb"))
    if not fetched or not packages or not run(["dpkg-deb", "-x", packages[0], folder / "root"], env):
        return None
    wheels = sorted((folder / "root").glob("usr/share/python-wheels/pip-*.whl"))
    return (sys.executable, "-E", str(wheels[0] / "pip")) if wheels else None


def pip_from_debian_install(env: Mapping[str, str]) -> tuple[str, ...] | None:
    """As root, the distribution's missing package, installed; the last thing that is tried."""
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        return None
    say("installing the distribution's package python3-venv")
    quiet = {**env, "DEBIAN_FRONTEND": "noninteractive"}
    words = ["apt-get", "-qq", "-y", "--no-install-recommends", "install", "python3-venv"]
    return pip_in_own_venv(env) if run(["apt-get", "-qq", "update"], quiet) and run(words, quiet) else None
