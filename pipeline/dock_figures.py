# SPDX-License-Identifier: Apache-2.0
"""This is where the figures of docks that are no law are read: how long a code is good, how much a dock may say."""

from dataclasses import dataclass, fields
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from evidence.errors import BadInput

DEFAULT = Path(__file__).parent / "data" / "docks.yaml"


@dataclass(frozen=True, slots=True)
class Enrolment:
    """How long a one-time code is good, and how often an address may be wrong about one."""

    code_minutes: int
    longest_code_minutes: int
    wrong_codes: int
    wrong_codes_s: int


@dataclass(frozen=True, slots=True)
class Dockings:
    """How much a dock may say."""

    largest_manifest_mib: int
    largest_listing: int
    named_when_refused: int
    alarms: int
    alarms_s: int
    same_alarm_s: int

    @property
    def largest_manifest(self) -> int:
        """In bytes."""
        return self.largest_manifest_mib << 20

    @property
    def same_alarm(self) -> timedelta:
        """As a span of time."""
        return timedelta(seconds=self.same_alarm_s)


@dataclass(frozen=True, slots=True)
class DockFigures:
    """All of them."""

    enrolment: Enrolment
    dockings: Dockings


@cache
def dock_figures(path: Path = DEFAULT) -> DockFigures:
    """The figures in a YAML file.

    Raises:
        BadInput: the file cannot be read, lacks a figure, holds one too many, or one that is no positive number.
    """
    try:
        body = yaml.safe_load(path.read_bytes())
    except (OSError, yaml.YAMLError, UnicodeError) as error:
        raise BadInput(f"the figures of docks cannot be read from {path}: {error}") from error
    if not isinstance(body, dict) or set(body) != {"enrolment", "dockings"}:
        raise BadInput(f"{path.name} must hold the parts enrolment and dockings, and nothing else")
    return DockFigures(
        enrolment=Enrolment(**_figures(body["enrolment"], Enrolment)),
        dockings=Dockings(**_figures(body["dockings"], Dockings)),
    )


def _figures(found: Any, form: type[Enrolment] | type[Dockings]) -> dict[str, int]:
    names = {one.name for one in fields(form)}
    if not isinstance(found, dict) or set(found) != names:
        raise BadInput(f"{form.__name__.lower()} must hold {', '.join(sorted(names))}, and nothing else")
    for name, value in found.items():
        if type(value) is not int or value < 1:
            raise BadInput(f"{form.__name__.lower()}.{name} must be a whole number from 1, not {value!r}")
    return found
