# SPDX-License-Identifier: Apache-2.0
"""This is where it is tried that two versions of a catalog are compared whole, and each way is called by its name."""

import pytest

from evidence.catalog import Catalog
from pipeline.catalogs.diff import CatalogDiff, ItemChange, Way, diff
from pipeline.catalogs.load import load_catalog, parse_catalog
from tests.support.catalog_text import NAME, edited

OBSTRUCT = "{zh: 当事人或现场其他人员阻碍执法、妨害公务, effect:"
DISPUTE = "{zh: 行政复议、行政诉讼、国家赔偿、信访投诉、舆情、监察审计未结, effect:"


def version(*changes: tuple[str, str]) -> Catalog:
    """The default catalog, changed."""
    return parse_catalog(edited(*changes), name=NAME, was_validated=True)


def to_default(*changes: tuple[str, str]) -> CatalogDiff:
    """What a version changes against the default."""
    return diff(load_catalog(), version(*changes))


def the_change(found: CatalogDiff, one: str) -> ItemChange:
    return next(change for change in found.changed if change.id == one)


def test_a_catalog_does_not_differ_from_itself() -> None:
    found = to_default()

    assert found.is_empty
    assert found.shortened == ()


def test_a_comment_changes_the_id_and_nothing_else() -> None:
    found = to_default(("# What this is", "# what this is"))

    assert found.is_empty
    assert found.old != found.new


def test_one_field_that_differs_is_told_with_old_and_new() -> None:
    found = to_default(('start_zh: "执法人员抵达检查场所"', 'start_zh: "进门"'))
    (change,) = found.changed
    (field,) = change.fields

    assert change.id == "JC-01"
    assert (field.field, field.old, field.new) == ("start_zh", "执法人员抵达检查场所", "进门")
    assert {change.keeping, change.deadline, change.obligation} == {Way.SAME}


def test_an_item_that_comes_and_one_that_goes_are_told() -> None:
    found = to_default(("id: JC-01\n", "id: JC-99\n"))

    assert [item.id for item in found.added] == ["JC-99"]
    assert [item.id for item in found.removed] == ["JC-01"]


def test_an_item_that_is_switched_off_counts_as_removed() -> None:
    found = to_default(("enabled: true", "enabled: false"))

    assert [item.id for item in found.removed] == ["JC-01"]


@pytest.mark.parametrize(
    ("old", "new", "item", "way"),
    [
        ("period: P2Y", "period: P3Y", "JC-01", Way.LONGER),
        ("period: P2Y", "period: P1Y", "JC-01", Way.SHORTER),
        ("period: P2Y", "period: P24M", "JC-01", None),
        ("hard_floor: P6M", "hard_floor: P3M", "JC-01", Way.SHORTER),
        ("hard_floor: P6M", "hard_floor: P1Y", "JC-01", Way.LONGER),
        ("period: P2Y, starts: recording_end", "period: P2Y, starts: case_closed", "JC-01", Way.LONGER),
        ("period: P2Y, starts: recording_end", "period: P1Y, starts: case_closed", "JC-01", Way.MIXED),
        ("fallback: P10Y", "fallback: P30Y", "JC-03", Way.LONGER),
        ("fallback: P10Y", "fallback: P9Y", "JC-03", Way.SHORTER),
        ("retention: RT-2Y", "retention: RT-CASE", "JC-01", Way.LONGER),
        ("retention: RT-2Y", "retention: RT-90D", "JC-01", Way.SHORTER),
        ("retention: RT-2Y", "retention: RT-PERM", "JC-01", Way.LONGER),
        ("retention: RT-CASE", "retention: RT-2Y", "JC-03", Way.SHORTER),
        ("retention: RT-CASE", "retention: RT-PERM", "JC-03", Way.LONGER),
        # A case file may be kept for good: thirty years may be less.
        ("retention: RT-CASE", "retention: RT-30Y", "JC-03", Way.MIXED),
        ("retention: RT-PERM", "retention: RT-30Y", "JC-08", Way.SHORTER),
        ("permanent_if: [PC-EVID, PC-OBSTRUCT,", "permanent_if: [PC-EVID,", "JC-01", Way.SHORTER),
        ("permanent_if: [PC-EVID,", "permanent_if: [PC-EVID, PC-CRIME,", "JC-01", Way.LONGER),
        (f"{OBSTRUCT} permanent", f"{OBSTRUCT} hold", "JC-01", Way.SHORTER),
        (f"{DISPUTE} hold", f"{DISPUTE} permanent", "JC-01", Way.LONGER),
        (f"{DISPUTE} hold", f"{DISPUTE} case_file", "JC-01", Way.MIXED),
        ("floor: RT-30Y", "floor: RT-PERM", "CF-09", Way.LONGER),
        ("floor: RT-30Y", "floor: RT-2Y", "CF-09", Way.SHORTER),
        ("floor: RT-30Y", "floor: RT-20Y", "CF-09", Way.MIXED),
    ],
)
def test_keeping_goes_the_way_that_it_is_said_to(old: str, new: str, item: str, way: Way | None) -> None:
    found = to_default((old, new))

    if way is None:
        assert found.is_empty
    else:
        assert the_change(found, item).keeping is way
        assert (item in found.shortened) == (way in (Way.SHORTER, Way.MIXED))


