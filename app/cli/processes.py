# SPDX-License-Identifier: Apache-2.0
"""This is where the long-running processes are started: the dock watcher and the worker."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer

from app.cli.session import Home, err
from app.settings import load_settings


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


def watch(
    folders: Annotated[list[Path], typer.Argument(help="Dock folders.", show_default=False)],
    home: Home = None,
) -> None:
    """Watch dock folders, and take in every file once it is quiet, also what was there before.

    - `evidock watch /srv/dock-1 /srv/dock-2`
    """
    from app.watcher import run_watcher

    settings = load_settings(home=home)
    with stopping() as stop:
        status = run_watcher(settings, folders, stop=stop, on_notice=lambda text: err.print(text))
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
    with stopping() as stop:
        status = run_worker(settings, stop=stop, threads=threads or settings.workers)
    raise typer.Exit(status)
