# SPDX-License-Identifier: Apache-2.0
"""This is where the sweep's peer is written by hand: one SQL statement that does the dates in the database itself.

It knows floors, terms, open and closed cases, and holds. It knows no conditions, no versions, no camera's mark, no
doubt about clocks, no case file's own term, and it gives no reasons: less than the sweep does.
"""

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Connection

from bench.scale.databases import put_rows
from evidence.catalog import Catalog, Starts
from evidence.term import Term

_MADE = "CREATE TABLE peer_answers (recording TEXT PRIMARY KEY, outcome TEXT, until TEXT)"
_CLASSES = (
    "CREATE TABLE peer_classes (item TEXT PRIMARY KEY, floor_ TEXT, term TEXT, from_case INTEGER, for_good INTEGER)"
)

_ASKED = """
INSERT INTO peer_answers
SELECT id,
       CASE WHEN held > 0 THEN 'held' WHEN for_good = 1 THEN 'permanent' WHEN item IS NULL OR open_ > 0 THEN 'waits'
            WHEN CASE WHEN bound > floor_end THEN bound ELSE floor_end END <= '{now}' THEN 'due' ELSE 'kept' END,
       CASE WHEN bound > floor_end THEN bound ELSE floor_end END
FROM (SELECT r.id, r.item, k.for_good, coalesce(c.open_, 0) AS open_,
             coalesce(c.held, 0)
             + (SELECT count(*) FROM holds h WHERE h.subject = r.id AND h.lifted_at IS NULL) AS held,
             {floor_end} AS floor_end, {bound} AS bound
      FROM recordings r
      LEFT JOIN peer_classes k ON k.item = r.item
      LEFT JOIN (SELECT l.recording, max(s.closed_at) AS closed,
                        sum(CASE WHEN s.closed_at IS NULL THEN 1 ELSE 0 END) AS open_, sum(s.held) AS held
                 FROM (SELECT DISTINCT recording, case_id FROM case_links WHERE withdrawn_at IS NULL) l
                 JOIN (SELECT id, closed_at, (SELECT count(*) FROM holds h
                                              WHERE h.subject = cases.id AND h.lifted_at IS NULL) AS held
                       FROM cases) s ON s.id = l.case_id
                 GROUP BY l.recording) c ON c.recording = r.id) AS told
"""
_END = "coalesce(r.end_latest, r.arrived_at)"
_SINCE = f"CASE WHEN k.from_case = 1 AND c.closed > {_END} THEN c.closed ELSE {_END} END"
# Each engine has its own way to add months to a day.
_LATER = {
    "sqlite": "strftime('%Y-%m-%dT%H:%M:%fZ', {since}, {term})",
    "postgresql": "to_char((({since})::timestamptz + ({term})::interval) AT TIME ZONE 'UTC', "
    '\'YYYY-MM-DD"T"HH24:MI:SS.US"Z"\')',
}


def prepare(connection: Connection, catalog: Catalog) -> None:
    """Make the peer's tables: the classes of the catalog's items, and one for its answers."""
    connection.exec_driver_sql(_MADE)
    connection.exec_driver_sql(_CLASSES)
    put_rows(connection, "peer_classes", ("item", "floor_", "term", "from_case", "for_good"), list(_classes(catalog)))


def _classes(catalog: Catalog) -> Iterator[tuple[Any, ...]]:
    for item in catalog.items.values():
        kept = item.retention
        term = kept.term or kept.fallback or kept.floor
        from_case = int(kept.starts is Starts.CASE_CLOSED)
        yield (item.id, _added(kept.floor), _added(term), from_case, int(term.is_permanent))


def answer(connection: Connection, now: str) -> None:
    """Answer for every recording in one statement."""
    later = _LATER[connection.dialect.name]
    floor, bound = later.format(since=_END, term="k.floor_"), later.format(since=_SINCE, term="k.term")
    connection.exec_driver_sql(_ASKED.format(floor_end=floor, bound=bound, now=now))


def _added(term: Term) -> str | None:
    if term.is_permanent:
        return None
    return f"+{term.months} months" if term.months else f"+{term.days} days"
