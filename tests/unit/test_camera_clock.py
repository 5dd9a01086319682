# SPDX-License-Identifier: Apache-2.0
"""A camera's clock from what docks measured of it: drift, jumps, resets, zones; and the figures it is judged by."""

from datetime import UTC, datetime, timedelta
from fractions import Fraction
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import yaml

from evidence.camera_clock import Reading
from evidence.camera_clock_interval import Sighting
from evidence.camera_clock_zone import local_readings, zone_change
from evidence.claims import Claim, Claims, Source
from evidence.errors import BadInput
from pipeline.clock_figures import DEFAULT, figures
from pipeline.clock_ledger import Ledger, ledger
from pipeline.linking import _doubt
from pipeline.linking_rules import built_in
from pipeline.when import Start, latest_end, told_clock, weigh_start

CHINA, BERLIN = ZoneInfo("Asia/Shanghai"), ZoneInfo("Europe/Berlin")
MONDAY = datetime(2026, 6, 15, 10, tzinfo=UTC)
DAY, HOUR, SECOND = timedelta(days=1), timedelta(hours=1), timedelta(seconds=1)
NOTHING = timedelta(0)


def reading(day: float, offset: timedelta, after: timedelta | None = None, *, first: datetime = MONDAY) -> Reading:
    """Measured to a tenth of a second, some days after the first."""
    return Reading(first + day * DAY, offset, SECOND / 10, after)


def known(
    *readings: Reading, seen: datetime = MONDAY + 9 * DAY, swept: datetime | None = None, **how: object
) -> Ledger:
    zone, manner = how.get("zone", CHINA), how.get("manner", "")
    assert isinstance(zone, ZoneInfo)
    assert isinstance(manner, str)
    return ledger(readings, zone=zone, sighting=Sighting(seen, swept), manner=manner)


def named(text: str, source: Source = Source.FILE_NAME) -> Claims:
    return Claims([Claim("start", text, source)])


def face(true: datetime, offset: timedelta = NOTHING, zone: ZoneInfo = CHINA) -> str:
    """What a camera's clock shows, as it is written into a name."""
    return (true + offset).astimezone(zone).replace(tzinfo=None, microsecond=0).isoformat()


def weighed(claims: Claims, told: Ledger, *, seconds: int = 0) -> Start:
    start = weigh_start(claims, told, duration=Fraction(seconds))
    assert start is not None
    return start


def bounds(start: Start) -> tuple[datetime, datetime]:
    assert start.early is not None
    assert start.late is not None
    return start.at - start.early, start.at + start.late


# --- drift ------------------------------------------------------------------------------------


def test_halfway_between_two_readings_half_the_drift_is_taken_off() -> None:
    told = known(reading(0, NOTHING), reading(1, 3 * SECOND))
    true = MONDAY + DAY / 2
    start = weighed(named(face(true, 1.5 * SECOND)), told)
    early, late = bounds(start)
    assert early <= true <= late
    assert late - early < 3 * SECOND
    assert start.basis["kind"] == "between"


def test_drift_counts_from_what_the_clock_was_set_to() -> None:
    told = known(reading(0, 90 * SECOND, NOTHING), reading(1, 2 * SECOND, NOTHING))
    true = MONDAY + DAY / 4
    early, late = bounds(weighed(named(face(true)), told))
    assert early <= true <= late
    assert late - early < 3 * SECOND


def test_doubt_grows_after_the_last_reading() -> None:
    told = known(reading(0, NOTHING), reading(1, SECOND))
    spans = [
        late - early
        for days in (2, 5)
        for early, late in [bounds(weighed(named(face(MONDAY + days * DAY, SECOND)), told))]
    ]
    assert spans[0] < spans[1]


def test_a_device_whose_pace_is_known_is_doubted_less_when_it_stays_away() -> None:
    paced = [reading(day, day * SECOND) for day in range(5)]
    true, shown = MONDAY + 6 * DAY, face(MONDAY + 6 * DAY, 6 * SECOND)
    sure, unsure = (bounds(weighed(named(shown), known(*some))) for some in (paced, paced[-1:]))
    assert sure[0] <= true <= sure[1]
    assert sure[1] - sure[0] < (unsure[1] - unsure[0]) / 3


