# SPDX-License-Identifier: Apache-2.0
"""This is where the figures of agreements of two people are read: how long a request waits, how long a leave lasts."""

from dataclasses import dataclass, fields
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from evidence.errors import BadInput

DEFAULT = Path(__file__).parent / "data" / "approvals.yaml"


@dataclass(frozen=True, slots=True)
class Request:
    """How long a request waits for a decision."""

    expires_hours: int
    longest_expires_hours: int

    @property
    def expires(self) -> timedelta:
        """If nobody says otherwise."""
        return timedelta(hours=self.expires_hours)

    @property
    def longest(self) -> timedelta:
        """What may be said otherwise."""
        return timedelta(hours=self.longest_expires_hours)


@dataclass(frozen=True, slots=True)
class Leave:
    """The longest that each leave may last."""

    view_days: int
    original_days: int
    disclosure_days: int
    break_glass_minutes: int
    sandbox_off_days: int


@dataclass(frozen=True, slots=True)
class ApprovalFigures:
    """All of them."""

    request: Request
    leave: Leave


@cache
def approval_figures(path: Path = DEFAULT) -> ApprovalFigures:
    """The figures in a YAML file.

    Raises:
        BadInput: the file cannot be read, lacks a figure, holds one too many, or one that is no positive number.
    """
    try:
        body = yaml.safe_load(path.read_bytes())
    except (OSError, yaml.YAMLError, UnicodeError) as error:
        raise BadInput(f"the figures of approvals cannot be read from {path}: {error}") from error
    if not isinstance(body, dict) or set(body) != {"request", "leave"}:
        raise BadInput(f"{path.name} must hold the parts request and leave, and nothing else")
    return ApprovalFigures(
        request=Request(**_figures(body["request"], Request)), leave=Leave(**_figures(body["leave"], Leave))
    )


def _figures(found: Any, form: type[Request] | type[Leave]) -> dict[str, int]:
    names = {one.name for one in fields(form)}
    if not isinstance(found, dict) or set(found) != names:
        raise BadInput(f"{form.__name__.lower()} must hold {', '.join(sorted(names))}, and nothing else")
    for name, value in found.items():
        if type(value) is not int or value < 1:
            raise BadInput(f"{form.__name__.lower()}.{name} must be a whole number from 1, not {value!r}")
    return found
