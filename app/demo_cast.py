# SPDX-License-Identifier: Apache-2.0
"""This is where the demonstration's people, cameras and cases are named, and what the cameras film."""

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path

from devices.simulator.camera import SimulatedCamera
from evidence.agency import Officer
from evidence.device import Device
from pipeline.casework import NewCase

OFFICERS = (
    Officer("430401", "张敏", "执法一中队"),
    Officer("430402", "李强", "执法一中队"),
    Officer("430403", "王芳", "执法二中队"),
)

_FAST = timedelta(minutes=7)
# One camera's clock is seven minutes fast, and the register knows; one writes no officer into its names.
DEVICES = (
    (Device("DEMO0000001", label="No. 1"), "430401"),
    (Device("DEMO0000002", label="No. 2", clock_offset_ms=int(_FAST.total_seconds() * 1000)), "430402"),
    (Device("DEMO0000003", label="No. 3"), "430403"),
)
_CAMERAS = (
    SimulatedCamera("DEMO0000001", "430401", layout="dsj", seed=1),
    SimulatedCamera("DEMO0000002", "430402", clock_offset=_FAST, layout="dcam", seed=2),
    SimulatedCamera("DEMO0000003", layout="dsj", seed=3),
)
_STRANGER = SimulatedCamera("LOST0000009", "430499", layout="dsj", seed=9)


def first_case(today: datetime) -> NewCase:
    """The case that is open before anything is docked."""
    officers = ("430401", "430402")
    return NewCase("2026-001", "占道经营现场检查", officers, today, today + timedelta(minutes=20), item="JC-01")


def late_case(today: datetime) -> NewCase:
    """The case that is opened after its recording was taken in."""
    start = today + timedelta(minutes=30)
    return NewCase("2026-002", "当场送达", ("430403",), start, start + timedelta(minutes=10))


def film(cards: Path, today: datetime) -> list[Path]:
    """Have the cameras film; their cards, one of them with a file that lost power, one of a stranger."""
    with ThreadPoolExecutor(2) as pool:
        jobs = [
            pool.submit(_first, cards / "port-1", today),
            pool.submit(_second, cards / "port-2", today),
            pool.submit(_third, cards / "port-3", today),
        ]
        made = [job.result() for job in jobs]
    stranger = cards / "port-4"
    _STRANGER.record_sound(stranger, at=today + timedelta(minutes=5), seconds=2)
    return [*made, stranger]


def _first(card: Path, today: datetime) -> Path:
    camera = _CAMERAS[0]
    camera.record(card, at=today + timedelta(minutes=2), seconds=24)
    camera.photograph(card, at=today + timedelta(minutes=3))
    lost = camera.record(card, at=today + timedelta(minutes=4), seconds=2, has_track=False)
    # The power went: the file ends before its index was written.
    with lost.path.open("rb+") as file:
        file.truncate(lost.path.stat().st_size * 3 // 4)
    return card


def _second(card: Path, today: datetime) -> Path:
    _CAMERAS[1].record(card, at=today + timedelta(minutes=2), seconds=18, rate=25)
    _CAMERAS[1].record_sound(card, at=today + timedelta(minutes=6), seconds=8)
    return card


def _third(card: Path, today: datetime) -> Path:
    _CAMERAS[2].record(card, at=today + timedelta(minutes=32), seconds=12)
    # Nobody opened a case for this hour: it is kept, found, and waits for a person.
    _CAMERAS[2].record(card, at=today + timedelta(minutes=90), seconds=6)
    return card
