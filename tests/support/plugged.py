# SPDX-License-Identifier: Apache-2.0
"""This is where tests get docks that were invited, and devices that are in their ports, without a dock station."""

from datetime import timedelta
from typing import Any

from app import clocks
from evidence import instant
from evidence.custody import Happening
from pipeline.docks import Invitation, invite
from tests.support.people import Hall


def invited(hall: Hall, name: str, unit: str) -> str:
    """A dock of a unit, that has not come yet; its id."""
    return invite(Invitation(name, unit=unit), ports=hall.home.ports, now=clocks.now()).dock


def plug_in(hall: Hall, dock: str, device: str, docking: str) -> None:
    """As a dock's word is written: a device is in port 1, with four files."""
    facts: dict[str, Any] = {
        "clock": None,
        "docking": docking,
        "dock": dock,
        "device": device,
        "port": "1",
        "refusal": None,
    }
    facts |= {"began_at": instant.to_text(clocks.now() - timedelta(seconds=10)), "names": 5, "taken": 4}
    facts |= {"taken_bytes": 4000, "manifest_sha256": "0" * 64}
    with hall.home.ports.register.begin() as writing:
        happening = Happening("docked", f"device/{device}", facts, {"device": device})
        writing.record(happening, actor=f"dock:{dock}", at=clocks.now())
