# SPDX-License-Identifier: Apache-2.0
"""This is where a device's clock is looked at: what docks measured, how it drifts, what a time that it showed means."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import typer

from app import clocks
from app.cli.recordings import show_time
from app.cli.session import AsJson, Home, out, print_table, report, session
from app.words import word
from evidence import instant
from evidence.camera_clock import Line, Reading, instant_of
from evidence.camera_clock_interval import Sighting
from evidence.claims import Claim, Claims, Source
from evidence.errors import BadInput
from pipeline.clock_ledger import Ledger, ledger_of
from pipeline.when import told_clock, weigh_start
from storage.register import search

_DAY = timedelta(days=1)
_MILLISECOND = timedelta(milliseconds=1)


def clock(
    serial: Annotated[str, typer.Argument(show_default=False)],
    shown: Annotated[
        str | None, typer.Option(help="A time that the device showed, as 2026-06-19T10:03:24: when was it truly?")
    ] = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Show what docks measured of a device's clock, how it drifts, and what a time that it showed means.

    - `evidock device clock 36NCC009910 --shown 2026-06-19T10:03:24`
    """
    with session(home) as (ports, _), ports.register.view() as connection:
        row = search.device(connection, serial)
        asked = Claims([Claim("device", serial, Source.OPERATOR), *_asked(shown)])
        ledger = ledger_of(connection, row, asked, zone=ports.zone, sighting=Sighting(clocks.now()))
    body = {
        "device": serial,
        "manner": ledger.manner,
        "registered_offset_ms": ledger.registered // _MILLISECOND,
        "readings": told_readings(ledger),
        "shown": None if shown is None else _meaning(asked, ledger),
    }
    report(body, as_json=as_json, show=lambda: _show(body, ports.zone))


def _asked(shown: str | None) -> list[Claim]:
    if shown is None:
        return []
    try:
        datetime.fromisoformat(shown)
    except ValueError as error:
        raise BadInput(f"not a time: {shown!r} (write 2026-06-19T10:03:24)") from error
    return [Claim("start", shown, Source.DEVICE_INFO)]


def told_readings(ledger: Ledger) -> list[dict[str, Any]]:
    """Each reading, with what became of the clock since the one before: its drift, and how surely it is known."""
    lines = ledger.courses[0] if ledger.courses else ()
    since: list[dict[str, Any]] = [{"drift_ms_per_day": None, "since_before": "before"}]
    since += [_stretch(one, other, lines) for one, other in pairwise(ledger.readings)]
    return [_told(one) | drift for one, drift in zip(ledger.readings, since, strict=False)]


def _told(reading: Reading) -> dict[str, Any]:
    return {
        "at": instant.to_text(reading.at),
        "offset_ms": reading.offset // _MILLISECOND,
        "uncertainty_ms": reading.uncertainty // _MILLISECOND,
        "after_ms": None if reading.after is None else reading.after // _MILLISECOND,
    }


def _stretch(one: Reading, other: Reading, lines: Sequence[Line]) -> dict[str, Any]:
    """How the clock fared between two readings; no drift where it was set or began anew."""
    middle = instant_of(one.at + (other.at - one.at) / 2)
    kinds = {line.kind.value for line in lines if line.reaches(middle, middle)}
    kind = next((name for name in ("reset", "jump", "between") if name in kinds), "between")
    is_plain = kind == "between" and other.at > one.at
    moved = (other.offset - one.left) / _MILLISECOND
    return {
        "drift_ms_per_day": round(moved / ((other.at - one.at) / _DAY)) if is_plain else None,
        "since_before": kind,
    }


def _meaning(asked: Claims, ledger: Ledger) -> dict[str, Any]:
    start = weigh_start(asked, ledger, duration=None)
    if start is None:
        raise BadInput("no calendar has that time")
    earliest = None if start.early is None else instant.to_text(start.at - start.early)
    latest = None if start.late is None else instant.to_text(start.at + start.late)
    return {"at": instant.to_text(start.at), "earliest": earliest, "latest": latest, "clock": told_clock(start)}


def _show(body: dict[str, Any], zone: ZoneInfo) -> None:
    manner = word("clock-manner", body["manner"] or "unsaid")
    out.print(f"{body['device']}: {manner}")
    columns = ("measured at", "off by, ms", "give or take, ms", "after it was set, ms", "drift, ms a day", "since then")
    names = ("offset_ms", "uncertainty_ms", "after_ms", "drift_ms_per_day")
    cells = [
        (show_time(one["at"], zone), *(one[name] for name in names), word("clock", one["since_before"]))
        for one in body["readings"]
    ]
    empty = f"never measured; registered as {body['registered_offset_ms']} ms off"
    print_table(columns, cells, empty=empty)
    if body["shown"] is not None:
        _show_meaning(body["shown"], zone)


def _show_meaning(told: dict[str, Any], zone: ZoneInfo) -> None:
    out.print(f"truly: {show_time(told['at'], zone, grain='milliseconds')}")
    bounds = [show_time(told[name], zone, grain="milliseconds") for name in ("earliest", "latest")]
    out.print(f"between {bounds[0]} and {bounds[1]}: {word('clock', told['clock']['basis']['kind'])}")
