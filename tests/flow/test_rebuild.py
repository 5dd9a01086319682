# SPDX-License-Identifier: Apache-2.0
"""This is where the register is lost, and brought back from what rests."""

import fcntl
from pathlib import Path

from tests.support.cameras import tiny_clip
from tests.support.command import evidock


def test_nothing_is_written_beside_a_log_whose_register_is_gone(tmp_path: Path) -> None:
    home = tmp_path / "home"
    assert evidock("device", "add", "36NCC009910", home=home).status == 0
    assert evidock("ingest", tiny_clip("plain"), home=home).status == 0
    for path in home.glob("register.db*"):
        path.unlink()

    refused = evidock("officer", "add", "430407", "--json", home=home)

    assert (refused.status, refused.json["code"]) == (77, "register-lost")
    assert evidock("doctor", "--json", home=home).json["healthy"] is False
    assert evidock("doctor", "--rebuild-register", home=home).status == 0
    assert evidock("officer", "add", "430407", home=home).status == 0
    assert evidock("verify", "--all", home=home).status == 0


def test_a_register_is_not_replaced_under_running_processes(tmp_path: Path) -> None:
    home = tmp_path / "home"
    assert evidock("officer", "add", "430407", home=home).status == 0

    with (home / "in-use").open("a") as running:
        fcntl.flock(running, fcntl.LOCK_SH)
        refused = evidock("doctor", "--rebuild-register", "--json", home=home)

    assert (refused.status, refused.json["code"]) == (77, "in-use")


def test_the_old_register_is_kept_when_a_new_one_takes_its_place(tmp_path: Path) -> None:
    home = tmp_path / "home"
    assert evidock("officer", "add", "430407", home=home).status == 0
    before = (home / "register.db").read_bytes()

    done = evidock("doctor", "--rebuild-register", "--json", home=home)

    assert Path(done.json["old"]).read_bytes() == before
    assert done.json["events_from_log"] == 1
    assert [one["number"] for one in evidock("officer", "list", "--json", home=home).json["officers"]] == ["430407"]