@pytest.mark.parametrize(
    ("old", "new", "item", "way"),
    [
        ("    hours: 24\n", "    hours: 12\n", "JC-01", Way.TIGHTER),
        ("    hours: 24\n", "    hours: 48\n", "JC-01", Way.LOOSER),
        ("返回单位后24小时内, hours: 24", "返回单位后24小时内, hours: 48", "JC-01", Way.LOOSER),
        ("返回单位后24小时内, hours: 24", "返回单位后24小时内, hours: 12", "JC-01", Way.TIGHTER),
        ("    working_days: 2\n", "    working_days: 1\n", "JC-09", Way.TIGHTER),
        ("    working_days: 2\n", "    hours: 48\n", "JC-09", Way.MIXED),
        ("target_minutes: 60", "target_minutes: 90", "JC-04", Way.LOOSER),
    ],
)
def test_a_deadline_goes_the_way_that_it_is_said_to(old: str, new: str, item: str, way: Way) -> None:
    change = the_change(to_default((old, new)), item)

    assert change.deadline is way
    assert change.keeping is Way.SAME


@pytest.mark.parametrize(
    ("old", "new", "item", "way"),
    [
        ("obligation: must", "obligation: may", "JC-01", Way.LOOSER),
        ("obligation: must", "obligation: should", "JC-01", Way.LOOSER),
        ("obligation: should", "obligation: must", "JC-03", Way.TIGHTER),
    ],
)
def test_an_obligation_goes_the_way_that_it_is_said_to(old: str, new: str, item: str, way: Way) -> None:
    assert the_change(to_default((old, new)), item).obligation is way


def test_a_class_that_changes_is_told_at_every_item_of_it() -> None:
    found = to_default(("period: P2Y", "period: P1Y"))
    whole = load_catalog()

    assert set(found.shortened) == {one for one, item in whole.items.items() if item.retention.id == "RT-2Y"}
    field = found.changed[0].fields[0]
    assert field.old == "RT-2Y (P2Y from recording end, floor P6M)"
    assert field.new == "RT-2Y (P1Y from recording end, floor P6M)"


def test_the_strict_profile_keeps_evidence_longer_and_nothing_shorter() -> None:
    found = diff(load_catalog(), load_catalog(profile="strict"))

    assert {change.keeping for change in found.changed} == {Way.LONGER}
    assert [(one.field, one.old, one.new) for one in found.head] == [("profile", "base", "strict")]
    assert {change.keeping for change in diff(load_catalog(profile="strict"), load_catalog()).changed} == {Way.SHORTER}


def test_what_the_head_decides_is_told() -> None:
    found = to_default(
        ("Asia/Shanghai", "Asia/Urumqi"),
        ("[XK, ZS, QZ]", "[XK, ZS]"),
        ("status: 未备案", "status: 已备案"),
        ("matrix_exceptions:", "derivatives: {proxy: P1Y}\nmatrix_exceptions:"),
    )
    told = {one.field: (one.old, one.new) for one in found.head}

    assert told == {
        "timezone": ("Asia/Shanghai", "Asia/Urumqi"),
        "proxy_term": ("", "P1Y"),
        "preset housing": ("XK, ZS, QZ", "XK, ZS"),
        "filing status": ("未备案", "已备案"),
    }
    assert not found.changed
