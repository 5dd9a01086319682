# SPDX-License-Identifier: Apache-2.0
"""This is where what the register knows around a recording or a case is gathered, and the rules are asked about it."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal, InvalidOperation

from evidence import instant
from evidence.claims import Claims
from evidence.linking import Area, Footage, Paper, Point, Rules, Score, Work
from evidence.linking_decision import decide
from evidence.linking_desk import Pair
from pipeline.linking_rules import built_in
from storage.register import linking_rows, search
from storage.register.search import Connection, Row

# What is decided within reach of a case depends on what lies within reach of that, and so on: no farther in practice.
_HORIZON = 4
_WORDS = 20
_E6 = 1_000_000


@dataclass(frozen=True, slots=True)
class Around:
    """All that the rules are asked about: footage and cases near one another, with their rows, and the answer."""

    rows: Mapping[str, Row]
    works: Mapping[str, Work]
    cases: Mapping[str, Row]
    scores: Mapping[Pair, Score]
    rules: Rules

    def is_link(self, pair: Pair) -> bool:
        """True when the rules link a recording to a case."""
        score = self.scores.get(pair)
        return score is not None and score.permille >= self.rules.link_at


def around_recording(connection: Connection, row: Row) -> Around:
    """What bears on the cases of a recording, settled or not."""
    rules = built_in()
    film = _footage(row, {}, rules)
    named = _named(connection, [film])
    if film.start is None:
        return _asked(connection, [row], named, {}, rules)
    far = _HORIZON * rules.reach
    start, end = instant.to_text(film.start - far), instant.to_text((film.end or film.start) + far)
    return _within(connection, start, end, {film.officer} - {None}, extra=[row], cases=named, rules=rules)


def around_case(connection: Connection, case: Row) -> Around:
    """What bears on the links of a case."""
    rules = built_in()
    [(_, officers, papers)] = linking_rows.told_of_cases(connection, [case["id"]])
    starts = [case["start_at"], *(paper["start_at"] for paper in papers)]
    ends = [case["end_at"], *(paper["end_at"] for paper in papers)]
    far = _HORIZON * rules.reach
    start = instant.to_text(instant.from_text(min(starts)) - far)
    end = instant.to_text(instant.from_text(max(ends)) + far)
    named = {*officers, *(one for paper in papers for one in paper["officers"])}
    return _within(connection, start, end, named, extra=[], cases={case["id"]}, rules=rules)


def _within(
    connection: Connection,
    start: str,
    end: str,
    officers: Iterable[str | None],
    *,
    extra: Sequence[Row],
    cases: Iterable[str],
    rules: Rules,
) -> Around:
    numbers = {one for one in officers if one is not None}
    units = linking_rows.units_of(connection, numbers)
    units |= linking_rows.colleagues(connection, units.values()) if units else {}
    everyone = numbers | units.keys()
    rows = [*linking_rows.filmed(connection, everyone, start, end), *extra]
    found = linking_rows.open_cases_around(connection, everyone, start, end) | set(cases)
    return _asked(connection, rows, found, units, rules)


def _asked(
    connection: Connection, rows: Sequence[Row], cases: Iterable[str], units: Mapping[str, str], rules: Rules
) -> Around:
    told = linking_rows.told_of_cases(connection, cases)
    named = {row["id"]: row for row in rows}
    works = {row["id"]: _work(row, officers, papers, units) for row, officers, papers in told}
    films = [_footage(row, units, rules) for row in named.values()]
    return Around(named, works, {row["id"]: row for row, _, _ in told}, decide(films, works.values(), rules), rules)


def _named(connection: Connection, films: Iterable[Footage]) -> set[str]:
    """Open cases whose number a terminal or a note tells."""
    words = {number for film in films for number in film.numbers}
    words |= {word for film in films for note in film.notes for word in note.split()[:_WORDS]}
    return linking_rows.open_cases_numbered(connection, words) if words else set()


# --- rows as values -------------------------------------------------------------------------------


def _footage(row: Row, units: Mapping[str, str], rules: Rules) -> Footage:
    claims = Claims.from_json(json.loads(row["claims"]))
    start = None if row["start_at"] is None else instant.from_text(row["start_at"])
    if start is not None and instant.from_text(row["arrived_at"]) - start > rules.old:
        start = None
    end = None if start is None or row["end_at"] is None else instant.from_text(row["end_at"])
    return Footage(
        row["id"],
        officer=row["officer"],
        unit=units.get(row["officer"] or ""),
        start=start,
        end=end,
        doubt=_doubt(row, rules),
        points=tuple(point for claim in claims.of("place") if (point := _point(claim.value)) is not None),
        numbers=tuple(claim.value for claim in claims.of("case")),
        notes=tuple(claim.value for field in ("mark", "note") for claim in claims.of(field)),
    )


def _doubt(row: Row, rules: Rules) -> timedelta:
    """How far a recording's times may be off: by its clock's doubt, or by what its sources disagree.

    As far as a clock drifts, not by a zone: a doubt of hours would link everything.
    """
    spans = [timedelta(milliseconds=row[name] or 0) for name in ("early_ms", "late_ms")]
    if row["end_at"] is not None and row["end_latest"] is not None:
        spans.append(instant.from_text(row["end_latest"]) - instant.from_text(row["end_at"]))
    return rules.doubt + max((one for one in spans if timedelta(0) < one <= rules.enough), default=timedelta(0))


def _work(row: Row, officers: Sequence[str], papers: Sequence[Row], units: Mapping[str, str]) -> Work:
    theirs = sorted({units[one] for one in officers if one in units})
    return Work(
        row["id"],
        row["number"],
        instant.from_text(row["start_at"]),
        instant.from_text(row["end_at"]),
        frozenset(officers),
        # Officers are registered with a unit's name or code, as people write it; a case is of its officers' unit.
        unit=theirs[0] if len(theirs) == 1 else row["unit"],
        papers=tuple(
            Paper(
                one["id"],
                instant.from_text(one["start_at"]),
                instant.from_text(one["end_at"]),
                frozenset(one["officers"]),
            )
            for one in papers
        ),
        area=_area(json.loads(row["told"]).get("place") or {}),
    )


def _area(told: Mapping[str, object]) -> Area | None:
    point = _point(f"{told.get('lat')},{told.get('lon')}")
    radius = told.get("radius_m")
    return Area(point, radius) if point is not None and isinstance(radius, int) else None


def _point(text: str) -> Point | None:
    """A place as decimal degrees, north and east with a comma between; None when it is not written so."""
    lat, _, lon = text.partition(",")
    try:
        north, east = Decimal(lat.strip()), Decimal(lon.strip())
    except InvalidOperation:
        return None
    if not (north.is_finite() and east.is_finite() and abs(north) <= 90 and abs(east) <= 180):
        return None
    return Point(int(north * _E6), int(east * _E6))


def suggestions(connection: Connection, recording: str) -> list[tuple[Row, Score]]:
    """Open cases that a recording may belong to, the likeliest first; what a person withdrew is not among them."""
    around = around_recording(connection, search.recording(connection, recording))
    known = {row["case_id"] for row in linking_rows.links_between(connection, [recording], around.cases)}
    found = [(around.cases[case], score) for (film, case), score in around.scores.items() if film == recording]
    fresh = [(case, score) for case, score in found if case["id"] not in known]
    return sorted(fresh, key=lambda one: (-one[1].permille, one[0]["number"]))
