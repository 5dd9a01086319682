# SPDX-License-Identifier: Apache-2.0
"""Words of a hostile file on a terminal and in a log: shown, never obeyed."""

import io

import pytest

from app.cli.session import _PlainConsole, print_table
from app.plain import for_terminal, on_one_line

HOSTILE = "\x1b]0;owned\x07\x1b[2J\x9b31m\u202egpj.exe"


def test_what_a_terminal_would_obey_is_shown_by_its_number() -> None:
    assert for_terminal(HOSTILE) == "\\u001b]0;owned\\u0007\\u001b[2J\\u009b31m\\u202egpj.exe"
    assert for_terminal("案件 one\n\ttwo") == "案件 one\n\ttwo"
    assert on_one_line("one\ntwo\t") == "one\\u000atwo\\u0009"


def test_what_is_printed_moves_no_cursor() -> None:
    printed = io.StringIO()
    _PlainConsole(file=printed, markup=False, highlight=False, emoji=False).print(HOSTILE)
    assert "\x1b" not in printed.getvalue()
    assert "owned" in printed.getvalue()


def test_a_cell_of_a_table_moves_no_cursor(monkeypatch: pytest.MonkeyPatch) -> None:
    printed = io.StringIO()
    monkeypatch.setattr("app.cli.session.out", _PlainConsole(file=printed, markup=False, width=200))
    print_table(("name",), [(HOSTILE,)], empty="")
    assert "\x1b" not in printed.getvalue()
    assert "owned" in printed.getvalue()
