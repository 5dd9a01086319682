# SPDX-License-Identifier: Apache-2.0
"""This is where a simulated card is laid out: which folder and name a maker would give a recording.

Names carry the camera's local clock, right or wrong. `devices/makers` reads them back.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import PurePosixPath
from typing import Literal

from evidence.errors import BadInput

Kind = Literal["video", "image", "audio"]
Mark = Literal["", "SOS", "IMP"]

_GENERIC = {"video": "VID", "image": "IMG", "audio": "REC"}


@dataclass(frozen=True, slots=True)
class Naming:
    """What a name is made of; `clock` is the camera's local time when the recording began."""

    serial: str
    officer: str
    kind: Kind
    clock: datetime
    mark: Mark
    ending: str


@dataclass(frozen=True, slots=True)
class Layout:
    """A maker's form: the path of a recording on the card, and whether the root names the device."""

    place: Callable[[Naming], PurePosixPath]
    has_root_file: bool


def layout(name: str) -> Layout:
    """The layout called `name`: `dsj`, `dcam`, `station` or `generic`.

    Raises:
        BadInput: there is no such layout.
    """
    try:
        return LAYOUTS[name]
    except KeyError as error:
        raise BadInput(f"no layout {name!r}; there are {', '.join(LAYOUTS)}") from error


def root_files(name: str, *, serial: str, officer: str) -> dict[str, bytes]:
    """What lies at the root of a fresh card, by file name."""
    if not layout(name).has_root_file:
        return {}
    return {"configs.cson": f'deviceId: "{serial}"\nofficerId: "{officer}"\n'.encode()}


def _branded(brand: str, naming: Naming, folder: str) -> PurePosixPath:
    clock = naming.clock
    mark = f"_{naming.mark}" if naming.mark else ""
    stem = f"{brand}_{naming.serial}_{naming.officer}_{clock:%Y%m%d_%H%M%S}{mark}"
    return PurePosixPath("DCIM", folder, f"{clock:%Y-%m-%d}", f"{stem}.{naming.ending}")


def _dsj(naming: Naming) -> PurePosixPath:
    return _branded("DSJ", naming, naming.mark or naming.kind)


def _dcam(naming: Naming) -> PurePosixPath:
    return _branded("DCAM", naming, naming.mark or naming.kind.capitalize())


def _station(naming: Naming) -> PurePosixPath:
    # The station names the folder by the day of import; here, files are imported the day they are made.
    folder = f"{naming.officer}_{naming.serial}"
    name = f"{naming.officer}@{naming.clock:%Y-%m-%d_%H-%M-%S}.{naming.ending}"
    return PurePosixPath("disk1", f"{naming.clock:%Y-%m-%d}", folder, name)


def _generic(naming: Naming) -> PurePosixPath:
    name = f"{_GENERIC[naming.kind]}_{naming.clock:%Y%m%d_%H%M%S}.{naming.ending}"
    return PurePosixPath("DCIM", "Camera", name)


LAYOUTS = {
    "dsj": Layout(_dsj, has_root_file=True),
    "dcam": Layout(_dcam, has_root_file=True),
    "station": Layout(_station, has_root_file=False),
    "generic": Layout(_generic, has_root_file=False),
}
