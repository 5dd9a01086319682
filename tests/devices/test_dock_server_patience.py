# SPDX-License-Identifier: Apache-2.0
"""When a server does not answer, a dock waits longer each time, and never for ever; what the server asks for counts."""

import random
import threading

import pytest

from devices.agent.server_patience import Gate
from devices.agent.server_wire import Answer, failure


class Seconds:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def pause_of(gate: Gate, clock: Seconds) -> float:
    return gate._until - clock.now


def test_pauses_double_up_to_a_bound_and_end_when_something_worked() -> None:
    clock = Seconds()
    gate = Gate(monotonic=clock, chance=lambda: 0.0, longest_s=4.0)
    found = []
    for _ in range(7):
        gate.failed("down")
        found.append(pause_of(gate, clock))
        clock.now = gate._until
    assert found == [0.25, 0.5, 1.0, 2.0, 4.0, 4.0, 4.0]
    gate.worked()
    gate.wait(threading.Event())
    assert gate.is_open


def test_a_server_that_says_how_long_to_wait_is_waited_for_and_chance_spreads_docks_out() -> None:
    clock = Seconds()
    rng = random.Random(7)
    pauses = []
    for _ in range(50):
        gate = Gate(monotonic=clock, chance=rng.random)
        gate.failed("busy", retry_after_s=10.0)
        pauses.append(pause_of(gate, clock))
    assert min(pauses) >= 10.0
    assert max(pauses) <= 15.0
    assert max(pauses) - min(pauses) > 3.0


def test_no_server_makes_a_dock_wait_for_days() -> None:
    clock = Seconds()
    gate = Gate(monotonic=clock, chance=lambda: 0.0)
    gate.failed("busy", retry_after_s=999_999.0)
    assert pause_of(gate, clock) <= 900.0


def test_failures_that_were_under_way_together_count_once() -> None:
    clock = Seconds()
    gate = Gate(monotonic=clock, chance=lambda: 0.0)
    for _ in range(64):
        gate.failed("cut")
    assert pause_of(gate, clock) == 0.25


@pytest.mark.parametrize(
    ("status", "code"),
    [
        *((status, "server-unavailable") for status in (408, 429, 500, 502, 503, 507)),
        *((401, "not-signed-in"), (404, "not-found"), (409, "conflict"), (423, "in-use"), (460, "checksum-mismatch")),
    ],
)
def test_every_answer_is_an_error_of_ours(status: int, code: str) -> None:
    found = failure(Answer(status, {"retry-after": "7"}, b"<html>no problem document</html>"))
    assert found.code == code
    if code == "server-unavailable":
        assert found.values["retry_after_s"] == 7.0
