# SPDX-License-Identifier: Apache-2.0
"""This is where docks are told as a wall shows them: each with its ports, what is in them and how far that is."""

from collections.abc import Collection
from datetime import datetime, timedelta

from pydantic import BaseModel

from evidence import instant
from storage.register import device_rows, live_rows
from storage.register.answers import Row
from storage.register.reach import Sight
from storage.register.register import Register
from storage.register.search import Connection
from web.api.moments import Instant


class Slot(BaseModel):
    """A port, and the device that was plugged in last. `files`, `bytes`: what is to come of it; `came`: what came.

    `bytes_per_s`, `left_s`: since it was plugged in, and for how long at that; null once it ended, or nothing came.
    `state`: copying, erasing, refused; or how it ended. `offset_ms`: the device's clock minus true time.
    """

    port: str
    docking: str
    device: str | None
    officer: str | None
    state: str
    refusal: str | None
    began_at: Instant
    ended_at: Instant | None
    files: int
    bytes: int
    came_files: int
    came_bytes: int
    bytes_per_s: int | None
    left_s: int | None
    offset_ms: int | None
    uncertainty_ms: int | None


class DockNow(BaseModel):
    """A dock as it is now. `seen_at`: when something last came of it."""

    id: str
    name: str
    kind: str
    unit: str
    state: str
    erases: bool
    seen_at: Instant | None
    slots: list[Slot]


def wall(
    register: Register, sight: Sight, *, now: datetime, days: int, among: Collection[str] | None = None
) -> list[DockNow]:
    """The docks within reach, by name; of these ids, if any are given.

    `days`: a port in which nothing was plugged for so long is empty.

    Raises:
        RegisterUnavailable: worth another try.
    """
    with register.view(seen_by=sight) as connection:
        rows = live_rows.docks_seen(connection, sight, among)
    if not rows:
        return []
    # How many files came is told of all of them, also of those whose recordings the asker may not open.
    with register.view() as connection:
        seen = device_rows.docks_seen_last(connection, instant.to_text(now))
        names = [row["id"] for row in rows]
        held = live_rows.slots_of(connection, names, since=instant.to_text(now - timedelta(days=days)))
        slots = [(one["dock"], _slot(connection, one, now)) for one in held]
    return [_dock(row, seen.get(row["id"]), [slot for dock, slot in slots if dock == row["id"]]) for row in rows]


def _dock(row: Row, seen_at: str | None, slots: list[Slot]) -> DockNow:
    told = {name: row[name] for name in ("id", "name", "kind", "unit", "state")}
    return DockNow(**told, erases=bool(row["erases"]), seen_at=seen_at, slots=slots)


def _slot(connection: Connection, row: Row, now: datetime) -> Slot:
    clock = live_rows.clock_of(connection, row["id"])
    files, size = live_rows.come_of(connection, row) if row["device"] is not None else (0, 0)
    rate = None if row["ended_at"] is not None else _rate(size, now - instant.from_text(row["began_at"]))
    told = {name: row[name] for name in ("port", "device", "officer", "refusal", "began_at", "ended_at")}
    return Slot(
        **told,
        docking=row["id"],
        state=_state(row),
        files=row["taken"],
        bytes=row["taken_bytes"],
        came_files=files,
        came_bytes=size,
        bytes_per_s=rate,
        left_s=None if not rate else max(0, row["taken_bytes"] - size) // rate,
        offset_ms=None if clock is None else clock["offset_ms"],
        uncertainty_ms=None if clock is None else clock["uncertainty_ms"],
    )


def _rate(size: int, past: timedelta) -> int | None:
    return int(size / past.total_seconds()) if size and past.total_seconds() > 0 else None


def _state(row: Row) -> str:
    if row["outcome"] is not None:
        return str(row["outcome"])
    if row["refusal"] is not None:
        return "refused"
    return "copying" if row["erasing_at"] is None else "erasing"
