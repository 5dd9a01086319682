# SPDX-License-Identifier: Apache-2.0
"""This is where recordings are searched by all that is known of them at once."""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Annotated

from fastapi import APIRouter, Query, Request

from pipeline.tell import tell_recordings
from storage.register.answers import Page, Place, Row
from storage.register.listing import Wanted, recordings_page
from storage.register.search import Connection
from web.access.acting import Acting, Asker, audited
from web.api.bodies_recordings import RecordingBrief
from web.api.moments import From, To, text_of
from web.api.paging import Listed, Paged, Paging, listed
from web.api.recordings import Kind, State
from web.api.texts import Line

router = APIRouter(prefix="/v1", route_class=audited.AuditedRoute, tags=["recordings"])

_PAGES_AT_ONCE = 4
_Length = Annotated[float | None, Query(ge=0, le=10**7, allow_inf_nan=False, description="Seconds.")]


@dataclass(frozen=True, slots=True)
class _Lengths:
    """How long a recording may be, in seconds; of one whose length is not known it is not said."""

    least: float | None
    most: float | None

    def hold(self, row: Row) -> bool:
        if self.least is None and self.most is None:
            return True
        if row["duration"] is None:
            return False
        seconds = Fraction(row["duration"])
        return (self.least is None or seconds >= self.least) and (self.most is None or seconds <= self.most)


@router.get("/search", operation_id="search", response_model=Listed[RecordingBrief])
def search(
    asker: Annotated[Asker, Acting("search")],
    paging: Paged,
    request: Request,
    start: From = None,
    end: To = None,
    officer: Line | None = None,
    device: Line | None = None,
    case: Annotated[Line | None, Query(description="Number or id of a case.")] = None,
    state: State | None = None,
    kind: Kind | None = None,
    sha256: Annotated[
        str | None, Query(pattern="^[0-9a-f]{6,64}$", description="An original's digest begins so.")
    ] = None,
    least_seconds: _Length = None,
    most_seconds: _Length = None,
    unfiled: bool = False,
) -> Listed[RecordingBrief]:
    """Recordings that meet all of it, by start. A page may be short though there is a `next`: go on with that."""
    asker.asked(request.url.query[:2000])
    with asker.view() as connection:
        number = None if case is None else asker.case(connection, case)["number"]
        wanted = Wanted(
            *(number, officer, device, text_of(start), text_of(end)),
            is_unfiled=unfiled,
            state=state,
            kind=kind,
            sha256=sha256,
            seen=asker.sees_recordings(),
        )
        page = _page(connection, wanted, _Lengths(least_seconds, most_seconds), paging)
        items = [RecordingBrief(**one) for one in tell_recordings(connection, page.rows)]
    asker.about("recording", "", rows=len(items))
    return listed(items, page)


def _page(connection: Connection, wanted: Wanted, lengths: _Lengths, paging: Paging) -> Page:
    """Some rows, of a bounded number that are looked at: length is exact text, which no index orders."""
    rows: list[Row] = []
    after = paging.place()
    for page in _pages(connection, wanted, limit=paging.limit, after=after):
        for row in page.rows:
            if lengths.hold(row):
                rows.append(row)
            if len(rows) == paging.limit:
                behind = Place(row["start_at"], row["id"])
                return Page(rows, None if row is page.rows[-1] and page.after is None else behind)
        after = page.after
    return Page(rows, after)


def _pages(connection: Connection, wanted: Wanted, *, limit: int, after: Place | None) -> Iterator[Page]:
    for _ in range(_PAGES_AT_ONCE):
        page = recordings_page(connection, wanted, limit=limit, after=after)
        yield page
        after = page.after
        if after is None:
            return
