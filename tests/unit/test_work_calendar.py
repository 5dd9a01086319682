# SPDX-License-Identifier: Apache-2.0
"""This is where working days, holidays, make-up days and nights are tried, and the calendar's file is refused."""

from datetime import date, datetime, time, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evidence.errors import BadInput
from evidence.work_calendar import Night, WorkCalendar, days_of
from pipeline.calendars import DEFAULT, load_calendar, parse_calendar

CHINA = timezone(timedelta(hours=8))
CALENDAR = load_calendar()


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=CHINA)


# --- the shipped years ------------------------------------------------------------------------


def test_three_years_are_known_each_with_its_notice() -> None:
    assert set(CALENDAR.years) == {2024, 2025, 2026}
    assert all("国" in year.source for year in CALENDAR.years.values())


@pytest.mark.parametrize(
    ("year", "days_off", "made_up"),
    # Counted by hand on the notices: days off, and Saturdays and Sundays that are worked.
    [(2024, 28, 8), (2025, 28, 5), (2026, 33, 6)],
)
def test_a_year_has_as_many_days_as_its_notice(year: int, days_off: int, made_up: int) -> None:
    assert (len(CALENDAR.years[year].holidays), len(CALENDAR.years[year].workdays)) == (days_off, made_up)


@pytest.mark.parametrize("year", [2024, 2025, 2026])
def test_every_make_up_day_is_a_weekend_day_near_a_holiday(year: int) -> None:
    found = CALENDAR.years[year]

    assert all(day.weekday() >= 5 for day in found.workdays)
    assert all(any(abs((day - off).days) <= 14 for off in found.holidays) for day in found.workdays)


def test_a_make_up_saturday_is_a_working_day() -> None:
    assert CALENDAR.is_working_day(date(2026, 2, 14))
    assert not CALENDAR.is_holiday(date(2026, 2, 14))


def test_a_weekday_of_a_holiday_is_none() -> None:
    assert not CALENDAR.is_working_day(date(2026, 2, 16))
    assert CALENDAR.is_holiday(date(2026, 2, 16))


def test_an_ordinary_weekend_is_no_working_day_and_no_holiday() -> None:
    assert not CALENDAR.is_working_day(date(2026, 3, 7))
    assert not CALENDAR.is_holiday(date(2026, 3, 7))
    assert CALENDAR.weekend_in(date(2026, 3, 6), date(2026, 3, 8)) == date(2026, 3, 7)
    assert CALENDAR.weekend_in(date(2026, 2, 14), date(2026, 2, 14)) is None


# --- counting ---------------------------------------------------------------------------------


def test_two_working_days_over_a_spring_festival_are_counted_around_it() -> None:
    # Friday 13 February: the make-up Saturday counts, then nothing until Tuesday the 24th.
    assert CALENDAR.add_working_days(date(2026, 2, 13), 1) == date(2026, 2, 14)
    assert CALENDAR.add_working_days(date(2026, 2, 13), 2) == date(2026, 2, 24)


def test_no_working_days_are_the_day_itself() -> None:
    assert CALENDAR.add_working_days(date(2026, 2, 16), 0) == date(2026, 2, 16)


def test_a_year_without_data_has_weekends_alone_and_is_named() -> None:
    assert CALENDAR.is_working_day(date(2027, 10, 1))
    assert CALENDAR.unknown_years(date(2026, 12, 31), date(2027, 1, 4)) == (2027,)
    assert CALENDAR.unknown_years(date(2026, 1, 1), date(2026, 12, 31)) == ()


def test_counting_ends_with_the_calendar_of_the_machine() -> None:
    assert CALENDAR.add_working_days(date.max - timedelta(days=1), 5) == date.max


@given(st.dates(date(2023, 1, 1), date(2028, 1, 1)), st.integers(1, 20))
def test_what_is_counted_to_is_a_working_day_and_so_many_lie_between(day: date, count: int) -> None:
    found = CALENDAR.add_working_days(day, count)
    between = [day + timedelta(days=n) for n in range(1, (found - day).days + 1)]

    assert CALENDAR.is_working_day(found)
    assert sum(CALENDAR.is_working_day(one) for one in between) == count


