# SPDX-License-Identifier: Apache-2.0
"""This is where a benchmark gets an installation of its own: real engines in a folder that is thrown away."""

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from app import clocks, intake
from app.settings import Settings, load_settings
from app.wiring import open_keys, wired
from bench.footage import SERIAL
from evidence.claims import Claims
from evidence.device import Device
from evidence.errors import Unavailable
from evidence.note import VerifierKey
from pipeline import flow
from pipeline.devices_register import register_device
from pipeline.ports import Ports
from storage.register import search


@dataclass(frozen=True, slots=True)
class Installation:
    """Directory store, SQLite register, custody log and local authority, open in this process."""

    settings: Settings
    ports: Ports

    @property
    def keys(self) -> tuple[VerifierKey, ...]:
        """What a clip's proof names."""
        keys = open_keys(self.settings)
        return (keys.log.verifier_key, keys.records.verifier_key)

    def arrive(self, file: Path) -> str:
        """Take a file down as the front doors do; the recording it became."""
        (found,) = intake.find_files(file)
        if isinstance(found, intake.Skipped):
            raise Unavailable(f"footage of our own was not taken: {found.reason}")
        return intake.take_in(found, said=Claims(), ports=self.ports, now=clocks.now()).recording

    def run(self, step: str, recording: str) -> None:
        """Run one step as a worker does: lease, heartbeat, record in one transaction."""
        result = flow.run(
            f"{step}:{recording}",
            ports=self.ports,
            owner=clocks.owner(),
            clock=clocks.clock(self.settings.lease_s),
        )
        if result is not flow.Result.DONE:
            with self.ports.register.view() as connection:
                row = search.recording(connection, recording)
            raise Unavailable(f"{step} of our footage ended as {result}: {row['problem_code']}, {row['problem_text']}")

    def take_in(self, file: Path, *, steps: Sequence[str]) -> str:
        """Let a file arrive and run these steps on it; its recording."""
        recording = self.arrive(file)
        for step in steps:
            self.run(step, recording)
        return recording


@contextmanager
def installed(home: Path) -> Iterator[Installation]:
    """An installation in the folder `home`, removed with all it holds at the end; our camera is registered."""
    # No environment: somebody's own settings must not decide what is measured.
    settings = load_settings({}, home=home)
    try:
        with wired(settings, actor="bench") as ports:
            register_device(Device(SERIAL), ports=ports, now=clocks.now())
            yield Installation(settings, ports)
    finally:
        shutil.rmtree(home, ignore_errors=True)
