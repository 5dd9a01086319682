# SPDX-License-Identifier: Apache-2.0
"""This is where docks are watched: the kernel's hints make it quick, a walk every so often makes it sure.

A hint says only "look at this path". Hints get lost (a full queue, a folder mounted over another, a network
share, no watches left); a lost one costs at most `poll_s`. So no file is ever missed for want of a hint, and
none is taken because of one.
"""

import os
import threading
import time
import warnings
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from watchdog.events import (
    DirCreatedEvent,
    DirMovedEvent,
    FileClosedEvent,
    FileCreatedEvent,
    FileMovedEvent,
    FileSystemEvent,
    FileSystemEventHandler,
)
from watchdog.observers import Observer
from watchdog.observers.api import BaseObserver, ObservedWatch

from devices.dock_folder import DockChanged, DockFolder, Ignored, Notice, Settled
from evidence.errors import BadInput
from evidence.offer import Offer, from_raw

# More paths than this between two steps: walking everything is cheaper than looking one by one.
MAX_HINTS = 1000
# Reading a file is no news; a file that is only being written to will be closed.
_NEWS = [DirCreatedEvent, DirMovedEvent, FileCreatedEvent, FileClosedEvent, FileMovedEvent]


class FolderWatcher:
    """Watches the folders of docks and tells each settled file once for each size and time it settles with.

    `roots`: dock name to folder; the folders may be missing, now or later, and none lies in another.
    `quiet_s`: how long a file must look the same. `poll_s`: how often everything is walked. `clock`:
    monotonic seconds. `observer`: makes watchdog's observer; None walks only, as happens by itself when it
    cannot be had.

    Call `step` for one round, or `run` for rounds until told to stop; close at the end, or use as a context.

    Raises:
        BadInput: no folder to watch, or one folder inside another, whose files would be offered twice.
    """

    def __init__(
        self,
        roots: Mapping[str, Path],
        *,
        quiet_s: float = 5.0,
        poll_s: float = 10.0,
        clock: Callable[[], float] = time.monotonic,
        observer: Callable[[], BaseObserver] | None = Observer,
    ) -> None:
        _check_apart(roots)
        self._clock = clock
        self._poll_s = poll_s
        self._next_walk: float | None = None
        self._docks = {dock: DockFolder(dock, root, quiet_s=quiet_s, clock=clock) for dock, root in roots.items()}
        self._outbox: deque[Notice] = deque()
        self._hints = _Hints(observer)

    def __enter__(self) -> "FolderWatcher":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def hinted(self) -> frozenset[str]:
        """The docks for which the kernel gives hints; the others are found by walking only."""
        return self._hints.docks

    @property
    def waiting(self) -> int:
        """How many files are there and not yet quiet."""
        return sum(folder.waiting for folder in self._docks.values())

    def step(self) -> list[Notice]:
        """One round: look where hints point, at what should be quiet by now, at everything when it is time.

        Safe to repeat at any pace. No folder is held open afterwards, so that a card can be ejected. What is
        returned here is not returned again.
        """
        hints, some_lost = self._hints.take()
        now = self._clock()
        if some_lost or self._next_walk is None or now >= self._next_walk:
            self._next_walk = now + self._poll_s
            return [notice for folder in self._docks.values() for notice in self._walk(folder)]
        return [
            notice
            for dock, folder in self._docks.items()
            for looked in (folder.look_at(hints.get(dock, ())), folder.look_again())
            for notice in looked
        ]

    def run(
        self,
        stop: threading.Event,
        on_offer: Callable[[Settled], None],
        *,
        on_notice: Callable[[Ignored | DockChanged], None] | None = None,
        tick_s: float = 0.5,
    ) -> None:
        """Rounds until `stop` is set, in this thread; at most `tick_s` passes between two.

        What the callbacks raise ends the run and comes out here; another run begins with the same notice. For
        a file that could not be taken this time, the callback calls `offer_again` and returns.
        """
        while not stop.is_set():
            self._outbox.extend(self.step())
            while self._outbox and not stop.is_set():
                notice = self._outbox[0]
                if isinstance(notice, Settled):
                    on_offer(notice)
                elif on_notice is not None:
                    on_notice(notice)
                self._outbox.popleft()  # only now: a callback that raised has not taken it
            stop.wait(tick_s)

    def offer_again(self, offer: Offer) -> None:
        """Let `offer` settle and be told anew: it was changing, or could not be stored now."""
        self._docks[offer.dock].offer_again(offer)

    def close(self) -> None:
        """No more hints; threads are gone when this returns. Safe to repeat."""
        self._hints.close()

    def _walk(self, folder: DockFolder) -> Iterator[Notice]:
        # (1) Hints first, then the walk: what appears in between is hinted, what was there is walked.
        self._hints.follow(folder.dock, folder.root)
        yield from folder.scan()


