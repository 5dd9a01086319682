# SPDX-License-Identifier: Apache-2.0
"""This is where the register is asked for recordings that may be one capture with another."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, select

from storage.register.answers import Row, all_rows, one_row
from storage.register.schema import offers, originals, recordings, remarks, series_parts

_ASIDE = ("quarantined", "disposing", "disposed")


def file_of(connection: Connection, recording: str) -> Row | None:
    """A recording with the size of its first original and the path it was offered under."""
    return one_row(connection, _files().where(recordings.c.id == recording))


def touching(connection: Connection, row: Row, since: str, start: str, end: str) -> list[Row]:
    """Recordings like `row` (device, dock, kind) that have any part in `[start, end]` and began at `since` or later.

    Few do: all that a device films at one time, and what it filmed right before and after. By start.
    """
    began = (recordings.c.start_at >= since, recordings.c.start_at <= end)
    reaches = (*began, recordings.c.end_at >= start)
    return all_rows(connection, _like(row).where(*reaches).order_by(recordings.c.start_at, recordings.c.id).limit(200))


def neighbours(connection: Connection, row: Row, *, most: int) -> list[Row]:
    """The `most` recordings like `row` right before it and the `most` right after it, by start."""
    start = recordings.c.start_at
    before = _like(row).where(start < row["start_at"]).order_by(start.desc(), recordings.c.id.desc()).limit(most)
    after = _like(row).where(start > row["start_at"]).order_by(start, recordings.c.id).limit(most)
    return [*reversed(all_rows(connection, before)), *all_rows(connection, after)]


def parts_of(connection: Connection, series: Sequence[str]) -> list[Row]:
    """The parts of these series, each in order."""
    wanted = select(series_parts).where(series_parts.c.series.in_(series))
    return all_rows(connection, wanted.order_by(series_parts.c.series, series_parts.c.position))


def part_rows(connection: Connection, recordings_: Sequence[str]) -> dict[str, Row]:
    """Of these recordings those that are parts of a series, by id."""
    wanted = select(series_parts).where(series_parts.c.recording.in_(recordings_))
    return {row["recording"]: row for row in all_rows(connection, wanted)}


def remark_of(connection: Connection, recording: str, code: str) -> str | None:
    """The text of a remark, when it was made."""
    wanted = select(remarks.c.text).where(remarks.c.recording == recording, remarks.c.code == code)
    text: str | None = connection.scalar(wanted)
    return text


def _files() -> Select[Any]:
    columns = (recordings, originals.c.size_bytes, offers.c.path)
    offered = (offers.c.recording == recordings.c.id) & (offers.c.outcome == "taken")
    first = (originals.c.recording == recordings.c.id) & (originals.c.position == 0)
    return select(*columns).select_from(recordings.join(originals, first).join(offers, offered))


def _like(row: Row) -> Select[Any]:
    device: ColumnElement[bool] = recordings.c.device == row["device"]
    if row["device"] is None:
        device = recordings.c.device.is_(None)
    same = (device, recordings.c.dock == row["dock"], recordings.c.kind == row["kind"])
    return _files().where(*same, recordings.c.state.not_in(_ASIDE), recordings.c.id != row["id"])
