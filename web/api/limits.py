# SPDX-License-Identifier: Apache-2.0
"""This is where it is read how much the server takes from whom, and for how long it waits."""

from dataclasses import dataclass, fields
from pathlib import Path

import yaml

_DATA = Path(__file__).parents[1] / "data" / "serving.yaml"


@dataclass(frozen=True, slots=True)
class Limits:
    """The figures of `web/data/serving.yaml`, where each is explained; names tell their units."""

    upload_days: int
    largest_bytes: int
    announced_per_dock: int
    writers_per_dock: int
    writers: int
    sessions_per_dock: int
    session_s: int
    challenge_s: int
    body_bytes: int
    settle_bytes: int
    silence_s: int
    retry_s: int
    url_bytes: int
    header_bytes: int
    header_lines: int
    person_requests: int
    person_requests_s: int
    stranger_requests: int
    stranger_requests_s: int
    streams_per_person: int
    streams: int
    stream_tick_s: int
    stream_heart_s: int
    stream_look_s: int
    stream_unread_s: int
    stream_behind: int
    stream_jobs: int
    wall_days: int


def shipped_limits() -> Limits:
    """The figures as they are shipped."""
    told = yaml.safe_load(_DATA.read_text("utf-8"))
    return Limits(**{field.name: int(told[field.name]) for field in fields(Limits)})
