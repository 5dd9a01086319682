# SPDX-License-Identifier: Apache-2.0
"""This is where the commands on the recording catalog are tried as an agency uses them."""

from pathlib import Path

import pytest

from pipeline.catalogs.load import DEFAULT, load_catalog
from tests.support.catalog_text import edited
from tests.support.command import evidock

LIST = """执法类别,执法事项,记录环节,记录方式,开始,内容,结束,存储期限,备注
行政检查,现场检查,现场检查,全过程音像记录,抵达,检查情况,离开,2年,
行政处罚,无证养犬,现场勘验,录像、照片,抵达现场,违法事实；现场环境,离开现场,永久,重点
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


def test_the_catalog_that_counts_is_shown(home: Path) -> None:
    said = evidock("catalog", "show", "--json", home=home).json

    assert said["id"] == load_catalog().id
    assert len(said["items"]) == 61
    assert said["disabled"] == ["QZ-09"]
    assert "JC-01" in evidock("catalog", "show", home=home).out


def test_a_version_is_shown_by_its_id_and_a_file_by_its_name(home: Path) -> None:
    known = load_catalog().id

    assert evidock("catalog", "show", known, "--json", home=home).json["id"] == known
    assert evidock("catalog", "show", DEFAULT, "--profile", "strict", "--json").json["profile"] == "strict"


def test_a_version_that_nobody_proposed_is_not_found(home: Path) -> None:
    said = evidock("catalog", "show", "avcat-cn-default@9#000000000000", home=home)

    assert said.status == 3
    assert "not-found" in said.err


def test_one_matter_is_shown_in_full() -> None:
    said = evidock("catalog", "show", DEFAULT, "--item", "JC-01", "--json").json["item"]

    assert said["retention"] == {"id": "RT-2Y", "name": "二年", "words": "P2Y from recording end, floor P6M"}
    assert said["upload_deadline"]["words"] == "24 h, with a reason 24 h"
    assert "执法人员抵达检查场所" in evidock("catalog", "show", DEFAULT, "--item", "JC-01").out
    assert evidock("catalog", "show", DEFAULT, "--item", "QZ-09", "--json").json["item"]["enabled"] is False


def test_a_matter_that_there_is_not_is_not_found() -> None:
    assert "'JC-77' is no item of the catalog" in evidock("catalog", "show", DEFAULT, "--item", "JC-77").err


def test_two_versions_are_compared(tmp_path: Path) -> None:
    new = tmp_path / "new.yaml"
    new.write_bytes(edited(("period: P2Y", "period: P1Y")))
    said = evidock("catalog", "diff", DEFAULT, new, "--json").json
    words = evidock("catalog", "diff", DEFAULT, new).out

    assert "JC-01" in said["shortened"]
    assert said["changed"][0]["keeping"] == "shorter"
    assert "RT-2Y (P1Y from recording end, floor P6M)" in words
    assert "kept shorter: JC-01" in words
    assert "nothing that decides anything differs" in evidock("catalog", "diff", DEFAULT, DEFAULT).out


def test_a_catalog_that_is_well_is_said_to_be() -> None:
    assert "a catalog of 62 items that makes sense" in evidock("catalog", "check", DEFAULT).out


def test_a_catalog_with_faults_is_refused_with_file_line_and_reason(tmp_path: Path) -> None:
    bad = tmp_path / "bad.yaml"
    bad.write_bytes(edited(("period: P2Y", "period: P3M"), ("fallback: P10Y", "fallback: P1Y")))
    said = evidock("catalog", "check", bad, "--json")

    assert said.status == 3
    assert said.json["code"] == "bad-input"
    first, second = said.json["message"].splitlines()
    assert first.startswith("bad.yaml: line 102, column 29: RT-2Y: period P3M is shorter than its own hard floor P6M")
    assert second.startswith("bad.yaml: line 103")


def test_a_catalog_goes_out_as_xlsx_and_comes_back_the_same(tmp_path: Path) -> None:
    table, text = tmp_path / "c.xlsx", tmp_path / "c.yaml"

    assert evidock("catalog", "export", DEFAULT, "-o", table, "--json").json["items"] == 62
    assert evidock("catalog", "import", table, "-o", text, "--json").json["notes"] == []
    assert "nothing that decides anything differs" in evidock("catalog", "diff", DEFAULT, text).out


def test_the_catalog_that_counts_goes_out(tmp_path: Path, home: Path) -> None:
    assert evidock("catalog", "export", "-o", tmp_path / "c.csv", home=home).status == 0
    assert (tmp_path / "c.csv").read_text("utf-8-sig").startswith("执法类别,执法事项")


def test_a_file_that_is_there_is_not_written_over(tmp_path: Path) -> None:
    table = tmp_path / "c.csv"
    table.write_text("my work")
    said = evidock("catalog", "export", DEFAULT, "-o", table)

    assert said.status == 3
    assert "is there already" in said.err
    assert table.read_text() == "my work"


def test_a_published_list_becomes_a_catalog_of_its_own_version(tmp_path: Path) -> None:
    table, text = tmp_path / "list.csv", tmp_path / "ours.yaml"
    table.write_bytes(LIST.encode("gb18030"))
    said = evidock(
        "catalog", "import", table, "-o", text, "--id", "avcat-x", "--version", "2026.1", "--name", "某局清单"
    )
    made = load_catalog(text)

    assert said.status == 0
    assert "note: row 3: CF-16 is new; deadline, checks and conditions are those of CF-03" in said.out
    assert "cells without an item were written to matrix_exceptions: review them" in said.out
    assert (made.version, made.name_zh, list(made.items)) == ("2026.1", "某局清单", ["JC-01", "CF-16"])
    assert made.items["CF-16"].retention.id == "RT-PERM"


def test_a_list_is_imported_into_yaml_only(tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_text(LIST)
    said = evidock("catalog", "import", tmp_path / "list.csv", "-o", tmp_path / "ours.xlsx")

    assert said.status == 3
    assert "end the name in .yaml" in said.err


def test_a_version_that_no_catalog_may_have_is_refused_and_nothing_written(tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_text(LIST)
    said = evidock("catalog", "import", tmp_path / "list.csv", "-o", tmp_path / "ours.yaml", "--version", "a b")

    assert said.status == 3
    assert "catalog.version cannot be “a b”" in said.err
    assert not (tmp_path / "ours.yaml").exists()


def test_a_profile_goes_with_a_file_only(home: Path) -> None:
    assert "--profile is for a file" in evidock("catalog", "show", "--profile", "strict", home=home).err
