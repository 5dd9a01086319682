# SPDX-License-Identifier: Apache-2.0
"""This is where the dry run of a change is held to a reckoning of its own, for any versions and recordings."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from evidence import instant
from evidence.catalog import Catalog
from pipeline.catalogs.effects import Effects, Reckoning
from pipeline.catalogs.in_force import Version
from pipeline.catalogs.load import load_catalog
from storage.register.keeping import Entry

CATALOG = load_catalog()
AT = datetime(2026, 12, 1, tzinfo=UTC)
ITEMS = ("JC-01", "JC-02", "XK-01")
CLASSES = ("RT-90D", "RT-2Y", "RT-PERM")


def version(number: int, classes: Mapping[str, str], shortens: frozenset[str] = frozenset()) -> Version:
    kept = {one: replace(CATALOG.items[one], retention=CATALOG.retention[told]) for one, told in classes.items()}
    catalog: Catalog = replace(CATALOG, id=f"a@{number}#{number:012d}", items=kept, disabled={})
    return Version(catalog, shortens)


def entry(number: int, item: str, pinned: int, ended: datetime) -> Entry:
    told = instant.to_text(ended)
    names = {"id": f"rec-{number}", "state": "indexed", "item": item, "catalog": f"a@{pinned}#{pinned:012d}"}
    dates = {"end_latest": told, "arrived_at": told, "reviewed_at": None, "locked_until": None}
    return Entry(**names, **dates, is_marked=False, was=None, cases=(), conditions=(), holds=())  # type: ignore[arg-type]


rules = st.fixed_dictionaries({item: st.sampled_from(CLASSES) for item in ITEMS})
ends = st.integers(0, 1500).map(lambda days: AT - timedelta(days=days))
entries = st.lists(st.tuples(st.sampled_from(ITEMS), st.integers(0, 2), ends), max_size=12)


def reckoned(before: list[Version], after: list[Version], found: list[Entry]) -> Effects:
    reckoning = Reckoning(before, after, at=AT, examples=50)
    reckoning.add(found, dict)
    return reckoning.effects()


def last_day(known: list[Version], one: Entry) -> datetime:
    """By hand: the longest word of the pinned version and all later ones, from the last that shortens by name on."""
    assert one.item is not None
    speaking = [v for v in known if v.catalog.id >= str(one.catalog)]
    while any(one.item in v.shortens for v in speaking[1:]):
        speaking = speaking[1:]
    terms = [v.catalog.items[one.item].retention.term for v in speaking]
    days = [None if term is None else term.end(instant.from_text(str(one.end_latest))) for term in terms]
    return max(day or datetime.max.replace(tzinfo=UTC) for day in days)


@settings(max_examples=150, deadline=None)
@given(st.lists(rules, min_size=4, max_size=4), st.frozensets(st.sampled_from(ITEMS)), entries)
def test_every_count_equals_a_reckoning_by_hand(
    told: list[dict[str, str]], shortens: frozenset[str], made: list[tuple[str, int, datetime]]
) -> None:
    known = [version(number, classes) for number, classes in enumerate(told[:3])]
    after = [*known, version(3, told[3], shortens)]
    found = [entry(number, *one) for number, one in enumerate(made)]
    pairs = [(last_day(known, one), last_day(after, one)) for one in found]
    effects = reckoned(known, after, found)
    assert effects.count("shorter") == sum(new < old for old, new in pairs)
    assert effects.count("longer") == sum(new > old for old, new in pairs)
    assert effects.count("due") == sum(new < old and new <= AT for old, new in pairs)
    assert effects.entries == len(found)


@settings(max_examples=100, deadline=None)
@given(st.lists(rules, min_size=4, max_size=4), entries)
def test_a_version_that_shortens_nothing_by_name_takes_no_day_from_anything(
    told: list[dict[str, str]], made: list[tuple[str, int, datetime]]
) -> None:
    known = [version(number, classes) for number, classes in enumerate(told)]
    found = [entry(number, *one) for number, one in enumerate(made)]
    assert reckoned(known[:3], known, found).count("shorter") == 0


def test_what_was_kept_for_good_and_no_longer_is_gets_shorter() -> None:
    old, new = version(0, {"JC-01": "RT-PERM"}), version(1, {"JC-01": "RT-2Y"}, frozenset({"JC-01"}))
    effects = reckoned([old], [old, new], [entry(1, "JC-01", 0, AT)])
    (example,) = effects.examples["shorter"]
    assert (example.old, example.new) == (None, "2028-12-01T00:00:00.000000Z")


def test_no_more_examples_are_kept_than_were_asked_for() -> None:
    old, new = version(0, {"JC-01": "RT-90D"}), version(1, {"JC-01": "RT-2Y"})
    reckoning = Reckoning([old], [old, new], at=AT, examples=2)
    reckoning.add([entry(number, "JC-01", 0, AT) for number in range(5)], dict)
    assert len(reckoning.effects().examples["longer"]) == 2
    assert reckoning.effects().count("longer") == 5