def _check_apart(roots: Mapping[str, Path]) -> None:
    if not roots:
        raise BadInput("no folder to watch")
    real = [Path(os.path.realpath(root)) for root in roots.values()]
    for place, one in enumerate(real):
        for other in real[place + 1 :]:
            if one == other or one in other.parents or other in one.parents:
                raise BadInput(f"one watched folder lies in the other: {one} and {other}")


class _Listener(FileSystemEventHandler):
    """Keeps the paths of one dock's events; called in watchdog's thread."""

    def __init__(self, root: str) -> None:
        self._prefix = os.fsencode(root).rstrip(b"/") + b"/"
        self._lock = threading.Lock()
        self._paths: set[str] = set()
        self._is_overrun = False

    def on_any_event(self, event: FileSystemEvent) -> None:
        path = os.fsencode(event.dest_path or event.src_path)
        with self._lock:
            if len(self._paths) >= MAX_HINTS:
                self._is_overrun = True
            elif path.startswith(self._prefix):
                self._paths.add(from_raw(path[len(self._prefix) :]))

    def take(self) -> tuple[set[str], bool]:
        with self._lock:
            taken = self._paths, self._is_overrun
            self._paths, self._is_overrun = set(), False
        return taken


class _Hints:
    """Watchdog, held so that any failure of it means only that hints stop."""

    def __init__(self, make: Callable[[], BaseObserver] | None) -> None:
        self._observer: BaseObserver | None = None
        self._following: dict[str, tuple[tuple[int, int], ObservedWatch, _Listener]] = {}
        if make is not None:
            self._start(make)

    @property
    def docks(self) -> frozenset[str]:
        return frozenset(self._following)

    def _start(self, make: Callable[[], BaseObserver]) -> None:
        try:
            # A folder made with one inside is seen twice by watchdog's reader, which then warns and goes on.
            # Where warnings are errors, the warning would end the reader.
            warnings.filterwarnings("ignore", message="Callback with id ", category=RuntimeWarning)
            observer = make()
            observer.start()
        except OSError:  # no inotify instance left, or none on this system: walking finds everything
            return
        self._observer = observer

    def follow(self, dock: str, root: Path) -> None:
        """Listen to `root`; anew when another folder is there than the one listened to."""
        identity = _identity(root)
        known = self._following.get(dock)
        if self._observer is None or (known is not None and known[0] == identity):
            return
        if known is not None:
            del self._following[dock]
            self._observer.unschedule(known[1])
        if identity is None:
            return
        real = os.path.realpath(root)  # the kernel is told not to follow links, and the root may be one
        listener = _Listener(real)
        try:
            watch = self._observer.schedule(listener, real, recursive=True, event_filter=list(_NEWS))
        except (OSError, RecursionError):
            # No watches left (fs.inotify.max_user_watches), or a tree deeper than watchdog can descend: this
            # dock is walked only, which finds all there is.
            return
        self._following[dock] = (identity, watch, listener)

    def take(self) -> tuple[dict[str, set[str]], bool]:
        taken = {dock: listener.take() for dock, (_, _, listener) in self._following.items()}
        return {dock: paths for dock, (paths, _) in taken.items()}, any(lost for _, lost in taken.values())

    def close(self) -> None:
        observer, self._observer = self._observer, None
        self._following.clear()
        if observer is not None:
            observer.stop()
            observer.join()


def _identity(root: Path) -> tuple[int, int] | None:
    try:
        seen = root.stat()
    except OSError:
        return None
    return seen.st_dev, seen.st_ino
