# SPDX-License-Identifier: Apache-2.0
"""This is where units are found as people name them: by code, by name, and by a name that only officers have."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from app.cli.unit_names import codes_below, unit_code, words_below
from evidence.agency import Unit
from evidence.errors import NotFound
from pipeline.people import Officer, register_officer
from pipeline.units import register_unit
from storage.register.search import Connection
from tests.support.home import NOON, open_home


@pytest.fixture
def register(tmp_path: Path) -> Iterator[Connection]:
    with open_home(tmp_path / "home") as home:
        for unit in (Unit("01", "市住建局"), Unit("0101", "执法一大队", "01"), Unit("02", "市城管局")):
            register_unit(unit, ports=home.ports, now=NOON)
        register_officer(Officer("430407", "张三", "执法三中队"), ports=home.ports, now=NOON)
        with home.ports.register.view() as connection:
            yield connection


def test_a_unit_is_found_by_code_and_by_name(register: Connection) -> None:
    assert unit_code(register, "0101") == unit_code(register, "执法一大队") == "0101"


def test_units_below_come_with_it_by_code_and_name(register: Connection) -> None:
    assert codes_below(register, "市住建局") == ["01", "0101"]
    assert words_below(register, "01") == ["01", "0101", "市住建局", "执法一大队"]


def test_a_unit_that_only_officers_are_registered_with_is_known_by_that_name(register: Connection) -> None:
    assert words_below(register, "执法三中队") == ["执法三中队"]
    with pytest.raises(NotFound):
        codes_below(register, "执法三中队")


@pytest.mark.parametrize("told", ["执法九中队", "0109", ""])
def test_a_slip_of_the_pen_is_told_not_answered_with_nothing(register: Connection, told: str) -> None:
    with pytest.raises(NotFound, match="unit list"):
        words_below(register, told)
