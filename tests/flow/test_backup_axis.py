# SPDX-License-Identifier: Apache-2.0
"""What Axis systems told us comes back with a backup, and nothing of a backup leads out of its folder."""

import json
from pathlib import Path

import pytest

from app.backup_axis import NAME, bring_axis
from evidence.errors import BackupInvalid
from pipeline.axis_account import Account
from tests.support.command import evidock
from tests.support.home import open_home

DOCK = "dck-aaaaaaaaaaaaaaaa"


def test_what_axis_systems_told_is_in_the_backup_and_comes_back(tmp_path: Path) -> None:
    folder, backup, anew = (tmp_path / name for name in ("home", "backup", "anew"))
    with open_home(folder):
        Account(folder / "axis", DOCK).keep_metadata("users", {"name": "wáng/../王"})
        (folder / "axis" / DOCK / ".draft").write_bytes(b"half")
    assert evidock("backup", "-o", backup, "--objects", home=folder).status == 0
    assert {mode.stat().st_mode & 0o777 for mode in (backup / NAME,)} == {0o600}

    done = evidock("restore", backup, home=anew)

    assert done.status == 0, done.err
    assert Account(anew / "axis", DOCK).metadata("users") == {"name": "wáng/../王"}
    assert not list((anew / "axis").rglob(".*"))


def test_a_flipped_bit_in_it_is_refused_and_nothing_of_it_comes_back(tmp_path: Path) -> None:
    folder, backup, anew = (tmp_path / name for name in ("home", "backup", "anew"))
    with open_home(folder):
        Account(folder / "axis", DOCK).keep_metadata("users", {"name": "a"})
    assert evidock("backup", "-o", backup, "--objects", home=folder).status == 0
    (backup / NAME).write_bytes((backup / NAME).read_bytes().replace(b"dck-a", b"dck-b"))

    refused = evidock("restore", backup, "--json", home=anew)

    assert (refused.status, refused.json["code"]) == (1, BackupInvalid.code)
    assert not (anew / "axis").exists()


@pytest.mark.parametrize(
    "line",
    [
        {"name": "../keys/log.pem", "data": ""},
        {"name": "/etc/x", "data": ""},
        {"name": "dck-a/.draft", "data": ""},
        {"name": "", "data": ""},
        {"name": "dck-a/x", "data": "?"},
        {"name": 7, "data": ""},
        {"name": "dck-a/x"},
        [],
    ],
)
def test_a_line_that_leads_out_or_is_of_no_form_is_refused(line: object, tmp_path: Path) -> None:
    (tmp_path / NAME).write_text(json.dumps(line) + "\n")
    with pytest.raises(BackupInvalid):
        bring_axis(tmp_path, tmp_path / "home")
    assert not (tmp_path / "home").exists()
