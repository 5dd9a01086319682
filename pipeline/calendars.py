# SPDX-License-Identifier: Apache-2.0
"""This is where the calendar of working days is read, and refused line by line when it contradicts itself."""

from collections.abc import Iterator
from datetime import date, time, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any

from evidence.work_calendar import Night, WorkCalendar, Year
from pipeline.catalogs.faults import Fault, quoted, refuse
from pipeline.catalogs.load import catalog_bytes
from pipeline.catalogs.text import Document, read_text

DEFAULT = Path(__file__).parent / "data" / "calendar-cn.yaml"
_LONGEST = timedelta(days=60)
_SATURDAY = 5
_TEXTS = ("name", "source")


def load_calendar(path: Path = DEFAULT) -> WorkCalendar:
    """The calendar in a YAML file.

    Raises:
        BadInput: the file cannot be read, or is not a calendar; each fault with line and reason.
    """
    return parse_calendar(catalog_bytes(path), name=path.name)


def parse_calendar(data: bytes, *, name: str) -> WorkCalendar:
    """The calendar in a YAML text; `name` is what messages call it.

    Raises:
        BadInput: as `load_calendar`.
    """
    reader = _Reader(read_text(data, name=name))
    calendar = reader.calendar()
    if reader.faults:
        refuse(name, reader.faults)
    return calendar


class _Reader:
    """Reads a calendar and goes on after a fault, to tell of several."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self.faults: list[Fault] = []

    def calendar(self) -> WorkCalendar:
        """What the document says; to be used only when no fault was found."""
        head = self._part((), {"name": str, "night": dict, "years": dict})
        years = {}
        for key in head["years"]:
            year = self._year(key)
            if year is not None:
                years[int(key)] = year
        if not head["years"]:
            self._fault(
                ("years",), "the calendar has no year", 'write "2026": {source: …, holidays: […], workdays: […]}'
            )
        return WorkCalendar(head["name"], MappingProxyType(years), self._night())

    def _night(self) -> Night:
        said = self._part(("night",), {"from": str, "to": str}, optional=("basis",))
        night = Night(self._hour(said["from"], "from"), self._hour(said["to"], "to"))
        if night.start == night.end and said["from"]:
            self._fault(("night", "to"), "the night has no length", "write another hour")
        return night

    def _hour(self, text: str, key: str) -> time:
        try:
            moment = time.fromisoformat(text)
        except ValueError:
            moment = None
        if moment is None or moment.tzinfo is not None:
            self._fault(("night", key), f"{quoted(text)} is no hour of the day", 'write "22:00"')
            return time(0)
        return moment

    def _year(self, key: str) -> Year | None:
        if not (key.isascii() and key.isdigit() and date.min.year <= int(key) <= date.max.year):
            self._fault(("years", key), f"{quoted(key)} is no year", 'write "2026"')
            return None
        said = self._part(("years", key), {"source": str, "holidays": list, "workdays": list})
        holidays = [day for place, one in enumerate(said["holidays"]) for day in self._holiday(int(key), place, one)]
        workdays = [
            day
            for place in range(len(said["workdays"]))
            if (day := self._day(int(key), ("years", key, "workdays", place), said["workdays"][place])) is not None
        ]
        self._contradictions(key, holidays, workdays)
        return Year(frozenset(holidays), frozenset(workdays), said["source"])

    def _holiday(self, year: int, place: int, entry: Any) -> Iterator[date]:
        path = ("years", str(year), "holidays", place)
        if not isinstance(entry, dict):
            self._fault(
                path, "a holiday is a name and two days", 'write {name: 元旦, from: "2026-01-01", to: "2026-01-03"}'
            )
            return
        said = self._part(path, {"name": str, "from": str, "to": str})
        first, last = (self._day(year, (*path, key), said[key]) for key in ("from", "to"))
        if first is None or last is None:
            return
        if not timedelta(0) <= last - first <= _LONGEST:
            self._fault((*path, "to"), f"{said['name']} ends before it begins, or lasts too long", "write its last day")
            return
        yield from (first + timedelta(days=number) for number in range((last - first).days + 1))

    def _day(self, year: int, path: tuple[str | int, ...], text: Any) -> date | None:
        try:
            day = date.fromisoformat(text)
        except (TypeError, ValueError):
            self._fault(path, f"{quoted(text)} is no day of the calendar", f'write "{year}-01-01"')
            return None
        if day.year != year:
            self._fault(path, f"{day} is not of the year {year}", "put it under its own year")
            return None
        return day

    def _contradictions(self, key: str, holidays: list[date], workdays: list[date]) -> None:
        twice = {day for days in (holidays, workdays) for day in days if days.count(day) > 1}
        for day in sorted(twice):
            self._fault(("years", key), f"{day} is named twice", "keep one")
        for place, day in enumerate(workdays):
            if day in holidays:
                self._fault(("years", key, "workdays", place), f"{day} is a day off as well", "keep one")
            elif day.weekday() < _SATURDAY:
                reason = f"{day} is a weekday: it is worked anyhow"
                self._fault(("years", key, "workdays", place), reason, "only make-up days stand here")

    def _part(
        self, path: tuple[str | int, ...], wanted: dict[str, type], *, optional: tuple[str, ...] = ()
    ) -> dict[str, Any]:
        """A mapping's values of the kinds wanted; empty ones where they are missing or of another kind."""
        body: Any = self._document.body
        for step in path:
            body = body[step]
        body = body if isinstance(body, dict) else {}
        for key in body:
            if key not in wanted and key not in optional:
                self._fault((*path, key), f"no key {quoted(key)} is known here", f"known: {', '.join(wanted)}")
        for key, kind in wanted.items():
            if not isinstance(body.get(key), kind) or (key in _TEXTS and not body[key]):
                self._fault((*path, key), f"{key} is missing, or of the wrong kind", f"write {key}: …")
        return {key: body[key] if isinstance(body.get(key), kind) else kind() for key, kind in wanted.items()}

    def _fault(self, path: tuple[str | int, ...], reason: str, instead: str) -> None:
        while path and path not in self._document.marks:  # what is missing has no place: its surroundings have
            path = path[:-1]
        self.faults.append(Fault(self._document.key_mark(*path), reason, instead))
