# SPDX-License-Identifier: Apache-2.0
"""This is where it is tried that figures of keeping are read whole, or refused by name."""

from datetime import timedelta
from pathlib import Path

import pytest

from evidence.errors import BadInput
from pipeline.keeping_settings import DEFAULT, load_keeping


def altered(folder: Path, old: str, new: str) -> Path:
    given = DEFAULT.read_text("utf-8")
    assert old in given
    path = folder / "keeping.yaml"
    path.write_text(given.replace(old, new), "utf-8")
    return path


def test_the_default_figures_are_those_that_the_documents_name() -> None:
    found = load_keeping()
    assert (found.brake_permille, found.cool_off, found.grace) == (50, timedelta(days=7), timedelta(days=30))


def test_a_figure_that_is_missing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="must hold brake_permille"):
        load_keeping(altered(tmp_path, "brake_permille: 50", ""))


def test_a_figure_too_many_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="nothing else"):
        load_keeping(altered(tmp_path, "grace_days: 30", "grace_days: 30\n  grace_hours: 1"))


def test_a_part_too_many_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="nothing else"):
        load_keeping(altered(tmp_path, "disposal:", "spare: {}\ndisposal:"))


def test_a_figure_out_of_its_range_or_of_another_kind_is_refused(tmp_path: Path) -> None:
    for wrong in ("-1", "1001", "0.5", "yes", "null", "'50'"):
        with pytest.raises(BadInput, match="whole number from 0 to 1000"):
            load_keeping(altered(tmp_path, "brake_permille: 50", f"brake_permille: {wrong}"))


def test_what_is_no_file_of_figures_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "keeping.yaml"
    for body in (b"", b"[]", b"{", b"\xff\xfe", b"a: &a [*a]", b"x" * (1 << 17)):
        path.write_bytes(body)
        with pytest.raises(BadInput):
            load_keeping(path)
    with pytest.raises(BadInput):
        load_keeping(tmp_path / "absent.yaml")