def test_before_the_first_reading_its_offset_is_carried_back() -> None:
    told = known(reading(0, HOUR, NOTHING), seen=MONDAY)
    true = MONDAY - 3 * HOUR
    start = weighed(named(face(true, HOUR)), told)
    assert abs(start.at - true) <= 2 * SECOND
    assert start.basis["kind"] == "before"


# --- clocks that were set, or began anew ------------------------------------------------------


def test_a_clock_set_between_two_readings_is_covered_both_ways() -> None:
    told = known(reading(0, NOTHING), reading(1, HOUR))
    true = MONDAY + DAY / 2
    for offset in (NOTHING, HOUR):
        start = weighed(named(face(true, offset)), told)
        early, late = bounds(start)
        assert early <= true <= late
        assert start.basis["kind"] == "jump"


def test_a_clock_that_began_anew_is_read_from_the_docking_back() -> None:
    # Its battery was empty 20 hours after it was docked.
    reset = MONDAY + 20 * HOUR
    offset = datetime(1970, 1, 1, tzinfo=CHINA) - reset
    told = known(reading(0, NOTHING), reading(1, offset, NOTHING), swept=MONDAY, seen=MONDAY + DAY)
    before = weighed(named(face(MONDAY + 2 * HOUR)), told)
    assert before.basis["kind"] == "jump"
    assert bounds(before)[1] - bounds(before)[0] < 10 * SECOND
    after = weighed(named(face(MONDAY + 22 * HOUR, offset)), told)
    early, late = bounds(after)
    assert after.basis["kind"] == "reset"
    assert abs(after.at - (MONDAY + 22 * HOUR)) <= 2 * SECOND
    # It may have begun anew twice: then what it showed was shown earlier, but not before it was docked.
    assert early == MONDAY
    assert late - after.at < 5 * SECOND


def test_a_clock_that_began_anew_before_any_docking_has_no_earliest_moment() -> None:
    offset = datetime(1980, 1, 1, tzinfo=CHINA) - (MONDAY - HOUR)
    start = weighed(named("1980-01-01T00:30:00"), known(reading(0, offset, NOTHING), seen=MONDAY))
    assert start.early is None
    assert start.late is not None
    assert start.at <= MONDAY
    assert start.basis["kind"] == "reset"


def test_a_display_that_no_reading_explains_lies_between_the_two_dockings() -> None:
    told = known(reading(0, NOTHING), reading(1, NOTHING), swept=MONDAY, seen=MONDAY + DAY)
    start = weighed(named("1970-01-01T03:00:00"), told)
    early, late = bounds(start)
    assert start.basis["kind"] == "unexplained"
    assert early <= MONDAY
    assert late >= MONDAY + DAY


def test_what_seems_to_be_of_before_all_was_taken_is_of_then_or_of_any_time_since() -> None:
    told = known(reading(-1, NOTHING), reading(0, NOTHING), reading(1, NOTHING), swept=MONDAY, seen=MONDAY + DAY)
    start = weighed(named(face(MONDAY - 2 * HOUR)), told)
    early, late = bounds(start)
    assert abs(start.at - (MONDAY - 2 * HOUR)) < SECOND
    assert early <= MONDAY - 2 * HOUR
    assert late >= MONDAY + DAY
    assert start.basis["kind"] == "unexplained"


def test_a_display_that_no_reading_explains_is_bounded_by_nothing_when_no_docking_took_all() -> None:
    start = weighed(named("2098-01-01T03:00:00"), known(reading(0, NOTHING), reading(1, NOTHING)))
    assert (start.early, start.late) == (None, None)


def test_what_the_docking_before_would_have_taken_is_not_looked_for_before_it() -> None:
    # Set back an hour at the second docking: one hour was shown twice.
    told = [reading(0, HOUR), reading(1, HOUR, NOTHING), reading(2, NOTHING)]
    true = MONDAY + DAY + HOUR / 2
    anywhen = weighed(named(face(true)), known(*told, seen=MONDAY + 2 * DAY))
    taken = weighed(named(face(true)), known(*told, seen=MONDAY + 2 * DAY, swept=MONDAY + DAY))
    assert bounds(anywhen)[1] - bounds(anywhen)[0] > HOUR / 2
    assert bounds(taken)[1] - bounds(taken)[0] < 5 * SECOND
    assert bounds(taken)[0] <= true <= bounds(taken)[1]


