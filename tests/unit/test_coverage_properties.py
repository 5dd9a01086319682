# SPDX-License-Identifier: Apache-2.0
"""This is where it is tried, on cases made up at random, what another recording does to a cell."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import TypeVar
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from evidence.coverage import cover
from evidence.coverage_terms import (
    Cell,
    Certificate,
    Code,
    CoveredCase,
    Explained,
    Filmed,
    Finding,
    Paper,
    Status,
    Yardstick,
)
from pipeline.calendars import load_calendar
from pipeline.catalogs.load import load_catalog
from pipeline.coverage_figures import load_limits
from tests.support.chaos import times

TEN = datetime(2026, 6, 3, 2, tzinfo=UTC)
NOW = TEN + timedelta(days=9)
STEP = timedelta(minutes=5)
OFFICERS = {"a": Certificate(), "b": Certificate(last=date(2026, 6, 3)), "c": Certificate(types=frozenset({"JC"}))}
YARDSTICK = Yardstick(load_catalog(), load_calendar(), load_limits(), OFFICERS, ZoneInfo("Asia/Shanghai"))
ITEMS = ["CF-01", "CF-04", "CF-05", "CF-09", "CF-12", "CF-13", "QZ-07"]

Thing = TypeVar("Thing")

moments = st.integers(-40, 200).map(lambda n: TEN + n * STEP)
officers = st.sampled_from(["a", "b", "c", "z"])


@st.composite
def spans(draw: st.DrawFn) -> tuple[datetime, datetime]:
    """From a moment to one some minutes later."""
    start = draw(moments)
    return start, start + draw(st.integers(0, 30)) * STEP


@st.composite
def films(draw: st.DrawFn, name: str = "") -> Filmed:
    """A recording, with whatever may be wrong with one."""
    span = draw(st.none() | spans() | spans() | spans())
    start, end = span or (None, None)
    return Filmed(
        name or f"r{draw(st.integers(0, 10**9))}",
        draw(st.sampled_from(["video", "video", "audio", "photo", "document", None])),
        draw(st.none() | st.sampled_from(ITEMS)),
        start,
        end,
        (end or TEN) + draw(st.integers(0, 400)) * STEP * 6,
        draw(st.none() | officers),
        latest=end,
        claims_differ=draw(st.integers(0, 9)) == 0,
        is_aside=draw(st.integers(0, 5)) == 0,
        problem=draw(st.none() | st.sampled_from(["fixity-mismatch", "unknown-device"])),
    )


@st.composite
def papers(draw: st.DrawFn) -> Paper:
    """A paper of an item, or of a link alone."""
    start, end = draw(st.just((None, None)) | spans() | spans())
    item = draw(st.none() | st.sampled_from(ITEMS))
    link = draw(st.sampled_from(["evidence", "service", "compulsion"])) if item is None else None
    name = f"d{draw(st.integers(0, 10**9))}"
    return Paper(name, link, item, start, end, tuple(draw(st.lists(officers, max_size=3))))


@st.composite
def cases(draw: st.DrawFn) -> CoveredCase:
    """A penalty case with papers, recordings and explained gaps."""
    told = draw(st.lists(spans(), max_size=3))
    hows = st.sampled_from(["spoken", "written"])
    return CoveredCase(
        "cas-1",
        "1",
        "CF",
        None,
        TEN,
        TEN + timedelta(days=1),
        item=draw(st.none() | st.sampled_from(ITEMS)),
        officers=tuple(draw(st.lists(officers, max_size=2))),
        links=tuple(draw(st.lists(st.sampled_from(["service", "hearing"]), max_size=2))),
        papers=tuple(draw(st.lists(papers(), max_size=4, unique_by=lambda one: one.id))),
        filmed=tuple(draw(st.lists(films(), max_size=5, unique_by=lambda one: one.id))),
        explained=tuple(Explained(start, end, draw(hows)) for start, end in told),
    )


def mixed(things: tuple[Thing, ...], chance: Random) -> tuple[Thing, ...]:
    """The same in another order."""
    return tuple(chance.sample(things, len(things)))


@settings(max_examples=times(100, 2000), deadline=None)
@given(cases(), st.randoms(use_true_random=False))
def test_the_order_in_which_things_are_told_changes_nothing(case: CoveredCase, chance: Random) -> None:
    other = replace(
        case,
        papers=mixed(case.papers, chance),
        filmed=mixed(case.filmed, chance),
        explained=mixed(case.explained, chance),
        officers=mixed(case.officers, chance),
        links=mixed(case.links, chance),
    )
    first, second = (cover(one, YARDSTICK, now=NOW) for one in (case, other))

    assert (first.cells, first.doubts) == (second.cells, second.doubts)


@settings(max_examples=times(250, 5000), deadline=None)
@given(cases(), films("new"))
def test_another_recording_makes_no_cell_worse_but_for_what_it_brings_itself(case: CoveredCase, new: Filmed) -> None:
    before = cover(case, YARDSTICK, now=NOW)
    after = cover(replace(case, filmed=(*case.filmed, new)), YARDSTICK, now=NOW)

    assert after.doubts == before.doubts
    for was, now in zip(before.cells, after.cells, strict=True):
        assert now.activity == was.activity
        check_status(was, now, new)
        if was.item != now.item:  # it tells which of a link's items took place
            assert now.item.id == new.item
        elif was.status is Status.PRESENT:
            check_findings(was, now, new, {one.id: one for one in case.filmed})


def check_status(was: Cell, now: Cell, new: Filmed) -> None:
    """Present stays present; a cell with none valid has one only by the new recording, or keeps its status."""
    assert now.status is Status.PRESENT or was.status is not Status.PRESENT
    if now.status is not was.status:
        assert new.id in (*now.recordings, *now.invalid)
    if was.item == now.item:
        assert set(was.recordings) <= set(now.recordings) <= {*was.recordings, new.id}


def check_findings(was: Cell, now: Cell, new: Filmed, filmed: dict[str, Filmed]) -> None:
    """Every finding that is new has its reason in the new recording."""
    knew_when = any(filmed[one].span for one in was.recordings)
    for finding in now.findings:
        if finding in was.findings or new.id in finding.facts.values():
            continue
        if was.activity.span is None or not knew_when:
            # What has no stated time is of the time that was filmed; the first known time can contradict.
            assert new.id in now.recordings
            continue
        check_of_stated_time(finding, was, new)


def check_of_stated_time(finding: Finding, was: Cell, new: Filmed) -> None:
    """Where the paper states a time: less can be missing, and the officer who is new can lack a certificate."""
    if finding.code in (Code.CERTIFICATE_UNKNOWN, Code.CERTIFICATE_DAY, Code.CERTIFICATE_TYPE):
        assert finding.facts["officer"] == new.officer
        return
    less = [one for one in was.findings if one.code is finding.code and same_but_less(one, finding)]
    assert less, finding


def same_but_less(was: Finding, now: Finding) -> bool:
    """True when a finding tells of the same, and of less of it."""
    if was.code is Code.FEW_OFFICERS:
        return int(now.facts["officers"] or 0) > int(was.facts["officers"] or 0)
    which = was.facts.get("which") == now.facts.get("which")
    return which and int(now.facts.get("seconds") or 0) <= int(was.facts.get("seconds") or 0)
