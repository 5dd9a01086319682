# SPDX-License-Identifier: Apache-2.0
"""This is where a made-up month of an agency is linked, and the links are held against what really happened."""

from functools import cache

from bench.linking.measure import PRECISION, RECALL, by_officer_and_window, by_rules, count, month
from bench.linking.noise import HARSH, REALISTIC
from bench.linking.told import Told
from pipeline.linking_rules import built_in

SEED = 104  # months differ: docs/benchmarks/linking.md has several, the worst among them


@cache
def realistic() -> Told:
    return month(SEED, REALISTIC)


def test_a_month_is_linked_with_the_recall_and_precision_that_were_promised() -> None:
    counted = by_rules(realistic(), built_in())
    assert counted.recordings > 5000
    assert counted.recall >= RECALL
    assert counted.precision >= PRECISION


def test_every_recording_is_linked_or_listed_as_unfiled() -> None:
    counted = by_rules(realistic(), built_in())
    assert counted.lost <= counted.unfiled < counted.recordings
    assert counted.suggested > 0


def test_the_rules_find_more_and_err_less_than_officer_and_window() -> None:
    rules, before = by_rules(realistic(), built_in()), by_officer_and_window(realistic())
    assert rules.recall > before.recall
    assert rules.precision > before.precision


def test_the_same_seed_makes_the_same_month_and_more_noise_loses_more() -> None:
    assert month(7, REALISTIC, units=1) == month(7, REALISTIC, units=1)
    harsh, mild = (by_rules(month(7, noise, units=2), built_in()) for noise in (HARSH, REALISTIC))
    assert harsh.recall < mild.recall


def test_a_link_too_many_and_one_too_few_are_counted() -> None:
    told = month(7, REALISTIC, units=1)
    first, *rest = sorted(told.true)
    counted = count(told, {*rest, ("rec-x", "cas-x")}, set())
    assert counted.right == len(told.true) - 1
    assert counted.precision < 1
    assert counted.recall < 1
    assert count(told, set(told.true), {first}).precision == 1
