# SPDX-License-Identifier: Apache-2.0
"""This is where devices are listed, registered, changed, lost and found, issued and given back over HTTP."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import BaseModel, Field

from evidence import instant
from evidence.access import Reach
from evidence.device import Device, Status
from evidence.errors import Conflict
from pipeline.device_figures import load_device_figures
from pipeline.devices_register import device_of, lose_device, register_device, set_allowed
from pipeline.equipment import equipment_on
from pipeline.ledger import assign_device, return_device
from storage.register import device_rows, dock_rows, registry_lists, search
from storage.register.search import Connection, Row
from web.access import audited
from web.access.acting import Acting, Asker
from web.api.etags import check_match, tagged
from web.api.idempotency import Once
from web.api.moments import Instant, Moment, utc
from web.api.paging import Listed, Paged, listed
from web.api.recordings import Why
from web.api.texts import Asking, Id, Line

router = APIRouter(prefix="/v1/devices", route_class=audited.AuditedRoute, tags=["devices"])
ledgers = APIRouter(prefix="/v1", route_class=audited.AuditedRoute, tags=["devices"])

Serial = Annotated[Id, Path(description="The serial of a device.")]
Reading = Annotated[Asker, Acting("device.read")]
Changing = Annotated[Asker, Acting("device.change")]
Issuing = Annotated[Asker, Acting("device.issue")]

Known = Literal["in-use", "repair", "stopped", "scrapped", "lost"]
_Text = Annotated[str, Field(max_length=200)]
_FARTHEST_MS = 10**12
_MOST_BYTES = 2**53


class DeviceChange(Asking):
    """What is told of a device; what is not named stays. An empty text, or null: not known."""

    kind: Annotated[str, Field(max_length=40)] = "bodycam"
    label: _Text = ""
    clock_offset_ms: Annotated[int, Field(ge=-_FARTHEST_MS, le=_FARTHEST_MS)] = 0
    maker: _Text = ""
    model: _Text = ""
    firmware: _Text = ""
    national_id: _Text = ""
    asset: _Text = ""
    unit: _Text = ""
    officer: _Text = ""
    status: Known = "in-use"
    category: Literal["", "A", "B", "C"] = ""
    clock: Literal["", "local", "utc"] = ""
    capacity_bytes: Annotated[int, Field(ge=0, le=_MOST_BYTES)] | None = None
    purchased_on: date | None = None


class NewDevice(DeviceChange):
    """A device that is not registered yet."""

    serial: Id


class DeviceBrief(BaseModel):
    """A device as it is registered."""

    serial: str
    kind: str
    label: str
    clock_offset_ms: int
    registered_at: Instant
    maker: str
    model: str
    firmware: str
    national_id: str
    asset: str
    unit: str
    officer: str
    bound_at: Instant | None
    status: str
    category: str
    capacity_bytes: int | None
    purchased_on: date | None
    is_allowed: bool
    clock: str


class HandOut(BaseModel):
    """Who held a device when (领用归还)."""

    id: str
    device: str
    officer: str
    start_at: Instant
    end_at: Instant | None
    due_at: Instant | None
    issued_by: str
    returned_to: str
    note: str


class ClockReading(BaseModel):
    """What a dock measured of a device's clock: device minus true time."""

    device: str
    at: Instant
    docking: str
    offset_ms: int
    uncertainty_ms: int
    after_ms: int | None


class DeviceBody(DeviceBrief):
    """A device with when it was seen, who held it, and what its clock showed."""

    seen_at: Instant | None
    ledger: list[HandOut]
    clock_readings: list[ClockReading]


class Issue(Asking):
    """To whom a device is issued (领用), from when (null: now), and until when it is to be back."""

    officer: Line
    from_at: Moment | None = None
    until_at: Moment | None = None
    due_at: Moment | None = None
    note: _Text = ""


class GivenBack(Asking):
    """When a device came back (归还); null: now."""

    at: Moment | None = None
    note: _Text = ""


class RatioBody(BaseModel):
    """How a unit with those below it is equipped (配备率). `unit` null: devices and officers of none."""

    unit: str | None
    name: str
    category: str
    devices: int
    officers: int
    wanted: int | None
    missing: int | None
    permille: int | None
    officers_per_device: str | None


class Ratios(BaseModel):
    """How units are equipped, on a day whose certificates count."""

    on: date
    ratios: list[RatioBody]


@router.get("", operation_id="devices.list", response_model=Listed[DeviceBrief])
def list_devices(
    asker: Reading, paged: Paged, status: Known | None = None, unit: Annotated[Line | None, Query()] = None
) -> Listed[DeviceBrief]:
    """Devices by serial."""
    with asker.view() as connection:
        page = registry_lists.devices_page(
            connection, asker.sight, status=status, unit=unit, limit=paged.limit, after=paged.place()
        )
    asker.about("device", "", rows=len(page.rows))
    return listed([DeviceBrief(**row) for row in page.rows], page)


@router.post("", operation_id="devices.add", status_code=201, response_model=DeviceBody)
def add(told: NewDevice, asker: Changing, once: Once) -> Response:
    """Register a device."""

    def do() -> DeviceBody:
        with asker.view() as connection:
            if search.device(connection, told.serial) is not None:
                raise Conflict("this device is registered: change it instead", device=told.serial)
        register_device(Device(**_fields(told)), ports=asker.ports, now=asker.now)
        return _shown(asker, told.serial)

    return once.answer(asker, do, status=201, headers=lambda _: {"Location": f"/v1/devices/{told.serial}"})


