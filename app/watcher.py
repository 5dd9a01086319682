# SPDX-License-Identifier: Apache-2.0
"""This is where dock folders are watched for good: what settles is taken in, and a worker is told of it.

Being told is a convenience: without a broker, workers find the new jobs in the register by themselves.
"""

import threading
import time
from collections import Counter, deque
from collections.abc import Sequence
from pathlib import Path

from app import clocks, intake, walls
from app.operate.lines import Notes, Spoken
from app.operate.operation import Operation, operating
from app.settings import Settings
from app.wiring import check_packages, wired
from devices.dock_folder import Ignored, Notice, Settled
from devices.watch import FolderWatcher
from evidence.claims import Claims
from evidence.errors import DiskLow, EvidockError, NotFound, Overloaded, SourceUnavailable, Unavailable
from evidence.lifecycle import State
from evidence.offer import Offer, showable
from pipeline.ports import Ports
from storage.register import search
from workers.link import Link, open_link
from workers.rounds import Outage, Rounds, Tell, ignore

_TICK_S = 0.25
# Everything is walked this often; where quiet is short, footage is wanted sooner.
_WALK_S = 10.0
_LOOK_BACK_S = 1.0
_LONGEST_S, _DOUBLINGS = 300.0, 10
_LINK_S = 2.0


def run_watcher(
    settings: Settings,
    roots: Sequence[Path],
    *,
    stop: threading.Event,
    on_notice: Tell = ignore,
    notes: Notes | None = None,
) -> int:
    """Take in every file beneath `roots` once it is quiet, until `stop` is set; returns the exit status.

    What was there before is taken too. A register or store that is down is waited for: what settled
    meanwhile is taken afterwards. So is a disk without room, and work that has piled up. A file that cannot be
    taken is told, and tried again when it changes. What there is to say goes to `notes`; without them its
    sentences go to `on_notice`.

    Raises:
        BadInput: a setting cannot be used, there is no folder, or one lies in another.
        StoreUnavailable, RegisterUnavailable: an engine is down at the start.
    """
    check_packages()
    notes = notes or Spoken(on_notice)
    docks = {intake.dock_name(root): root for root in (path.resolve() for path in roots)}
    with (
        wired(settings, actor=f"watcher:{settings.dock}") as ports,
        open_link(settings.broker_url, home=settings.home, namespace=ports.log.origin, place=ports.place) as link,
        FolderWatcher(docks, quiet_s=settings.quiet_s, poll_s=min(_WALK_S, 10 * settings.quiet_s)) as folders,
        operating(settings, ports, notes=notes, stop=stop) as seen,
    ):
        if told := walls.notice(settings):
            notes.tell(told)
        tie = Rounds("broker", lambda: _keep_up(link), stop=stop, tell=notes.tell, attendant=seen.pulse)
        tie.start()
        Watch(folders, ports, link, quiet_s=settings.quiet_s, seen=seen).run(stop)
        tie.join(1.0)
        if tie.failed is not None:
            raise tie.failed
    return 0


def _keep_up(link: Link) -> float:
    link.ensure()
    return _LINK_S


