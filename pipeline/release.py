# SPDX-License-Identifier: Apache-2.0
"""This is where a person releases what was put aside for a device nobody knew, once the register knows it.

What was put aside because its bytes are damaged stays aside: a repair makes another recording beside it.
"""

import json
from datetime import datetime
from fractions import Fraction

from evidence import instant
from evidence.camera_clock_interval import Sighting
from evidence.claims import Claims
from evidence.errors import WrongState
from evidence.lifecycle import State
from evidence.written import reason
from pipeline.again import may_go_on, released
from pipeline.arrive import identify
from pipeline.flow import open_released
from pipeline.ports import Ports
from storage.register import search


def release(recording: str, *, why: str, ports: Ports, now: datetime) -> list[str]:
    """Have a recording that was put aside go on from where it stopped; the jobs that are opened by it.

    Raises:
        NotFound: no such recording. BadInput: no reason.
        WrongState: it was not put aside, or what it was put aside for has not gone.
    """
    told = reason(why, "the reason of a release")
    with ports.register.begin() as facts:
        row = search.recording(facts.connection, recording)
        if row["state"] != State.QUARANTINED:
            raise WrongState(f"{recording} is {row['state']}, not put aside", state=row["state"])
        duration = None if row["duration"] is None else Fraction(row["duration"])
        claims, seen = Claims.from_json(json.loads(row["claims"])), Sighting(instant.from_text(row["arrived_at"]))
        who = identify(facts.connection, claims, zone=ports.zone, sighting=seen, duration=duration)
        if not may_go_on(row, who):
            cause = row["problem_code"]
            raise WrongState(f"{recording} was put aside for {cause!r}, and that has not gone", state=row["state"])
        happening = released(row, who, duration=duration, why=told)
        facts.record(happening, actor=ports.actor, at=now)
        return open_released(facts, [happening], now=now)
