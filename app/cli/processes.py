# SPDX-License-Identifier: Apache-2.0
"""This is where the long-running processes are started: the dock watcher and the worker."""

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated

import typer

from app.cli.session import Home
from app.settings import Settings, load_settings

if TYPE_CHECKING:
    from app.operate.lines import Lines


@contextmanager
def stopping() -> Iterator[threading.Event]:
    """An event that SIGTERM and SIGINT set; a second signal ends the process at once."""
    stop = threading.Event()

    def ask(number: int, _: FrameType | None) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()

    before = {number: signal.signal(number, ask) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def ending() -> Iterator[None]:
    """End the process well, by its own `finally`s, on SIGTERM or SIGINT; a second signal ends it at once."""
    is_ending = threading.Event()

    def end(number: int, _: FrameType | None) -> None:
        if is_ending.is_set():
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)
        is_ending.set()
        sys.exit(0)

    before = {number: signal.signal(number, end) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _lines(settings: Settings) -> "Iterator[Lines]":
    """The log of this process, on standard error; what libraries warn of goes there too."""
    from app.operate.lines import open_lines

    lines = open_lines(settings, sys.stderr, environment=os.environ)
    with lines.heard():
        yield lines


def watch(
    folders: Annotated[list[Path], typer.Argument(help="Dock folders.", show_default=False)],
    home: Home = None,
) -> None:
    """Watch dock folders, and take in every file once it is quiet, also what was there before.

    - `evidock watch /srv/dock-1 /srv/dock-2`
    """
    from app.watcher import run_watcher

    settings = load_settings(home=home)
    with _lines(settings) as notes, stopping() as stop:
        status = run_watcher(settings, folders, stop=stop, notes=notes)
    raise typer.Exit(status)


def worker(
    threads: Annotated[int | None, typer.Option(help="Steps at once; else EVIDOCK_WORKERS.")] = None,
    home: Home = None,
) -> None:
    """Run the steps of recordings that wait, until it is stopped.

    - `evidock worker --threads 2`
    """
    from app.worker import run_worker

    settings = load_settings(home=home)
    with _lines(settings) as notes, stopping() as stop:
        status = run_worker(settings, stop=stop, threads=threads or settings.workers, notes=notes)
    raise typer.Exit(status)
