# SPDX-License-Identifier: Apache-2.0
"""`evidock terminal`: who is invited, who is there, what comes in."""

from pathlib import Path

import pytest

from app import clocks
from pipeline import live
from pipeline.docks import enrol
from pipeline.live import Sender
from tests.support.command import evidock
from tests.support.home import open_home
from tests.support.live_footage import SERIAL, announced, footage, put


def test_a_terminal_is_invited_and_listed_with_what_comes_in(tmp_path: Path) -> None:
    folder = tmp_path / "home"
    with open_home(folder) as home:
        home.add_device(SERIAL)
    invited = evidock("terminal", "invite", "巡逻一组", "--device", SERIAL, "--json", home=folder).json
    with open_home(folder) as home:
        row = enrol(invited["code"], bytes(range(32)), ports=home.ports, now=clocks.now())
        sender = Sender(row["id"], row["device"])
        identifier = live.announce(announced(), sender=sender, ports=home.ports)
        for number, data in enumerate(footage()[:2]):
            put(identifier, number, data, ports=home.ports, sender=sender)

    listed = evidock("terminal", "list", "--json", home=folder).json
    assert [(one["id"], one["device"], one["state"]) for one in listed["terminals"]] == [
        (invited["terminal"], SERIAL, "enrolled")
    ]
    assert [(one["live"], one["sender"], one["fragments"]) for one in listed["live"]] == [(identifier, sender.id, 2)]
    assert "巡逻一组" in evidock("terminal", "list", home=folder).out


@pytest.mark.parametrize(
    "words",
    [
        ("invite", "x", "--device", "UNKNOWN"),
        ("listen", "rtmp://127.0.0.1:1935/live/door", "--device", "UNKNOWN"),
        ("listen", "http://127.0.0.1:80/", "--device", SERIAL),
    ],
)
def test_a_device_that_nobody_registered_and_a_place_that_is_none_are_refused(
    tmp_path: Path, words: tuple[str, ...]
) -> None:
    assert evidock("terminal", *words, home=tmp_path / "home").status == 3
