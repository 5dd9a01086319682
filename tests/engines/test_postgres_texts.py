# SPDX-License-Identifier: Apache-2.0
"""Texts that PostgreSQL takes less kindly than SQLite: a zero character, and more than an index row holds."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from evidence.errors import BadInput, Undecodable
from storage.register import schema
from tests.support.home import NOON, Home, open_home


@pytest.fixture
def home(tmp_path: Path, register_settings: dict[str, str]) -> Iterator[Home]:
    with open_home(tmp_path / "home", **register_settings) as opened:
        yield opened


@pytest.mark.parametrize("number", ["", "1" * 201, "2026\0001", "2026\n001", "2026\u202e001"])
def test_a_case_number_that_no_register_could_hold_or_show_is_refused(home: Home, number: str) -> None:
    with pytest.raises(BadInput, match="case number"):
        home.open_case(number, start=NOON, end=NOON + timedelta(hours=1))


def test_words_of_a_captured_program_are_told_without_what_no_register_takes() -> None:
    assert Undecodable("ended: \0\0bad").message == "ended: \ufffd\ufffdbad"


def test_a_text_that_the_engine_cannot_hold_is_bad_input_and_no_defect(home: Home) -> None:
    if not home.ports.register.is_shared:
        return  # SQLite takes it
    with pytest.raises(BadInput), home.ports.register.begin() as facts:
        facts.connection.execute(
            schema.officers.insert().values(id="o", number="\0", name="", unit="", registered_at="")
        )
