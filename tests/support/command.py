# SPDX-License-Identifier: Apache-2.0
"""This is where tests give `evidock` its arguments and get its words and exit status.

`evidock` calls the very function the program calls, in this process, because a start costs a second;
`evidock_process` starts the program.
"""

import contextlib
import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.cli.main import run

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class Said:
    """What a command answered."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        """Standard output as the one JSON object it must be."""
        body = json.loads(self.out)
        assert isinstance(body, dict)
        return body


def evidock(*arguments: str | Path, home: Path | None = None, **environment: str) -> Said:
    """Run `evidock ARGUMENTS` for the installation at `home`, in this process."""
    out, err, status = io.StringIO(), io.StringIO(), 0
    with (
        _as_called(arguments, _told(home, environment)),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        try:
            run()
        except SystemExit as ended:
            status = int(ended.code or 0)
    return Said(status, out.getvalue(), err.getvalue())


def evidock_process(*arguments: str | Path, home: Path | None = None, **environment: str) -> Said:
    """Run `evidock ARGUMENTS` as a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "app", *map(str, arguments)],
        env=_told(home, environment),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert "Traceback" not in done.stderr, done.stderr
    return Said(done.returncode, done.stdout, done.stderr)


def _told(home: Path | None, environment: Mapping[str, str]) -> dict[str, str]:
    outer = {name: value for name, value in os.environ.items() if not name.startswith("EVIDOCK_")}
    own = {} if home is None else {"EVIDOCK_HOME": str(home)}
    return {**outer, "LANG": "C.UTF-8", **own, **environment}


@contextlib.contextmanager
def _as_called(arguments: tuple[str | Path, ...], environment: Mapping[str, str]) -> Iterator[None]:
    """The process's own arguments and environment, as they would be; put back at the end."""
    argv, before = sys.argv, dict(os.environ)
    sys.argv = ["evidock", *map(str, arguments)]
    os.environ.clear()
    os.environ.update(environment)
    try:
        yield
    finally:
        sys.argv = argv
        os.environ.clear()
        os.environ.update(before)
