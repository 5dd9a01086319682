# SPDX-License-Identifier: Apache-2.0
"""This is where errors are read as a clerk reads them: times in words are those of the agency's own zone."""

import json
from pathlib import Path

import pytest

from app.cli.session import explain, in_local_time, session
from evidence.errors import BadInput

TOLD = "2026-11-23T16:00:00.000000Z is not after 2026-11-30T16:00:00Z"


def test_times_in_an_error_are_local_and_name_their_offset(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with session(tmp_path / "home"):
        explain(BadInput(TOLD))

    said = " ".join(capsys.readouterr().err.split())
    assert "2026-11-24 00:00:00+08:00 is not after 2026-12-01 00:00:00+08:00" in said


def test_a_script_reads_the_instants_that_were_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.argv", ["evidock", "--json"])
    with session(tmp_path / "home"):
        explain(BadInput(TOLD))

    assert json.loads(capsys.readouterr().out)["message"] == TOLD


@pytest.mark.parametrize(
    "text",
    ["9999-99-99T16:00:00Z", "9999-12-31T23:59:59Z", "2026-11-23", "12026-11-23T16:00:00Z", "2026-11-23T16:00:00"],
)
def test_what_is_no_instant_that_can_be_told_stays_as_it_is(text: str, tmp_path: Path) -> None:
    with session(tmp_path / "home"):
        pass
    assert in_local_time(text) == text
