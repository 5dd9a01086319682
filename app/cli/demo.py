# SPDX-License-Identifier: Apache-2.0
"""This is where `evidock demo` is."""

import json
import sys
import tempfile
import threading
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from app.cli.processes import ending
from app.cli.session import Home, err
from app.demo import Demonstration, demonstrate


def demo(
    once: Annotated[bool, typer.Option("--once", help="Run through, print a JSON summary, exit.")] = False,
    home: Home = None,
) -> None:
    """Show everything at work: simulated cameras, a dock, watcher and worker, cases, clips and their proofs.

    Without --home it makes a folder of its own and says where.

    - `evidock demo --once`
    - `evidock demo --home ./demo`
    """
    place = Path(tempfile.mkdtemp(prefix="evidock-demo-")) if home is None else home
    with ending():
        if once:
            told = demonstrate(place, tell=_tell)
            sys.stdout.write(json.dumps(told, ensure_ascii=False) + "\n")
        else:
            demonstrate(place, tell=_tell, stay=_stay)


def _tell(words: str) -> None:
    err.print(Text.assemble(("… ", "dim"), words))


def _stay(shown: Demonstration) -> None:
    """Leave the watcher and the worker running, and say what can be tried."""
    clip = shown.clips[0]
    err.print(f"\nEverything is in {shown.home}; watcher and worker are running. Three things to try:\n")
    things = (
        ("see what was taken in, whose it is, and what waits for a person", "evidock recordings"),
        ("check a clip alone, then change one byte of it and check again", f"evidock verify {clip}"),
        (f"copy any MP4 or photo into {shown.dock} and look again", "evidock recordings --unfiled"),
    )
    for number, (words, command) in enumerate(things, start=1):
        told = f"  {number}. {words}:\n     EVIDOCK_HOME={shown.home} {command}"
        err.print(told, soft_wrap=True)
    err.print("\nCtrl-C ends it; the folder stays.")
    threading.Event().wait()
