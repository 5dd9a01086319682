# SPDX-License-Identifier: Apache-2.0
"""The simulated year: its sums are those of its recordings, and its queue does what theory says."""

import random
from dataclasses import replace

import numpy as np
import pytest

from bench.scale.docks import growth, jain
from bench.scale.register_at_scale import quantile
from bench.scale.year_model import DAY_S, Cost, Model, Numbers, days_of, kept
from bench.scale.year_queue import erlang_c, fluid, is_within_fluid, little, theory_checks, waits

SMALL = replace(Model(), cameras=60, days=14)
COST = Cost(0.2, 0.3)


def arrivals() -> tuple[Numbers, Numbers]:
    days = list(days_of(SMALL, seed=1))
    at = np.concatenate([day.at for day in days])
    work = np.concatenate([day.work(SMALL, COST) for day in days])
    order = np.argsort(at)
    return at[order], work[order]


def test_the_same_seed_gives_the_same_year_and_another_gives_another() -> None:
    first, again, other = ([day.at.sum() for day in days_of(SMALL, seed=seed)] for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_recordings_reach_the_server_after_their_shift_one_after_another() -> None:
    for day in days_of(SMALL, seed=3):
        assert (day.at > day.number * DAY_S + 8 * 3600).all()
        assert (day.seconds <= SMALL.length_most_s).all()
        assert len(np.unique(day.at)) == len(day.at)


@pytest.mark.parametrize(("days", "since"), [(3, 0), (3, 2), (None, 0), (None, 4), (90, 30), (2, 5)])
def test_what_is_kept_is_what_came_and_is_of_that_age(days: int | None, since: int) -> None:
    daily = np.array([float(1 << number) for number in range(40)])
    held = kept(daily, days, since=since)
    for today in range(len(daily)):
        ages = {today - came: size for came, size in enumerate(daily) if came <= today}
        wanted = sum(size for age, size in ages.items() if age >= since and (days is None or age < days))
        assert held[today] == wanted


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_little_and_the_fluid_bound_hold_for_any_number_of_workers(workers: int) -> None:
    at, work = arrivals()
    found = waits(at, work, workers)
    assert little(at, work, found).holds
    assert is_within_fluid(at, work, workers, found)


def test_one_worker_waits_exactly_as_a_fluid_does() -> None:
    at, work = arrivals()
    assert np.allclose(waits(at, work, 1), fluid(at, work, 1))


def test_the_checks_see_a_queue_that_forgets_a_worker() -> None:
    at, work = arrivals()
    assert not is_within_fluid(at, work, 2, waits(at, work, 1))
    found = waits(at, work, 2)
    late = found.copy()
    late[len(late) // 2] += 5 * work.max()
    assert not is_within_fluid(at, work, 2, late)


def test_the_simulation_agrees_with_erlang_and_with_allen_and_cunneen() -> None:
    assert erlang_c(1e-9, 1) == pytest.approx(1e-9)
    assert erlang_c(0.5, 1) == pytest.approx(0.5)  # one server: the share of time it is busy
    assert erlang_c(2.0, 3) == pytest.approx(4 / 9)
    checks = theory_checks(seed=5, jobs=100_000, workers=4, busy=0.7)
    assert [check.holds for check in checks] == [True, True, True], checks


def test_jains_index_is_one_for_equals_and_one_in_n_for_one_alone() -> None:
    assert jain([3, 3, 3]) == pytest.approx(1)
    assert jain([9, 0, 0]) == pytest.approx(1 / 3)
    assert jain([0, 0]) == 0


def test_growth_looks_at_what_is_warm() -> None:
    assert growth([1] * 10 + [100] * 30) == 1
    assert growth([1] * 10 + [100] * 20 + [110] * 10) == pytest.approx(1.1)


def test_a_quantile_is_a_value_that_was_measured() -> None:
    values = list(range(1, 101))
    random.Random(1).shuffle(values)
    assert [quantile(values, share) for share in (0.5, 0.9, 0.99, 1.0)] == [50, 90, 99, 100]
    assert quantile([7], 0.99) == 7