class Watch:
    """One watcher's work: rounds of looking, taking in, and offering again what was changing while read."""

    def __init__(self, folders: FolderWatcher, ports: Ports, link: Link, *, quiet_s: float, seen: Operation) -> None:
        self._folders = folders
        self._ports = ports
        self._link = link
        self._quiet_s = quiet_s
        self._seen = seen
        self._note = seen.notes.note
        self._outage = Outage("watcher", seen.notes.tell, attendant=seen.pulse)
        self._outbox: deque[Notice] = deque()
        self._pending: dict[str, tuple[Offer, str]] = {}  # taken, not measured yet: offer and recording
        self._returning: list[tuple[float, Offer]] = []  # withdrawn: when to offer each anew
        self._returns: Counter[str] = Counter()
        self._look_back_at = 0.0

    def run(self, stop: threading.Event) -> None:
        """Rounds until `stop` is set."""
        while not stop.is_set():
            pause = _TICK_S
            try:
                self._round(stop)
            except Unavailable as error:
                pause = self._outage.goes_on(error)
            self._seen.pulse.turned("watcher", pause)
            stop.wait(pause)

    def _round(self, stop: threading.Event) -> None:
        self._outbox.extend(self._folders.step())
        # Before anything is taken: a disk without room must not keep what was withdrawn from being seen.
        is_due = time.monotonic() >= self._look_back_at
        if is_due:
            self._look_back()
            self._look_back_at = time.monotonic() + _LOOK_BACK_S
        while self._outbox and not stop.is_set():
            self._take(self._outbox[0])
            self._outbox.popleft()  # only now: what an outage kept from being taken is still there
        if is_due:
            self._outage.is_over()

    def _take(self, notice: Notice) -> None:
        if isinstance(notice, Settled):
            self._take_file(notice)
        elif isinstance(notice, Ignored):
            self._left(showable(notice.path), notice.reason.value)
        else:
            told = f"{showable(notice.dock)} " + ("is there" if notice.is_present else f"is gone: {notice.why}")
            self._note("dock-there" if notice.is_present else "dock-gone", told, dock=showable(notice.dock))

    def _left(self, name: str, reason: str) -> None:
        self._note("left", f"left {name}: {reason}", reason=reason)

    def _take_file(self, settled: Settled) -> None:
        name = showable(settled.offer.path)
        try:
            found = intake.consider(settled)
            if isinstance(found, intake.Skipped):
                self._left(name, found.reason)
                return
            self._await_room(found.offer)
            arrival = intake.take_in(found, said=Claims(), ports=self._ports, now=clocks.now())
        except SourceUnavailable as error:
            self._note("not-yet", f"not yet {name}: {error.message}", offer=settled.offer.id, code=error.code)
            self._folders.offer_again(settled.offer)
        except Unavailable:
            raise
        except EvidockError as error:
            told = f"cannot take {name}: {error.message} ({error.code})"
            self._note("cannot-take", told, offer=settled.offer.id, code=error.code)
        else:
            self._taken(settled.offer, arrival.recording, arrival.job, is_new=arrival.is_new)

    def _await_room(self, offer: Offer) -> None:
        try:
            self._seen.admission.check(offer)
        except (DiskLow, Overloaded) as error:
            self._seen.figures.waits(error.code)
            raise
        self._seen.figures.waits(None)

    def _taken(self, offer: Offer, recording: str, job: str, *, is_new: bool) -> None:
        self._pending[offer.id] = (offer, recording)
        if is_new:
            self._seen.figures.arrived()
            self._note("took", f"took {showable(offer.path)} as {recording}", recording=recording, offer=offer.id)
            self._link.hints.send_when_idle(job)

    def _look_back(self) -> None:
        """Have files offered anew that turned out to be changing, later each time; forget what is measured."""
        now = time.monotonic()
        with self._ports.register.view() as connection:
            for identifier, (offer, recording) in list(self._pending.items()):
                if _is_withdrawn(connection, identifier):
                    # A file that only seems to be quiet must not fill the custody log.
                    pause = min(self._quiet_s * 2 ** min(self._returns[identifier], _DOUBLINGS), _LONGEST_S)
                    self._returns[identifier] += 1
                    self._returning.append((now + pause, offer))
                elif not _is_measured(connection, recording):
                    continue
                del self._pending[identifier]
        for _, offer in [one for one in self._returning if one[0] <= now]:
            self._folders.offer_again(offer)
        self._returning = [one for one in self._returning if one[0] > now]


def _is_withdrawn(connection: search.Connection, offer: str) -> bool:
    row = search.offer(connection, offer)
    return row is not None and row["outcome"] == "withdrawn"


def _is_measured(connection: search.Connection, recording: str) -> bool:
    try:
        return bool(search.recording(connection, recording)["state"] != State.ARRIVED)
    except NotFound:  # its bytes were held already: it folded into the recording that holds them
        return True
