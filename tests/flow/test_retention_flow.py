# SPDX-License-Identifier: Apache-2.0
"""Keeping from ingest to the due list: sweeps, explanations, holds, reviews, a clock that jumps; on both engines."""

import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from app import clocks
from app.keeping_rounds import KeepingRounds
from evidence.custody import Happening
from evidence.errors import BadInput, Conflict, NotFound, WrongState
from evidence.retention import Outcome, recompute
from pipeline import holds, retain, steady
from pipeline.casework import close_case, link, reopen_case
from pipeline.conditions import lift_condition, set_condition
from pipeline.outcome import about
from pipeline.retention_figures import figures
from storage.register import retention_rows, schema
from tests.support.command import evidock
from tests.support.home import NOON, Home, open_home, track
from tests.support.two_people import lift_hold

YEAR = timedelta(days=366)


@pytest.fixture
def home(tmp_path: Path, register_settings: dict[str, str]) -> Iterator[Home]:
    with open_home(tmp_path / "home", **register_settings) as opened:
        yield opened


@pytest.fixture
def local(tmp_path: Path) -> Iterator[Home]:
    """On SQLite alone: for what no engine decides."""
    with open_home(tmp_path / "home") as opened:
        yield opened


def filmed(home: Home, tmp_path: Path, number: int = 0) -> str:
    identifier: str = home.ingest_one(track(tmp_path / f"card-{number}", number=number))["id"]
    return identifier


def in_years(years: int) -> datetime:
    return datetime.now(UTC) + years * YEAR


def row(home: Home, recording: str) -> tuple[str, str | None] | None:
    table = schema.retention.c
    with home.ports.register.view() as connection:
        found = connection.execute(select(table.outcome, table.until).where(table.recording == recording)).first()
    return None if found is None else (found.outcome, found.until)


def outcome(home: Home, recording: str, now: datetime) -> Outcome:
    """The answer in full, whose reasons must give it again."""
    decision = retain.decision_of(recording, ports=home.ports, now=now)
    reasons = [reason.to_json() for reason in decision.reasons]
    assert recompute(reasons, now=now) == (decision.outcome, decision.until)
    return decision.outcome


def due(home: Home, **how: Any) -> list[str]:
    asked: dict[str, Any] = {"until": None, "units": None, "limit": None, "after": None}
    with home.ports.register.view() as connection:
        return [one["id"] for one in retention_rows.due_page(connection, **asked | how).rows]


def set_row(home: Home, recording: str, **values: Any) -> None:
    """What an event of another age would have written."""
    table = schema.recordings
    with home.ports.register.begin() as facts:
        facts.connection.execute(update(table).where(table.c.id == recording).values(**values))


# --- sweeps ------------------------------------------------------------------------------------


def test_what_is_kept_becomes_due_on_its_day_and_a_sweep_lists_it(home: Home, tmp_path: Path) -> None:
    recording = filmed(home, tmp_path)
    until = retain.decision_of(recording, ports=home.ports, now=NOON).until
    assert until is not None
    before = retain.sweep(home.ports, until - timedelta(microseconds=1))
    assert (before.outcomes, before.changed, due(home)) == ({Outcome.KEPT: 1}, 1, [])
    assert retain.sweep(home.ports, until - timedelta(microseconds=1)).changed == 0
    after = retain.sweep(home.ports, until)
    assert (after.outcomes, after.changed, due(home)) == ({Outcome.DUE: 1}, 1, [recording])
    assert due(home, until=until) == [recording]
    assert due(home, until=until - timedelta(seconds=1)) == []
    assert due(home, units=["nobody's"]) == []


def test_a_case_a_condition_and_a_hold_each_keep_what_was_due(home: Home, tmp_path: Path) -> None:
    recording, now = filmed(home, tmp_path), in_years(30)
    ports, real = home.ports, clocks.now()
    assert outcome(home, recording, now) is Outcome.DUE

    home.open_case("2026-1", "430407", start=NOON - YEAR, end=NOON + YEAR)
    link("2026-1", [recording], why="same shop", withdraw=False, ports=ports, now=real)
    assert outcome(home, recording, now) is Outcome.WAITS
    close_case("2026-1", ports=ports, now=real)
    assert outcome(home, recording, now) is Outcome.DUE
    reopen_case("2026-1", why="appeal", ports=ports, now=real)
    assert outcome(home, recording, now) is Outcome.WAITS
    close_case("2026-1", ports=ports, now=real)

    set_condition("case", "2026-1", "PC-DISPUTE", why="court", ports=ports, now=real)
    assert outcome(home, recording, now) is Outcome.WAITS
    lift_condition("case", "2026-1", "PC-DISPUTE", why="settled", ports=ports, now=real)
    set_condition("recording", recording, "PC-OBSTRUCT", why="seen", ports=ports, now=real)
    assert outcome(home, recording, now) is Outcome.PERMANENT
    lift_condition("recording", recording, "PC-OBSTRUCT", why="another man", ports=ports, now=real)
    assert outcome(home, recording, now) is Outcome.DUE


