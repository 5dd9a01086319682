# SPDX-License-Identifier: Apache-2.0
"""This is where the table of security requirements is held against the tests that it names."""

import ast
import re
from collections import Counter
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "operate" / "asvs.md"
STATES = ("met", "partly", "not met", "does not apply")
# Requirements of levels 1 and 2 by chapter. Source: OWASP ASVS 5.0.0.
BY_CHAPTER = dict(enumerate((27, 11, 19, 10, 9, 35, 18, 7, 7, 29, 14, 9, 13, 9, 13, 16, 7), start=1))


def rows() -> list[list[str]]:
    """Cells of every requirement: id, level, what, state, how, test."""
    found = [line for line in PAGE.read_text("utf-8").splitlines() if re.match(r"\| \d+\.\d+\.\d+ \|", line)]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in found]


@cache
def names_in(path: Path) -> frozenset[str]:
    tree = ast.parse(path.read_text("utf-8"))
    return frozenset(node.name for node in tree.body if isinstance(node, ast.FunctionDef))


def test_every_requirement_of_both_levels_has_one_row() -> None:
    ids = [row[0] for row in rows()]
    assert len(ids) == len(set(ids)) == 253
    assert Counter(int(one.partition(".")[0]) for one in ids) == BY_CHAPTER
    assert Counter(row[1] for row in rows()) == {"1": 70, "2": 183}


def test_every_row_has_its_six_cells_and_a_state() -> None:
    for row in rows():
        assert len(row) == 6, row
        assert row[3].strip("*") in STATES, row
        assert row[2], row
        assert row[4], row


def test_every_test_that_is_named_exists() -> None:
    for row in rows():
        if row[5] != "–":
            path, _, name = row[5].strip("`").partition("::")
            assert name in names_in(ROOT / path), row[5]


def test_what_is_met_shows_a_test_or_a_page_or_was_read() -> None:
    bare = [row[0] for row in rows() if row[3] == "met" and row[5] == "–" and "](" not in row[4]]
    # Read, and without a test that could fail: nothing is evaluated, memory-safe language, no deserializing.
    assert bare == ["1.3.2", "1.4.1", "1.5.2"]


def test_the_sums_are_those_of_the_rows() -> None:
    counts = Counter((int(row[0].partition(".")[0]), row[3].strip("*")) for row in rows())
    for chapter in BY_CHAPTER:
        told = next(line for line in PAGE.read_text("utf-8").splitlines() if line.startswith(f"| V{chapter} "))
        assert [int(one) for one in told.strip("|").split("|")[1:]] == [counts[chapter, state] for state in STATES]
