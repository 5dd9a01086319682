# SPDX-License-Identifier: Apache-2.0
"""This is where it is tried what stops a change of the rules: brake, cool-off, day, second person, two at once."""

import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from evidence.errors import BadInput, Conflict, EvidockError, Refused
from pipeline.catalogs import effects, filing
from pipeline.catalogs.adopt import look
from pipeline.keeping_settings import DEFAULT
from storage.register.catalogs import every_version
from tests.support.home import Home, open_home
from tests.support.rule_changes import (
    DAY,
    JC,
    LONGER,
    NOW,
    SHORTER,
    TODAY,
    WEEK,
    adopt_first,
    approved,
    by,
    counts,
    fill,
    row_of,
    wanted,
)


@pytest.fixture
def home(tmp_path: Path, register_settings: dict[str, str]) -> Iterator[Home]:
    with open_home(tmp_path / "home", **register_settings) as opened:
        yield opened


@pytest.fixture
def lone(tmp_path: Path) -> Iterator[Home]:
    """On the embedded engine alone: what is tried does not reach the database."""
    with open_home(tmp_path / "home") as opened:
        yield opened


# --- the brake ------------------------------------------------------------------------------------


def test_the_brake_stops_what_shortens_more_than_its_share_and_names_the_counts(home: Home) -> None:
    first = adopt_first(home)
    fill(home, 2, catalog=first)
    fill(home, 18, item="JC-02", catalog=first)
    with pytest.raises(Refused, match="2 of 20 recordings") as stopped:
        by(home, "ann", wanted("2", at=NOW + WEEK, classes=SHORTER, shortens=JC))
    assert stopped.value.values == {"shorter": 2, "entries": 20, "due": 2, "brake_permille": 50}
    with home.ports.register.view() as connection:
        assert [row["id"] for row in every_version(connection)] == [first]


def test_exactly_the_share_passes(lone: Home) -> None:
    first = adopt_first(lone)
    fill(lone, 1, catalog=first)
    fill(lone, 19, item="JC-02", catalog=first)
    found = by(lone, "ann", wanted("2", at=NOW + WEEK, classes=SHORTER, shortens=JC))
    assert counts(found)["shorter"] == 1


def test_over_the_brake_both_persons_must_say_why(lone: Home) -> None:
    first = adopt_first(lone)
    fill(lone, 2, catalog=first)
    found = by(lone, "ann", wanted("2", at=NOW + WEEK, classes=SHORTER, shortens=JC, over_brake="a new law"))
    with pytest.raises(Refused, match="brake"):
        approved(lone, found.catalog)
    assert approved(lone, found.catalog, over_brake="a new law indeed").is_adopted


def test_a_brake_that_trips_between_proposal_and_approval_stops_the_approval(lone: Home) -> None:
    first = adopt_first(lone)
    fill(lone, 1, catalog=first)
    fill(lone, 19, item="JC-02", catalog=first)
    found = by(lone, "ann", wanted("2", at=NOW + WEEK, classes=SHORTER, shortens=JC))
    fill(lone, 1, catalog=first)
    with pytest.raises(Refused, match="2 of 21"):
        approved(lone, found.catalog, shorter=2, over_brake="only one of us says so")


def test_the_share_is_the_agencys_own(tmp_path: Path) -> None:
    file = tmp_path / "keeping.yaml"
    given = DEFAULT.read_text()
    file.write_text(given.replace("brake_permille: 50", "brake_permille: 500"))
    with open_home(tmp_path / "home", keeping=str(file)) as home:
        first = adopt_first(home)
        fill(home, 1, catalog=first)
        fill(home, 1, item="JC-02", catalog=first)
        by(home, "ann", wanted("2", at=NOW + WEEK, classes=SHORTER, shortens=JC))


# --- time -----------------------------------------------------------------------------------------


def test_a_change_that_shortens_waits_for_its_cool_off(lone: Home) -> None:
    adopt_first(lone)
    with pytest.raises(BadInput, match="7 days"):
        by(lone, "ann", wanted("2", at=NOW + WEEK - timedelta(seconds=1), classes=SHORTER))
    by(lone, "ann", wanted("2", at=NOW + WEEK, classes=SHORTER))


def test_a_change_that_only_lengthens_may_count_from_today(lone: Home) -> None:
    adopt_first(lone, now=NOW - WEEK)
    found = by(lone, "ann", wanted("2", at=TODAY, classes=LONGER))
    assert approved(lone, found.catalog).is_adopted


def test_a_day_that_has_passed_is_refused(lone: Home) -> None:
    adopt_first(lone, now=NOW - WEEK)
    with pytest.raises(BadInput, match="has passed"):
        by(lone, "ann", wanted("2", at=TODAY - timedelta(seconds=1), classes=LONGER))


def test_a_day_in_the_past_of_an_adopted_version_is_refused(lone: Home) -> None:
    first = by(lone, "ann", wanted("1", at=NOW + WEEK)).catalog
    for day in (NOW + DAY, NOW + WEEK):
        with pytest.raises(BadInput, match="is not after") as refused:
            by(lone, "ann", wanted("2", at=day, classes=LONGER))
        assert refused.value.values["adopted"] == first


def test_a_proposal_whose_day_passed_unapproved_cannot_be_approved(lone: Home) -> None:
    adopt_first(lone)
    found = by(lone, "ann", wanted("2", at=NOW + DAY, classes=LONGER))
    with pytest.raises(BadInput, match="has passed"):
        approved(lone, found.catalog, now=NOW + WEEK)


