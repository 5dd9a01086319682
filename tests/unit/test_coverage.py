# SPDX-License-Identifier: Apache-2.0
"""This is where a case is held against the default catalog, one finding at a time."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from zoneinfo import ZoneInfo

import pytest

from app.words import LANGUAGES, sentences
from evidence.coverage import cover
from evidence.coverage_matrix import Matrix
from evidence.coverage_terms import (
    Cell,
    Certificate,
    Code,
    Coverage,
    CoveredCase,
    Delay,
    Doubt,
    Explained,
    Filmed,
    Finding,
    Paper,
    Status,
    Yardstick,
)
from evidence.errors import BadInput
from pipeline.calendars import load_calendar
from pipeline.catalogs.load import load_catalog
from pipeline.coverage_figures import load_limits, parse_limits

# Wednesday 3 June 2026, ten in the morning in China: neither night nor holiday.
TEN = datetime(2026, 6, 3, 2, tzinfo=UTC)
LATER = TEN + timedelta(days=90)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
TWO = {"a": Certificate(), "b": Certificate()}
YARDSTICK = Yardstick(load_catalog(), load_calendar(), load_limits(), TWO, ZoneInfo("Asia/Shanghai"))


def paper(
    item: str | None = "JC-01", *, start: datetime | None = TEN, end: datetime | None = TEN + HOUR, **more: object
) -> Paper:
    told = {"id": "doc-1", "link": None, "officers": ("a", "b"), **more}
    return Paper(item=item, start=start, end=end, **told)  # type: ignore[arg-type]


def film(
    name: str = "r1",
    *,
    start: datetime | None = TEN,
    end: datetime | None = TEN + HOUR,
    item: str | None = "JC-01",
    kind: str = "video",
    **more: object,
) -> Filmed:
    arrived = (end or start or TEN) + HOUR
    told = {"arrived": arrived, "officer": "a", "latest": end, **more}
    return Filmed(name, kind, item, start, end, **told)  # type: ignore[arg-type]


def case(
    *papers: Paper,
    films: tuple[Filmed, ...] = (),
    of: str | None = "JC",
    gaps: tuple[Explained, ...] = (),
    **more: object,
) -> CoveredCase:
    told = {"officers": ("a", "b"), "start": TEN - DAY, "end": TEN + DAY, **more}
    told = {"unit": "U1", **told}
    return CoveredCase("cas-1", "1", of, papers=papers, filmed=films, explained=gaps, **told)  # type: ignore[arg-type]


def only(covered: Coverage) -> Cell:
    (cell,) = covered.cells
    return cell


def judged(found: CoveredCase, *, yardstick: Yardstick = YARDSTICK, now: datetime = LATER) -> Cell:
    return only(cover(found, yardstick, now=now))


def codes(cell: Cell) -> list[Code]:
    return [finding.code for finding in cell.findings]


def finding(cell: Cell, code: Code) -> Finding:
    (found,) = [one for one in cell.findings if one.code is code]
    return found


# --- what a case demands ----------------------------------------------------------------------


def test_a_paper_of_an_item_that_was_filmed_is_present_without_a_finding() -> None:
    cell = judged(case(paper(), films=(film(),)))

    assert (cell.item.id, cell.status, cell.recordings, cell.findings) == ("JC-01", Status.PRESENT, ("r1",), ())


def test_a_paper_that_names_only_its_link_can_be_of_every_item_there() -> None:
    cell = judged(case(paper(None, link="service"), of="CF"))

    assert [item.id for item in cell.activity.items] == ["CF-13", "CF-14", "CF-12"]
    assert (cell.item.id, cell.status) == ("CF-13", Status.MISSING)


def test_what_was_recorded_says_which_item_of_a_link_took_place() -> None:
    photo = film(kind="photo", item="CF-12")

    assert judged(case(paper(None, link="service"), films=(photo,), of="CF")).item.id == "CF-12"


def test_the_item_of_the_case_decides_among_those_of_a_link_when_nothing_was_recorded() -> None:
    assert judged(case(paper(None, link="service"), of="CF", item="CF-14")).item.id == "CF-14"


def test_an_invalid_recording_does_not_say_which_item_took_place() -> None:
    aside = film(kind="photo", item="CF-12", is_aside=True)

    assert judged(case(paper(None, link="service"), films=(aside,), of="CF")).item.id == "CF-13"


def test_a_link_without_a_paper_asks_for_a_recording_at_any_time() -> None:
    cell = judged(case(films=(film(start=TEN + 9 * HOUR, end=TEN + 10 * HOUR),), links=("site_inspection",)))

    assert (cell.item.id, cell.status, cell.activity.span) == ("JC-01", Status.PRESENT, None)


def test_a_link_or_item_that_a_paper_speaks_of_asks_for_nothing_more() -> None:
    covered = cover(case(paper(), links=("site_inspection",), item="JC-01"), YARDSTICK, now=LATER)

    assert len(covered.cells) == 1


def test_the_item_of_a_case_without_papers_is_demanded() -> None:
    assert judged(case(item="JC-08")).status is Status.MISSING


def test_papers_of_the_same_act_at_the_same_time_are_one_activity() -> None:
    cell = judged(case(paper(officers=("a",)), paper(id="doc-2", officers=("b",))))

    assert (cell.activity.papers, cell.activity.officers) == (("doc-1", "doc-2"), frozenset("ab"))


def test_a_paper_of_neither_link_nor_item_asks_for_nothing() -> None:
    covered = cover(case(paper(None)), YARDSTICK, now=LATER)

    assert (covered.cells, covered.doubts, covered.rate) == ((), (), None)


def test_what_the_catalog_has_no_item_for_is_named_and_makes_no_cell() -> None:
    papers = (paper("QZ-09"), paper("XX-1", id="doc-2"), paper(None, id="doc-3", link="compulsion"))
    covered = cover(case(*papers, of="CF"), YARDSTICK, now=LATER)

    doubts = ((Doubt.UNKNOWN_ITEM, "doc-1"), (Doubt.UNKNOWN_ITEM, "doc-2"), (Doubt.NO_ITEM, "doc-3"))
    assert (covered.cells, covered.doubts) == ((), doubts)


def test_a_link_in_a_case_of_no_type_is_a_doubt() -> None:
    covered = cover(case(paper(None, link="service"), of=None), YARDSTICK, now=LATER)

    assert (covered.cells, covered.doubts) == ((), ((Doubt.NO_TYPE, "doc-1"),))


# --- what serves ------------------------------------------------------------------------------


def test_a_recording_of_another_kind_does_not_serve() -> None:
    assert judged(case(paper(), films=(film(kind="photo"),))).status is Status.MISSING


def test_an_unclassified_recording_serves_what_took_place_while_it_was_filmed() -> None:
    inside = film(start=TEN + HOUR, end=TEN + 2 * HOUR, item=None)
    outside = film(start=TEN + HOUR + MINUTE, end=TEN + 2 * HOUR, item=None)

    assert judged(case(paper(), films=(inside,))).status is Status.PRESENT
    assert judged(case(paper(), films=(outside,))).status is Status.MISSING


def test_one_film_serves_two_acts_that_took_place_during_it() -> None:
    notice = paper("CF-08", id="doc-2", start=TEN + 50 * MINUTE)
    covered = cover(case(paper("CF-01"), notice, films=(film(item="CF-01"),), of="CF"), YARDSTICK, now=LATER)

    assert [cell.status for cell in covered.cells] == [Status.PRESENT, Status.PRESENT]


def test_a_recording_of_the_item_at_another_time_serves_the_nearest_act_of_it() -> None:
    second = paper(id="doc-2", start=TEN + 5 * HOUR, end=TEN + 6 * HOUR)
    stray = film(start=TEN + 7 * HOUR, end=TEN + 8 * HOUR)
    first, last = cover(case(paper(), second, films=(stray,)), YARDSTICK, now=LATER).cells

    assert (first.status, last.status) == (Status.MISSING, Status.PRESENT)
    assert Code.DOCUMENT_TIME in codes(last)


def test_a_recording_of_unknown_time_serves_by_its_item_and_its_clock_is_in_doubt() -> None:
    cell = judged(case(paper(), films=(film(start=None, end=None, arrived=TEN + HOUR),)))

    assert cell.status is Status.PRESENT
    assert codes(cell) == [Code.CLOCK_DOUBT]


def test_a_recording_put_aside_serves_nothing_and_is_named() -> None:
    cell = judged(case(paper(), films=(film(is_aside=True, problem="truncated"),)))

    assert (cell.status, cell.recordings, cell.invalid) == (Status.INVALID, (), ("r1",))
    assert finding(cell, Code.PUT_ASIDE).facts == {"recording": "r1", "problem": "truncated"}


def test_a_broken_hash_makes_a_recording_invalid() -> None:
    cell = judged(case(paper(), films=(film(problem="fixity-mismatch"),)))

    assert (cell.status, codes(cell)) == (Status.INVALID, [Code.BROKEN_HASH])


def test_a_broken_copy_beside_a_whole_one_is_named_and_the_cell_is_present() -> None:
    cell = judged(case(paper(), films=(film(), film("r2", problem="fixity-mismatch"))))

    assert (cell.status, cell.recordings, cell.invalid) == (Status.PRESENT, ("r1",), ("r2",))
    assert codes(cell) == [Code.BROKEN_HASH]


def test_a_problem_that_says_nothing_of_the_bytes_leaves_a_recording_valid() -> None:
    assert judged(case(paper(), films=(film(problem="unknown-device"),))).findings == ()


# --- status and rate --------------------------------------------------------------------------


def test_what_may_still_be_handed_in_is_awaited_and_does_not_count() -> None:
    due = TEN + HOUR + DAY
    covered = cover(case(paper()), YARDSTICK, now=due)

    assert (only(covered).status, only(covered).due, covered.rate) == (Status.AWAITED, due, None)
    assert judged(case(paper()), now=due + timedelta(microseconds=1)).status is Status.MISSING


def test_only_what_must_be_recorded_counts_in_the_rate() -> None:
    papers = (paper(), paper("JC-08", id="doc-2", start=TEN + 9 * HOUR, end=None), paper("JC-06", id="doc-3"))
    covered = cover(case(*papers, films=(film(),)), YARDSTICK, now=LATER)

    assert [cell.item.id for cell in covered.cells if cell.is_demanded] == ["JC-01", "JC-08"]
    assert covered.rate == Fraction(1, 2)


# --- hand-in ----------------------------------------------------------------------------------


def test_a_recording_handed_in_after_a_day_is_late() -> None:
    due = TEN + HOUR + DAY

    assert judged(case(paper(), films=(film(arrived=due),))).findings == ()
    late = judged(case(paper(), films=(film(arrived=due + MINUTE),)))
    assert finding(late, Code.LATE).facts["recording"] == "r1"
    assert late.status is Status.PRESENT


def test_a_reason_gives_a_day_from_the_return_to_the_unit() -> None:
    back = TEN + 5 * DAY
    told = film(arrived=back + DAY)
    delays = (Delay("remote", returned=back),)

    assert codes(judged(case(paper(), films=(told,), delays=delays))) == [Code.EXTENDED]
    assert codes(judged(case(paper(), films=(replace(told, arrived=back + DAY + MINUTE),), delays=delays))) == [
        Code.LATE
    ]


@pytest.mark.parametrize("delay", [Delay(""), Delay("remote", item="JC-02"), Delay("remote", link="service")])
def test_a_reason_that_is_empty_or_of_something_else_gives_nothing(delay: Delay) -> None:
    delay = replace(delay, returned=TEN + 5 * DAY)

    assert codes(judged(case(paper(), films=(film(arrived=TEN + 5 * DAY),), delays=(delay,)))) == [Code.LATE]


def test_a_terminal_has_its_target_and_with_a_reason_the_day_it_falls_back_to() -> None:
    told = film(item="CF-10", arrived=TEN + 3 * HOUR)

    assert codes(judged(case(paper("CF-10"), films=(told,), of="CF"))) == [Code.LATE]
    assert codes(judged(case(paper("CF-10"), films=(told,), of="CF", delays=(Delay("no network"),)))) == [Code.EXTENDED]


def test_working_days_end_at_the_midnight_after_the_last_of_them() -> None:
    # A hearing on Thursday 18 June; the 19th to the 21st are a festival, so that the second working day is the 23rd.
    start = datetime(2026, 6, 18, 2, tzinfo=UTC)
    midnight = datetime(2026, 6, 23, 16, tzinfo=UTC)
    hearing, told = paper("CF-09", start=start, end=start + HOUR), film(item="CF-09", start=start, end=start + HOUR)

    on_time = judged(case(hearing, films=(replace(told, arrived=midnight),), of="CF"))
    assert (on_time.due, on_time.findings) == (midnight, ())
    assert codes(judged(case(hearing, films=(replace(told, arrived=midnight + MINUTE),), of="CF"))) == [Code.LATE]


def test_working_days_of_a_year_without_data_are_doubted() -> None:
    start = datetime(2026, 12, 31, 2, tzinfo=UTC)
    hearing = paper("CF-09", start=start, end=start + HOUR)

    assert finding(judged(case(hearing, of="CF"), now=LATER + 365 * DAY), Code.CALENDAR_UNKNOWN).facts["first"] == 2027


def test_working_days_that_end_with_the_known_year_are_not_doubted() -> None:
    start = datetime(2026, 12, 29, 2, tzinfo=UTC)
    cell = judged(case(paper("CF-09", start=start, end=start + HOUR), of="CF"), now=LATER + 365 * DAY)

    assert (cell.due, cell.findings) == (datetime(2026, 12, 31, 16, tzinfo=UTC), ())


# --- gaps -------------------------------------------------------------------------------------


def halves(pause: timedelta) -> tuple[Filmed, Filmed]:
    """Two films of the hour with a pause from half past ten."""
    return film(end=TEN + 30 * MINUTE), film("r2", start=TEN + 30 * MINUTE + pause, officer="b")


def test_minutes_that_nothing_was_filmed_of_are_a_gap() -> None:
    cell = judged(case(paper(), films=halves(10 * MINUTE)))

    assert codes(cell) == [Code.GAP]
    assert finding(cell, Code.GAP).facts == {"seconds": 600, "first": "2026-06-03T02:30:00.000000Z"}


def test_an_interruption_as_long_as_is_ignored_is_no_gap() -> None:
    assert judged(case(paper(), films=halves(MINUTE))).findings == ()
    assert codes(judged(case(paper(), films=halves(MINUTE + timedelta(seconds=1))))) == [Code.GAP]


def test_a_second_camera_closes_the_gap() -> None:
    other = film("r3", start=TEN + 20 * MINUTE, end=TEN + 50 * MINUTE, item=None)

    assert judged(case(paper(), films=(*halves(10 * MINUTE), other))).findings == ()


@pytest.mark.parametrize(("how", "code"), [("spoken", Code.GAP_SPOKEN), ("written", Code.GAP_WRITTEN)])
def test_a_gap_that_was_explained_is_told_with_how(how: str, code: Code) -> None:
    told = Explained(TEN + 29 * MINUTE, TEN + 41 * MINUTE, how)
    cell = judged(case(paper(), films=halves(10 * MINUTE), gaps=(told,)))

    assert [(one.code, one.facts) for one in cell.findings] == [(code, {"seconds": 600})]


def test_an_explanation_of_a_part_explains_that_part() -> None:
    told = Explained(TEN + 30 * MINUTE, TEN + 34 * MINUTE, "spoken")
    cell = judged(case(paper(), films=halves(10 * MINUTE), gaps=(told,)))

    assert finding(cell, Code.GAP_SPOKEN).facts["seconds"] == 240
    assert finding(cell, Code.GAP).facts["seconds"] == 360


def test_an_explanation_of_an_interruption_that_is_none_is_not_told() -> None:
    told = Explained(TEN + 29 * MINUTE, TEN + 32 * MINUTE, "spoken")

    assert judged(case(paper(), films=halves(MINUTE), gaps=(told,))).findings == ()


def test_a_little_that_is_left_beside_an_explanation_is_no_gap() -> None:
    told = Explained(TEN + 31 * MINUTE, TEN + 39 * MINUTE, "written")

    assert codes(judged(case(paper(), films=halves(10 * MINUTE), gaps=(told,)))) == [Code.GAP_WRITTEN]


def test_what_was_both_spoken_and_written_counts_as_spoken() -> None:
    told = tuple(Explained(TEN + 30 * MINUTE, TEN + 40 * MINUTE, how) for how in ("written", "spoken"))

    assert codes(judged(case(paper(), films=halves(10 * MINUTE), gaps=told))) == [Code.GAP_SPOKEN]


def test_a_broken_film_closes_no_gap() -> None:
    broken = film("r3", problem="fixity-mismatch")

    assert Code.GAP in codes(judged(case(paper(), films=(*halves(10 * MINUTE), broken))))


def test_without_a_paper_the_gap_is_looked_for_between_first_and_last_film() -> None:
    assert codes(judged(case(films=halves(10 * MINUTE), item="JC-01"))) == [Code.GAP]


def test_an_item_that_is_no_full_process_has_no_gap() -> None:
    films = tuple(replace(one, item="CF-07") for one in halves(10 * MINUTE))

    assert judged(case(paper("CF-07"), films=films, of="CF")).findings == ()


# --- clocks -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"claims_differ": True}, "claims-differ"),
        ({"offset": timedelta(seconds=61)}, "offset"),
        ({"offset": timedelta(seconds=-61)}, "offset"),
        ({"latest": TEN + 3 * HOUR}, "after-hand-in"),
        ({"arrived": TEN + HOUR - MINUTE}, "after-hand-in"),
    ],
)
def test_a_clock_in_doubt_is_named_with_its_reason(more: dict[str, object], why: str) -> None:
    cell = judged(case(paper(), films=(film(**more),)))  # type: ignore[arg-type]

    assert finding(cell, Code.CLOCK_DOUBT).facts == {"recording": "r1", "why": why}


def test_a_clock_within_tolerance_is_not_doubted() -> None:
    assert judged(case(paper(), films=(film(offset=timedelta(seconds=60)),))).findings == ()


# --- the paper's times ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("start", "end", "which"),
    [
        (TEN + 6 * MINUTE, TEN + HOUR, "starts-after"),
        (TEN, TEN + 54 * MINUTE, "ends-before"),
        (TEN - 6 * MINUTE, TEN + HOUR, "beyond"),
        (TEN, TEN + 66 * MINUTE, "beyond"),
    ],
)
def test_a_film_at_odds_with_the_papers_time_is_named(start: datetime, end: datetime, which: str) -> None:
    found = finding(judged(case(paper(), films=(film(start=start, end=end),))), Code.DOCUMENT_TIME)

    assert (found.facts["which"], found.facts["seconds"]) == (which, 360)


def test_five_minutes_are_within_tolerance() -> None:
    near = film(start=TEN - 5 * MINUTE, end=TEN + 65 * MINUTE)

    assert judged(case(paper(), films=(near,))).findings == ()


def test_a_film_that_is_also_of_another_act_may_go_beyond_one_of_them() -> None:
    second = paper("JC-05", id="doc-2", start=TEN + HOUR, end=TEN + 2 * HOUR)
    covered = cover(case(paper(), second, films=(film(end=TEN + 2 * HOUR),)), YARDSTICK, now=LATER)

    assert [cell.findings for cell in covered.cells] == [(), ()]


def test_an_unclassified_film_may_go_beyond() -> None:
    assert judged(case(paper(), films=(film(start=TEN - HOUR, item=None),))).findings == ()


def test_a_paper_of_one_instant_is_not_exceeded_by_its_film() -> None:
    assert judged(case(paper(end=None), films=(film(start=TEN - 30 * MINUTE),))).findings == ()


def test_an_item_without_that_check_is_not_held_to_the_papers_time() -> None:
    late = film(start=TEN + 30 * MINUTE, item="JC-06")

    assert judged(case(paper("JC-06"), films=(late,))).findings == ()


# --- officers ---------------------------------------------------------------------------------


def test_one_officer_alone_is_too_few() -> None:
    cell = judged(case(paper(officers=("a",)), films=(film(),)))

    assert finding(cell, Code.FEW_OFFICERS).facts == {"officers": 1, "least": 2}


def test_the_paper_names_the_officer_who_held_no_camera() -> None:
    assert judged(case(paper(officers=("b",)), films=(film(),))).findings == ()


def test_without_a_paper_the_officers_of_the_case_were_there() -> None:
    assert judged(case(films=(film(),), item="JC-01")).findings == ()
    assert Code.FEW_OFFICERS in codes(judged(case(films=(film(),), item="JC-01", officers=())))


def certified(**of: Certificate) -> Yardstick:
    return replace(YARDSTICK, officers=TWO | of)


def test_an_officer_who_is_not_registered_has_no_certificate() -> None:
    cell = judged(case(paper(officers=("a", "z")), films=(film(),)))

    assert finding(cell, Code.CERTIFICATE_UNKNOWN).facts == {"officer": "z"}


@pytest.mark.parametrize(
    ("first", "last", "is_valid"),
    [
        (date(2026, 6, 3), date(2026, 6, 3), True),
        (date(2026, 6, 4), None, False),
        (None, date(2026, 6, 2), False),
        (None, None, True),
    ],
)
def test_a_certificate_holds_from_its_first_to_its_last_day(first: date, last: date, *, is_valid: bool) -> None:
    cell = judged(case(paper(), films=(film(),)), yardstick=certified(b=Certificate(first, last)))

    assert codes(cell) == ([] if is_valid else [Code.CERTIFICATE_DAY])


def test_the_day_of_a_certificate_is_that_of_the_agencys_zone() -> None:
    evening = datetime(2026, 6, 2, 17, tzinfo=UTC)  # one in the morning of the 3rd in China
    found = case(paper(start=evening, end=evening + HOUR), films=(film(start=evening, end=evening + HOUR),))

    assert judged(found, yardstick=certified(b=Certificate(date(2026, 6, 3)))).findings == ()


def test_a_certificate_for_other_types_does_not_hold() -> None:
    cell = judged(case(paper(), films=(film(),)), yardstick=certified(b=Certificate(types=frozenset({"CF"}))))

    assert finding(cell, Code.CERTIFICATE_TYPE).facts == {"officer": "b", "type": "JC"}


def test_an_item_without_that_check_asks_for_no_second_officer() -> None:
    alone = case(paper("JC-08", officers=()), films=(film(item="JC-08"),), officers=())

    assert judged(alone).findings == ()


# --- the hour ---------------------------------------------------------------------------------


def compulsion(start: datetime, *films: Filmed) -> Cell:
    return judged(case(paper("QZ-07", start=start, end=start + HOUR), films=films, of="QZ"), now=start + 90 * DAY)


def test_compulsion_at_night_is_named_also_when_nothing_was_filmed() -> None:
    cell = compulsion(datetime(2026, 6, 3, 13, 30, tzinfo=UTC))  # from half past nine in the evening

    assert (cell.status, codes(cell)) == (Status.MISSING, [Code.NIGHT])


def test_compulsion_on_a_holiday_is_named() -> None:
    cell = compulsion(datetime(2026, 6, 19, 2, tzinfo=UTC))

    assert finding(cell, Code.HOLIDAY).facts == {"day": "2026-06-19"}


def test_compulsion_on_a_make_up_saturday_is_on_a_working_day() -> None:
    assert compulsion(datetime(2026, 5, 9, 2, tzinfo=UTC)).findings == ()


def test_an_ordinary_weekend_counts_as_a_holiday_only_where_the_figures_say_so() -> None:
    saturday = datetime(2026, 6, 6, 2, tzinfo=UTC)
    strict = replace(YARDSTICK, limits=replace(YARDSTICK.limits, counts_weekends=True))
    found = case(paper("QZ-07", start=saturday, end=saturday + HOUR), of="QZ")

    assert judged(found).findings == ()
    assert codes(judged(found, yardstick=strict)) == [Code.HOLIDAY]


def test_compulsion_in_a_year_without_data_is_doubted() -> None:
    assert finding(compulsion(datetime(2027, 6, 3, 2, tzinfo=UTC)), Code.CALENDAR_UNKNOWN).facts == {
        "first": 2027,
        "last": 2027,
    }


def test_what_is_no_compulsion_may_take_place_at_night() -> None:
    night = TEN + 13 * HOUR

    assert (
        judged(case(paper(start=night, end=night + HOUR), films=(film(start=night, end=night + HOUR),))).findings == ()
    )


@pytest.mark.parametrize(("item", "of"), [("QZ-07", "QZ"), ("CF-09", "CF"), ("CF-10", "CF"), ("JC-01", "JC")])
@pytest.mark.parametrize("zone", ["Asia/Shanghai", "America/Los_Angeles"])
def test_a_clock_at_either_end_of_the_calendar_is_answered(item: str, of: str, zone: str) -> None:
    first, last = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
    limits = replace(YARDSTICK.limits, counts_weekends=True)
    yardstick = replace(YARDSTICK, zone=ZoneInfo(zone), limits=limits)
    for start, end in ((first, first), (first, last), (last - HOUR, last), (last, last)):
        told = Filmed("r1", "video", item, start, end, TEN, "a", latest=end)
        for found in (
            case(paper(item, start=start, end=end), films=(told,), of=of),
            case(films=(told,), of=of, item=item),
        ):
            assert judged(found, yardstick=yardstick).status is Status.PRESENT


# --- figures ----------------------------------------------------------------------------------

FIGURES = """officers: {least: 2}
clock: {tolerance_seconds: 60}
document: {tolerance_seconds: 300}
gap: {ignored_seconds: 60}
compulsion: {weekends: false}
"""


@pytest.mark.parametrize(
    ("was", "becomes", "line"),
    [
        ("least: 2", "least: -1", 1),
        ("tolerance_seconds: 60", "tolerance_seconds: true", 2),
        ("ignored_seconds", "ignored_minutes", 4),
        ("false", '"no"', 5),
        ("gap: {ignored_seconds: 60}", "", 1),
        ("officers: {least: 2}", "officers: {least: 2}\nmore: {}", 2),
    ],
)
def test_figures_that_cannot_be_are_refused_with_their_line(was: str, becomes: str, line: int) -> None:
    assert was in FIGURES
    parse_limits(FIGURES.encode(), name="f.yaml")

    with pytest.raises(BadInput, match=f"f.yaml: line {line}"):
        parse_limits(FIGURES.replace(was, becomes).encode(), name="f.yaml")


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_code_has_its_word(language: str) -> None:
    codes = {f"coverage.{code.value}" for code in (*Code, *Status, *Doubt)}

    assert codes <= set(sentences(language))


# --- many cases -------------------------------------------------------------------------------


def test_a_matrix_counts_each_cell_once_for_each_code() -> None:
    matrix = Matrix()
    late = film(arrived=TEN + 9 * DAY), film("r2", arrived=TEN + 9 * DAY)
    matrix.add(cover(case(paper(), paper("JC-06", id="doc-2"), films=late), YARDSTICK, now=LATER))
    matrix.add(cover(case(paper(), unit="U2"), YARDSTICK, now=LATER))
    matrix.add(cover(case(paper()), YARDSTICK, now=TEN))

    tally = matrix.cells["JC", "site_inspection"]
    assert (tally.demanded, tally.must[Status.PRESENT], tally.must[Status.MISSING], tally.rate) == (
        2,
        1,
        1,
        Fraction(1, 2),
    )
    assert (tally.must[Status.AWAITED], dict(tally.findings)) == (1, {"late": 1})
    assert matrix.cells["JC", "service"].other.total() == 1
    assert (matrix.cases, set(matrix.units), matrix.total.rate) == (3, {"U1", "U2"}, Fraction(1, 2))


# --- the worked case of docs/operate/coverage.md ----------------------------------------------


def at(hour: int, minute: int = 0, *, day: int = 3) -> datetime:
    return datetime(2026, 6, day, hour, minute, tzinfo=ZoneInfo("Asia/Shanghai")).astimezone(UTC)


def test_the_worked_case_of_the_page_is_answered_as_the_page_says() -> None:
    both = ("430101", "430102")
    check = paper("CF-01", officers=both)
    receipt = paper(None, id="doc-2", link="service", start=at(15), end=None, officers=both)
    hearing = paper("CF-09", id="doc-3", start=at(9, day=17), end=at(11, day=17), officers=())
    films = (
        film("rec-a", item="CF-01", start=at(9, 58), end=at(10, 30), arrived=at(18), officer="430101"),
        film("rec-b", item="CF-01", start=at(10, 42), end=at(11, 3), arrived=at(13, day=4), officer="430101"),
        film("rec-c", item="CF-12", kind="photo", start=at(15, 2), end=at(15, 2), arrived=at(18), officer="430101"),
    )
    told = case(*(check, receipt, hearing), films=films, of="CF", gaps=(Explained(at(10, 30), at(10, 38), "spoken"),))
    yardstick = certified(**{"430101": Certificate(), "430102": Certificate(last=date(2026, 5, 31))})

    covered = cover(told, yardstick, now=at(12, day=22))

    assert [(cell.item.id, cell.status) for cell in covered.cells] == [
        ("CF-01", Status.PRESENT),
        ("CF-12", Status.PRESENT),
        ("CF-09", Status.AWAITED),
    ]
    assert codes(covered.cells[0]) == [Code.LATE, Code.GAP_SPOKEN, Code.GAP, Code.CERTIFICATE_DAY]
    assert [one.facts["seconds"] for one in covered.cells[0].findings[1:3]] == [480, 240]
    assert codes(covered.cells[1]) == [Code.CERTIFICATE_DAY]
    assert covered.cells[2].due == at(0, day=23)
    assert covered.rate == 1
    assert cover(told, yardstick, now=at(12, day=23)).rate == Fraction(1, 2)
