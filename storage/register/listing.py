# SPDX-License-Identifier: Apache-2.0
"""This is where long lists of recordings and links are read, whole or page by page, each in an index's order.

A recording that began before a window and reaches into it began on the window's first day, or ran over a
midnight (UTC). Few do, and they have an index of their own: so a window of an hour costs the same in a register
of a month and of ten years.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, exists, func, select, text

from evidence.errors import BadInput
from storage.register.answers import Page, Place, Row, Stretch, all_rows, page_of
from storage.register.schema import OVER_MIDNIGHT, case_links, cases, originals, recordings, segments

_ID = "rec-"
_ID_LENGTH, _BEHIND_ALL = 24, "~"
_DIGEST_LENGTH = 64
_BASE32 = frozenset("abcdefghijklmnopqrstuvwxyz234567")


@dataclass(frozen=True, slots=True)
class Wanted:
    """Conditions on recordings, all of which are met by what is listed.

    `start` and `end` are instants as text: recordings that have any part in `[start, end)`. `is_unfiled`: indexed,
    and no segment of it is linked to a case. `sha256`: an original's digest begins so. `seen`: a condition on the
    table (`reach`).
    """

    case: str | None = None
    officer: str | None = None
    device: str | None = None
    start: str | None = None
    end: str | None = None
    is_unfiled: bool = False
    state: str | None = None
    kind: str | None = None
    sha256: str | None = None
    seen: Any = None


def recordings_page(connection: Connection, wanted: Wanted, *, limit: int | None, after: Place | None = None) -> Page:
    """Recordings by start, those of unknown start last: at most `limit` (all, without one), behind `after`."""
    return page_of(connection, _stretches(wanted, after), limit=limit, after=after)


def find_recordings(
    connection: Connection,
    *,
    case: str | None = None,
    officer: str | None = None,
    device: str | None = None,
    start: str | None = None,
    end: str | None = None,
) -> list[Row]:
    """Recordings that meet every condition given, by start, those of unknown start last.

    `start` and `end` are instants as text: recordings that have any part in `[start, end)`.
    """
    wanted = Wanted(case=case, officer=officer, device=device, start=start, end=end)
    return recordings_page(connection, wanted, limit=None).rows


def unfiled(connection: Connection) -> list[Row]:
    """Indexed recordings of which no segment is linked to a case, by start."""
    return recordings_page(connection, Wanted(is_unfiled=True), limit=None).rows


def ended_before(connection: Connection, moment: str, *, limit: int | None, after: Place | None = None) -> Page:
    """Indexed recordings that ended before an instant (as text), by their end; those of unknown end are left out."""
    wanted = select(recordings).where(recordings.c.state == "indexed", recordings.c.end_at < moment)
    return page_of(connection, [Stretch(wanted, recordings.c.end_at, recordings.c.id)], limit=limit, after=after)


def recordings_like(connection: Connection, beginning: str, *, limit: int) -> list[Row]:
    """At most `limit` recordings whose id begins so, by id; `rec-` may be left out.

    Raises:
        BadInput: no id can begin so.
    """
    told = beginning.removeprefix(_ID)
    if not set(told) <= _BASE32 or len(told) > _ID_LENGTH - len(_ID):
        raise BadInput(f"no recording's id can begin with {beginning!r}")
    # Ids are ordered by their bytes, on every engine.
    wanted = select(recordings).where(recordings.c.id >= _ID + told, recordings.c.id < _ID + told + _BEHIND_ALL)
    return all_rows(connection, wanted.order_by(recordings.c.id).limit(limit))


def links_page(
    connection: Connection, case_id: str, *, limit: int | None, after: Place | None = None, seen: Any = None
) -> Page:
    """Standing links of a case with their segments, by time: at most `limit` (all, without one), behind `after`.

    `seen`: a condition on the recordings that are linked.
    """
    wanted = (
        select(case_links, segments.c.number, segments.c.start, segments.c.end, segments.c.start_at)
        .join(segments, segments.c.id == case_links.c.segment)
        .where(case_links.c.case_id == case_id, case_links.c.withdrawn_at.is_(None))
    )
    if seen is not None:
        wanted = wanted.where(case_links.c.recording.in_(select(recordings.c.id).where(seen)))
    stretch = Stretch(wanted, segments.c.start_at, case_links.c.segment, is_short=True)
    return page_of(connection, [stretch], limit=limit, after=after)


def links_of_case(connection: Connection, case_id: str) -> list[Row]:
    """Standing links of a case with their segments, by time, those of unknown time last."""
    return links_page(connection, case_id, limit=None).rows


def held_by(connection: Connection, case_id: str) -> dict[str, int]:
    """The recordings of a case, and how many segments of each it holds."""
    wanted = (
        select(case_links.c.recording, func.count().label("number"))
        .where(case_links.c.case_id == case_id, case_links.c.withdrawn_at.is_(None))
        .group_by(case_links.c.recording)
    )
    return {row.recording: row.number for row in connection.execute(wanted)}


def _stretches(wanted: Wanted, after: Place | None) -> Iterator[Stretch]:
    asked = select(recordings).where(*_conditions(wanted))
    if wanted.case is not None:
        yield _of_case(asked, wanted)
        return
    known = asked.where(recordings.c.start_at.is_not(None))
    if wanted.end is not None:
        known = known.where(recordings.c.start_at < wanted.end)
    if wanted.start is None:
        yield _by_start(known)
    else:
        day = wanted.start[:10]
        if after is None or (after.at is not None and after.at < day):
            yield _over_midnight(asked, wanted.start, day)
        reaches = func.coalesce(recordings.c.end_at, recordings.c.start_at) >= wanted.start
        yield _by_start(known.where(recordings.c.start_at >= day, reaches))
    if wanted.start is None and wanted.end is None:
        yield Stretch(asked.where(recordings.c.start_at.is_(None)), None, recordings.c.id)


def _over_midnight(asked: Select[Any], start: str, day: str) -> Stretch:
    """What began before a day and reaches to an instant of it."""
    # The index over ends holds the start too: no row is looked up that is not wanted.
    earlier = recordings.c.start_at < day
    wanted = asked.where(text(OVER_MIDNIGHT), earlier, recordings.c.end_at >= start)
    return Stretch(wanted, recordings.c.start_at, recordings.c.id, is_short=True)


def _of_case(asked: Select[Any], wanted: Wanted) -> Stretch:
    """A case is small: its recordings are looked up one by one, and sorted."""
    if wanted.start is not None:
        asked = asked.where(func.coalesce(recordings.c.end_at, recordings.c.start_at) >= wanted.start)
    if wanted.end is not None:
        asked = asked.where(recordings.c.start_at < wanted.end)
    return Stretch(asked, recordings.c.start_at, recordings.c.id, is_short=True)


def _by_start(wanted: Select[Any]) -> Stretch:
    return Stretch(wanted, recordings.c.start_at, recordings.c.id)


def _conditions(wanted: Wanted) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if wanted.case is not None:
        linked = select(case_links.c.recording).join(cases)
        standing = linked.where(cases.c.number == wanted.case, case_links.c.withdrawn_at.is_(None))
        conditions.append(recordings.c.id.in_(standing))
    for name in ("officer", "device", "state", "kind"):
        value = getattr(wanted, name)
        if value is not None:
            conditions.append(recordings.c[name] == value)
    if wanted.sha256 is not None:
        held = select(originals.c.recording)
        conditions.append(recordings.c.id.in_(held.where(originals.c.sha256.between(*_beginning(wanted.sha256)))))
    if wanted.seen is not None:
        conditions.append(wanted.seen)
    if wanted.is_unfiled:
        standing = select(case_links.c.recording).where(case_links.c.withdrawn_at.is_(None))
        conditions += [
            recordings.c.state == "indexed",
            ~exists(standing.where(case_links.c.recording == recordings.c.id)),
        ]
    return conditions


def _beginning(digits: str) -> tuple[str, str]:
    """The least and the greatest digest that begins with these hexadecimal digits."""
    return digits.ljust(_DIGEST_LENGTH, "0"), digits.ljust(_DIGEST_LENGTH, "f")
