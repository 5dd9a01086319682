# SPDX-License-Identifier: Apache-2.0
"""F6: messages that come again and again, out of order, to workers that freeze and thaw: one result each."""

import random
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

import pytest
from sqlalchemy import func, select

from pipeline import flow
from storage.register import schema
from tests.support.cameras import CAMERA, tiny
from tests.support.chaos import seeded, times
from tests.support.freezing import freeze, freeze_outside_the_register, leased_to, thaw
from tests.support.home import Home
from tests.support.oracle import assert_whole
from tests.support.postgres import database_url
from tests.support.servers import Installation, Process, installation, workers, write_tracks
from tests.support.stock import LEFT, assert_stock_finished_once, stock
from workers.link import Link, open_link

pytestmark = pytest.mark.timeout(900)

# The heart beats each second: a lease of one would end under a busy machine, and three such ends look like poison.
LEASE_S = 2.0
_WORKERS = 3
# One step in five takes a little longer outside the register, where a freeze makes others take over.
SLOW, _SLOWER_S = "tests.support.clocked", "0.03"
_AT_HAND = 300
_FREEZES = 6
_TRIES = 20
_HEIRS_WAIT_S = 5.0
# The share of freezes at whatever moment: with SQLite that is mostly in a transaction, and all others wait.
_ANYWHERE = 0.2


class Deliveries:
    """A heap of messages, each job's one to five times and shuffled, sent little by little as they are taken."""

    def __init__(self, made: Installation, link: Link, jobs: Sequence[str], chance: random.Random) -> None:
        self.sent = 0
        self._made = made
        self._link = link
        self._chance = chance
        self._heap = [job for job in jobs for _ in range(chance.randint(1, 5))]
        chance.shuffle(self._heap)

    def feed(self) -> None:
        """Keep some hundred messages waiting."""
        for _ in range(_AT_HAND - (self._link.hints.waiting() or 0)):
            if self._heap:
                self.send(self._heap.pop())

    def send(self, job: str) -> None:
        assert self._link.hints.send(job)
        self.sent += 1

    def are_over(self) -> bool:
        """True when every message was delivered and no job is left."""
        self.feed()
        return not self._heap and not self._made.open_jobs() and not self._link.hints.waiting()

    def freeze(self, victim: Process) -> bool:
        """Freeze a worker until another took over what it held, or a while; False when it held the register itself."""
        try:
            held = self._freeze_with_leases(victim) if self._chance.random() > _ANYWHERE else {}
            if held:
                self._await_heirs(held)
                return True
            freeze(victim)
            time.sleep(self._chance.uniform(1.1, 1.4) * LEASE_S)
            return False
        finally:
            thaw(victim)

    def _freeze_with_leases(self, victim: Process) -> dict[str, int]:
        """Freeze it at a moment when it holds leases and not the register; those leases, none when it never did."""
        for _ in range(_TRIES):
            if freeze_outside_the_register(victim, self._made) and (held := leased_to(victim, self._made)):
                return held
            thaw(victim)
            self.feed()
            time.sleep(0.01)
        return {}

    def _await_heirs(self, held: dict[str, int]) -> None:
        ends = time.monotonic() + LEASE_S + 0.1
        while time.monotonic() < ends:
            self.feed()
            time.sleep(0.05)
        for job in held:
            self.send(job)  # as a broker does when it has not heard of a worker for a while
        while held and time.monotonic() < ends + _HEIRS_WAIT_S and fences(self._made, held) == held:
            self.feed()
            time.sleep(0.02)


def fences(made: Installation, wanted: Iterable[str]) -> dict[str, int]:
    """The fencing tokens of jobs: they grow with each lease."""
    columns = schema.jobs.c
    with made.ports.register.view() as connection:
        rows = connection.execute(select(columns.id, columns.fence).where(columns.id.in_(list(wanted))))
        return {row.id: row.fence for row in rows}


