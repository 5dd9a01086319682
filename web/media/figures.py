# SPDX-License-Identifier: Apache-2.0
"""This is where the figures are read by which footage is shown."""

from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path

import yaml

_DATA = Path(__file__).parents[1] / "data" / "media.yaml"


@dataclass(frozen=True, slots=True)
class Figures:
    """The figures of `web/data/media.yaml`, where each is explained; names tell their units."""

    token_minutes: int
    block_bytes: int
    readers: int
    viewers: int
    viewers_per_holder: int
    marking: int
    marks_kept: int
    plans_kept: int
    segment_s: int
    waveform_s: int
    waveforms_kept: int
    waveforms: int
    wait_s: int
    waiting: int
    tell_s: int
    keep_days: int
    stretches: int


@cache
def figures() -> Figures:
    """The figures as they are shipped."""
    told = yaml.safe_load(_DATA.read_text("utf-8"))
    return Figures(**{field.name: int(told[field.name]) for field in fields(Figures)})
