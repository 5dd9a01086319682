# SPDX-License-Identifier: Apache-2.0
"""This is where somebody tries to have rules shortened alone, unseen, or behind the back of who approved."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from evidence.errors import BadInput, Conflict, EvidockError, Refused
from pipeline.catalogs import filing
from pipeline.catalogs.adopt import Approval, Wanted, approve, propose
from pipeline.catalogs.in_force import in_force, remember
from storage.register.schema import catalogs, conditions
from tests.support.home import Home, open_home
from tests.support.rule_changes import DAY, NOW, adopt_first, as_person, by, catalog_text, fill, row_of, wanted

LONGER = {"JC-01": "RT-30Y"}
SHORTER = {"JC-01": "RT-90D"}
JC = frozenset({"JC-01"})


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    with open_home(tmp_path / "home") as opened:
        yield opened


def approve_as(home: Home, actor: str, identifier: str, **said: Any) -> None:
    approve(identifier, Approval(**said), ports=home.with_ports(actor=actor).ports, now=NOW)


def second(home: Home, **more: Any) -> str:
    return by(home, "ann", wanted("2", at=NOW + 7 * DAY, **more)).catalog


# --- one person as two ----------------------------------------------------------------------------


def test_who_proposed_cannot_approve_under_another_spelling_or_door(home: Home) -> None:
    adopt_first(home)
    identifier = second(home, classes=LONGER)
    for actor in ("cli:Ann", "cli:ANN", "cli: ann", "cli:ａｎｎ", "web:ann"):
        with pytest.raises(Refused, match="another person"):
            approve_as(home, actor, identifier)


def test_a_name_with_characters_that_do_not_show_is_no_second_person(home: Home) -> None:
    adopt_first(home)
    identifier = second(home, classes=LONGER)
    for actor in ("cli:an\0n", "cli:ann\u200b", "cli:ann\u202e", "cli:ann\n"):
        with pytest.raises(Refused, match="nobody knows"):
            approve_as(home, actor, identifier)


def test_nobody_is_no_second_person(home: Home) -> None:
    adopt_first(home)
    identifier = second(home, classes=LONGER)
    for actor in ("cli:unknown", "cli:", "cli: "):
        with pytest.raises(Refused, match="nobody knows"):
            approve_as(home, actor, identifier)


def test_what_nobody_proposed_can_be_approved_by_no_one(home: Home) -> None:
    adopt_first(home)
    identifier = by(home, "unknown", wanted("2", at=NOW + DAY, classes=LONGER)).catalog
    with pytest.raises(Refused, match="nobody knows"):
        approve_as(home, "cli:bob", identifier)


# --- another text under a known name ----------------------------------------------------------------


def test_another_text_under_an_adopted_name_and_version_is_refused(home: Home) -> None:
    first = adopt_first(home)
    text = catalog_text("1", classes=SHORTER)
    with pytest.raises(Conflict, match="version of its own") as refused:
        propose(Wanted(text, "1.yaml", NOW + DAY, "why"), ports=as_person(home, "eve").ports, now=NOW)
    assert refused.value.values["catalog"] == first


def test_another_text_under_the_name_and_version_of_the_settings_catalog_is_refused(home: Home) -> None:
    wish = Wanted(catalog_text("0.1-draft", classes=SHORTER), "x.yaml", NOW, "why")
    with pytest.raises(Conflict, match="version of its own"):
        propose(wish, ports=home.ports, now=NOW)


def test_a_text_whose_id_collides_with_that_of_another_is_refused(home: Home) -> None:
    first = adopt_first(home)
    with home.ports.register.begin() as facts:  # as if another text with the same twelve digits had been found
        facts.connection.execute(update(catalogs).where(catalogs.c.id == first).values(sha256="0" * 64))
    with pytest.raises(Conflict, match="another text"):
        adopt_first(home)


def test_the_same_text_cannot_be_adopted_again_to_reach_back_over_a_later_one(home: Home) -> None:
    adopt_first(home)
    approve_as(home, "cli:bob", second(home, classes=LONGER))
    with pytest.raises(Conflict, match="adopted already"):
        by(home, "ann", wanted("1", at=NOW + 30 * DAY, shortens=JC))


def test_the_text_that_ruled_recordings_cannot_be_adopted_with_other_rules(home: Home) -> None:
    remember(home.ports.catalog, ports=home.ports, now=NOW)
    text = home.ports.catalog_text
    for more in ({"profile": "strict"}, {"preset": "land"}, {"shortens": JC}):
        with pytest.raises(Conflict, match="version of its own"):
            propose(Wanted(text, "x", NOW + 30 * DAY, "why", **more), ports=home.ports, now=NOW)
    adopted = propose(Wanted(text, "x", NOW, "why"), ports=home.ports, now=NOW)
    assert adopted.is_adopted
    assert row_of(home, adopted.catalog)["approved_by"] == "test"


# --- unseen -----------------------------------------------------------------------------------------


def test_a_profile_that_is_less_strict_takes_nothing_from_what_a_stricter_one_ruled(home: Home) -> None:
    first = by(home, "ann", wanted("1", profile="strict")).catalog
    names = fill(home, 2, catalog=first)
    with home.ports.register.begin() as facts:
        told = {"noun": "recording", "subject": names[0], "code": "PC-EVID", "why": "x", "set_by": "x", "set_at": "x"}
        facts.connection.execute(conditions.insert().values(**told))
    found = by(home, "ann", wanted("2", at=NOW + 7 * DAY, profile="base"))
    assert found.effects.count("shorter") == 0
    by_name = wanted("3", at=NOW + 7 * DAY, profile="base", shortens=frozenset({"PC-EVID"}), over_brake="x")
    shortened = by(home, "ann", by_name).effects
    assert [one.recording for one in shortened.examples["shorter"]] == [names[0]]


def test_what_a_version_does_not_have_cannot_be_shortened_by_it(home: Home) -> None:
    for name in ("JC-99", "", "JC-01 ", "PC-NONE"):
        with pytest.raises(BadInput, match="cannot shorten"):
            by(home, "ann", wanted("1", shortens=frozenset({name})))


def test_a_reason_that_says_nothing_or_hides_something_is_refused(home: Home) -> None:
    for why in ("", "  ", "\u202eyhw", "x" * 3000):
        with pytest.raises(BadInput, match="reason"):
            by(home, "ann", wanted("1", why=why))


def test_a_catalog_below_its_own_hard_floor_is_refused_before_anything_is_recorded(home: Home) -> None:
    text = catalog_text("1").replace(b"period: P2Y, starts: recording_end", b"period: P30D, starts: recording_end")
    with pytest.raises(BadInput, match="floor"):
        propose(Wanted(text, "1.yaml", NOW, "why"), ports=home.ports, now=NOW)
    assert not home.facts()["catalogs"]


# --- at the same moment -----------------------------------------------------------------------------


def test_an_approval_that_races_a_withdrawal_never_leaves_a_withdrawn_version_in_force(home: Home) -> None:
    first = adopt_first(home)
    for number in range(2, 6):
        identifier = by(home, "ann", wanted(str(number), at=NOW + number * DAY, classes=LONGER)).catalog
        start = threading.Barrier(2)
        codes: list[str] = []

        def run(act: Any, start: threading.Barrier = start, codes: list[str] = codes) -> None:
            start.wait()
            try:
                act()
            except EvidockError as error:
                codes.append(error.code)

        acts = (
            lambda identifier=identifier: approve_as(home, "cli:bob", identifier),
            lambda identifier=identifier: filing.withdraw(identifier, why="no", ports=home.ports, now=NOW),
        )
        threads = [threading.Thread(target=run, args=(act,)) for act in acts]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert codes in ([], ["conflict"])
        assert row_of(home, identifier)["withdrawn_at"] is not None
    with home.ports.register.view() as connection:
        assert in_force(connection, NOW + 30 * DAY, default=home.ports.catalog).id == first


def test_a_version_that_something_was_classified_under_cannot_be_withdrawn(home: Home) -> None:
    """A worker's clock may be ahead of who withdraws."""
    adopt_first(home)
    identifier = second(home, classes=LONGER)
    approve_as(home, "cli:bob", identifier)
    fill(home, 1, catalog=identifier)
    with pytest.raises(Conflict, match="counts already"):
        filing.withdraw(identifier, why="no", ports=home.ports, now=NOW)
