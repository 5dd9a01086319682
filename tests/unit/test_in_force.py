# SPDX-License-Identifier: Apache-2.0
"""This is where it is tried which catalog counts when, and that no text that ruled a recording is ever lost."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import update

from evidence.errors import NotFound, RecordMalformed
from evidence.retention import rules_in_force
from pipeline.catalogs import filing
from pipeline.catalogs.in_force import Version, catalog_of, in_force, parsed_as, remember, standings, versions
from storage.register.schema import catalogs as catalogs_table
from tests.support.home import Home, open_home, track
from tests.support.rule_changes import DAY, NOW, TODAY, adopt_first, by, catalog_text, row_of, wanted


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    with open_home(tmp_path / "home") as opened:
        yield opened


def now_in_force(home: Home, now: datetime = NOW) -> str:
    with home.ports.register.view() as connection:
        return in_force(connection, now, default=home.ports.catalog).id


def known(home: Home, now: datetime = NOW) -> tuple[Version, ...]:
    with home.ports.register.view() as connection:
        return versions(connection, now, default=home.ports.catalog)


def ids(home: Home, now: datetime = NOW) -> list[str]:
    return [version.catalog.id for version in known(home, now)]


def test_before_any_adoption_the_catalog_of_the_settings_counts(home: Home) -> None:
    assert now_in_force(home) == home.ports.catalog.id
    assert ids(home) == [home.ports.catalog.id]


def test_an_adopted_version_counts_from_its_day_on_and_not_before(home: Home) -> None:
    adopted = by(home, "ann", wanted(at=NOW + DAY))
    assert adopted.is_adopted
    assert now_in_force(home) == home.ports.catalog.id
    assert now_in_force(home, NOW + DAY) == adopted.catalog
    assert ids(home, NOW + DAY) == [home.ports.catalog.id, adopted.catalog]


def test_what_is_only_proposed_or_withdrawn_never_counts(home: Home) -> None:
    first = adopt_first(home)
    second = by(home, "ann", wanted("2", at=NOW + DAY))
    assert now_in_force(home, NOW + 2 * DAY) == first
    filing.withdraw(second.catalog, why="no", ports=home.ports, now=NOW)
    assert ids(home, NOW + 2 * DAY) == [home.ports.catalog.id, first]


def test_what_was_approved_and_then_withdrawn_never_counts(home: Home) -> None:
    first = by(home, "ann", wanted(at=NOW + DAY)).catalog
    filing.withdraw(first, why="no", ports=home.ports, now=NOW)
    assert ids(home, NOW + 2 * DAY) == [home.ports.catalog.id]


def test_what_is_approved_on_its_own_day_counts_from_the_approval_on(home: Home) -> None:
    first = by(home, "ann", wanted(at=TODAY)).catalog
    assert now_in_force(home, NOW - timedelta(seconds=1)) == home.ports.catalog.id
    assert now_in_force(home, NOW) == first


def test_the_text_of_the_settings_is_taken_down_once_when_it_first_rules_a_recording(
    home: Home, tmp_path: Path
) -> None:
    for number in range(2):
        home.ingest_one(track(tmp_path / "card", f"{number}.gpx", number=number))
    row = row_of(home, home.ports.catalog.id)
    assert row["approved_at"] is None
    assert len(home.events(f"catalog/{row['sha256'][:12]}")) == 1


def test_a_settings_file_that_is_edited_later_takes_no_word_from_what_it_ruled(home: Home) -> None:
    old = home.ports.catalog
    remember(old, ports=home.ports, now=NOW)
    text = catalog_text("0.2", classes={"JC-01": "RT-90D"})
    edited = parsed_as(text, name="edited", profile=None, preset=None)
    later = home.with_ports(catalog=edited, catalog_text=text)
    assert ids(later) == [old.id, edited.id]
    assert now_in_force(later) == edited.id
    adopted = tuple(version.as_adopted() for version in known(later))
    assert [rule.retention.id for rule in rules_in_force("JC-01", old.id, adopted)] == ["RT-2Y", "RT-90D"]


def test_a_text_that_is_not_that_of_its_catalog_is_not_taken_down(home: Home) -> None:
    with pytest.raises(RecordMalformed):
        remember(home.ports.catalog, ports=replace(home.ports, catalog_text=b"items: []"), now=NOW)


def test_a_text_changed_in_the_register_is_refused(home: Home) -> None:
    first = adopt_first(home, classes={"JC-02": "RT-90D"})
    with home.ports.register.begin() as facts:
        body = catalog_text("1", classes={"JC-02": "RT-90D", "JC-01": "RT-90D"}).decode()
        facts.connection.execute(update(catalogs_table).where(catalogs_table.c.id == first).values(body=body))
    with pytest.raises(RecordMalformed, match="another text"):
        now_in_force(home)


def test_every_version_that_ever_counted_can_be_asked_for_and_no_other(home: Home) -> None:
    first = adopt_first(home)
    with home.ports.register.view() as connection:
        assert catalog_of(connection, first, default=home.ports.catalog).id == first
        assert catalog_of(connection, home.ports.catalog.id, default=home.ports.catalog) is home.ports.catalog
        with pytest.raises(NotFound):
            catalog_of(connection, "other@1#000000000000", default=home.ports.catalog)


def test_a_preset_leaves_only_its_types_and_what_it_leaves_out_keeps_its_word(home: Home) -> None:
    adopted = by(home, "ann", wanted(preset="tax_2017", profile="strict")).catalog
    newest = known(home)[-1]
    assert newest.catalog.id == adopted
    assert {item.type for item in newest.catalog.items.values()} == {"XK", "JC", "SF", "CF"}
    assert newest.catalog.profile == "strict"
    assert "ZS-01" in newest.as_adopted().classes


def test_a_rebuilt_register_knows_the_same_versions(home: Home) -> None:
    remember(home.ports.catalog, ports=home.ports, now=NOW)
    adopt_first(home)
    home.publish()
    _, facts = home.rebuilt()
    assert facts["catalogs"] == home.facts()["catalogs"]
    assert len(facts["catalogs"]) == 2


# --- conditions -----------------------------------------------------------------------------------


def version(number: str, effect: str, *shortens: str) -> Version:
    text = catalog_text(number, conditions={"PC-OBSTRUCT": effect})
    return Version(parsed_as(text, name=number, profile=None, preset=None), frozenset(shortens))


def test_a_condition_keeps_the_word_of_every_version() -> None:
    told = standings((version("1", "permanent"), version("2", "case_file")))
    assert [one.condition.effect for one in told["PC-OBSTRUCT"]] == ["permanent", "case_file"]


def test_a_condition_that_is_shortened_by_name_loses_its_older_word() -> None:
    told = standings((version("1", "permanent"), version("2", "case_file", "PC-OBSTRUCT")))
    assert [one.condition.effect for one in told["PC-OBSTRUCT"]] == ["case_file"]
