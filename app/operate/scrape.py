# SPDX-License-Identifier: Apache-2.0
"""This is where the figures of the whole installation are asked for, each time they are wanted.

Every process of an installation tells the same ones: take the greatest of them, not their sum. While the
register is away those that it holds are left out; `evidock_register_answers` says so.
"""

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from app import clocks
from app.admission import room_of
from app.operate.needs import clock_offset
from app.reserve import Reserve
from evidence.errors import DiskLow, SandboxMissing, Unavailable
from evidence.lifecycle import State
from pipeline.flow import STEPS
from pipeline.media.sandbox.probe import level_in_force
from pipeline.ports import Ports
from storage.register import tallies

_STATES = ("runnable", "leased", "dead")
_LEVELS = {"off": 0, "none": 0, "landlock": 1, "full": 2}
_NAMES: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "evidock_register_answers": ("1 when the register answers.", ()),
    "evidock_jobs": ("Jobs that are not done, by state and step.", ("state", "step")),
    "evidock_jobs_runnable_plus_leased": ("Jobs that wait or run: what to scale workers by.", ()),
    "evidock_job_oldest_runnable_seconds": ("How long the job has waited that has waited longest.", ()),
    "evidock_recordings": ("Recordings, by state.", ("state",)),
    "evidock_clock_offset_seconds": ("This machine's clock minus the register's, where they are two.", ()),
    "evidock_disk_free_bytes": ("Free bytes on the disk of a place of this machine.", ("place",)),
    "evidock_disk_kept_bytes": ("Bytes that stay free on the disk of a place.", ("place",)),
    "evidock_spool_bytes": ("Bytes of files in the spool of this machine.", ()),
    "evidock_sandbox_level": ("Walls around media programs: 2 full, 1 Landlock only, 0 none.", ()),
}


class Scrape(Collector):
    """Asks for the installation's figures at each collection."""

    def __init__(self, ports: Ports, *, places: Mapping[str, Path], reserve: Reserve, decodes: bool) -> None:
        self._ports = ports
        self._places = places
        self._reserve = reserve
        self._decodes = decodes

    def describe(self) -> Iterable[GaugeMetricFamily]:
        """The figures there are; nothing is asked for."""
        return [_family(name) for name in _NAMES]

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """The figures as they are now."""
        yield from self._of_register()
        yield from self._of_disks()
        if self._decodes:
            yield _one("evidock_sandbox_level", _sandbox())

    def _of_register(self) -> list[GaugeMetricFamily]:
        try:
            return [*self._of_jobs(), *self._of_clock(), _one("evidock_register_answers", 1)]
        except Unavailable:
            return [_one("evidock_register_answers", 0)]

    def _of_jobs(self) -> list[GaugeMetricFamily]:
        with self._ports.register.view() as connection:
            jobs = tallies.jobs_by_state_and_step(connection)
            oldest = tallies.oldest_due(connection)
            recordings = tallies.recordings_by_state(connection)
        by_step = _family("evidock_jobs")
        # Every one, also those that are 0: an alert must not hang on a line that is not there.
        for state in _STATES:
            for step in STEPS:
                by_step.add_metric([state, step], jobs.get((state, step), 0))
        by_state = _family("evidock_recordings")
        for kind in State:
            by_state.add_metric([kind.value], recordings.get(kind.value, 0))
        waiting = sum(number for (state, _), number in jobs.items() if state != "dead")
        age = 0.0 if oldest is None else max(0.0, (clocks.now() - oldest).total_seconds())
        return [
            by_step,
            by_state,
            _one("evidock_jobs_runnable_plus_leased", waiting),
            _one("evidock_job_oldest_runnable_seconds", age),
        ]

    def _of_clock(self) -> list[GaugeMetricFamily]:
        offset = clock_offset(self._ports)
        return [] if offset is None else [_one("evidock_clock_offset_seconds", offset.total_seconds())]

    def _of_disks(self) -> Iterator[GaugeMetricFamily]:
        free, kept = _family("evidock_disk_free_bytes"), _family("evidock_disk_kept_bytes")
        for name, path in self._places.items():
            try:
                room = room_of(path, self._reserve)
            except DiskLow:
                continue  # the disk does not answer; readiness says so
            free.add_metric([name], room.free)
            kept.add_metric([name], room.kept)
        yield from (free, kept, _one("evidock_spool_bytes", _bytes_below(self._ports.spool)))


def _family(name: str) -> GaugeMetricFamily:
    words, labels = _NAMES[name]
    return GaugeMetricFamily(name, words, labels=labels)


def _one(name: str, value: float) -> GaugeMetricFamily:
    family = _family(name)
    family.add_metric([], value)
    return family


def _sandbox() -> int:
    try:
        return _LEVELS[level_in_force()]
    except SandboxMissing:
        return 0


def _bytes_below(folder: Path) -> int:
    """Bytes of the plain files below a folder; what goes away meanwhile does not count."""
    return sum(_size(Path(parent, name)) for parent, _, names in os.walk(folder) for name in names)


def _size(path: Path) -> int:
    try:
        return path.lstat().st_size
    except OSError:
        return 0
