# SPDX-License-Identifier: Apache-2.0
"""How officers are equipped, summed up a tree of units; and the figures that it is measured by."""

from pathlib import Path

import pytest

from evidence.errors import BadInput
from pipeline.device_figures import DEFAULT, load_device_figures, parse_device_figures
from pipeline.equipment import Ratio, ratios

PARENTS = {"01": None, "0101": "01", "0102": "01"}
NAMES = {"01": "局", "0101": "一中队", "0102": "二中队"}
TARGETS = {"A": 3, "B": 5}
# Officers, devices, and devices of category A, B and C.
COUNTS = {"0101": (7, 3, 2, 1, 0), "0102": (4, 0, 0, 0, 0), None: (1, 1, 0, 0, 1)}


def rows(*, only: set[str] | None = None) -> dict[tuple[str | None, str], Ratio]:
    return {(one.unit, one.category): one for one in ratios(COUNTS, PARENTS, NAMES, TARGETS, only=only)}


def test_a_unit_has_what_those_below_it_have() -> None:
    whole = rows()["01", ""]
    assert (whole.devices, whole.officers, whole.name) == (3, 11, "局")


def test_what_is_wanted_is_rounded_up_and_what_is_missing_is_never_below_nothing() -> None:
    found = rows()
    assert (found["01", "A"].wanted, found["01", "A"].missing) == (4, 2)
    assert (found["0101", "B"].wanted, found["0101", "B"].missing) == (2, 1)
    assert Ratio("x", "", "A", devices=5, officers=3, wanted=1).missing == 0


def test_a_category_without_a_figure_and_all_of_them_together_want_nothing() -> None:
    found = rows()
    assert (found["01", ""].wanted, found["01", ""].missing) == (None, None)
    assert (found[None, "C"].wanted, found[None, "C"].missing) == (None, None)


def test_a_rate_of_nobody_and_officers_of_no_device_are_not_told() -> None:
    none = rows()["0102", ""]
    assert (none.permille, none.officers_per_device) == (0, None)
    assert Ratio("x", "", "", devices=2, officers=0).permille is None


def test_rates_are_exact_and_cut() -> None:
    one = rows()["0101", ""]
    assert (one.permille, one.officers_per_device) == (428, "2.33")


def test_one_unit_is_told_without_its_sisters_and_without_those_of_no_unit() -> None:
    assert {unit for unit, _ in rows(only={"0101"})} == {"0101"}
    assert None in {unit for unit, _ in rows()}


# --- figures ------------------------------------------------------------------------------------


def test_the_figures_that_are_shipped_can_be_read() -> None:
    assert load_device_figures().officers_per_device == {"A": 3, "B": 5}


@pytest.mark.parametrize(
    ("was", "now"),
    [
        ("{A: 3, B: 5}", "{A: 0}"),
        ("{A: 3, B: 5}", "{D: 3}"),
        ("{A: 3, B: 5}", "{A: yes}"),
        ("[bodycam, handheld]", "[drone]"),
        ("[bodycam, handheld]", "[]"),
        ("hand_in_hours: 24", "hand_in_hours: -1"),
        ("hand_in_hours: 24", "hand_in_hours: 1.5"),
        ("hand_in_hours: 24", "hand_in_days: 1"),
        ("reconcile:", "reconciled:"),
    ],
)
def test_a_figure_that_cannot_be_is_refused_by_name(was: str, now: str) -> None:
    text = Path(DEFAULT).read_text("utf-8")
    assert was in text
    with pytest.raises(BadInput, match=r"devices\.yaml"):
        parse_device_figures(text.replace(was, now, 1).encode(), name="devices.yaml")
