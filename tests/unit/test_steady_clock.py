# SPDX-License-Identifier: Apache-2.0
"""Clocks that jump, stand still, go back, and machines that were off: nothing comes near by a jump alone."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evidence.errors import BadInput
from evidence.steady_clock import Doubt, Limits, Mark, Reading, Steady, steady
from pipeline import steady as telling
from storage.register import clock_marks
from storage.register.register import Register
from tests.support.home import Home, open_home

NOON = datetime(2026, 6, 19, 4, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
LIMITS = Limits(tolerance=MINUTE, silence=72 * HOUR)


class Machine:
    """A machine whose clocks are set by hand; several may share marks."""

    def __init__(self, marks: list[Mark] | None = None, boot: str = "boot-1") -> None:
        self.marks = [] if marks is None else marks
        self.boot, self.uptime, self.wall = boot, timedelta(0), NOON

    def run(self, time: timedelta) -> "Machine":
        self.uptime += time
        self.wall += time
        return self

    def set(self, by: timedelta) -> "Machine":
        self.wall += by
        return self

    def reboot(self, off: timedelta = timedelta(0)) -> "Machine":
        self.boot, self.uptime = f"{self.boot}+", timedelta(0)
        self.wall += off
        return self

    def tell(self) -> Steady:
        told = steady(self.marks, self.reading, LIMITS)
        if told.doubt is not Doubt.BEHIND:
            self.marks.append(Mark(self.boot, self.uptime.total_seconds(), told.now))
        return told

    @property
    def reading(self) -> Reading:
        return Reading("here", self.boot, self.uptime.total_seconds(), self.wall)


def told(machine: Machine) -> tuple[datetime, Doubt | None]:
    one = machine.tell()
    return one.now, one.doubt


def test_the_first_reading_is_believed() -> None:
    assert told(Machine()) == (NOON, None)


def test_a_clock_that_runs_as_long_as_its_machine_is_believed() -> None:
    machine = Machine()
    machine.tell()
    assert told(machine.run(40 * DAY)) == (NOON + 40 * DAY, None)


def test_a_jump_is_not_believed_because_another_process_marked_first() -> None:
    machine = Machine()
    machine.tell()
    late = machine.run(HOUR).set(70 * HOUR).reading
    first = Mark(machine.boot, late.uptime_s + 0.5, NOON + HOUR)
    assert steady([*machine.marks, first], late, LIMITS).now <= NOON + HOUR + MINUTE


@pytest.mark.parametrize("jump", [3 * MINUTE, DAY, 3650 * DAY])
def test_a_jump_ahead_within_a_boot_gains_the_tolerance_at_most(jump: timedelta) -> None:
    machine = Machine()
    machine.tell()
    assert told(machine.run(HOUR).set(jump)) == (NOON + HOUR + MINUTE, Doubt.AHEAD)


def test_a_step_within_the_tolerance_is_believed() -> None:
    machine = Machine()
    machine.tell()
    assert told(machine.run(HOUR).set(30 * timedelta(seconds=1))) == (machine.wall, None)


def test_the_tolerance_counts_once_in_a_boot_however_often_the_clock_is_set() -> None:
    machine = Machine()
    machine.tell()
    for _ in range(50):
        machine.run(timedelta(seconds=1)).set(MINUTE).tell()
    assert machine.tell().now == NOON + 50 * timedelta(seconds=1) + MINUTE


def test_after_a_jump_time_goes_on_as_the_machine_runs() -> None:
    machine = Machine()
    machine.tell()
    machine.set(3650 * DAY)
    before = machine.tell().now
    assert told(machine.run(7 * DAY)) == (before + 7 * DAY, Doubt.AHEAD)


def test_a_jump_that_is_taken_back_leaves_nothing_behind() -> None:
    machine = Machine()
    machine.tell()
    machine.set(3650 * DAY).tell()
    assert told(machine.set(-3650 * DAY).run(HOUR)) == (NOON + HOUR, None)


def test_a_clock_set_back_makes_time_stand_still_and_not_go_back() -> None:
    machine = Machine()
    machine.run(DAY).tell()
    assert told(machine.set(-10 * DAY)) == (NOON + DAY, Doubt.BEHIND)
    assert told(machine.run(HOUR)) == (NOON + DAY, Doubt.BEHIND)
    assert told(machine.set(10 * DAY)) == (NOON + DAY + HOUR, None)


def test_a_reboot_with_a_short_silence_is_believed() -> None:
    machine = Machine()
    machine.tell()
    assert told(machine.reboot(off=71 * HOUR)) == (NOON + 71 * HOUR, None)


def test_a_reboot_with_a_long_silence_is_believed_up_to_the_limit() -> None:
    machine = Machine()
    machine.tell()
    assert told(machine.reboot(off=90 * DAY)) == (NOON + 72 * HOUR, Doubt.AHEAD)


def test_a_machine_that_woke_in_1970_and_was_then_set_right_is_believed() -> None:
    machine = Machine()
    machine.tell()
    right = machine.wall + 5 * HOUR
    machine.reboot()
    machine.wall = datetime(1970, 1, 1, tzinfo=UTC)
    assert machine.tell().doubt is Doubt.BEHIND
    machine.run(MINUTE)
    machine.wall = right
    assert told(machine) == (right, None)


def test_another_machine_is_believed_up_to_a_silence() -> None:
    first = Machine()
    first.tell()
    second = Machine(first.marks, "boot-of-another").set(3650 * DAY)
    assert told(second) == (NOON + 72 * HOUR, Doubt.AHEAD)


def test_two_machines_that_agree_carry_time_on_together() -> None:
    first = Machine()
    second = Machine(first.marks, "boot-of-another")
    for _ in range(5):
        for machine in (first, second):
            assert told(machine.run(DAY)) == (machine.wall, None)


def test_a_machine_whose_clock_jumps_does_not_carry_the_others_with_it() -> None:
    first = Machine()
    second = Machine(first.marks, "boot-of-another")
    first.tell()
    second.tell()
    second.run(HOUR).set(3650 * DAY).tell()
    assert told(first.run(HOUR))[0] <= NOON + HOUR + MINUTE


def test_a_machine_put_back_to_an_earlier_moment_knows_no_more_than_one_that_was_off() -> None:
    machine = Machine()
    machine.run(10 * DAY).tell()
    machine.uptime -= 5 * DAY
    assert told(machine.set(90 * DAY)) == (NOON + 10 * DAY + 72 * HOUR, Doubt.AHEAD)


_STEPS = st.lists(
    st.tuples(
        st.sampled_from(["run", "set", "reboot"]), st.integers(-400 * 24, 400 * 24).map(lambda hours: hours * HOUR)
    ),
    max_size=12,
)


@settings(max_examples=200, deadline=None)
@given(_STEPS)
def test_steady_time_never_goes_back_and_gains_no_more_than_time_and_silences(
    steps: Sequence[tuple[str, timedelta]],
) -> None:
    machine = Machine()
    reached = machine.tell().now
    ran, boots = timedelta(0), 1
    for what, time in steps:
        if what == "run":
            machine.run(abs(time))
            ran += abs(time)
        elif what == "set":
            machine.set(time)
        else:
            machine.reboot(off=time)
            boots += 1
        now = machine.tell().now
        assert now >= reached
        assert now <= max(machine.wall, reached)
        reached = now
    assert reached <= NOON + ran + boots * LIMITS.tolerance + (boots - 1) * LIMITS.silence


# --- marks in a register ----------------------------------------------------------------------


@pytest.fixture
def home(tmp_path: Path, register_settings: dict[str, str]) -> Iterator[Home]:
    with open_home(tmp_path / "home", **register_settings) as opened:
        yield opened


@pytest.fixture
def local(tmp_path: Path) -> Iterator[Home]:
    """On SQLite alone: for what no engine decides."""
    with open_home(tmp_path / "home") as opened:
        yield opened


def test_marks_carry_steady_time_from_process_to_process_and_do_not_add_up(home: Home) -> None:
    register, machine = home.ports.register, Machine()
    for _ in range(6):
        assert telling.steady_now(register, machine.run(HOUR).reading).now == machine.wall
    assert len(_marks(register)) == 2
    machine.set(3650 * DAY)
    assert telling.look(register, machine.reading).steady.doubt is Doubt.AHEAD
    assert telling.steady_now(register, machine.reading).now == NOON + 6 * HOUR + MINUTE
    assert len(_marks(register)) == 2


def test_a_machine_that_woke_in_1970_marks_nothing_before_its_clock_is_right(local: Home) -> None:
    register, machine = local.ports.register, Machine()
    telling.steady_now(register, machine.reading)
    right = machine.wall + 5 * HOUR
    machine.reboot()
    machine.wall = datetime(1970, 1, 1, tzinfo=UTC)
    assert telling.steady_now(register, machine.reading) == Steady(NOON, Doubt.BEHIND, machine.wall - NOON)
    machine.run(MINUTE).wall = right
    assert telling.steady_now(register, machine.reading).now == right


def test_a_person_who_confirms_the_clock_is_believed(local: Home) -> None:
    register, machine = local.ports.register, Machine()
    telling.steady_now(register, machine.reading)
    machine.reboot(off=90 * DAY)
    assert telling.steady_now(register, machine.reading).doubt is Doubt.AHEAD
    with pytest.raises(BadInput, match="--why"):
        telling.confirm(register, machine.reading, why=" ", actor="cli:li")
    telling.confirm(register, machine.reading, why="the server was moved", actor="cli:li")
    assert telling.steady_now(register, machine.run(HOUR).reading) == Steady(machine.wall, None, timedelta(0))
    assert any(mark.is_confirmed for mark in _marks(register))
    said = local.events(f"clock/{machine.reading.place}")
    assert [(one["kind"], one["actor"]) for one in said] == [("clock-confirmed", "cli:li")]


def test_a_mark_of_a_clock_that_was_far_ahead_makes_nothing_due_once_the_clock_is_right(local: Home) -> None:
    register, machine = local.ports.register, Machine()
    telling.steady_now(register, Machine(boot="far ahead").set(73 * 365 * DAY).reading)
    told = telling.steady_now(register, machine.reading)
    assert (told.counted, told.doubt) == (NOON, Doubt.BEHIND)
    telling.confirm(register, machine.run(MINUTE).reading, why="compared with the time server", actor="cli:ann")
    after = telling.steady_now(register, machine.run(HOUR).reading)
    assert (after.now, after.doubt) == (NOON + HOUR + MINUTE, None)
    assert telling.steady_now(register, machine.set(DAY).reading).counted <= NOON + HOUR + 2 * MINUTE, "a jump again"


def _marks(register: Register) -> tuple[Mark, ...]:
    with register.view() as connection:
        return clock_marks.marks(connection)
