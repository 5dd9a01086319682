# SPDX-License-Identifier: Apache-2.0
"""Cases, papers, units and officers as values: what is wrong by itself is refused when the value is made."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evidence.agency import Officer, Unit, below, check_tree, summed, tops_first, walk
from evidence.case import CaseBody, CaseKind, Codes, Document, check_codes, check_document
from evidence.case_told import Delay, Draw, Party, Place
from evidence.errors import BadInput, Conflict
from evidence.term import parse_term
from evidence.written import reason
from pipeline.case_codes import codes_of
from pipeline.catalogs.load import load_catalog
from pipeline.cells import day, moment_in, term

START = datetime(2026, 6, 19, 2, tzinfo=UTC)
END = START + timedelta(hours=2)
CHINA = ZoneInfo("Asia/Shanghai")
CASE = CaseBody("2026-1", "检查", ("7",), START, END)
CODES = Codes(
    "c",
    items={"JC-01": ("JC", "site_inspection")},
    types={"JC": "行政检查", "CF": "行政处罚"},
    links={"site_inspection": "现场检查", "service": "送达"},
    conditions={"PC-EVID": "证据"},
)


def changed(**changes: Any) -> CaseBody:
    return replace(CASE, **changes)


# --- what is refused ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        pytest.param({"number": " "}, "number", id="no-number"),
        pytest.param({"number": "x" * 201}, "number", id="number-too-long"),
        pytest.param({"number": "a\nb"}, "number", id="number-of-two-lines"),
        pytest.param({"number": "a\u202eb"}, "number", id="number-written-backwards"),
        pytest.param({"number": "\udc80"}, "number", id="number-that-is-no-text"),
        pytest.param({"title": "x" * 201}, "title", id="title-too-long"),
        pytest.param({"officers": ("",)}, "officer", id="an-officer-without-number"),
        pytest.param({"officers": tuple(map(str, range(501)))}, "at most", id="too-many-officers"),
        pytest.param({"end": START}, "end after it starts", id="a-window-without-length"),
        pytest.param({"end": START - timedelta(hours=1)}, "end after it starts", id="a-window-backwards"),
        pytest.param({"start": START.replace(tzinfo=None)}, "zone", id="no-zone"),
        pytest.param({"start": START.replace(year=202)}, "year", id="a-year-of-three-digits"),
        pytest.param({"source": "csv"}, "source key", id="a-source-without-key"),
        pytest.param({"source_key": "1"}, "source key", id="a-key-without-source"),
        pytest.param({"parties": (Party("某"),) * 1001}, "parties", id="too-many-parties"),
        pytest.param({"draw": Draw(subjects=("甲",))}, "check task", id="a-case-that-is-drawn"),
        pytest.param({"links": ("a",) * 1 + tuple(map(str, range(101)))}, "at most", id="too-many-links"),
    ],
)
def test_a_case_that_cannot_be_used_is_refused(changes: dict[str, Any], word: str) -> None:
    with pytest.raises(BadInput, match=word):
        changed(**changes)


@pytest.mark.parametrize(
    ("make", "word"),
    [
        pytest.param(lambda: Party(""), "name of a party", id="a-party-without-name"),
        pytest.param(lambda: Party.of_json({"name": "某", "id": "1"}), "no 'id'", id="a-misspelt-word"),
        pytest.param(lambda: Party.of_json({"name": 7}), "is a text", id="a-name-that-is-a-number"),
        pytest.param(lambda: Party.of_json("某"), "is an object", id="a-party-that-is-a-text"),
        pytest.param(lambda: Place(), "a name, or", id="a-place-of-nothing"),
        pytest.param(lambda: Place(lat="28.1"), "together", id="half-a-place"),
        pytest.param(lambda: Place("90.1", "112", 10), "lat", id="north-of-the-pole"),
        pytest.param(lambda: Place("28", "-180.000001", 10), "lon", id="beyond-the-date-line"),
        pytest.param(lambda: Place("2e1", "112", 10), "lat", id="degrees-with-an-exponent"),
        pytest.param(lambda: Place("nan", "112", 10), "lat", id="degrees-that-are-no-number"),
        pytest.param(lambda: Place("28", "112", 0), "radius", id="a-place-without-extent"),
        pytest.param(
            lambda: Place.of_json({"lat": "28", "lon": "1", "radius_m": True}), "whole", id="a-radius-of-true"
        ),
        pytest.param(lambda: Place.of_json({"lat": 28, "lon": "1", "radius_m": 5}), "text", id="degrees-as-a-number"),
        pytest.param(lambda: Draw(), "drawn", id="a-draw-of-nobody"),
        pytest.param(lambda: Draw(subjects=("甲",), ratio="101%"), "ratio", id="more-than-all"),
        pytest.param(lambda: Draw(subjects=("甲",), ratio="5"), "ratio", id="a-share-without-sign"),
        pytest.param(lambda: Draw.of_json({"subjects": "甲"}), "list of texts", id="a-list-that-is-a-text"),
        pytest.param(lambda: Document(""), "name of a document", id="a-document-without-name"),
        pytest.param(lambda: Document("笔录", end=END), "states a start", id="a-document-with-an-end-alone"),
        pytest.param(
            lambda: Document("笔录", start=END, end=START), "end after", id="a-document-that-ends-before-it-starts"
        ),
        pytest.param(lambda: Unit("0 1", "x"), "code", id="a-unit-code-with-a-space"),
        pytest.param(lambda: Unit("1、2", "x"), "code", id="a-unit-code-with-a-separator"),
        pytest.param(lambda: Unit("01", ""), "name of a unit", id="a-unit-without-name"),
        pytest.param(lambda: Unit("01", "x", "01"), "above itself", id="a-unit-under-itself"),
        pytest.param(lambda: Officer(""), "certificate", id="an-officer-without-certificate"),
        pytest.param(
            lambda: Officer("7", valid_from=date(2026, 2, 1), valid_to=date(2026, 1, 1)), "cannot end", id="never-valid"
        ),
        pytest.param(lambda: reason(" "), "say why", id="no-reason"),
        pytest.param(lambda: reason("a\0b"), "printed", id="a-reason-with-a-nul"),
        pytest.param(lambda: reason("x" * 2001), "at most", id="a-reason-without-end"),
        pytest.param(lambda: parse_term("10 years"), "not a term", id="a-term-in-words"),
        pytest.param(lambda: term("十年"), "not a term", id="a-term-in-chinese-numerals"),
        pytest.param(lambda: day("2026-02-30"), "no day", id="the-thirtieth-of-february"),
        pytest.param(lambda: moment_in(CHINA)("2026-06-19 25:00"), "no time", id="the-25th-hour"),
        pytest.param(lambda: moment_in(CHINA)("morgen"), "RFC 3339", id="a-time-in-words"),
    ],
)
def test_what_cannot_be_used_is_refused(make: Callable[[], object], word: str) -> None:
    with pytest.raises(BadInput, match=word):
        make()


# --- what a catalog says ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        pytest.param({"item": "XX-99"}, "no item", id="unknown-item"),
        pytest.param({"type": "XX"}, "no type", id="unknown-type"),
        pytest.param({"links": ("XX",)}, "no link", id="unknown-link"),
        pytest.param({"item": "JC-01", "type": "CF"}, "of type JC", id="an-item-of-another-type"),
    ],
)
def test_a_case_with_codes_that_the_catalog_lacks_is_refused(changes: dict[str, Any], word: str) -> None:
    with pytest.raises(BadInput, match=word):
        check_codes(changed(**changes), CODES)


def test_a_case_takes_the_type_of_its_item() -> None:
    assert check_codes(changed(item="JC-01"), CODES).type == "JC"


def test_a_code_that_stood_in_a_case_before_may_stay() -> None:
    was = changed(item="OLD-1", type="OLD", links=("old",))
    assert check_codes(replace(was, title="x"), CODES, was=was) == replace(was, title="x")
    with pytest.raises(BadInput, match="no item"):
        check_codes(replace(was, item="OLD-2"), CODES, was=was)


def test_a_document_of_a_link_its_item_is_not_of_is_refused() -> None:
    check_document(Document("笔录", link="site_inspection", item="JC-01"), CODES)
    with pytest.raises(BadInput, match="of link site_inspection"):
        check_document(Document("笔录", link="service", item="JC-01"), CODES)


def test_codes_are_also_told_by_their_chinese_names() -> None:
    codes = codes_of(load_catalog())
    assert (codes.code_of("types", "行政检查"), codes.code_of("types", " JC ")) == ("JC", "JC")
    assert codes.code_of("links", "现场检查") == "site_inspection"
    assert codes.code_of("links", "没有") == "没有"


# --- there and back -----------------------------------------------------------------------------

WORDS = st.text(st.characters(codec="utf-8", categories=("L", "N", "P")), min_size=1, max_size=20)
MOMENTS = st.datetimes(datetime(1990, 1, 1), datetime(2090, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
PLACES = st.one_of(
    st.builds(Place, name=WORDS), st.builds(Place, st.just("28.25"), st.just("-112.9"), st.integers(1, 9), WORDS)
)
TERMS = st.sampled_from(["P10Y", "P6M", "P90D", "permanent"]).map(parse_term)


@settings(max_examples=40)
@given(
    st.builds(
        CaseBody,
        WORDS,
        WORDS,
        st.lists(WORDS, max_size=3).map(tuple),
        st.just(START),
        MOMENTS.map(lambda told: max(told, END)),
        kind=st.just(CaseKind.TASK),
        unit=st.none() | WORDS,
        file_term=st.none() | TERMS,
        links=st.lists(WORDS, max_size=2).map(tuple),
        parties=st.lists(st.builds(Party, WORDS, WORDS, WORDS), max_size=2).map(tuple),
        place=st.none() | PLACES,
        delays=st.lists(st.builds(Delay, WORDS, WORDS, st.none() | WORDS, MOMENTS), max_size=2).map(tuple),
        draw=st.none()
        | st.builds(Draw, subjects=st.lists(WORDS, min_size=1, max_size=2).map(tuple), ratio=st.just("5％")),
    )
)
def test_a_case_comes_back_whole_from_its_detail(body: CaseBody) -> None:
    assert CaseBody.of_detail(body.to_detail()) == body


@pytest.mark.parametrize(
    "text",
    [
        "2026-06-19 10:00",
        "2026/6/19 10:00:00",
        "2026年6月19日10时",
        "2026-06-19T02:00:00Z",
        "2026-06-19T10:00:00+08:00",
    ],
)
def test_a_time_is_read_as_offices_write_it(text: str) -> None:
    assert moment_in(CHINA)(text) == START


def test_a_term_and_a_day_are_read_as_offices_write_them() -> None:
    assert [term(text) for text in ("永久", "10年", "6个月", "90天", "P2Y", "")] == [
        *map(parse_term, ("permanent", "P10Y", "P6M", "P90D", "P2Y")),
        None,
    ]
    assert day("2026年6月9日") == day("2026/6/9") == day("2026-06-09") == date(2026, 6, 9)


# --- the tree of units --------------------------------------------------------------------------

PARENTS = {"01": None, "0101": "01", "0102": "01", "010201": "0102"}


def test_units_are_counted_with_all_units_below_them() -> None:
    assert summed({"01": [1], "0101": [10], "010201": [100]}, PARENTS, width=1) == {
        "01": (111,),
        "0101": (10,),
        "0102": (100,),
        "010201": (100,),
    }
    assert below("0102", PARENTS) == ["0102", "010201"]
    assert list(walk(PARENTS)) == [("01", 0), ("0101", 1), ("0102", 1), ("010201", 2)]


def test_units_in_a_circle_are_refused() -> None:
    with pytest.raises(Conflict, match="circle"):
        check_tree({"a": "b", "b": "c", "c": "a"})
    with pytest.raises(Conflict, match="circle"):
        tops_first([Unit("a", "x", "b"), Unit("b", "x", "a")])


def test_a_unit_under_one_that_nobody_knows_is_refused() -> None:
    with pytest.raises(BadInput, match="not registered"):
        check_tree({"a": "b"})


def test_a_tree_that_is_too_deep_is_refused() -> None:
    with pytest.raises(BadInput, match="at most 16"):
        check_tree({str(n): str(n - 1) if n else None for n in range(17)})


@settings(max_examples=40)
@given(st.permutations([Unit("a", "x"), Unit("b", "x", "a"), Unit("c", "x", "b"), Unit("d", "x", "a")]))
def test_units_are_placed_tops_first_whatever_their_order(units: list[Unit]) -> None:
    placed = [unit.code for unit in tops_first(units)]
    assert placed.index("a") < placed.index("b") < placed.index("c")
    assert placed.index("a") < placed.index("d")
