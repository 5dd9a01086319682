# SPDX-License-Identifier: Apache-2.0
"""This is where a change of the rules is tried from proposal to effect, on both engines of the register."""

import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from evidence.errors import BadInput, Conflict, EvidockError, Refused
from pipeline import holds
from pipeline.casework import NewCase, open_case
from pipeline.catalogs import effects, filing
from pipeline.catalogs.adopt import Approval, Reviewed, approve, look
from pipeline.holds import Target
from storage.register.catalogs import every_version
from tests.support.command import Said, evidock
from tests.support.home import NOON, Home, open_home, track
from tests.support.rule_changes import DAY, NOW, TODAY, adopt_first, as_person, by, fill, link, row_of, wanted, written

WEEK = 7 * DAY  # the default cool-off
SHORTER = {"JC-01": "RT-90D"}
LONGER = {"JC-01": "RT-30Y"}
JC = frozenset({"JC-01"})
OF_A_CASE = "ZS-01"


@pytest.fixture
def home(tmp_path: Path, register_settings: dict[str, str]) -> Iterator[Home]:
    with open_home(tmp_path / "home", **register_settings) as opened:
        yield opened


@pytest.fixture
def lone(tmp_path: Path) -> Iterator[Home]:
    """On the embedded engine alone: what is tried does not reach the database."""
    with open_home(tmp_path / "home") as opened:
        yield opened


def approved(home: Home, identifier: str, *, person: str = "bob", now: object = None, **said: object) -> Reviewed:
    told = Approval(**said)  # type: ignore[arg-type]
    return approve(identifier, told, ports=as_person(home, person).ports, now=NOW if now is None else now)  # type: ignore[arg-type]


def counts(found: Reviewed) -> dict[str, int]:
    return {name: found.effects.count(name) for name in ("shorter", "due", "longer", "same")}


# --- what counts when -----------------------------------------------------------------------------


def test_a_process_that_runs_on_classifies_by_a_version_adopted_meanwhile(home: Home, tmp_path: Path) -> None:
    before = home.ingest_one(track(tmp_path / "card", "1.gpx", number=1))["id"]
    # As another process at the same register: the running one is told nothing.
    first = by(home, "ann", wanted("1", at=NOON)).catalog
    after = home.ingest_one(track(tmp_path / "card", "2.gpx", number=2))["id"]
    assert home.recording(before)["catalog"] == home.ports.catalog.id
    assert home.recording(after)["catalog"] == first


def test_an_item_that_a_new_version_lacks_is_no_longer_given(lone: Home, tmp_path: Path) -> None:
    by(lone, "ann", wanted("1", at=NOON, preset="urban_mgmt"))
    case = NewCase("1", "", ("000001",), NOON, NOON + DAY, "ZS-01")
    with pytest.raises(BadInput, match="ZS-01"):
        open_case(case, ports=lone.ports, now=NOW)


# --- what shortens --------------------------------------------------------------------------------


def test_shortening_a_rule_shows_the_diff_and_deletes_nothing(home: Home, tmp_path: Path) -> None:
    taken = home.ingest_one(track(tmp_path / "card"))["id"]
    objects = sorted(home.ports.store.keys("originals/"))
    first = adopt_first(home)
    fill(home, 3, catalog=first)
    wish = wanted("2", at=NOW + WEEK, classes=SHORTER, shortens=JC, over_brake="the court agreed")
    found = by(home, "ann", wish)
    assert [(one.id, one.keeping) for one in found.change.changed] == [("JC-01", "shorter")]
    assert not found.is_adopted
    assert counts(found) == {"shorter": 4, "due": 3, "longer": 0, "same": 0}
    example = found.effects.examples["shorter"][0]
    assert (example.old, example.new) == ("2028-06-01T00:00:00.000000Z", "2026-08-30T00:00:00.000000Z")
    assert {reason["class"] for reason in example.reasons} == {"RT-90D"}
    approved(home, found.catalog, over_brake="I looked at them")
    assert sorted(home.ports.store.keys("originals/")) == objects
    assert home.recording(taken)["state"] == "indexed"


def test_a_shorter_rule_takes_no_day_from_what_was_classified_before_it(lone: Home) -> None:
    first = adopt_first(lone)
    fill(lone, 3, catalog=first)
    found = by(lone, "ann", wanted("2", at=NOW + WEEK, classes=SHORTER))
    assert found.change.shortened == ("JC-01",)
    assert counts(found) == {"shorter": 0, "due": 0, "longer": 0, "same": 3}


def test_a_longer_rule_counts_for_what_is_kept_already(lone: Home) -> None:
    first = adopt_first(lone)
    fill(lone, 3, catalog=first)
    fill(lone, 2, item="JC-02", catalog=first)
    found = by(lone, "ann", wanted("2", at=NOW + DAY, classes=LONGER))
    assert counts(found) == {"shorter": 0, "due": 0, "longer": 3, "same": 2}
    assert found.effects.items["JC-01"].longer == 3