# --- the night --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        ("2026-03-02T21:00", "2026-03-02T22:00", False),
        ("2026-03-02T21:00", "2026-03-02T22:01", True),
        ("2026-03-02T06:00", "2026-03-02T07:00", False),
        ("2026-03-02T05:59", "2026-03-02T07:00", True),
        ("2026-03-02T23:00", "2026-03-02T23:30", True),
        ("2026-03-02T22:00", "2026-03-02T22:00", True),
        ("2026-03-02T06:00", "2026-03-02T06:00", False),
        ("2026-03-02T12:00", "2026-03-03T12:00", True),
        ("2026-03-02T12:00", "2026-03-02T12:00", False),
    ],
)
def test_what_lies_in_the_night(start: str, end: str, *, expected: bool) -> None:
    assert CALENDAR.touches_night(at(start), at(end)) is expected


def test_a_night_that_ends_on_the_day_it_began_is_no_longer_than_that() -> None:
    early = WorkCalendar("", {}, Night(time(1), time(5)))

    assert early.touches_night(at("2026-03-02T00:30"), at("2026-03-02T01:30"))
    assert not early.touches_night(at("2026-03-02T05:00"), at("2026-03-03T01:00"))


def test_the_days_of_a_span_do_not_hold_the_midnight_it_ends_at() -> None:
    first, second = date(2026, 3, 2), date(2026, 3, 3)

    assert days_of(at("2026-03-02T10:00"), at("2026-03-03T00:00")) == (first, first)
    assert days_of(at("2026-03-02T10:00"), at("2026-03-03T00:01")) == (first, second)
    assert days_of(at("2026-03-03T00:00"), at("2026-03-03T00:00")) == (second, second)


# --- files that are refused -------------------------------------------------------------------

GOOD = """name: n
night: {from: "22:00", to: "06:00"}
years:
  "2026":
    source: s
    holidays:
      - {name: a, from: "2026-01-01", to: "2026-01-03"}
    workdays: ["2026-01-04"]
"""


def test_a_small_calendar_is_read() -> None:
    assert parse_calendar(GOOD.encode(), name="c.yaml").is_working_day(date(2026, 1, 4))


@pytest.mark.parametrize(
    ("was", "becomes", "line", "reason"),
    [
        ('"2026-01-04"', '"2026-01-05"', 8, "2026-01-05 is a weekday"),
        ('"2026-01-04"', '"2026-01-03"', 8, "2026-01-03 is a day off as well"),
        ('"2026-01-04"', '"2026-02-30"', 8, "is no day of the calendar"),
        ('"2026-01-04"', '"2025-01-04"', 8, "is not of the year 2026"),
        ('"2026-01-04"', '"2026-01-04", "2026-01-04"', 4, "2026-01-04 is named twice"),
        ('to: "2026-01-03"', 'to: "2025-12-31"', 7, "is not of the year 2026"),
        ('from: "2026-01-01"', 'from: "2026-01-09"', 7, "ends before it begins"),
        ('to: "2026-01-03"', 'to: "2026-12-31"', 7, "lasts too long"),
        ('"2026":', '"MMXXVI":', 4, "is no year"),
        ("    source: s\n", "", 4, "source is missing"),
        ("name: n\n", "", 1, "name is missing"),
        ('"22:00"', '"25:00"', 2, "is no hour of the day"),
        ('"22:00"', '"06:00"', 2, "the night has no length"),
        ("name: n\n", "name: n\nholidays: []\n", 2, "is known here"),
        ("{name: a,", "[", 7, ""),
    ],
)
def test_a_calendar_that_contradicts_itself_is_refused_with_its_line(
    was: str, becomes: str, line: int, reason: str
) -> None:
    assert was in GOOD
    broken = GOOD.replace(was, becomes)

    with pytest.raises(BadInput) as refused:
        parse_calendar(broken.encode(), name="c.yaml")

    assert f"c.yaml: line {line}" in refused.value.message
    assert reason in refused.value.message


def test_a_calendar_that_is_not_there_is_refused() -> None:
    with pytest.raises(BadInput):
        load_calendar(DEFAULT.with_name("none.yaml"))
