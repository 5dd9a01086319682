# SPDX-License-Identifier: Apache-2.0
"""This is where the figures of keeping that are no law are read: brake, cool-off, grace, the size of a list."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import yaml

from evidence.errors import BadInput

DEFAULT = Path(__file__).parent / "data" / "keeping.yaml"
_LARGEST_FILE = 64 << 10
# The least and the most that each figure can be.
_RANGES: Mapping[str, Mapping[str, tuple[int, int]]] = {
    "rule_changes": {"brake_permille": (0, 1000), "cool_off_days": (0, 3650), "examples": (0, 1000)},
    "disposal": {"grace_days": (0, 3650), "largest_list": (1, 100_000)},
}


@dataclass(frozen=True, slots=True)
class Keeping:
    """The figures that an agency chose.

    A rule change that shortens more than `brake_permille` of what is kept stops; one that shortens anything takes
    effect `cool_off` after its proposal at the earliest. An approved disposal can be undone for `grace`.
    """

    brake_permille: int
    cool_off: timedelta
    examples: int
    grace: timedelta
    largest_list: int


def load_keeping(path: Path = DEFAULT) -> Keeping:
    """The figures in a YAML file.

    Raises:
        BadInput: the file cannot be read, lacks a figure, holds one too many, or one out of its range.
    """
    try:
        data = path.read_bytes()
        body = yaml.safe_load(data) if len(data) <= _LARGEST_FILE else None
    except (OSError, yaml.YAMLError, UnicodeError) as error:
        raise BadInput(f"the figures of keeping cannot be read from {path}: {error}") from error
    if not isinstance(body, dict) or set(body) != set(_RANGES):
        raise BadInput(f"{path.name} must hold the parts {', '.join(_RANGES)}, and nothing else")
    told = {name: _figures(body[name], name, path.name) for name in _RANGES}
    changes, disposal = told["rule_changes"], told["disposal"]
    return Keeping(
        brake_permille=changes["brake_permille"],
        cool_off=timedelta(days=changes["cool_off_days"]),
        examples=changes["examples"],
        grace=timedelta(days=disposal["grace_days"]),
        largest_list=disposal["largest_list"],
    )


def _figures(found: Any, part: str, name: str) -> Mapping[str, int]:
    ranges = _RANGES[part]
    if not isinstance(found, dict) or set(found) != set(ranges):
        raise BadInput(f"{name}: {part} must hold {', '.join(ranges)}, and nothing else")
    for key, (least, most) in ranges.items():
        value = found[key]
        if type(value) is not int or not least <= value <= most:
            raise BadInput(f"{name}: {part}.{key} must be a whole number from {least} to {most}, not {value!r}")
    return found