def test_what_is_open_or_held_hides_no_effect(lone: Home) -> None:
    first = adopt_first(lone, classes={OF_A_CASE: "RT-30Y"})
    (held,) = fill(lone, 1, catalog=first)
    (filed,) = fill(lone, 1, item=OF_A_CASE, catalog=first)
    holds.place(Target(recording=held), why="a complaint", authority=None, ports=lone.ports, now=NOW)
    open_case(NewCase("1", "", ("000001",), NOON, NOON + DAY), ports=lone.ports, now=NOW)
    link(lone, filed, "1")
    classes = {"JC-01": "RT-90D", OF_A_CASE: "RT-20Y"}
    wish = wanted("2", at=NOW + WEEK, classes=classes, shortens=frozenset(classes), over_brake="x")
    found = by(lone, "ann", wish)
    assert counts(found)["shorter"] == 2


def test_what_is_gone_or_was_never_classified_is_not_counted(lone: Home) -> None:
    first = adopt_first(lone)
    fill(lone, 1, catalog=first, state="disposed")
    fill(lone, 1, catalog=first, item=None)
    assert by(lone, "ann", wanted("2", at=NOW + DAY, classes=LONGER)).effects.entries == 0


def test_a_dry_run_page_by_page_counts_the_same(lone: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    first = adopt_first(lone)
    fill(lone, 5, catalog=first)
    whole = by(lone, "ann", wanted("2", at=NOW + DAY, classes=LONGER)).effects
    monkeypatch.setattr(effects, "_PAGE", 2)
    assert look(row_id(lone, "2"), ports=lone.ports, now=NOW).effects == whole


def row_id(home: Home, version: str) -> str:
    with home.ports.register.view() as connection:
        return next(str(row["id"]) for row in every_version(connection) if f"@{version}#" in row["id"])


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
    given = Path("pipeline/data/keeping.yaml").read_text()
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


# --- taking back, filing --------------------------------------------------------------------------


def test_a_version_is_withdrawn_before_it_counts_and_can_be_proposed_again(lone: Home) -> None:
    first = adopt_first(lone)
    found = by(lone, "ann", wanted("2", at=NOW + DAY, classes=LONGER))
    approved(lone, found.catalog)
    filing.withdraw(found.catalog, why="a typing error", ports=lone.ports, now=NOW)
    with pytest.raises(Conflict, match="was withdrawn"):
        filing.withdraw(found.catalog, why="again", ports=lone.ports, now=NOW)
    again = by(lone, "ann", wanted("2", at=NOW + DAY, classes=LONGER))
    assert again.catalog == found.catalog
    assert row_of(lone, found.catalog)["approved_by"] is None
    with pytest.raises(Conflict, match="counts already"):
        filing.withdraw(first, why="too late", ports=lone.ports, now=NOW)


def test_where_a_version_was_filed_is_on_its_record(lone: Home) -> None:
    first = adopt_first(lone)
    filing.file(first, status="已备案", on=NOW.date(), body="市司法局", ports=lone.ports, now=NOW)
    assert "市司法局" in row_of(lone, first)["filing"]


# --- at the terminal ------------------------------------------------------------------------------


def test_at_the_terminal_one_person_proposes_and_another_approves(tmp_path: Path) -> None:
    place = tmp_path / "home"

    def run(person: str, *arguments: str | Path) -> Said:
        return evidock("catalog", *arguments, home=place, LOGNAME=person)

    told = run("ann", "adopt", written(tmp_path, "1"), "--effective-from", "2020-01-01", "--why", "first", "--json")
    assert told.json["adopted"] is True, told
    day = ("--effective-from", "2999-01-01", "--why", "second")
    shown = run("ann", "adopt", written(tmp_path, "2", classes=SHORTER), *day)
    assert "JC-01  shorter" in shown.out
    identifier = run("ann", "versions", "--json").json["versions"][-1]["id"]
    assert f"evidock catalog approve {identifier}" in shown.out
    refused = run("ann", "approve", identifier)
    assert (refused.status, "another person" in refused.err) == (77, True)
    assert run("bob", "approve", identifier, "--dry-run", "--json").json["adopted"] is False
    assert run("bob", "approve", identifier, "--json").json["adopted"] is True
    assert run("bob", "filed", identifier, "--status", "已备案", "--on", "2026-12-03", "--body", "市司法局").status == 0
    assert run("eve", "withdraw", identifier, "--why", "no").status == 0
    listed = run("eve", "versions")
    assert "withdrawn" in listed.out
    assert run("eve", "adopt", written(tmp_path, "3"), "--effective-from", "soon", "--why", "x").status == 3
