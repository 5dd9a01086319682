# SPDX-License-Identifier: Apache-2.0
"""This is where the figures of the coverage checks are read: how many officers, how much a clock may be off."""

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

from evidence.coverage_terms import Limits
from pipeline.catalogs.faults import Fault, quoted, refuse
from pipeline.catalogs.load import catalog_bytes
from pipeline.catalogs.text import Document, read_text

DEFAULT = Path(__file__).parent / "data" / "coverage.yaml"
_DAY = 86_400
# The least and the most that a figure can be; of a switch, nothing.
_FIGURES: Mapping[str, tuple[str, tuple[int, int] | None]] = {
    "officers": ("least", (0, 100)),
    "clock": ("tolerance_seconds", (0, _DAY)),
    "document": ("tolerance_seconds", (0, _DAY)),
    "gap": ("ignored_seconds", (0, _DAY)),
    "compulsion": ("weekends", None),
}


def load_limits(path: Path = DEFAULT) -> Limits:
    """The figures in a YAML file.

    Raises:
        BadInput: the file cannot be read, lacks a figure, or has one that cannot be; with line and reason.
    """
    return parse_limits(catalog_bytes(path), name=path.name)


def parse_limits(data: bytes, *, name: str) -> Limits:
    """The figures in a YAML text; `name` is what messages call it.

    Raises:
        BadInput: as `load_limits`.
    """
    document = read_text(data, name=name)
    faults = [
        Fault(document.mark(key), f"no part {quoted(key)} is known", "") for key in document.body if key not in _FIGURES
    ]
    faults += [fault for part in _FIGURES for fault in _faults(document, part)]
    if faults:
        refuse(name, faults)
    body = document.body
    return Limits(
        officers=body["officers"]["least"],
        clock=timedelta(seconds=body["clock"]["tolerance_seconds"]),
        document=timedelta(seconds=body["document"]["tolerance_seconds"]),
        gap=timedelta(seconds=body["gap"]["ignored_seconds"]),
        counts_weekends=body["compulsion"]["weekends"],
    )


def _faults(document: Document, part: str) -> list[Fault]:
    key, bounds = _FIGURES[part]
    said: Any = document.body.get(part)
    if not isinstance(said, dict) or set(said) != {key}:
        return [Fault(document.mark(part), f"{part} must hold {key}, and nothing else", f"write {part}: {{{key}: …}}")]
    value, place = said[key], document.mark(part, key)
    if bounds is None:
        return [] if isinstance(value, bool) else [Fault(place, f"{part}.{key} is no switch", "write true or false")]
    least, most = bounds
    if type(value) is not int or not least <= value <= most:
        return [Fault(place, f"{part}.{key} cannot be {quoted(value)}", f"write a whole number from {least} to {most}")]
    return []
