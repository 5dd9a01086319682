# SPDX-License-Identifier: Apache-2.0
"""This is where the rules that link footage to cases are tried, one by one, and that their order decides nothing."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evidence.errors import BadInput
from evidence.linking import Area, Footage, Kind, Paper, Point, Reason, Score, Work, metres_between, scored
from evidence.linking_decision import decide
from pipeline.linking_rules import BUILT_IN, built_in, parse_rules

TEN = datetime(2026, 6, 19, 2, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
RULES = built_in()
CASE = Work("cas-a", "2026-017", TEN, TEN + 40 * MINUTE, frozenset({"7", "8"}), unit="u")
HERE, FAR = Point(30_000_000, 114_000_000), Point(30_050_000, 114_000_000)


def film(name: str = "rec-a", *, officer: str = "7", start: int = 0, end: int = 30, **more: object) -> Footage:
    told = Footage(name, officer=officer, unit="u", start=TEN + start * MINUTE, end=TEN + end * MINUTE)
    return replace(told, **more)  # type: ignore[arg-type]


def linked(films: list[Footage], works: list[Work]) -> set[tuple[str, str]]:
    scores = decide(films, works, RULES)
    return {pair for pair, score in scores.items() if score.permille >= RULES.link_at}


def rules_of(score: Score) -> list[str]:
    return [reason.rule for reason in score.reasons]


def paper(start: int, end: int, *officers: str) -> Paper:
    return Paper("doc-a", TEN + start * MINUTE, TEN + end * MINUTE, frozenset(officers))


def test_footage_of_an_officer_within_the_window_is_linked_and_says_why() -> None:
    score = decide([film()], [CASE], RULES)["rec-a", "cas-a"]
    assert rules_of(score) == ["officer-window"]
    assert score.reasons[0].facts["officer"] == "7"


def test_footage_of_another_unit_and_time_speaks_for_nothing() -> None:
    assert decide([film(officer="9", unit="v", start=900, end=930)], [CASE], RULES) == {}


def test_footage_half_an_hour_off_is_suggested_and_not_linked() -> None:
    score = decide([film(start=60, end=95)], [CASE], RULES)["rec-a", "cas-a"]
    assert rules_of(score) == ["officer-near"]
    assert RULES.suggest_at <= score.permille < RULES.link_at


def test_two_officers_who_filmed_together_half_an_hour_off_are_linked() -> None:
    films = [film(start=60, end=95), film("rec-b", officer="8", start=61, end=96)]
    assert linked(films, [CASE]) == {("rec-a", "cas-a"), ("rec-b", "cas-a")}


def test_of_two_neighbouring_cases_each_takes_the_footage_that_fits_it() -> None:
    later = replace(CASE, id="cas-b", number="2", start=TEN + 35 * MINUTE, end=TEN + 80 * MINUTE)
    films = [film(start=-2, end=33), film("rec-b", start=45, end=82)]
    assert linked(films, [CASE, later]) == {("rec-a", "cas-a"), ("rec-b", "cas-b")}


def test_two_cases_of_one_inspection_share_its_footage() -> None:
    assert linked([film()], [CASE, replace(CASE, id="cas-b", number="2")]) == {("rec-a", "cas-a"), ("rec-a", "cas-b")}


def test_a_paper_that_footage_bears_out_outweighs_a_window_that_was_entered_wrong() -> None:
    told = replace(CASE, papers=(paper(60, 90, "7"),))
    films = [film(start=58, end=92), film("rec-b", start=0, end=30)]
    assert ("rec-a", "cas-a") in linked(films, [told])
    assert ("rec-b", "cas-a") not in linked(films, [told])


def test_a_colleague_who_came_in_an_officers_place_is_found_by_the_camera_beside() -> None:
    films = [film(start=0, end=38), film("rec-b", officer="9", start=1, end=39)]
    assert rules_of(decide(films, [CASE], RULES)["rec-b", "cas-a"]) == ["sibling"]
    assert ("rec-b", "cas-a") in linked(films, [CASE])


def test_a_colleague_who_filmed_elsewhere_at_that_time_is_no_sibling() -> None:
    films = [film(start=0, end=38, points=(HERE,)), film("rec-b", officer="9", start=1, end=39, points=(FAR,))]
    assert ("rec-b", "cas-a") not in linked(films, [CASE])


def test_where_both_officers_of_a_case_filmed_no_colleague_is_taken_for_one_of_them() -> None:
    films = [film(), film("rec-b", officer="8", start=1, end=31), film("rec-c", officer="9", start=0, end=30)]
    assert linked(films, [CASE]) == {("rec-a", "cas-a"), ("rec-b", "cas-a")}


def test_a_number_picked_on_a_terminal_and_a_place_together_link_where_each_alone_does_not() -> None:
    told = replace(CASE, area=Area(HERE, 200))
    stranger = film(officer="9", unit="v", start=5, end=15)
    assert linked([replace(stranger, numbers=("2026-017",))], [told]) == set()
    assert linked([replace(stranger, points=(HERE,))], [told]) == set()
    assert linked([replace(stranger, numbers=("2026-017",), points=(HERE,))], [told]) == {("rec-a", "cas-a")}


def test_a_number_that_stayed_picked_since_another_day_only_suggests() -> None:
    score = decide([film(start=3000, end=3010, numbers=("2026-017",))], [CASE], RULES)["rec-a", "cas-a"]
    assert rules_of(score) == ["number-far"]


def test_a_clock_that_is_not_believed_leaves_the_number_to_speak() -> None:
    lost = film(start=0, end=1, numbers=("2026-017",), notes=("检查 2026-017",))
    score = decide([replace(lost, start=None, end=None)], [CASE], RULES)["rec-a", "cas-a"]
    assert set(rules_of(score)) == {"case-number", "note-number"}


def test_a_camera_left_running_adds_no_file_that_began_after_the_others_had_stopped() -> None:
    films = [
        film(start=0, end=30),
        film("rec-b", start=30, end=42),
        film("rec-c", start=42, end=72),
        film("rec-d", officer="8", start=0, end=41),
    ]
    assert {name for name, _ in linked(films, [CASE])} == {"rec-a", "rec-b", "rec-d"}


def test_a_window_of_days_beside_papers_takes_only_what_was_filmed_at_its_ends() -> None:
    days = replace(CASE, end=TEN + 4000 * MINUTE, papers=(paper(3950, 3990, "7"),))
    films = [film(), film("rec-b", start=1500, end=1530), film("rec-c", start=3948, end=3992)]
    assert {name for name, _ in linked(films, [days])} == {"rec-a", "rec-c"}


def test_reasons_add_up_the_same_in_whatever_order_and_cut_once() -> None:
    reasons = [Reason(str(score), Kind.PLACE, score, {}) for score in (930, 700, 333, 1)]
    assert scored(reasons) == scored(reversed(reasons))
    assert scored(reasons[:2]).permille == 979
    assert scored([]).permille == 0
    assert scored(reasons[:1]).permille == 930


@given(st.lists(st.integers(0, 999), min_size=1, max_size=8))
def test_another_reason_never_lowers_a_score_and_none_is_ever_certain(scores: list[int]) -> None:
    reasons = [Reason(str(place), Kind.PLACE, score, {}) for place, score in enumerate(scores)]
    assert scored(reasons[:-1]).permille <= scored(reasons).permille < 1000
    assert scored(reasons).permille >= max(scores)


@given(st.permutations(range(6)), st.permutations(range(3)))
def test_what_is_decided_does_not_depend_on_the_order_of_what_is_known(films: list[int], works: list[int]) -> None:
    all_films = [film(f"rec-{at}", officer="789"[at % 3], start=13 * at, end=13 * at + 25) for at in range(6)]
    all_works = [replace(CASE, id=f"cas-{at}", number=f"n{at}", start=TEN + 25 * at * MINUTE) for at in range(3)]
    asked = decide([all_films[at] for at in films], [all_works[at] for at in works], RULES)
    assert asked == decide(all_films, all_works, RULES)


def test_places_are_measured_in_metres() -> None:
    assert metres_between(HERE, HERE) == 0
    assert metres_between(HERE, FAR) == pytest.approx(5566, abs=10)
    east = Point(30_000_000, 114_010_000)
    assert metres_between(HERE, east) == pytest.approx(964, abs=5)


# --- the rules' file ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("link_at: 850", "link_at: 1000", "line 4.*no share"),
        ("suggest_at: 300", "suggest_at: 900", "above link_at"),
        ("pause: 5m", "pause: five", "no span of time"),
        ("pause: 5m", "pauze: 5m", "pauze"),
        ("  widest: 12h\n", "", "widest is missing"),
        ("kind: place", "kind: plaice", "no kind of rule"),
        ("kind: place", "kind: sibling", "two rules have the kind"),
        ("metres: 100", "metres: near", "no distance"),
        ("score: 970", "score: high", "no share"),
    ],
)
def test_a_fault_in_the_rules_is_told_with_its_line(old: str, new: str, told: str) -> None:
    data = BUILT_IN.read_text("utf-8").replace(old, new, 1).encode()
    with pytest.raises(BadInput, match=told) as refused:
        parse_rules(data, name="rules.yaml")
    assert "rules.yaml: line " in str(refused.value)


def test_rules_that_are_none_are_refused() -> None:
    with pytest.raises(BadInput, match="has no linking"):
        parse_rules(b"rules: []\n", name="rules.yaml")