def test_of_two_proposals_the_earlier_cannot_be_approved_after_the_later(lone: Home) -> None:
    adopt_first(lone)
    earlier = by(lone, "ann", wanted("2", at=NOW + DAY, classes=LONGER))
    later = by(lone, "ann", wanted("3", at=NOW + 2 * DAY, classes=LONGER))
    approved(lone, later.catalog)
    with pytest.raises(BadInput, match="is not after"):
        approved(lone, earlier.catalog)


# --- two people -----------------------------------------------------------------------------------


def test_the_first_version_is_adopted_at_once_and_every_later_one_needs_another_person(lone: Home) -> None:
    first = by(lone, "ann", wanted("1"))
    assert first.is_adopted
    second = by(lone, "ann", wanted("2", at=NOW + DAY, classes=LONGER))
    assert not second.is_adopted
    with pytest.raises(Refused, match="another person"):
        approved(lone, second.catalog, person="ann")
    assert approved(lone, second.catalog, why="as agreed").is_adopted
    row = row_of(lone, second.catalog)
    assert (row["proposed_by"], row["approved_by"]) == ("cli:ann", "cli:bob")


def test_a_first_version_that_shortens_what_the_settings_ruled_needs_another_person_too(lone: Home) -> None:
    fill(lone, 1, catalog=lone.ports.catalog.id)
    wish = wanted("1", at=NOW + WEEK, classes=SHORTER, shortens=JC, over_brake="why")
    found = by(lone, "ann", wish)
    assert not found.is_adopted
    assert counts(found)["shorter"] == 1


def test_more_recordings_than_were_shown_are_shown_again_before_approval(home: Home) -> None:
    first = adopt_first(home)
    fill(home, 1, catalog=first)
    fill(home, 99, item="JC-02", catalog=first)
    found = by(home, "ann", wanted("2", at=NOW + WEEK, classes=SHORTER, shortens=JC))
    fill(home, 1, catalog=first)
    with pytest.raises(Conflict, match="JC-01: 1 → 2"):
        approved(home, found.catalog)
    assert counts(look(found.catalog, ports=home.ports, now=NOW))["shorter"] == 2
    with pytest.raises(Conflict):
        approved(home, found.catalog, shorter=1)
    assert approved(home, found.catalog, shorter=2).is_adopted


def test_fewer_recordings_than_were_shown_need_no_second_look(lone: Home) -> None:
    first = adopt_first(lone)
    fill(lone, 1, catalog=first)
    fill(lone, 99, item="JC-02", catalog=first)
    found = by(lone, "ann", wanted("2", at=NOW + WEEK, classes=SHORTER, shortens=JC))
    fill(lone, 50, item="JC-02", catalog=first)
    assert approved(lone, found.catalog).is_adopted


def test_a_recording_classified_during_the_dry_run_of_an_approval_is_looked_at_too(
    lone: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = adopt_first(lone)
    fill(lone, 1, catalog=first)
    fill(lone, 99, item="JC-02", catalog=first)
    found = by(lone, "ann", wanted("2", at=NOW + WEEK, classes=SHORTER, shortens=JC))
    whole = effects.dry_run
    late = iter([1])

    def slow(*told: object, **more: object) -> effects.Effects:
        done = whole(*told, **more)  # type: ignore[arg-type]
        for count in late:
            fill(lone, count, catalog=first)
        return done

    monkeypatch.setattr("pipeline.catalogs.adopt.dry_run", slow)
    with pytest.raises(Conflict, match="1 → 2"):
        approved(lone, found.catalog)


def test_a_proposal_made_anew_during_the_dry_run_of_its_approval_is_not_approved(
    lone: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    adopt_first(lone)
    found = by(lone, "ann", wanted("2", at=NOW + DAY, classes=LONGER))
    whole = effects.dry_run

    def slow(*told: object, **more: object) -> effects.Effects:
        monkeypatch.undo()
        done = whole(*told, **more)  # type: ignore[arg-type]
        filing.withdraw(found.catalog, why="another day", ports=lone.ports, now=NOW)
        by(lone, "ann", wanted("2", at=NOW + 30 * DAY, classes=LONGER))
        return done

    monkeypatch.setattr("pipeline.catalogs.adopt.dry_run", slow)
    with pytest.raises(Conflict, match="changed while it was looked at"):
        approved(lone, found.catalog)


# --- at once --------------------------------------------------------------------------------------


def outcomes(*acts: Callable[[], object]) -> list[str]:
    """What becomes of acts that begin at the same time: `done`, or the code of the refusal."""
    told: list[str] = []
    start = threading.Barrier(len(acts))

    def run(act: Callable[[], object]) -> None:
        start.wait()
        try:
            act()
            told.append("done")
        except EvidockError as error:
            told.append(error.code)

    threads = [threading.Thread(target=run, args=(act,)) for act in acts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sorted(told)


def test_of_two_first_versions_proposed_at_once_one_is_adopted(lone: Home) -> None:
    acts = (lambda: by(lone, "ann", wanted("1")), lambda: by(lone, "bob", wanted("2", classes=LONGER)))
    told = outcomes(*acts)
    # The other came in between, or just behind: then its day was taken.
    assert told in (["conflict", "done"], ["bad-input", "done"])


def test_of_two_approvals_at_once_one_counts(home: Home) -> None:
    adopt_first(home)
    found = by(home, "ann", wanted("2", at=NOW + DAY, classes=LONGER))
    told = outcomes(*(lambda person=person: approved(home, found.catalog, person=person) for person in ("bob", "eve")))
    assert told == ["conflict", "done"]
    assert len([one for one in home.events(f"catalog/{found.catalog[-12:]}") if one["kind"] == "catalog-approved"]) == 1