def work_and_freeze(deliveries: Deliveries, running: list[Process], chance: random.Random) -> Counter[bool]:
    """Freeze the workers in turn past their leases until all is done; how often outside the register, and inside."""
    frozen = Counter[bool]()
    while not deliveries.are_over():
        if frozen.total() >= times(_FREEZES, 10 * _FREEZES):
            time.sleep(0.05)
            continue
        assert [one.status for one in running] == [None] * len(running), running[0].log.read_text()
        frozen[deliveries.freeze(chance.choice(running))] += 1
        ends = time.monotonic() + chance.uniform(0.3, 1.0)
        while time.monotonic() < ends and not deliveries.are_over():
            time.sleep(0.05)
    return frozen


def every_job(recordings: Sequence[str], steps: Iterable[str]) -> list[str]:
    return [f"{step}:{recording}" for recording in recordings for step in steps]


def taken_over(made: Installation) -> int:
    """How many jobs were leased to a second worker while the first had not finished."""
    with made.ports.register.view() as connection:
        more = select(func.count()).select_from(schema.jobs).where(schema.jobs.c.fence > 1)
        return int(connection.scalar(more) or 0)


def test_ten_thousand_deliveries_to_freezing_workers_have_one_result_each(tmp_path: Path) -> None:
    deliver(tmp_path, seeded("ten_thousand_deliveries"), wanted=times(10_000, 50_000))


def test_deliveries_to_freezing_workers_on_postgresql_have_one_result_each(tmp_path: Path) -> None:
    chance = seeded("deliveries_to_freezing_workers_on_postgresql")
    deliver(tmp_path, chance, wanted=times(1_000, 10_000), register_url=database_url())


def deliver(folder: Path, chance: random.Random, *, wanted: int, **settings: str) -> None:
    """Deliver so many messages to workers that freeze and thaw; each step of each recording has one result."""
    with (
        installation(folder / "home", lease_s=str(LEASE_S), **settings) as made,
        open_link(
            made.settings.broker_url, home=made.settings.home, namespace=made.ports.log.origin, place=made.ports.place
        ) as link,
    ):
        recordings = stock(made, wanted // 3 // len(LEFT) + 20)
        link.ensure()
        deliveries = Deliveries(made, link, every_job(recordings, LEFT), chance)
        began = time.monotonic()
        with workers(made, _WORKERS, module=SLOW, words=["worker", _SLOWER_S]) as running:
            frozen = work_and_freeze(deliveries, running, chance)
        print(f"{deliveries.sent} deliveries of {len(recordings) * len(LEFT)} jobs: {time.monotonic() - began:.1f} s")
        print(
            f"{frozen[True]} freezes outside the register, {frozen[False]} inside, {taken_over(made)} jobs taken over"
        )
        assert deliveries.sent >= wanted
        assert taken_over(made) > 0
        assert_stock_finished_once(made, recordings)


def test_whole_recordings_whose_messages_are_doubled_are_proven_afterwards(tmp_path: Path) -> None:
    chance = seeded("whole_recordings")
    card = tmp_path / "card"
    write_tracks(card, times(6, 100))
    for kind in ("silent", "photo", "wav"):
        (card / tiny(kind).path.name).write_bytes(tiny(kind).path.read_bytes())
    with (
        installation(tmp_path / "home", lease_s=str(LEASE_S)) as made,
        open_link(
            made.settings.broker_url, home=made.settings.home, namespace=made.ports.log.origin, place=made.ports.place
        ) as link,
    ):
        home = Home(made.settings, made.ports)
        home.add_device(CAMERA.serial)
        recordings = made.take_in(card)
        link.ensure()
        deliveries = Deliveries(made, link, every_job(recordings, flow.STEPS), chance)
        with workers(made, 2) as running:
            work_and_freeze(deliveries, running, chance)
        assert_whole(home, sorted(card.iterdir()))