def test_what_cannot_have_been_filmed_by_the_time_it_was_seen_falls_away() -> None:
    told = [reading(0, NOTHING), reading(1, -6 * HOUR)]
    seen = MONDAY + DAY
    shown = face(seen - HOUR, -6 * HOUR)
    start = weighed(named(shown), known(*told, seen=seen))
    assert start.basis["ways"] == 2
    # What it showed an hour before it was docked, were it six hours slow by then, would lie after the docking.
    shown = face(seen - HOUR)
    start = weighed(named(shown), known(*told, seen=seen))
    assert start.basis["ways"] == 1
    assert abs(start.at - (seen - HOUR)) < 2 * SECOND


# --- zones ------------------------------------------------------------------------------------


def test_local_time_read_as_utc_is_no_error_of_a_device_that_shows_local_time() -> None:
    true = MONDAY + DAY / 2
    told = known(reading(0, 8 * HOUR), reading(1, 8 * HOUR + SECOND), manner="local")
    early, late = bounds(weighed(named(face(true)), told))
    assert early <= true <= late
    assert late - early < 3 * SECOND


def test_a_device_that_nobody_said_it_of_may_be_eight_hours_off_or_read_so() -> None:
    true = MONDAY + DAY / 2
    told = known(reading(0, 8 * HOUR), reading(1, 8 * HOUR + SECOND))
    start = weighed(named(face(true)), told)
    early, late = bounds(start)
    assert abs(start.at - true) <= 2 * SECOND, "that it was read in another zone is the likelier"
    assert early <= true - 8 * HOUR + 2 * SECOND
    assert late < true + 3 * SECOND


def test_a_container_that_says_utc_for_local_time_is_read_as_the_device_is() -> None:
    true = MONDAY + DAY / 2
    told = known(reading(0, NOTHING), reading(1, NOTHING), manner="local")
    start = weighed(named(f"{face(true)}.000000Z", Source.CONTAINER), told)
    assert bounds(start)[0] <= true <= bounds(start)[1]
    assert abs(start.at - true) < 2 * SECOND


def test_a_maker_may_say_how_its_cameras_tell_time() -> None:
    true = MONDAY + DAY / 2
    told = known(reading(0, NOTHING), reading(1, NOTHING), manner="utc")
    start = weighed(named(face(true, zone=ZoneInfo("UTC"))), told)
    assert bounds(start)[0] <= true <= bounds(start)[1]


AUTUMN = datetime(2026, 10, 24, 10, tzinfo=UTC)
TURN = datetime(2026, 10, 25, 1, tzinfo=UTC)


def test_the_hour_that_comes_twice_is_covered_twice() -> None:
    told = known(reading(0, NOTHING, first=AUTUMN), reading(1, NOTHING, first=AUTUMN), zone=BERLIN, seen=AUTUMN + DAY)
    for true in (TURN - HOUR / 2, TURN + HOUR / 2):
        early, late = bounds(weighed(named(face(true, zone=BERLIN)), told))
        assert early <= true <= late
        assert late - early > HOUR


def test_a_file_time_made_utc_in_the_hour_that_comes_twice_decides_nothing() -> None:
    told = known(reading(0, NOTHING, first=AUTUMN), reading(1, NOTHING, first=AUTUMN), zone=BERLIN, seen=AUTUMN + DAY)
    # FAT keeps the local time; whoever read it took the first of the two hours.
    true = TURN + HOUR / 2
    claims = named(face(true, zone=BERLIN)) | named((true - HOUR).isoformat(), Source.MTIME)
    early, late = bounds(weighed(claims, told))
    assert early <= true <= late


def test_a_clock_that_does_not_follow_summer_time_jumped_when_the_zone_did() -> None:
    told = known(reading(0, NOTHING, first=AUTUMN), reading(1, HOUR, first=AUTUMN), zone=BERLIN, seen=AUTUMN + DAY)
    summer = ZoneInfo("Etc/GMT-2")
    for hours in (-9, -0.5, 0.5, 5):
        true = TURN + hours * HOUR
        early, late = bounds(weighed(named(face(true, zone=summer)), told))
        assert early <= true <= late
        assert late - early < 3 * SECOND, hours


