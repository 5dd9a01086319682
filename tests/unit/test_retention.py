# SPDX-License-Identifier: Apache-2.0
"""Until when a recording is kept: each rule by itself, and what must hold whatever stands on a recording."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evidence.catalog import Condition, Effect, RetentionClass, Starts
from evidence.retention import (
    Adopted,
    CaseKept,
    Decision,
    Hold,
    Kept,
    Outcome,
    Rule,
    Standing,
    decide,
    recompute,
    rules_in_force,
)
from evidence.retention_pattern import pattern_of
from evidence.term import Term, parse_term
from pipeline.judging import Judge, Rulebook, ended
from pipeline.retention_figures import figures
from storage.register.keeping import CaseOf, Entry

END = datetime(2026, 1, 31, 8, tzinfo=UTC)
CLOSED = datetime(2026, 3, 31, tzinfo=UTC)
FAR = datetime(2100, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)


def kept_for(term: str | None, *, starts: Starts, floor: str = "P30D", fallback: str | None = None) -> RetentionClass:
    spelled = None if term is None else parse_term(term)
    return RetentionClass(
        "RT", "", spelled, starts, parse_term(floor), None if fallback is None else parse_term(fallback)
    )


FROM_END = kept_for("P2Y", starts=Starts.RECORDING_END, floor="P6M")
FROM_CLOSE = kept_for("P20Y", starts=Starts.CASE_CLOSED, floor="P20Y")
AS_FILE = kept_for(None, starts=Starts.CASE_CLOSED, floor="P2Y", fallback="P10Y")
FOR_GOOD = kept_for("permanent", starts=Starts.NEVER, floor="permanent")
SHORT = kept_for("P30D", starts=Starts.RECORDING_END, floor="P90D")


def rule(retention: RetentionClass, catalog: str = "av@1") -> Rule:
    return Rule(catalog, "JC-01", retention)


def standing(effect: Effect, floor: RetentionClass | None = None, code: str = "PC") -> Standing:
    return Standing(Condition(code, "", effect, None if floor is None else "RT"), floor)


def asked(*rules: Rule, now: datetime = END, **more: Any) -> Decision:
    entry = Kept("rec-1", END, more.pop("awaits", ()))
    told = [more.pop(name, ()) for name in ("cases", "conditions", "holds")]
    assert not more
    return decide(entry, rules, *told, now=now)


def year(of: int, month: int, day: int, hour: int = 8) -> datetime:
    return datetime(of, month, day, hour, tzinfo=UTC)


# --- each rule ---------------------------------------------------------------------------------


def test_a_term_counts_from_the_end_of_the_recording() -> None:
    assert asked(rule(FROM_END)).until == year(2028, 1, 31)


def test_until_its_date_it_is_kept_and_from_then_on_due() -> None:
    date = year(2028, 1, 31)
    assert asked(rule(FROM_END), now=date - timedelta(microseconds=1)).outcome is Outcome.KEPT
    assert asked(rule(FROM_END), now=date).outcome is Outcome.DUE


def test_a_month_that_lacks_the_day_ends_on_its_last() -> None:
    assert asked(rule(kept_for("P1M", starts=Starts.RECORDING_END))).until == year(2026, 3, 2)  # the floor of 30 days
    assert Term(months=1).end(END) == year(2026, 2, 28)


def test_a_floor_holds_where_the_term_is_shorter() -> None:
    assert asked(rule(SHORT)).until == END + 90 * DAY


def test_a_term_from_the_closing_of_a_case_counts_from_there() -> None:
    decision = asked(rule(FROM_CLOSE), cases=[CaseKept("cas-1", CLOSED)])
    assert decision.until == CLOSED.replace(year=2046)


def test_a_case_that_was_closed_before_the_recording_ended_counts_from_the_end() -> None:
    assert asked(rule(AS_FILE), cases=[CaseKept("cas-1", END - 300 * DAY)]).until == END.replace(year=2036)


def test_an_open_case_keeps_without_a_date_to_come() -> None:
    decision = asked(rule(FROM_END), cases=[CaseKept("cas-1", None)], now=FAR)
    assert decision.outcome is Outcome.WAITS


def test_of_several_cases_the_last_that_ends_counts_and_one_open_one_is_enough() -> None:
    closed = [CaseKept("cas-1", CLOSED), CaseKept("cas-2", CLOSED + 100 * DAY)]
    assert asked(rule(FROM_CLOSE), cases=closed).until == (CLOSED + 100 * DAY).replace(year=2046)
    assert asked(rule(FROM_CLOSE), cases=[*closed, CaseKept("cas-3", None)], now=FAR).outcome is Outcome.WAITS


def test_as_long_as_the_case_file_takes_the_term_of_that_file() -> None:
    decision = asked(rule(AS_FILE), cases=[CaseKept("cas-1", CLOSED, parse_term("P30Y"))])
    assert decision.until == CLOSED.replace(year=2056)
    assert "same-as-case-file" in {reason.code for reason in decision.reasons}


def test_as_long_as_the_case_file_without_a_term_of_the_file_takes_the_fallback() -> None:
    assert asked(rule(AS_FILE), cases=[CaseKept("cas-1", CLOSED)]).until == CLOSED.replace(year=2036)


def test_a_case_file_for_good_keeps_for_good() -> None:
    assert asked(rule(AS_FILE), cases=[CaseKept("cas-1", CLOSED, Term())], now=FAR).outcome is Outcome.PERMANENT


def test_what_counts_from_a_case_and_is_in_none_counts_from_its_own_end() -> None:
    assert asked(rule(AS_FILE)).until == year(2036, 1, 31)
    assert asked(rule(FROM_CLOSE)).until == year(2046, 1, 31)


def test_a_permanent_class_has_no_date() -> None:
    decision = asked(rule(FOR_GOOD), now=FAR)
    assert (decision.outcome, decision.until) == (Outcome.PERMANENT, None)


def test_a_permanent_condition_keeps_for_good() -> None:
    assert asked(rule(FROM_END), conditions=[standing(Effect.PERMANENT)], now=FAR).outcome is Outcome.PERMANENT


def test_a_condition_of_the_case_file_keeps_as_long_as_that_file() -> None:
    case = CaseKept("cas-1", CLOSED, parse_term("P10Y"))
    decision = asked(rule(FROM_END), cases=[case], conditions=[standing(Effect.CASE_FILE)])
    assert decision.until == CLOSED.replace(year=2036)


def test_a_condition_that_is_a_floor_keeps_as_long_as_its_class() -> None:
    assert asked(rule(FROM_END), conditions=[standing(Effect.FLOOR, FROM_CLOSE)]).until == year(2046, 1, 31)


def test_a_dispute_keeps_while_it_runs() -> None:
    decision = asked(rule(FROM_END), conditions=[standing(Effect.HOLD)], now=FAR)
    assert decision.outcome is Outcome.WAITS


def test_a_hold_beats_all_also_what_is_permanent() -> None:
    assert asked(rule(FROM_END), holds=[Hold("hol-1")], now=FAR).outcome is Outcome.HELD
    assert asked(rule(FOR_GOOD), holds=[Hold("hol-1")], now=FAR).outcome is Outcome.HELD


@pytest.mark.parametrize("what", ["marked", "quarantined", "unindexed", "unclassified", "clock-doubt"])
def test_a_question_that_only_a_person_answers_keeps_until_it_is_answered(what: str) -> None:
    assert asked(rule(FROM_END), awaits=[what], now=FAR).outcome is Outcome.WAITS


def test_without_a_rule_a_person_must_decide() -> None:
    assert asked(now=FAR).outcome is Outcome.WAITS


def test_of_two_versions_the_longer_word_counts() -> None:
    longer = kept_for("P5Y", starts=Starts.RECORDING_END)
    assert asked(rule(FROM_END), rule(longer, "av@2")).until == year(2031, 1, 31)
    assert asked(rule(longer), rule(FROM_END, "av@2")).until == year(2031, 1, 31)


# --- which versions speak ----------------------------------------------------------------------

ONE = Adopted("av@1", {"JC-01": FROM_CLOSE, "JC-09": FROM_END})
TWO = Adopted("av@2", {"JC-01": FROM_END})
BY_NAME = replace(TWO, shortens=frozenset({"JC-01"}))


def speaking(pinned: str, *adopted: Adopted, item: str = "JC-01") -> list[str]:
    return [one.catalog for one in rules_in_force(item, pinned, adopted)]


def test_a_later_version_shortens_nothing_that_was_classified_before_it() -> None:
    assert speaking("av@1", ONE, TWO) == ["av@1", "av@2"]
    assert speaking("av@2", ONE, TWO) == ["av@2"]


def test_a_version_approved_to_shorten_by_name_silences_those_before_it() -> None:
    assert speaking("av@1", ONE, BY_NAME) == ["av@2"]


def test_an_item_that_a_later_version_dropped_keeps_its_word() -> None:
    assert speaking("av@1", ONE, TWO, item="JC-09") == ["av@1"]


def test_a_version_that_nobody_knows_lets_all_speak() -> None:
    assert speaking("av@0", ONE, TWO) == ["av@1", "av@2"]


# --- from when it counts -----------------------------------------------------------------------


def entry(**changed: Any) -> Entry:
    plain = Entry(
        id="rec-1",
        state="indexed",
        item="JC-01",
        catalog="av@1",
        end_latest="2026-01-31T08:00:00.000000Z",
        arrived_at="2026-01-31T20:00:00.000000Z",
        reviewed_at=None,
        locked_until=None,
        is_marked=False,
        was=None,
        cases=(),
        conditions=(),
        holds=(),
    )
    return replace(plain, **changed)


ARRIVED = datetime(2026, 1, 31, 20, tzinfo=UTC)


def test_it_counts_from_the_latest_end_that_its_clocks_allow() -> None:
    assert ended(entry(), figures()) == (END, False)


def test_an_unknown_end_counts_from_the_arrival() -> None:
    assert ended(entry(end_latest=None), figures()) == (ARRIVED, False)


def test_an_end_after_the_arrival_waits_for_a_person_and_then_counts_from_the_arrival() -> None:
    ahead = entry(end_latest="2026-02-01T20:00:00.000001Z")
    assert ended(ahead, figures()) == (ARRIVED, True)
    assert ended(replace(ahead, reviewed_at="2026-02-02T00:00:00.000000Z"), figures()) == (ARRIVED, False)


def test_a_clock_that_was_reset_long_before_the_arrival_makes_nothing_due() -> None:
    assert ended(entry(end_latest="2000-01-01T00:00:00.000000Z"), figures()) == (ARRIVED, False)


def judge(now: datetime, *classes: tuple[str, RetentionClass]) -> Judge:
    book = Rulebook((Adopted("av@1", dict(classes)),), {"PC-EVID": (standing(Effect.CASE_FILE),)})
    return Judge(book, figures(), now)


@pytest.mark.parametrize(
    ("changed", "what"),
    [
        ({"state": "quarantined"}, "quarantined"),
        ({"state": "sealed"}, "unindexed"),
        ({"is_marked": True}, "marked"),
        ({"item": None}, "unclassified"),
        ({"item": "XX-99"}, "unclassified"),
        ({"end_latest": "2031-01-01T00:00:00.000000Z"}, "clock-doubt"),
        ({"conditions": ("PC-OLD",)}, "condition-unknown"),
    ],
)
def test_what_a_row_leaves_open_is_asked_of_a_person(changed: dict[str, Any], what: str) -> None:
    decision = judge(FAR, ("JC-01", FROM_END)).decision(entry(**changed))
    assert decision.outcome is Outcome.WAITS
    assert what in {reason.facts.get("what") for reason in decision.reasons}


def test_a_mark_that_was_reviewed_keeps_no_longer() -> None:
    reviewed = entry(is_marked=True, reviewed_at="2026-02-02T00:00:00.000000Z")
    assert judge(FAR, ("JC-01", FROM_END)).answer(reviewed)[0] is Outcome.DUE


@pytest.mark.parametrize(
    "changed",
    [
        {"holds": ("hol-1",)},
        {"item": "JC-02"},
        {"catalog": "av@2"},
        {"state": "sealed"},
        {"conditions": ("PC-OLD",)},
        {"cases": (CaseOf("cas-1", None, None),)},
        {"cases": (CaseOf("cas-1", "2026-01-01T00:00:00.000000Z", "P30Y"),)},
    ],
)
def test_what_one_recording_was_told_is_not_told_of_another_that_differs(changed: dict[str, Any]) -> None:
    classes = {"JC-01": AS_FILE, "JC-02": FROM_END}
    both = (Adopted("av@1", classes), Adopted("av@2", {"JC-01": FROM_END}))
    asked = Judge(Rulebook(both, {}), figures(), FAR)
    first, other = entry(), entry(**changed)
    asked.answer(first)
    whole = asked.decision(other)
    assert asked.answer(other) == (whole.outcome, whole.until)
    assert asked.answer(other) != asked.answer(first)


# --- what always holds -------------------------------------------------------------------------

_terms = st.one_of(
    st.just(Term()),
    st.integers(1, 4000).map(lambda days: Term(days=days)),
    st.integers(1, 600).map(lambda months: Term(months=months)),
)
_moments = st.datetimes(datetime(1990, 1, 1), datetime(2090, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
_classes = st.builds(
    RetentionClass,
    st.just("RT"),
    st.just(""),
    st.none() | _terms,
    st.sampled_from([Starts.RECORDING_END, Starts.CASE_CLOSED]),
    _terms,
    st.none() | _terms,
)
_rules = st.lists(st.builds(Rule, st.sampled_from(["av@1", "av@2"]), st.just("JC-01"), _classes), max_size=3)
_cases = st.lists(
    st.builds(CaseKept, st.integers(0, 99).map(str), st.none() | _moments, st.none() | _terms),
    max_size=3,
    unique_by=lambda case: case.id,
)
_standings = st.lists(
    st.builds(standing, st.sampled_from(Effect), st.none() | _classes, st.sampled_from(["A", "B"])), max_size=3
)
_holds = st.lists(st.builds(Hold, st.sampled_from(["a", "b"])), max_size=2)
_kept = st.builds(Kept, st.just("rec-1"), _moments, st.lists(st.just("marked"), max_size=1).map(tuple))
_asked = st.tuples(_kept, _rules, _cases, _standings, _holds)
Asked = tuple[Kept, list[Rule], list[CaseKept], list[Standing], list[Hold]]

_ORDER = {Outcome.DUE: 0, Outcome.KEPT: 1, Outcome.WAITS: 2, Outcome.PERMANENT: 3, Outcome.HELD: 4}


def is_no_earlier(first: Decision, second: Decision) -> bool:
    """True when `second` lets go no earlier than `first` does."""
    if first.outcome in (Outcome.DUE, Outcome.KEPT) and second.outcome in (Outcome.DUE, Outcome.KEPT):
        return first.until is not None and second.until is not None and second.until >= first.until
    return _ORDER[second.outcome] >= _ORDER[first.outcome]


@settings(max_examples=150, deadline=None)
@given(_asked, _moments)
def test_the_reasons_always_recompute_to_the_decision(asked: Asked, now: datetime) -> None:
    decision = decide(*asked, now=now)
    assert recompute([reason.to_json() for reason in decision.reasons], now=now) == (decision.outcome, decision.until)


@settings(max_examples=150, deadline=None)
@given(_asked, _asked, _moments, st.data())
def test_what_is_added_never_lets_go_earlier(asked: Asked, more: Asked, now: datetime, data: st.DataObject) -> None:
    kept, rules, cases, conditions, holds = asked
    # A closed case may end what waited for none, or for others: it is no reason to keep by itself.
    opened = [replace(case, id=f"+{case.id}", closed=None) for case in more[2]]
    place = data.draw(st.sampled_from(["rules", "cases", "conditions", "holds", "awaits"]))
    before = decide(*asked, now=now)
    after = decide(
        replace(kept, awaits=(*kept.awaits, "quarantined")) if place == "awaits" else kept,
        [*rules, *more[1]] if place == "rules" and rules else rules,
        [*cases, *opened] if place == "cases" else cases,
        [*conditions, *more[3]] if place == "conditions" else conditions,
        [*holds, *more[4]] if place == "holds" else holds,
        now=now,
    )
    assert is_no_earlier(before, after)


@settings(max_examples=100, deadline=None)
@given(_asked, _moments, st.randoms(use_true_random=False))
def test_the_order_of_what_is_told_changes_nothing(asked: Asked, now: datetime, chance: Any) -> None:
    shuffled = [chance.sample(part, len(part)) for part in asked[1:]]
    one, other = decide(*asked, now=now), decide(asked[0], *shuffled, now=now)
    assert (one.outcome, one.until) == (other.outcome, other.until)


@settings(max_examples=150, deadline=None)
@given(_asked, _moments)
def test_nothing_is_due_before_every_floor_has_passed(asked: Asked, now: datetime) -> None:
    kept, rules, *_ = asked
    if decide(*asked, now=now).outcome is Outcome.DUE:
        ends = [one.retention.floor.end(kept.ended) for one in rules]
        assert all(end is not None and end <= now for end in ends)


@settings(max_examples=150, deadline=None)
@given(_asked, _moments, _moments, st.lists(_moments, min_size=3, max_size=3))
def test_a_pattern_answers_for_other_dates_as_the_decision_itself(
    asked: Asked, now: datetime, end: datetime, closings: Sequence[datetime]
) -> None:
    kept, rules, cases, conditions, holds = asked
    pattern = pattern_of(decide(*asked, now=now), [case.id for case in cases])
    others = [
        replace(case, closed=None if case.closed is None else closing)
        for case, closing in zip(cases, closings, strict=False)
    ]
    whole = decide(replace(kept, ended=end), rules, others, conditions, holds, now=now)
    assert pattern.answer(end, [case.closed for case in others], now=now) == (whole.outcome, whole.until)


def test_a_pattern_counts_from_the_end_where_a_case_was_closed_before_it() -> None:
    pattern = pattern_of(asked(rule(AS_FILE), cases=[CaseKept("cas-1", CLOSED)]), ["cas-1"])
    assert pattern.answer(END, [END - 300 * DAY], now=END)[1] == END.replace(year=2036)


@settings(max_examples=60, deadline=None)
@given(st.lists(_moments.map(lambda moment: moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")), min_size=6, max_size=6))
def test_a_sweeps_answer_is_the_whole_decisions_whatever_it_remembered(moments: list[str]) -> None:
    asked = judge(CLOSED, ("JC-01", AS_FILE), ("JC-02", FROM_END))
    for number, closed in enumerate(moments):
        case = CaseOf(f"cas-{number}", closed if number % 3 else None, ("P30Y", None)[number % 2])
        one = entry(
            item=("JC-01", "JC-02", None)[number % 3],
            arrived_at=closed,
            end_latest=moments[-1 - number],
            cases=(case,) if number % 2 else (),
            conditions=("PC-EVID",) if number > 2 else (),
            holds=("hol-1",) if number == 4 else (),
        )
        whole = asked.decision(one)
        assert asked.answer(one) == (whole.outcome, whole.until)