def test_a_hold_on_a_case_holds_what_is_linked_to_it_later(home: Home, tmp_path: Path) -> None:
    first, second, now = filmed(home, tmp_path), filmed(home, tmp_path, 1), in_years(30)
    ports, real = home.ports, clocks.now()
    home.open_case("2026-1", "430407", start=NOON - YEAR, end=NOON + YEAR)
    link("2026-1", [first], why="same shop", withdraw=False, ports=ports, now=real)
    close_case("2026-1", ports=ports, now=real)
    held = holds.place(holds.Target(case="2026-1"), why="复议", authority="court", ports=ports, now=now)
    assert held.recordings == (first,)
    swept = row(home, first)
    assert swept is not None
    assert swept[0] == "held", "at once"
    reopen_case("2026-1", why="more", ports=ports, now=real)
    link("2026-1", [second], why="next door", withdraw=False, ports=ports, now=real)
    close_case("2026-1", ports=ports, now=real)
    assert retain.sweep(ports, now).outcomes == {Outcome.HELD: 2}

    other = holds.place(holds.Target(first), why="theirs too", authority=None, ports=ports, now=now)
    assert set(lift_hold(ports, held.id, now=now).performed.recordings) == {first, second}
    assert (outcome(home, first, now), outcome(home, second, now)) == (Outcome.HELD, Outcome.DUE)
    lift_hold(ports, other.id, now=now)
    assert sorted(due(home)) == sorted([first, second])


