# SPDX-License-Identifier: Apache-2.0
"""This is where `make` asks for an environment (`run`, `dev`), for new locks (`lock`) or the console (`console`)."""

import os
import sys
from collections.abc import Mapping, Sequence

from deploy.bootstrap import console
from deploy.bootstrap.environment import ensure
from deploy.bootstrap.installer import PINNED, Installer, find_installer
from deploy.bootstrap.surroundings import ROOT, Stop, pip_settings, run, say, surroundings

COMPILE = ("--universal", "--python-version", "3.11", "--generate-hashes", "--no-emit-index-url")


def main(arguments: Sequence[str]) -> int:
    """Do what was asked; 0 when it is done, otherwise a plain message was given."""
    asked, *rest = arguments or ("run",)
    env = surroundings(os.environ, pip_settings(os.environ))
    try:
        if asked == "lock":
            relock(env, rest)
        elif asked == "console":
            console.ensure_console(ROOT, find_installer, env, is_checked="check" in rest)
        else:
            ensure(ROOT, asked, find_installer, env)
    except Stop as stop:
        say(str(stop))
        return 1
    except OSError as error:
        say(f"cannot set up below {ROOT}: {error.strerror or error} ({error.filename})")
        return 1
    except KeyboardInterrupt:
        say("stopped; the next make goes on from here")
        return 130
    return 0


def relock(env: Mapping[str, str], options: Sequence[str]) -> None:
    """Write the locks anew from pyproject.toml; what they pin stays, unless `--upgrade` is among the options.

    Raises:
        Stop: uv cannot be had or could not resolve.

    """
    uv = find_installer(env)
    if not uv.is_uv:
        raise Stop("locks are made by uv, and uv cannot be had here.")
    project = ("pyproject.toml", "--extra", "build")
    compile_one(uv, [*project, "-o", "requirements.lock"], options, env)
    compile_one(uv, [*project, "--extra", "dev", "-o", "requirements-dev.lock"], options, env)
    for lock in (PINNED, console.PINNED):
        pinned = lock.relative_to(ROOT)
        compile_one(uv, [str(pinned.with_suffix(".in")), "-o", str(pinned)], options, env)


def compile_one(uv: Installer, words: Sequence[str], options: Sequence[str], env: Mapping[str, str]) -> None:
    """Resolve one set of requirements into one lock."""
    if not run([*uv.argv, "pip", "compile", "--quiet", *COMPILE, *words, *options], env):
        raise Stop(f"{words[-1]} could not be made; the lines above say why.")


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
