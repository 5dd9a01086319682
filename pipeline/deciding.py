# SPDX-License-Identifier: Apache-2.0
"""This is where whoever ends a recording's life gets a judge: what says until when it is kept, by all that is known."""

from datetime import datetime

from evidence.retention import Decision
from pipeline.disposal_list import DecisionOf
from pipeline.ports import Ports
from pipeline.retain import decision_within
from storage.register.search import Connection


def judge_at(ports: Ports, now: datetime) -> DecisionOf:
    """Says until when a recording is kept, by all that the register holds, at `now`."""

    def judge(connection: Connection, recording: str) -> Decision:
        return decision_within(connection, recording, ports=ports, now=now)[1]

    return judge
