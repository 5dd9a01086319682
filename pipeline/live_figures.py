# SPDX-License-Identifier: Apache-2.0
"""This is where the figures of footage that is still being recorded are read: how long, how large, how many."""

from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path

import yaml

from evidence.errors import BadInput

DEFAULT = Path(__file__).parent / "data" / "live.yaml"
_LARGEST_FILE = 64 << 10


@dataclass(frozen=True, slots=True)
class LiveFigures:
    """The figures, all at least 1; what each is for stands in the file."""

    cut_off_s: int
    fragment_bytes: int
    recording_bytes: int
    recording_fragments: int
    open_at_once: int
    longest_fragment_s: int
    sidecar_bytes: int


def load_live(path: Path) -> LiveFigures:
    """The figures in a YAML file.

    Raises:
        BadInput: the file cannot be read, or does not hold exactly these figures.
    """
    try:
        data = path.read_bytes()
        body = yaml.safe_load(data) if len(data) <= _LARGEST_FILE else None
    except (OSError, yaml.YAMLError, UnicodeError) as error:
        raise BadInput(f"the figures of live footage cannot be read from {path}: {error}") from error
    told = body.get("live") if isinstance(body, dict) and len(body) == 1 else None
    names = {one.name for one in fields(LiveFigures)}
    if not isinstance(told, dict) or set(told) != names:
        raise BadInput(f"{path.name} must hold live: with {', '.join(sorted(names))}, and nothing else")
    if not all(type(one) is int and one > 0 for one in told.values()):
        raise BadInput(f"the figures in {path.name} must be whole numbers above 0")
    return LiveFigures(**told)


@cache
def figures() -> LiveFigures:
    """The figures that come with evidock."""
    return load_live(DEFAULT)
