# SPDX-License-Identifier: Apache-2.0
"""This is where devices and officers are registered: who may film, and who held which camera when."""

import re
from dataclasses import dataclass
from datetime import datetime

from evidence import ids, instant
from evidence.custody import Happening
from evidence.errors import BadInput, NotFound
from evidence.ids import stream_of
from pipeline.ports import Ports
from storage.register import search

_SERIAL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


@dataclass(frozen=True, slots=True)
class Device:
    """What is registered of a device; `clock_offset_ms` is its clock minus true time.

    Raises:
        BadInput: the serial is not one a camera could have.
    """

    serial: str
    kind: str = "bodycam"
    label: str = ""
    clock_offset_ms: int = 0

    def __post_init__(self) -> None:
        if not _SERIAL.fullmatch(self.serial):
            raise BadInput(f"{self.serial!r} is no serial: letters, digits, dot, dash, underscore, at most 64")


@dataclass(frozen=True, slots=True)
class Officer:
    """What is registered of an officer: certificate number, name, unit."""

    number: str
    name: str = ""
    unit: str = ""


def register_device(device: Device, *, ports: Ports, now: datetime) -> None:
    """Register a device, or change what is registered of it."""
    facts = {"clock_offset_ms": device.clock_offset_ms, "kind": device.kind}
    stream = stream_of("device", device.serial)
    happening = Happening("device-registered", stream, facts=facts, detail={"label": device.label})
    with ports.register.begin() as writing:
        writing.record(happening, actor=ports.actor, at=now)


def register_officer(officer: Officer, *, ports: Ports, now: datetime) -> None:
    """Register an officer, or change what is registered of them."""
    told = {"name": officer.name, "number": officer.number, "unit": officer.unit}
    with ports.register.begin() as writing:
        known = search.officer(writing.connection, officer.number)
        identifier = ids.opaque("off", ports.chance(10)) if known is None else known["id"]
        happening = Happening("officer-registered", stream_of("officer", identifier), detail=told)
        writing.record(happening, actor=ports.actor, at=now)


def assign_device(
    serial: str, number: str, *, start: datetime, end: datetime | None, ports: Ports, now: datetime
) -> None:
    """Note that an officer holds a device from `start` (until `end`, when it is known).

    Raises:
        NotFound: device or officer are not registered.
    """
    facts = {"end_at": None if end is None else instant.to_text(end), "start_at": instant.to_text(start)}
    with ports.register.begin() as writing:
        if search.device(writing.connection, serial) is None:
            raise NotFound(f"no device {serial!r}: run `evidock device add {serial}` first")
        if search.officer(writing.connection, number) is None:
            raise NotFound(f"no officer {number!r}: run `evidock officer add {number}` first")
        happening = Happening("assigned", stream_of("device", serial), facts=facts, detail={"officer": number})
        writing.record(happening, actor=ports.actor, at=now)
