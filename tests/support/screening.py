# SPDX-License-Identifier: Apache-2.0
"""This is where tests get a case that four cameras filmed at once, a counter burnt into every picture."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from app import clocks
from evidence.device import Device
from pipeline.casework import link
from pipeline.devices_register import register_device
from tests.support.home import open_home
from tests.support.people import OFFICER, OURS, Hall, hall_of_people
from tests.support.tiny_media import make

CAMERAS, SECONDS, RATE, LATER_S = 4, 40, 25, 4
"""Each camera began so many seconds after the one before it."""


@dataclass(frozen=True, slots=True)
class Screening:
    """The case is `A-own`; `recordings` are in the order in which they began, the first at `AT`."""

    hall: Hall
    recordings: list[str]

    @property
    def address(self) -> str:
        """Where the console is."""
        return str(self.hall.nobody.base_url).rstrip("/").removesuffix("/v1")

    def case(self, *, at: str = "", cameras: int = CAMERAS) -> str:
        """The address of the case with so many of its cameras, at an instant."""
        return f"{self.address}/cases/A-own?cameras={','.join(self.recordings[:cameras])}&at={at}"


AT = "2026-06-19T03:10:20.000Z"
"""An instant that all of them filmed."""


@contextmanager
def screening(folder: Path) -> Iterator[Screening]:
    """One, gone at the end."""
    with open_home(folder / "home") as home, hall_of_people(home) as hall:
        recordings = []
        for number in range(CAMERAS):
            serial = f"CAM-{number + 1}"
            register_device(Device(serial, unit=OURS), ports=home.ports, now=clocks.now())
            path = folder / serial / "film.mp4"
            path.parent.mkdir()
            film = _film(path, began=f"2026-06-19T03:10:{number * LATER_S:02d}Z", tone=400 + 90 * number)
            recordings.append(home.ingest_one(film, officer=OFFICER, device=serial)["id"])
        home.drain()
        link("A-own", recordings, why="filmed there", withdraw=False, ports=home.ports, now=clocks.now())
        yield Screening(hall, recordings)


def _film(path: Path, *, began: str, tone: int) -> Path:
    picture = ("-f", "lavfi", "-i", f"testsrc2=s=320x180:r={RATE}:d={SECONDS}")
    sound = ("-f", "lavfi", "-i", f"sine=f={tone}:r=48000:d={SECONDS}")
    coded = ("-c:v", "libx264", "-preset", "ultrafast", "-g", "50", "-c:a", "aac", "-shortest")
    return make(path, *picture, *sound, *coded, "-metadata", f"creation_time={began}")
