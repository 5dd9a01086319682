# SPDX-License-Identifier: Apache-2.0
"""This is where the figures of the API's conventions are read: how long a page is, how long an answer is kept."""

from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path

import yaml

_DATA = Path(__file__).parents[1] / "data" / "api.yaml"


@dataclass(frozen=True, slots=True)
class Figures:
    """The figures of `web/data/api.yaml`, where each is explained; names tell their units."""

    page_default: int
    page_most: int
    answer_hours: int
    under_way_minutes: int
    key_most: int
    answer_most: int
    verifying_at_once: int
    verify_most_bytes: int
    clip_minutes: int
    clips_at_once: int
    clips_kept: int


@cache
def shipped_figures() -> Figures:
    """The figures as they are shipped."""
    told = yaml.safe_load(_DATA.read_text("utf-8"))
    return Figures(**{field.name: int(told[field.name]) for field in fields(Figures)})
