# SPDX-License-Identifier: Apache-2.0
"""This is where devices are registered, changed, put on the white list and taken off it, and declared lost."""

from dataclasses import replace
from datetime import date, datetime

from evidence import instant
from evidence.custody import Happening
from evidence.device import KINDS, Device, Status
from evidence.errors import BadInput, NotFound
from evidence.ids import stream_of
from evidence.written import reason
from pipeline.ports import Ports
from storage.register import casebook, search
from storage.register.facts import Facts
from storage.register.search import Connection, Row


def register_device(device: Device, *, ports: Ports, now: datetime) -> bool:
    """Register a device, or change what is registered of it; False, and no event, when all of it is.

    Raises:
        BadInput: no such kind, or nobody of that certificate number is registered.
    """
    with ports.register.begin() as writing:
        return device_in(writing, device, ports=ports, now=now)


def device_in(writing: Facts, device: Device, *, ports: Ports, now: datetime) -> bool:
    """Register a device in open facts; as `register_device`."""
    known = search.device(writing.connection, device.serial)
    was = None if known is None else device_of(known)
    ready = checked_device(writing.connection, device, was=was, now=now)
    if ready == was:
        return False
    writing.record(_registered(ready), actor=ports.actor, at=now)
    return True


def checked_device(connection: Connection, device: Device, *, was: Device | None, now: datetime) -> Device:
    """`device` as it may be taken down: with the code of its unit, and bound since now to a new officer.

    Raises:
        BadInput: as `register_device`; what was told of the device before (`was`) stands.
    """
    known_kind = None if was is None else was.kind
    if device.kind not in (*KINDS, known_kind):
        raise BadInput(f"{device.kind!r} is no kind of device (there are {', '.join(KINDS)})", field="kind")
    holder = "" if was is None else was.officer
    if device.officer not in ("", holder) and search.officer(connection, device.officer) is None:
        raise BadInput(f"no officer {device.officer!r}: register them first", field="officer")
    unit = casebook.unit_told(connection, device.unit) or device.unit
    return replace(device, unit=unit, bound_at=_bound_at(device, was, now))


def _bound_at(device: Device, was: Device | None, now: datetime) -> datetime | None:
    """Since when who answers for a device does: what is told, else now when it is another person, else as before."""
    if not device.officer:
        return None
    if was is None or device.officer != was.officer:
        is_told = device.bound_at is not None and (was is None or device.bound_at != was.bound_at)
        return device.bound_at if is_told else now
    return device.bound_at or was.bound_at or now


def set_allowed(serial: str, *, is_allowed: bool, ports: Ports, now: datetime) -> bool:
    """Put a device on the white list, or take it off; False when it is so already.

    Raises:
        NotFound: it is not registered.
    """
    with ports.register.begin() as writing:
        device = replace(registered(writing.connection, serial), is_allowed=is_allowed)
        return device_in(writing, device, ports=ports, now=now)


def lose_device(serial: str, *, why: str, ports: Ports, now: datetime) -> bool:
    """Declare a device lost; what it films from now on is remarked. False when it is declared so already.

    Who held it stays on record.

    Raises:
        NotFound: it is not registered. BadInput: no reason is given.
    """
    told = {"text": reason(why)}
    with ports.register.begin() as writing:
        device = replace(registered(writing.connection, serial), status=Status.LOST)
        if not device_in(writing, device, ports=ports, now=now):
            return False
        alarm = Happening(
            "device-alarm", stream_of("device", serial), facts={"code": "lost", "dock": None}, detail=told
        )
        writing.record(alarm, actor=ports.actor, at=now)
        return True


def registered(connection: Connection, serial: str) -> Device:
    """The device of this serial.

    Raises:
        NotFound: it is not registered.
    """
    row = search.device(connection, serial)
    if row is None:
        raise NotFound(f"no device {serial!r}: run `evidock device add {serial}` first", device=serial)
    return device_of(row)


def device_of(row: Row) -> Device:
    """The device of a row."""
    lines = ("label", "maker", "model", "firmware", "national_id", "asset", "unit", "officer", "category", "clock")
    return Device(
        serial=row["serial"],
        kind=row["kind"],
        clock_offset_ms=row["clock_offset_ms"],
        bound_at=None if row["bound_at"] is None else instant.from_text(row["bound_at"]),
        status=row["status"],
        capacity_bytes=row["capacity_bytes"],
        purchased_on=None if row["purchased_on"] is None else date.fromisoformat(row["purchased_on"]),
        is_allowed=bool(row["is_allowed"]),
        **{name: row[name] for name in lines},
    )


def _registered(device: Device) -> Happening:
    stream = stream_of("device", device.serial)
    return Happening("device-registered", stream, facts=device.to_facts(), detail=device.to_detail())