def test_a_zone_turns_to_the_second() -> None:
    assert zone_change(BERLIN, AUTUMN, AUTUMN + DAY) == (TURN, HOUR)
    assert zone_change(CHINA, AUTUMN, AUTUMN + DAY) is None


def test_a_local_time_at_the_end_of_the_calendar_is_no_instant() -> None:
    assert list(local_readings(datetime(1, 1, 1), CHINA)) == []  # noqa: DTZ001


# --- grain, keeping ---------------------------------------------------------------------------


def test_a_name_is_a_second_long_and_a_fat_time_two_either_way() -> None:
    told = known(reading(0, NOTHING), reading(1, NOTHING), manner="utc")
    true = MONDAY + DAY / 2
    name = weighed(named(face(true, zone=ZoneInfo("UTC"))), told)
    fat = weighed(named(true.isoformat(), Source.MTIME), told)
    assert name.early is not None
    assert name.late is not None
    assert fat.early is not None
    assert abs(name.late - name.early - SECOND) < SECOND / 1000
    assert fat.early >= 2 * SECOND


def test_a_container_may_tell_the_end_unless_another_source_agrees_with_the_start() -> None:
    true = MONDAY + DAY / 2
    told = known(reading(0, NOTHING), reading(1, NOTHING), manner="utc")
    ended = true + 600 * SECOND
    alone = weighed(named(ended.isoformat(), Source.CONTAINER), told, seconds=600)
    assert bounds(alone)[0] <= true <= bounds(alone)[1]
    both = named(ended.isoformat(), Source.CONTAINER) | named(ended.isoformat(), Source.MTIME)
    start = weighed(both, told, seconds=600)
    assert abs(start.at - true) < SECOND
    assert bounds(start)[1] - bounds(start)[0] < 3 * SECOND


def test_keeping_counts_from_the_later_bound_and_from_no_earlier_moment_than_before() -> None:
    claims, length = named(face(MONDAY + DAY / 2)), Fraction(600)
    jumped = known(reading(0, NOTHING), reading(1, -HOUR))
    start = weighed(claims, jumped, seconds=600)
    end = latest_end(claims, jumped, start, duration=length)
    assert end is not None
    assert end >= bounds(start)[1] + 600 * SECOND
    # The ledger knows better: it was filmed a day before; and still nothing ends the sooner.
    ahead = known(reading(0, DAY), reading(1, DAY))
    unmeasured = known()
    start = weighed(claims, ahead, seconds=600)
    before = latest_end(claims, unmeasured, weighed(claims, unmeasured, seconds=600), duration=length)
    assert before is not None
    assert start.at < MONDAY
    assert latest_end(claims, ahead, start, duration=length) == before


def test_of_a_clock_that_was_never_measured_nothing_is_said() -> None:
    start = weighed(named(face(MONDAY)), known())
    assert told_clock(start) == {
        "early_ms": None,
        "late_ms": None,
        "basis": {"kind": "unmeasured", "offset_ms": 0, "source": "file-name"},
    }


def test_the_record_rounds_away_from_the_estimate() -> None:
    clock = told_clock(Start(MONDAY, "mtime", timedelta(microseconds=1500), timedelta(microseconds=1)))
    assert clock is not None
    assert (clock["early_ms"], clock["late_ms"]) == (2, 1)


@pytest.mark.parametrize(
    "text", ["0001-01-01T00:00:00", "9999-12-31T23:59:59Z", "soon", "24:00", "2026-06-31T00:00:00"]
)
def test_what_no_clock_can_show_is_no_time_and_no_crash(text: str) -> None:
    told = known(reading(0, NOTHING), reading(1, NOTHING))
    assert weigh_start(named(text), told, duration=Fraction(5)) is None
    assert latest_end(named(text), told, None, duration=Fraction(5)) is None


