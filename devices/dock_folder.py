# SPDX-License-Identifier: Apache-2.0
"""This is where one dock's folder becomes offers: each settled file once, each other name with its reason.

The whole folder is walked now and then, which alone finds everything there is; between two walks single
paths are looked at, because they are due to be quiet or because somebody says that they changed. Nothing is
remembered beyond the life of the object: that a file was taken before is for the register to know, by the
offer's id.
"""

import os
import stat
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from devices.safe_open import open_folder, open_root
from devices.settle import Reason, Snapshot, StabilityTracker, refusal
from devices.walk import Entry, walk
from evidence.errors import BadInput, NotFound, SourceUnavailable
from evidence.offer import Offer, check_relative, raw


@dataclass(frozen=True, slots=True)
class Settled:
    """A file that was quiet, as it looked then; read it with `open_beneath(root, offer.path)`."""

    offer: Offer
    root: Path
    seen: Snapshot


@dataclass(frozen=True, slots=True)
class Ignored:
    """A name that is not taken, and why."""

    dock: str
    path: str
    reason: Reason


@dataclass(frozen=True, slots=True)
class DockChanged:
    """A dock's folder can be read again, or no longer; `why` in words."""

    dock: str
    is_present: bool
    why: str


Notice = Settled | Ignored | DockChanged


class DockFolder:
    """What is known of the folder of one dock. Not for several threads.

    `clock` tells monotonic seconds. It is read at each look, not once a walk: a walk over a slow card takes
    longer than a file must be quiet.
    """

    def __init__(self, dock: str, root: Path, *, quiet_s: float, clock: Callable[[], float]) -> None:
        self.dock = dock
        self.root = root
        self.is_present: bool | None = None  # None: not looked at yet
        self._clock = clock
        self._tracker = StabilityTracker(quiet_s=quiet_s)
        self._offered: dict[str, tuple[tuple[int, int], ...]] = {}
        self._told: dict[str, Reason] = {}

    @property
    def waiting(self) -> int:
        """How many files are there and not yet quiet."""
        return len(self._tracker)

    def scan(self) -> Iterator[Notice]:
        """Walk the whole folder: what is new, what has settled, what is not taken.

        A folder that is not there is a notice, not an error; it is found again when it is back.
        """
        try:
            with open_root(self.root) as at:
                yield from self._present(True, "")
                for entry in walk(at):
                    yield from self._see(entry)
        except SourceUnavailable as error:
            yield from self._present(False, error.message)

    def look_again(self) -> Iterator[Notice]:
        """Look at the files that should be quiet by now; nothing else is touched."""
        yield from self.look_at(list(self._tracker.due(self._clock())))

    def look_at(self, paths: Iterable[str]) -> Iterator[Notice]:
        """Look at these paths beneath the folder, and at all that is in those that are folders."""
        wanted = sorted({path for path in paths if _is_beneath(path)}, key=_folder_of)
        if not wanted:
            return
        try:
            with open_root(self.root) as at:
                for folder, inside in groupby(wanted, key=_folder_of):
                    yield from self._look_in(at, folder, list(inside))
        except SourceUnavailable as error:
            yield from self._present(False, error.message)

    def offer_again(self, offer: Offer) -> None:
        """Let `offer` settle and be offered anew: it could not be taken this time."""
        self._offered.pop(offer.path, None)
        self._tracker.forget(offer.path)

    def _look_in(self, root: int, folder: str, paths: list[str]) -> Iterator[Notice]:
        try:
            at = open_folder(root, folder) if folder else os.dup(root)
        except (NotFound, BadInput):
            for path in paths:
                self._tracker.forget(path)
            return
        try:
            for path in paths:
                yield from self._look(at, path)
        finally:
            os.close(at)

    def _look(self, at: int, path: str) -> Iterator[Notice]:
        try:
            seen = os.stat(raw(path.rpartition("/")[2]), dir_fd=at, follow_symlinks=False)
        except FileNotFoundError:
            self._tracker.forget(path)
        except OSError:
            yield from self._see(Entry(path, None, Reason.UNREADABLE))
        else:
            yield from self._see(Entry(path, Snapshot.of(seen), refusal(path, seen.st_mode)))
            if stat.S_ISDIR(seen.st_mode):
                yield from self._walk_new(at, path)

    def _walk_new(self, at: int, path: str) -> Iterator[Notice]:
        try:
            inner = open_folder(at, path.rpartition("/")[2])
        except (NotFound, BadInput):
            return
        try:
            for entry in walk(inner, path + "/"):
                yield from self._see(entry)
        finally:
            os.close(inner)

    def _see(self, entry: Entry) -> Iterator[Notice]:
        path, seen = entry.path, entry.seen
        if entry.ignored is not None or seen is None:
            yield from self._ignore(path, entry.ignored or Reason.UNREADABLE)
            return
        self._told.pop(path, None)
        looks, before = (seen.size_bytes, seen.mtime_ns), self._offered.get(path, ())
        if looks in before:
            self._tracker.forget(path)
        elif self._tracker.look(path, seen, self._clock()):
            self._offered[path] = (*before, looks)
            yield Settled(offer_of(self.dock, path, seen), self.root, seen)

    def _ignore(self, path: str, reason: Reason) -> Iterator[Notice]:
        self._tracker.forget(path)
        if reason is not Reason.FOLDER and self._told.get(path) is not reason:
            self._told[path] = reason
            yield Ignored(self.dock, path, reason)

    def _present(self, is_present: bool, why: str) -> Iterator[Notice]:
        if self.is_present is not is_present:
            self.is_present = is_present
            yield DockChanged(self.dock, is_present, why)


def offer_of(dock: str, path: str, seen: Snapshot) -> Offer:
    """The offer for the file `path` of `dock` that looks like `seen`."""
    name = path.rpartition("/")[2]
    return Offer(dock=dock, path=path, name=name, size_bytes=seen.size_bytes, mtime_ns=seen.mtime_ns)


def take_stock(dock: str, root: Path) -> Iterator[Settled | Ignored]:
    """Everything under `root` at once, without waiting for quiet: for a person who says that it is complete.

    In the order of names. A file that is still written to is only found by `unchanged` while it is read.

    Raises:
        SourceUnavailable: the folder cannot be read, or went away.
    """
    with open_root(root) as at:
        for entry in walk(at, in_order=True):
            if entry.seen is not None and entry.ignored is None:
                yield Settled(offer_of(dock, entry.path, entry.seen), root, entry.seen)
            elif entry.ignored is not None and entry.ignored is not Reason.FOLDER:
                yield Ignored(dock, entry.path, entry.ignored)


def _folder_of(path: str) -> str:
    return path.rpartition("/")[0]


def _is_beneath(path: str) -> bool:
    try:
        check_relative(path)
    except BadInput:
        return False
    return True
