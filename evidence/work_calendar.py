# SPDX-License-Identifier: Apache-2.0
"""This is where days are told apart: working days, holidays with their make-up days (调休), and the hours of night.

All of it is data, year by year as the State Council announces it. Of a year without data only weekends are known;
whoever asks is told so (`unknown_years`), and passes the doubt on.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

_SATURDAY = 5
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Year:
    """One year's notice: days off (放假), weekend days that are worked (上班), and where that is written."""

    holidays: frozenset[date]
    workdays: frozenset[date]
    source: str


@dataclass(frozen=True, slots=True)
class Night:
    """The hours of night, from `start` up to but not including `end`; over midnight when `end` is the earlier one."""

    start: time
    end: time


@dataclass(frozen=True, slots=True)
class WorkCalendar:
    """Which days are worked. Days are local ones; whoever has an instant brings it into the zone first."""

    name: str
    years: Mapping[int, Year]
    night: Night

    def is_holiday(self, day: date) -> bool:
        """True on a day that a notice gives off; an ordinary weekend is none, nor any day of a year without data."""
        year = self.years.get(day.year)
        return year is not None and day in year.holidays

    def is_working_day(self, day: date) -> bool:
        """True on make-up days, and on weekdays that are not given off."""
        year = self.years.get(day.year)
        if year is not None and day in year.workdays:
            return True
        return day.weekday() < _SATURDAY and not self.is_holiday(day)

    def add_working_days(self, day: date, count: int) -> date:
        """The `count`-th working day after `day`, which itself is not counted; `day` for none.

        The last day there is, where the calendar of the machine ends before.
        """
        while count > 0 and day < date.max:
            day += _DAY
            count -= self.is_working_day(day)
        return day

    def unknown_years(self, first: date, last: date) -> tuple[int, ...]:
        """Years from the one of `first` to the one of `last` that no notice is known of."""
        return tuple(year for year in range(first.year, last.year + 1) if year not in self.years)

    def holiday_in(self, first: date, last: date) -> date | None:
        """The first holiday from `first` to `last`, both counted; None when there is none."""
        found = (day for year in self.years.values() for day in year.holidays if first <= day <= last)
        return min(found, default=None)

    def weekend_in(self, first: date, last: date) -> date | None:
        """The first Saturday or Sunday from `first` to `last` that is not worked; None when there is none."""
        day = first
        while day <= last:
            if day.weekday() >= _SATURDAY and not self.is_working_day(day):
                return day
            if day == date.max:
                break
            day += _DAY
        return None

    def is_night(self, moment: time) -> bool:
        """True when a clock shows an hour of night."""
        start, end = self.night.start, self.night.end
        return start <= moment < end if start < end else moment >= start or moment < end

    def touches_night(self, start: datetime, end: datetime) -> bool:
        """True when some of `[start, end)`, or `start` itself when both are one, lies in the night.

        Both are of the local zone: their `tzinfo` says what a day is.
        """
        if start == end:
            return self.is_night(start.time())
        # The night begins on the day before, too. Of a span of a day or more, some is always night.
        days = (
            (start.date() - _DAY, start.date(), end.date()) if start.date() > date.min else (start.date(), end.date())
        )
        return end - start >= _DAY or any(self._shares_night(day, start, end) for day in days)

    def _shares_night(self, day: date, start: datetime, end: datetime) -> bool:
        falls = datetime.combine(day, self.night.start, start.tzinfo)
        wraps = self.night.end <= self.night.start
        breaks = datetime.combine(day + _DAY if wraps and day < date.max else day, self.night.end, start.tzinfo)
        return start < breaks and falls < end


def days_of(start: datetime, end: datetime) -> tuple[date, date]:
    """The first and the last local day that `[start, end)` has a part in; of one instant, its day."""
    last = end if start == end else max(start, end - timedelta(microseconds=1))
    return start.date(), last.date()
