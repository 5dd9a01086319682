# SPDX-License-Identifier: Apache-2.0
"""This is where a change of the rules is tried from proposal to effect, on both engines of the register."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from evidence.errors import BadInput, Conflict
from pipeline import holds
from pipeline.casework import NewCase, open_case
from pipeline.catalogs import effects, filing
from pipeline.catalogs.adopt import look
from pipeline.holds import Target
from storage.register.catalogs import every_version
from tests.support.command import Said, evidock
from tests.support.home import NOON, Home, open_home, track
from tests.support.rule_changes import (
    DAY,
    JC,
    LONGER,
    NOW,
    SHORTER,
    WEEK,
    adopt_first,
    approved,
    by,
    counts,
    fill,
    link,
    row_of,
    wanted,
    written,
)

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
    assert f"evidock catalog approve '{identifier}'" in shown.out  # as a shell wants it
    refused = run("ann", "approve", identifier)
    assert (refused.status, "another person" in refused.err) == (77, True)
    assert run("bob", "approve", identifier, "--dry-run", "--json").json["adopted"] is False
    assert run("bob", "approve", identifier, "--json").json["adopted"] is True
    assert run("bob", "filed", identifier, "--status", "已备案", "--on", "2026-12-03", "--body", "市司法局").status == 0
    assert run("eve", "withdraw", identifier, "--why", "no").status == 0
    listed = run("eve", "versions")
    assert "withdrawn" in listed.out
    assert run("eve", "adopt", written(tmp_path, "3"), "--effective-from", "soon", "--why", "x").status == 3
