# SPDX-License-Identifier: Apache-2.0
"""This is where the agency's case system is asked by a command, and by a worker every ten minutes."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from app import clocks
from app.settings import Settings
from evidence.errors import BadInput, EvidockError
from pipeline.case_import import Imported
from pipeline.casefeed import Feed, Pause
from pipeline.casefeed_http import Address
from pipeline.ports import Ports, Progress, unheard
from storage.private_file import read_private
from workers.rounds import Rounds

PULL_S = 600.0
_TOLD_AT_ONCE = 3


def pull_now(
    ports: Ports, settings: Settings, *, pause: Pause | None = None, progress: Progress = unheard
) -> Imported | None:
    """Take in what is new in the case system that the settings name; None when they name none.

    Raises:
        BadInput: a setting cannot be used, or a page is not of the agreed form.
        SourceUnavailable: the case system does not answer.
    """
    if not settings.case_feed_url:
        return None
    feed = Feed(address_of(settings), settings.home / "case-feed.json", pause or _sleep)
    return feed.pull(ports=ports, now=clocks.now(), progress=progress)


def address_of(settings: Settings) -> Address:
    """Where the case system is, with the token that rests in the file the settings name.

    Raises:
        BadInput: the URL or the file cannot be used. NotFound: there is no such file.
    """
    path = settings.case_feed_token_file
    if path is None:
        return Address(settings.case_feed_url)
    try:
        token = read_private(path).decode("ascii").strip()
    except UnicodeDecodeError as error:
        raise BadInput(f"the token in {path} is one line of ASCII") from error
    return Address(settings.case_feed_url, token)


@contextmanager
def pulling(ports: Ports, settings: Settings, *, stop: threading.Event, tell: Callable[[str], None]) -> Iterator[None]:
    """While the block runs, ask the case system every ten minutes; nothing where the settings name none.

    What cannot be taken is told, and asked for again: no wrong case, and no system that is down, ends a worker.

    Raises:
        BadInput: at the start, when a setting cannot be used. NotFound: there is no file with the token.
    """
    if not settings.case_feed_url:
        yield
        return
    address_of(settings)
    rounds = Rounds("case system", lambda: _round(ports, settings, stop=stop, tell=tell), stop=stop, tell=tell)
    rounds.start()
    try:
        yield
    finally:
        stop.set()
        rounds.join(1.0)
    if rounds.failed is not None:
        raise rounds.failed


def _round(ports: Ports, settings: Settings, *, stop: threading.Event, tell: Callable[[str], None]) -> float:
    try:
        done = pull_now(ports, settings, pause=stop.wait)
    except EvidockError as error:
        tell(f"case system: {error.message} ({error.code}); it is asked again in {PULL_S / 60:.0f} minutes")
        return PULL_S
    faults = [] if done is None else done.faults
    for fault in faults[:_TOLD_AT_ONCE]:
        tell(f"case system: {fault.file}, case {fault.line}, {fault.column}: {fault.reason}; not taken")
    if len(faults) > _TOLD_AT_ONCE:
        tell(f"case system: {len(faults) - _TOLD_AT_ONCE} more were not taken: `evidock case pull` tells all")
    return PULL_S


def _sleep(seconds: float) -> bool:
    time.sleep(seconds)
    return False
