# SPDX-License-Identifier: Apache-2.0
"""This is where the commands that end a recording's life get their clock and their judge."""

from datetime import datetime

from app import clocks
from evidence.retention import Decision
from pipeline.disposal_list import DecisionOf
from pipeline.ports import Ports
from pipeline.retain import decision_within
from pipeline.steady import steady_now
from storage.register.search import Connection


def steady(ports: Ports) -> datetime:
    """Steady time: nothing is due, and no grace is over, because a clock was set."""
    return steady_now(ports.register, clocks.reading(ports.place)).counted


def judge_at(ports: Ports, now: datetime) -> DecisionOf:
    """Says until when a recording is kept, by all that the register holds, at `now`."""

    def judge(connection: Connection, recording: str) -> Decision:
        return decision_within(connection, recording, ports=ports, now=now)[1]

    return judge