@router.get("/{serial}", operation_id="devices.show", response_model=DeviceBody)
def show(serial: Serial, request: Request, asker: Reading) -> Response:
    """All that is known of a device."""
    return tagged(request, _shown(asker, serial))


@router.patch("/{serial}", operation_id="devices.change", response_model=DeviceBody)
def change(serial: Serial, told: DeviceChange, request: Request, asker: Changing, once: Once) -> Response:
    """Change what is registered of a device; what docks took before stays as it was told then."""
    check_match(request, _shown(asker, serial))

    def do() -> None:
        with asker.view() as connection:
            was = device_of(registry_lists.device(connection, serial, asker.sight))
        register_device(replace(was, **_fields(told)), ports=asker.ports, now=asker.now)

    return _changed(asker, serial, once, do)


@router.post("/{serial}/lose", operation_id="devices.lose", response_model=DeviceBody)
def lose(serial: Serial, told: Why, request: Request, asker: Changing, once: Once) -> Response:
    """Declare a device lost (遗失): docks take nothing of it."""
    check_match(request, _shown(asker, serial))
    ports, now = asker.ports, asker.now
    return _changed(asker, serial, once, lambda: lose_device(serial, why=told.why, ports=ports, now=now))


@router.post("/{serial}/allow", operation_id="devices.allow", response_model=DeviceBody)
def allow(serial: Serial, request: Request, asker: Changing, once: Once) -> Response:
    """Put a device on the white list (白名单): docks take its footage."""
    return _set_allowed(asker, serial, once, request, is_allowed=True)


@router.post("/{serial}/forbid", operation_id="devices.forbid", response_model=DeviceBody)
def forbid(serial: Serial, request: Request, asker: Changing, once: Once) -> Response:
    """Take a device off the white list: docks refuse it."""
    return _set_allowed(asker, serial, once, request, is_allowed=False)


@router.post("/{serial}/issue", operation_id="devices.issue", response_model=DeviceBody)
def issue(serial: Serial, told: Issue, request: Request, asker: Issuing, once: Once) -> Response:
    """Issue a device to an officer (领用)."""
    check_match(request, _shown(asker, serial))

    def do() -> None:
        start, end, due = (None if one is None else utc(one) for one in (told.from_at, told.until_at, told.due_at))
        span: dict[str, Any] = {"start": start or asker.now, "end": end, "due": due}
        assign_device(serial, told.officer, **span, note=told.note, ports=asker.ports, now=asker.now)

    return _changed(asker, serial, once, do)


@router.post("/{serial}/return", operation_id="devices.return", response_model=DeviceBody)
def give_back(serial: Serial, told: GivenBack, request: Request, asker: Issuing, once: Once) -> Response:
    """Take a device back (归还)."""
    check_match(request, _shown(asker, serial))
    at = asker.now if told.at is None else utc(told.at)
    ports, now = asker.ports, asker.now
    return _changed(asker, serial, once, lambda: return_device(serial, at=at, note=told.note, ports=ports, now=now))


@ledgers.get("/equipment", operation_id="devices.equipment", response_model=Ratios)
def equipment(asker: Reading, unit: Line | None = None, on: date | None = None) -> Ratios:
    """How officers are equipped (配备率), unit by unit within reach, with those below each."""
    day = on or asker.now.astimezone(asker.ports.zone).date()
    with asker.view() as connection:
        rows = equipment_on(connection, day, figures=load_device_figures(), unit=unit)
    seen = [row for row in rows if _is_within(asker, row.unit)]
    asker.about("device", "", rows=len(seen))
    return Ratios(on=day, ratios=[RatioBody.model_validate(row.to_json()) for row in seen])


def _is_within(asker: Asker, unit: str | None) -> bool:
    is_everywhere = asker.reach is Reach.ALL or (asker.reach is Reach.UNIT and asker.actor.unit is None)
    return is_everywhere or unit in asker.actor.units


def _set_allowed(asker: Asker, serial: str, once: Once, request: Request, *, is_allowed: bool) -> Response:
    check_match(request, _shown(asker, serial))
    ports, now = asker.ports, asker.now
    return _changed(asker, serial, once, lambda: set_allowed(serial, is_allowed=is_allowed, ports=ports, now=now))


def _changed(asker: Asker, serial: str, once: Once, do: Callable[[], object]) -> Response:
    def answer() -> DeviceBody:
        do()
        return _shown(asker, serial)

    return once.answer(asker, answer)


def _fields(told: DeviceChange) -> dict[str, Any]:
    fields = told.model_dump(exclude_unset=True)
    return fields | ({"status": Status(fields["status"])} if "status" in fields else {})


def _shown(asker: Asker, serial: str) -> DeviceBody:
    asker.about("device", serial)
    with asker.view() as connection:
        return _body(connection, registry_lists.device(connection, serial, asker.sight), instant.to_text(asker.now))


def _body(connection: Connection, row: Row, now: str) -> DeviceBody:
    serial = row["serial"]
    ledger = [HandOut(**one) for one in device_rows.hand_outs(connection, device=serial)]
    readings = [ClockReading(**one) for one in dock_rows.readings_of(connection, serial)]
    seen = device_rows.seen_last(connection, now).get(serial)
    return DeviceBody(**row, seen_at=seen, ledger=ledger, clock_readings=readings)
