# SPDX-License-Identifier: Apache-2.0
"""This is where the tools that check `deploy/` are found and run: those of `.boot/lint`, else those on PATH."""

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from tests.support.footage import missing

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
_OWN = ROOT / ".boot" / "lint" / "bin"


def tool(name: str, *, remedy: str) -> str:
    """The path of a program; the test is skipped at home and fails in CI when there is none."""
    found = shutil.which(name, path=f"{_OWN}{os.pathsep}{os.environ.get('PATH', '')}")
    if found is None:
        missing(name, remedy=remedy)
    return str(found)


def own_tool(name: str) -> str:
    """A tool that `python -m deploy.lint` brings; never another of the same name."""
    if not (_OWN / name).exists():
        missing(name, remedy="run: .venv/bin/python -m deploy.lint")
    return str(_OWN / name)


def run(
    *argv: str | Path, env: Mapping[str, str] | None = None, told: str = "", cwd: Path = ROOT
) -> subprocess.CompletedProcess[str]:
    """Run a tool to its end, its words kept."""
    return subprocess.run(
        [str(word) for word in argv],
        cwd=cwd,
        env={**os.environ, **(env or {})},
        input=told,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def must_be_quiet(*argv: str | Path, env: Mapping[str, str] | None = None) -> None:
    """Run a linter that has to find nothing and say nothing."""
    done = run(*argv, env=env)
    assert done.returncode == 0, done.stdout + done.stderr
    assert not (done.stdout + done.stderr).strip()