def test_a_sweep_of_many_pages_misses_none_and_forgets_what_is_gone(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recordings = [filmed(home, tmp_path, number) for number in range(3)]
    monkeypatch.setattr(retain, "figures", lambda: replace(_FIGURES, page=1))
    heard: list[float] = []
    assert retain.sweep(home.ports, in_years(30), heard.append).outcomes == {Outcome.DUE: 3}
    assert heard[-1] == 1.0
    set_row(home, recordings[0], state="disposing")
    assert retain.sweep(home.ports, in_years(30)).outcomes == {Outcome.DUE: 2}
    assert row(home, recordings[0]) is None
    assert len(due(home)) == 2
    with home.ports.register.view() as connection:
        first = retention_rows.due_page(connection, until=None, units=None, limit=1, after=None)
        second = retention_rows.due_page(connection, until=None, units=None, limit=1, after=first.after)
    assert [one["id"] for one in (*first.rows, *second.rows)] == due(home)
    assert second.after is None


_FIGURES = figures()


def test_one_sweep_is_claimed_by_one_process_and_again_when_it_was_never_finished(home: Home) -> None:
    day, hour = timedelta(days=1), timedelta(hours=1)

    def claim(now: datetime) -> bool:
        with home.ports.register.leasing() as connection:
            return retention_rows.claim(connection, now=now, every=day, for_=hour)

    assert [claim(NOON), claim(NOON)] == [True, False]
    assert claim(NOON + hour), "its process died"
    retain.sweep(home.ports, NOON + hour)
    assert not claim(NOON + day)
    assert claim(NOON + day + hour)


def test_two_sweeps_at_once_say_the_same(home: Home, tmp_path: Path) -> None:
    recording = filmed(home, tmp_path)
    found: list[Any] = []
    sweeping = [
        threading.Thread(target=lambda: found.append(retain.sweep(home.ports, in_years(30)).outcomes)) for _ in "12"
    ]
    for one in sweeping:
        one.start()
    for one in sweeping:
        one.join()
    assert found == [{Outcome.DUE: 1}] * 2
    assert due(home) == [recording]


# --- holds and reviews ---------------------------------------------------------------------------


def test_a_hold_without_a_reason_is_refused(local: Home, tmp_path: Path) -> None:
    recording = filmed(local, tmp_path)
    for why in ("", "  ", "a\x1b[2Jb", "x" * 3000):
        with pytest.raises(BadInput):
            holds.place(holds.Target(recording), why=why, authority=None, ports=local.ports, now=NOON)
    assert outcome(local, recording, NOON) is Outcome.KEPT


def test_a_hold_is_on_one_thing_that_is_there(local: Home, tmp_path: Path) -> None:
    recording = filmed(local, tmp_path)
    for target in (holds.Target(), holds.Target(recording, "2026-1")):
        with pytest.raises(BadInput, match="one recording or on one case"):
            holds.place(target, why="w", authority=None, ports=local.ports, now=NOON)
    for target in (holds.Target("rec-nobody"), holds.Target(case="2026-404")):
        with pytest.raises(NotFound):
            holds.place(target, why="w", authority=None, ports=local.ports, now=NOON)


def test_a_hold_comes_too_late_for_what_is_being_disposed_of(local: Home, tmp_path: Path) -> None:
    recording = filmed(local, tmp_path)
    set_row(local, recording, state="disposing")
    with pytest.raises(WrongState, match="nothing left to keep"):
        holds.place(holds.Target(recording), why="w", authority=None, ports=local.ports, now=NOON)
    with pytest.raises(WrongState):
        holds.review(recording, why="w", ports=local.ports, now=NOON)


def test_a_hold_is_lifted_once_and_for_a_reason(local: Home, tmp_path: Path) -> None:
    recording = filmed(local, tmp_path)
    held = holds.place(holds.Target(recording), why="w", authority=None, ports=local.ports, now=NOON)
    with pytest.raises(BadInput):
        lift_hold(local.ports, held.id, why="", now=NOON)
    lift_hold(local.ports, held.id, now=NOON)
    with pytest.raises(Conflict, match="was lifted"):
        lift_hold(local.ports, held.id, now=NOON)
    with pytest.raises(NotFound):
        lift_hold(local.ports, "hol-nobody", now=NOON)


def test_a_mark_of_the_camera_waits_for_a_review(local: Home, tmp_path: Path) -> None:
    recording, now = filmed(local, tmp_path), in_years(30)
    set_row(local, recording, claims='[{"field": "important", "source": "file-name", "value": "yes"}]')
    assert outcome(local, recording, now) is Outcome.WAITS
    holds.review(recording, why="a test press", ports=local.ports, now=now)
    assert outcome(local, recording, now) is Outcome.DUE
    assert due(local) == [recording]


def test_a_claim_that_only_speaks_of_a_mark_marks_nothing(local: Home, tmp_path: Path) -> None:
    recording = filmed(local, tmp_path)
    set_row(local, recording, claims='[{"field": "note", "value": "\\"field\\": \\"important\\""}]')
    assert outcome(local, recording, in_years(30)) is Outcome.DUE


def test_a_camera_clock_of_the_future_waits_for_a_review_and_then_counts_from_the_arrival(
    local: Home, tmp_path: Path
) -> None:
    recording, now = filmed(local, tmp_path), in_years(30)
    set_row(local, recording, end_latest="2099-01-01T00:00:00.000000Z")
    assert outcome(local, recording, now) is Outcome.WAITS
    holds.review(recording, why="the clock was wrong", ports=local.ports, now=now)
    assert outcome(local, recording, now) is Outcome.DUE


# --- the clock -----------------------------------------------------------------------------------


def test_nothing_becomes_due_from_a_jump_of_the_clock_alone(home: Home, tmp_path: Path) -> None:
    recording = filmed(home, tmp_path)
    reading = clocks.reading(home.ports.place)
    jumped = replace(reading, wall=reading.wall + 100 * YEAR)
    rebooted = replace(jumped, boot="another", uptime_s=60.0)
    for one in (reading, jumped, rebooted):
        now = steady.steady_now(home.ports.register, one).now
        assert retain.sweep(home.ports, now).outcomes == {Outcome.KEPT: 1}
    assert retain.decision_of(recording, ports=home.ports, now=jumped.wall).outcome is Outcome.DUE, "it would have"


# --- what a rebuild brings back ------------------------------------------------------------------


def test_a_rebuilt_register_gives_the_same_answers(local: Home, tmp_path: Path) -> None:
    recording, now = filmed(local, tmp_path), in_years(30)
    held = holds.place(holds.Target(recording), why="w", authority="a court", ports=local.ports, now=now)
    holds.review(recording, why="seen", ports=local.ports, now=now)
    lift_hold(local.ports, held.id, now=now)
    with local.ports.register.begin() as facts:
        lock = {"mode": "compliance", "until": "2030-01-01T00:00:00.000000Z"}
        facts.record(Happening("lock-extended", about(recording), facts=lock), actor="test", at=now)
    local.publish()
    assert local.rebuilt()[1] == local.facts()


# --- commands ------------------------------------------------------------------------------------


def test_the_commands_explain_sweep_hold_and_simulate(local: Home, tmp_path: Path) -> None:
    recording, folder = filmed(local, tmp_path), local.settings.home
    assert evidock("retention", "due", home=folder).out.startswith("no sweep has been made yet")
    assert evidock("retention", "sweep", "--json", home=folder).json["outcomes"] == {"kept": 1}
    told = evidock("retention", "explain", recording, "--json", home=folder).json
    assert (told["outcome"], told["recomputes"]) == ("kept", True)
    assert told["swept"] == {"outcome": "kept", "until": told["until"]}
    later = evidock("retention", "simulate", "--at", "2099-01-01T00:00:00Z", "--json", home=folder).json
    assert later["outcomes"] == {"due": 1}
    assert later["due"] == [{"recording": recording, "until": told["until"]}]
    assert evidock("retention", "due", "--json", home=folder).json["due"] == [], "nothing was written"

    held = evidock("hold", "place", recording, "--why", "复议", "--json", home=folder).json["hold"]
    assert evidock("hold", "list", "--json", home=folder).json["holds"][0]["id"] == held
    assert evidock("retention", "explain", recording, "--json", home=folder).json["outcome"] == "held"
    asked = evidock("hold", "lift", held, "--why", "over", "--json", home=folder, LOGNAME="zhang").json["approval"][
        "id"
    ]
    assert evidock("hold", "list", "--json", home=folder).json["holds"][0]["id"] == held, "one person lifts none"
    assert evidock("approval", "decide", asked, "--approve", home=folder, LOGNAME="zhang").status == 77
    decided = evidock("approval", "decide", asked, "--approve", "--json", home=folder, LOGNAME="wang")
    assert decided.json["recordings"] == [recording]
    assert evidock("retention", "explain", recording, "--json", home=folder).json["outcome"] == "kept"
    assert evidock("hold", "list", home=folder).out == "no holds\n"
    assert len(evidock("hold", "list", "--all", "--json", home=folder).json["holds"]) == 1
    assert evidock("hold", "place", recording, "--why", " ", home=folder).status == 3


def test_an_explanation_is_told_in_words_of_either_language(local: Home, tmp_path: Path) -> None:
    recording, folder = filmed(local, tmp_path), local.settings.home
    english = evidock("retention", "explain", recording, home=folder, EVIDOCK_LANG="en").out
    chinese = evidock("retention", "explain", recording, home=folder, EVIDOCK_LANG="zh-CN").out
    assert "is kept 2 years from" in english
    assert "保存2年" in chinese
    assert "None" not in english + chinese


def test_a_doubted_clock_is_told_and_confirmed_by_command(local: Home) -> None:
    folder, reading = local.settings.home, clocks.reading(local.ports.place)
    long_ago = replace(reading, boot="before", wall=reading.wall - YEAR)
    steady.steady_now(local.ports.register, long_ago)
    told = evidock("retention", "clock", "--json", home=folder).json
    assert (told["doubt"], told["confirmed"]) == ("ahead", False)
    assert "has advanced by more" in evidock("retention", "sweep", home=folder, EVIDOCK_LANG="en").err
    assert evidock("retention", "clock", "confirm", "--why", "it was off", home=folder).status == 0
    assert evidock("retention", "clock", "--json", home=folder).json["doubt"] is None


# --- the worker ----------------------------------------------------------------------------------


def worker_rounds(home: Home) -> tuple[KeepingRounds, list[str]]:
    told: list[str] = []
    return KeepingRounds(home.ports, stop=threading.Event(), tell=told.append, first_s=0.0), told


def test_a_worker_marks_time_and_sweeps_once_a_day(home: Home, tmp_path: Path) -> None:
    recording = filmed(home, tmp_path)
    rounds, told = worker_rounds(home)
    assert rounds() == figures().mark_every.total_seconds()
    assert row(home, recording) is not None
    later = filmed(home, tmp_path, 1)
    rounds()
    assert row(home, later) is None, "tomorrow"
    assert told == []


def test_a_worker_tells_once_that_its_clock_is_doubted(local: Home) -> None:
    reading = clocks.reading(local.ports.place)
    steady.steady_now(local.ports.register, replace(reading, boot="before", wall=reading.wall - YEAR))
    rounds, told = worker_rounds(local)
    rounds()
    rounds()
    assert [sentence.partition(":")[0] for sentence in told] == ["the clock is doubted (ahead)"]


def test_a_worker_that_is_to_end_breaks_its_sweep_off(local: Home, tmp_path: Path) -> None:
    filmed(local, tmp_path)
    stop = threading.Event()
    stop.set()
    KeepingRounds(local.ports, stop=stop, tell=lambda _: None, first_s=0.0)()
    with local.ports.register.view() as connection:
        assert retention_rows.last_sweep(connection) is None
