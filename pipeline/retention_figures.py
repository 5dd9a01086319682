# SPDX-License-Identifier: Apache-2.0
"""This is where the figures of the retention sweep and of the steady clock are read: none of them is of law."""

from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from evidence.errors import BadInput
from evidence.steady_clock import Limits

DEFAULT = Path(__file__).parent / "data" / "retention.yaml"
_KNOWN = {
    "clock": {"tolerance_s", "longest_silence_hours", "mark_every_minutes"},
    "ends": {"after_arrival_hours", "before_arrival_days"},
    "sweep": {"every_hours", "page"},
    "locks": {"step_days", "renew_days"},
}


@dataclass(frozen=True, slots=True)
class Figures:
    """What is believed of clocks and of claimed ends, how often is swept, and how far ahead is locked."""

    clock: Limits
    mark_every: timedelta
    after_arrival: timedelta
    before_arrival: timedelta
    sweep_every: timedelta
    page: int
    lock_step: timedelta
    lock_renew: timedelta


@cache
def figures(path: Path = DEFAULT) -> Figures:
    """The figures in a YAML file.

    Raises:
        BadInput: the file cannot be read, lacks a figure, holds one too many, or one that is no number above zero.
    """
    try:
        body = yaml.safe_load(path.read_bytes())
    except (OSError, yaml.YAMLError, UnicodeError) as error:
        raise BadInput(f"the figures of retention cannot be read from {path}: {error}") from error
    _check(body, path.name)
    clock, ends, sweep, locks = (body[part] for part in _KNOWN)
    return Figures(
        clock=Limits(timedelta(seconds=clock["tolerance_s"]), timedelta(hours=clock["longest_silence_hours"])),
        mark_every=timedelta(minutes=clock["mark_every_minutes"]),
        after_arrival=timedelta(hours=ends["after_arrival_hours"]),
        before_arrival=timedelta(days=ends["before_arrival_days"]),
        sweep_every=timedelta(hours=sweep["every_hours"]),
        page=sweep["page"],
        lock_step=timedelta(days=locks["step_days"]),
        lock_renew=timedelta(days=locks["renew_days"]),
    )


def _check(body: Any, name: str) -> None:
    if not isinstance(body, dict) or set(body) != set(_KNOWN):
        raise BadInput(f"{name} must hold the parts {', '.join(_KNOWN)}, and nothing else")
    for part, known in _KNOWN.items():
        if not isinstance(body[part], dict) or set(body[part]) != known:
            raise BadInput(f"{name}: {part} must hold {', '.join(sorted(known))}, and nothing else")
        for key, value in body[part].items():
            if type(value) is not int or not 0 < value <= 10**6:
                raise BadInput(f"{name}: {part}.{key} must be a whole number above zero, not {value!r}")