@pytest.mark.parametrize("offset", [-400 * 365 * DAY, 400 * 365 * DAY, 9000 * 365 * DAY], ids=str)
def test_an_absurd_offset_is_no_crash(offset: timedelta) -> None:
    told = known(reading(0, offset), reading(1, -offset), reading(2, NOTHING))
    start = weigh_start(named(face(MONDAY)), told, duration=Fraction(5))
    assert start is None or start.at.tzinfo is UTC


def test_two_readings_a_second_apart_that_differ_by_a_second_are_no_drift() -> None:
    second = SECOND / DAY
    doubtful = [
        Reading(MONDAY + day * DAY, offset, SECOND / 2)
        for day, offset in ((0, NOTHING), (1, SECOND), (1 + second, NOTHING), (2, SECOND), (3, NOTHING))
    ]
    for days in (0.5, 1 + second / 2, 1.5):
        early, late = bounds(weighed(named(face(MONDAY + days * DAY, SECOND / 2)), known(*doubtful)))
        assert early <= MONDAY + days * DAY <= late


def test_two_readings_of_one_moment_are_no_drift() -> None:
    told = known(reading(0, NOTHING), reading(0, 5 * SECOND), reading(1, NOTHING))
    assert weighed(named(face(MONDAY + DAY / 2)), told).early is not None


@pytest.mark.parametrize(
    ("side", "ms", "widened"), [("early_ms", 240_000, 240), ("late_ms", 9_000, 9), ("early_ms", 28_800_000, 0)]
)
def test_links_to_cases_allow_for_the_clocks_doubt_but_not_for_a_zone(side: str, ms: int, widened: int) -> None:
    rules = built_in()
    row = {"early_ms": 0, "late_ms": 0, "end_at": None, "end_latest": None} | {side: ms}
    assert _doubt(row, rules) == rules.doubt + widened * SECOND


# --- satellite receivers ----------------------------------------------------------------------


def located(true: datetime, offset: timedelta, *, said: datetime | None = None) -> Claims:
    """A name by the camera's clock, and a container that tells the receiver's time."""
    gnss = (said or true).isoformat()
    container = [Claim(field, gnss, Source.CONTAINER) for field in ("start", "gnss_start")]
    return named(face(true, offset)) | container


def test_a_receivers_time_is_believed_where_the_cameras_clock_bears_it_out() -> None:
    true = MONDAY + DAY / 2 + SECOND / 4
    jumped = known(reading(0, NOTHING), reading(1, -HOUR))
    for offset in (NOTHING, -HOUR):
        start = weighed(located(true, offset), jumped)
        assert start.at == true
        assert bounds(start)[1] - bounds(start)[0] <= 3 * SECOND
        assert start.basis["kind"] == "gnss"


def test_a_receivers_time_that_the_cameras_clock_denies_changes_nothing() -> None:
    true = MONDAY + DAY / 2
    told = known(reading(0, NOTHING), reading(1, NOTHING))
    start = weighed(located(true, NOTHING, said=true + 8 * HOUR), told)
    assert start == weighed(named(face(true)), told)


def test_from_a_receivers_time_no_offset_of_the_camera_is_taken_off() -> None:
    true = MONDAY + DAY / 2
    claims = Claims(claim for claim in located(true, HOUR) if claim.source is Source.CONTAINER)
    start = weighed(claims, known(reading(0, HOUR), reading(1, HOUR)))
    assert start.at == true
    assert (start.early, start.late) == (None, None), "nothing bears it out"


# --- figures ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("part", "key", "value"),
    [
        ("drift", "wander_ppm", -1),
        ("drift", "steady_after", 2.5),
        ("reset", "behind_days", "180"),
        ("sources", "file-name", {"before_ms": 0, "after_ms": 1000}),
        ("sources", "file-name", {"before_ms": 0, "after_ms": 1000, "may_be_end": 1}),
        ("drift", "more", 1),
    ],
)
def test_figures_that_are_none_are_refused(part: str, key: str, value: object, tmp_path: Path) -> None:
    body = yaml.safe_load(DEFAULT.read_bytes())
    body[part][key] = value
    path = tmp_path / "clocks.yaml"
    path.write_text(yaml.safe_dump(body))
    with pytest.raises(BadInput, match=r"clocks\.yaml"):
        figures(path)
