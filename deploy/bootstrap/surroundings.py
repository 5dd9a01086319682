# SPDX-License-Identifier: Apache-2.0
"""This is where the outside tools of the bootstrap are started, and with which environment variables.

A person's settings for pip are honoured by uv too (a mirror, a certificate bundle: whoever sits behind a
proxy has set them for pip); settings that would send an installation elsewhere are taken away.
"""

import configparser
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BOOT = ROOT / ".boot"

ELSEWHERE = (
    "CONDA_PREFIX",
    "PIP_PREFIX",
    "PIP_REQUIRE_VIRTUALENV",
    "PIP_ROOT",
    "PIP_TARGET",
    "PYTHONHOME",
    "PYTHONPATH",
    "UV_PYTHON",
    "UV_SYSTEM_PYTHON",
    "UV_TARGET",
    "VIRTUAL_ENV",
)


class Stop(Exception):
    """The bootstrap cannot go on; the message says in plain words why and what to do."""


def say(message: str) -> None:
    """Tell the person at the terminal; on standard error, since standard output belongs to the command."""
    print(f"evidock: {message}", file=sys.stderr, flush=True)


def run(argv: Sequence[str | Path], env: Mapping[str, str]) -> bool:
    """Run a tool in the checkout with its output on standard error; False when it fails or is not there."""
    try:
        done = subprocess.run(
            [str(word) for word in argv],
            cwd=ROOT,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=sys.stderr,
            check=False,
        )
    except OSError as error:
        say(f"{argv[0]} did not start: {error.strerror}")
        return False
    return done.returncode == 0


def answer(argv: Sequence[str | Path], env: Mapping[str, str]) -> str | None:
    """The standard output of a short question to a tool; None when it fails or is not there."""
    try:
        done = subprocess.run(
            [str(word) for word in argv],
            cwd=ROOT,
            env=env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None


def surroundings(outer: Mapping[str, str], pip_settings: Mapping[str, str]) -> dict[str, str]:
    """The environment variables for pip and uv, made from the person's own and from their settings of pip.

    `pip_settings` are the keys of pip's `[global]` section; a variable that is already set always wins.
    """
    env = {name: value for name, value in outer.items() if name not in ELSEWHERE}
    env |= {"PIP_USER": "0", "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_ROOT_USER_ACTION": "ignore"}
    index = outer.get("PIP_INDEX_URL") or pip_settings.get("index-url")
    if index and not {"UV_DEFAULT_INDEX", "UV_INDEX_URL"} & outer.keys():
        env["UV_DEFAULT_INDEX"] = index
    bundle = outer.get("PIP_CERT") or outer.get("REQUESTS_CA_BUNDLE") or pip_settings.get("cert")
    if bundle:
        env.setdefault("SSL_CERT_FILE", bundle)
    if not home_is_writable(outer):
        # uv and pip keep their caches at home: a service account may have none.
        env.setdefault("UV_CACHE_DIR", str(BOOT / "cache"))
        env.setdefault("PIP_CACHE_DIR", str(BOOT / "pip-cache"))
    return env


def home_is_writable(outer: Mapping[str, str]) -> bool:
    """Whether HOME names a folder that this user can write to."""
    home = outer.get("HOME", "")
    return bool(home) and os.access(home, os.W_OK)


def pip_settings(outer: Mapping[str, str]) -> dict[str, str]:
    """What pip's own files say under `[global]`, the personal ones winning; a broken one says nothing."""
    home = Path(outer.get("HOME") or "/nonexistent")
    personal = Path(outer.get("XDG_CONFIG_HOME") or home / ".config")
    places: list[str | Path | None] = [
        "/etc/pip.conf",
        home / ".pip" / "pip.conf",
        personal / "pip" / "pip.conf",
        outer.get("PIP_CONFIG_FILE"),
    ]
    parser = configparser.RawConfigParser(strict=False)
    for place in (place for place in places if place):
        try:
            parser.read(place, encoding="utf-8")
        except (configparser.Error, UnicodeDecodeError):
            say(f"{place} is not a settings file of pip: not read")
    return dict(parser["global"]) if parser.has_section("global") else {}
