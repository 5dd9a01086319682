# SPDX-License-Identifier: Apache-2.0
"""This is where a disposal register (销毁清册) is read by the people it is made for: in their language and time."""

import csv
import json
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from app.cli.disposal_words import write_register
from pipeline.tombstone import COLUMNS

CHINA = ZoneInfo("Asia/Shanghai")
LINE = dict.fromkeys(COLUMNS) | {"recording": "rec-a", "why": "=1+1", "gone_at": "2028-07-20T16:00:00.613320Z"}


def rows(file: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(file.read_text("utf-8-sig").splitlines()))


def test_a_register_tells_the_agencys_own_time_with_its_offset(tmp_path: Path) -> None:
    write_register(tmp_path / "register.csv", [LINE], CHINA)

    (row,) = rows(tmp_path / "register.csv")
    assert (row["recording"], row["gone_at"], row["until"]) == ("rec-a", "2028-07-21 00:00:00+08:00", "")


def test_a_chinese_register_has_chinese_columns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EVIDOCK_LANG", "zh-CN")
    write_register(tmp_path / "register.csv", [LINE], CHINA)

    (row,) = rows(tmp_path / "register.csv")
    assert (row["音像记录"], row["销毁完成时间"]) == ("rec-a", "2028-07-21 00:00:00+08:00")
    assert not set(COLUMNS) & set(row)


def test_a_reason_that_is_a_formula_is_text(tmp_path: Path) -> None:
    write_register(tmp_path / "register.csv", [LINE], CHINA)

    assert rows(tmp_path / "register.csv")[0]["why"] == "'=1+1"


def test_scripts_get_utc_under_stable_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EVIDOCK_LANG", "zh-CN")
    write_register(tmp_path / "register.json", [LINE], CHINA)

    assert json.loads((tmp_path / "register.json").read_text()) == [LINE]
