# SPDX-License-Identifier: Apache-2.0
"""This is where the due list of a made-up year is computed a second time, by hand: nothing of evidock decides here.

It reads the catalog's YAML as text on a page, adds months with a loop over days, and follows docs/operate/retention.md
sentence by sentence. It is slow and plain on purpose.
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import yaml

from tests.support.agency_year import Agency, SimCase, SimRecording

_FOR_EVER = datetime(9999, 1, 1, tzinfo=UTC)
Answer = tuple[str, datetime | None]


def due_list(agency: Agency, catalog: Path, now: datetime) -> dict[str, Answer]:
    """Outcome and latest bound of every recording, by id."""
    book = yaml.safe_load(catalog.read_text("utf-8"))
    cases = {case.id: case for case in agency.cases}
    return {one.id: answer(one, [cases[case] for case in one.cases], book, now) for one in agency.recordings}


def answer(one: SimRecording, cases: list[SimCase], book: dict[str, Any], now: datetime) -> Answer:
    """Outcome and latest bound of one recording in these cases, by a catalog's YAML."""
    codes = [*one.conditions, *(code for case in cases for code in case.conditions)]
    ends = list(_ends(one, cases, codes, book))
    latest = max(ends, default=None)
    for_good = latest == _FOR_EVER
    dated = max((end for end in ends if end != _FOR_EVER), default=None)
    if one.is_held or any(case.is_held for case in cases):
        return "held", None if for_good else dated
    if for_good:
        return "permanent", None
    effects = [_effect(book["permanent_conditions"][code]) for code in codes]
    if _asks(one) or "hold" in effects or any(case.closed is None for case in cases) or latest is None:
        return "waits", dated
    return ("due" if latest <= now else "kept"), latest


def _asks(one: SimRecording) -> bool:
    if one.item is None or one.state != "indexed":
        return True
    is_doubted = one.latest is not None and one.latest > one.arrived + timedelta(days=1)
    return (one.is_marked or is_doubted) and not one.is_reviewed


def _effect(condition: dict[str, Any]) -> str:
    return str(condition.get("effect", condition.get("effect_base")))


def _ends(one: SimRecording, cases: list[SimCase], codes: list[str], book: dict[str, Any]) -> Iterator[datetime]:
    ended = one.latest
    if ended is None or not one.arrived - timedelta(days=30) <= ended <= one.arrived + timedelta(days=1):
        ended = one.arrived
    closed = [(case, max(case.closed, ended)) for case in cases if case.closed is not None]
    if one.item is not None:
        item = next(entry for entry in book["items"] if entry["id"] == one.item)
        kept = book["retention_classes"][item["retention"]]
        yield _later(ended, kept["hard_floor"])
        yield from _of_class(kept, ended, bool(cases), closed)
    for code in codes:
        condition = book["permanent_conditions"][code]
        match _effect(condition):
            case "permanent":
                yield _FOR_EVER
            case "case_file":
                yield from (_later(since, case.file_term) for case, since in closed if case.file_term)
            case "floor":
                yield from _of_class(book["retention_classes"][condition["floor"]], ended, bool(cases), closed)


def _of_class(
    kept: dict[str, Any], ended: datetime, has_cases: bool, closed: list[tuple[SimCase, datetime]]
) -> Iterator[datetime]:
    period = kept["period"]
    if period == "permanent":
        yield _FOR_EVER
    elif kept["starts"] == "recording_end":
        yield _later(ended, period)
    elif not has_cases:
        yield _later(ended, kept["fallback"] if period == "case_file" else period)
    else:
        for case, since in closed:
            yield _later(since, case.file_term or kept["fallback"] if period == "case_file" else period)


def _later(start: datetime, period: str) -> datetime:
    if period == "permanent":
        return _FOR_EVER
    number, unit = int(period[1:-1]), period[-1]
    if unit == "D":
        return start + timedelta(days=number)
    months = number * (12 if unit == "Y" else 1)
    day = date(start.year, start.month, 1)
    for _ in range(months):  # the first of the month after, again and again
        day = (day.replace(day=28) + timedelta(days=4)).replace(day=1)
    last = ((day.replace(day=28) + timedelta(days=4)).replace(day=1) - timedelta(days=1)).day
    return datetime.combine(day.replace(day=min(start.day, last)), start.timetz())
