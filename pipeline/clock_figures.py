# SPDX-License-Identifier: Apache-2.0
"""This is where the figures of the clock ledger are read: what a camera's clock can do, how finely sources tell."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from evidence.camera_clock import Bounds
from evidence.claims import Source
from evidence.errors import BadInput

DEFAULT = Path(__file__).parent / "data" / "clocks.yaml"
_KNOWN = {
    "drift": {"plausible_ppm", "wander_ppm", "steady_after", "back_days"},
    "reset": {"behind_days"},
    "zone": {"within_seconds"},
    "sighting": {"slack_seconds"},
    "agreement": {"within_seconds"},
    "receiver": {"within_ms"},
    "sources": {str(source) for source in Source},
}
_GRAIN = {"before_ms", "after_ms", "may_be_end"}


@dataclass(frozen=True, slots=True)
class Grain:
    """A recording truly began in `[said - before, said + after]`, clock errors apart.

    `may_be_end`: the source may as well have meant the end.
    """

    before: timedelta
    after: timedelta
    may_be_end: bool


@dataclass(frozen=True, slots=True)
class Figures:
    """What the ledger believes of clocks (`bounds`), of other machines (`slack`), of receivers, and of sources."""

    bounds: Bounds
    slack: timedelta
    agreement: timedelta
    receiver: timedelta
    grains: Mapping[Source, Grain]


@cache
def figures(path: Path = DEFAULT) -> Figures:
    """The figures in a YAML file.

    Raises:
        BadInput: the file cannot be read, lacks a figure, holds one too many, or one that is no whole number.
    """
    try:
        body = yaml.safe_load(path.read_bytes())
    except (OSError, yaml.YAMLError, UnicodeError) as error:
        raise BadInput(f"the figures of clocks cannot be read from {path}: {error}") from error
    _check(body, path.name)
    drift = body["drift"]
    return Figures(
        Bounds(
            plausible=drift["plausible_ppm"],
            wander=drift["wander_ppm"],
            steady_after=drift["steady_after"],
            back=timedelta(days=drift["back_days"]),
            reset_behind=timedelta(days=body["reset"]["behind_days"]),
            zone_within=timedelta(seconds=body["zone"]["within_seconds"]),
        ),
        slack=timedelta(seconds=body["sighting"]["slack_seconds"]),
        agreement=timedelta(seconds=body["agreement"]["within_seconds"]),
        receiver=timedelta(milliseconds=body["receiver"]["within_ms"]),
        grains={Source(name): _grain(told) for name, told in body["sources"].items()},
    )


def _grain(told: Mapping[str, Any]) -> Grain:
    before, after = (timedelta(milliseconds=told[name]) for name in ("before_ms", "after_ms"))
    return Grain(before, after, told["may_be_end"])


def _check(body: Any, name: str) -> None:
    if not isinstance(body, dict) or set(body) != set(_KNOWN):
        raise BadInput(f"{name} must hold the parts {', '.join(_KNOWN)}, and nothing else")
    for part, known in _KNOWN.items():
        _check_keys(body[part], known, f"{name}: {part}")
    for part in set(_KNOWN) - {"sources"}:
        for key, value in body[part].items():
            _check_number(value, f"{name}: {part}.{key}")
    for source, told in body["sources"].items():
        _check_keys(told, _GRAIN, f"{name}: sources.{source}")
        if type(told["may_be_end"]) is not bool:
            raise BadInput(f"{name}: sources.{source}.may_be_end must be true or false")
        for key in ("before_ms", "after_ms"):
            _check_number(told[key], f"{name}: sources.{source}.{key}")


def _check_keys(body: Any, known: set[str], what: str) -> None:
    if not isinstance(body, dict) or set(body) != known:
        raise BadInput(f"{what} must hold {', '.join(sorted(known))}, and nothing else")


def _check_number(value: Any, what: str) -> None:
    if type(value) is not int or not 0 <= value <= 10**6:
        raise BadInput(f"{what} must be a whole number from 0 to 1000000, not {value!r}")
