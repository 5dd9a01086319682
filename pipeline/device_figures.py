# SPDX-License-Identifier: Apache-2.0
"""This is where the figures about devices are read: what is counted as equipment, and what a daily report names."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from evidence.device import CATEGORIES, KINDS
from pipeline.catalogs.faults import Fault, quoted, refuse
from pipeline.catalogs.load import catalog_bytes
from pipeline.catalogs.text import Document, read_text

DEFAULT = Path(__file__).parent / "data" / "devices.yaml"
_PARTS: Mapping[str, tuple[str, ...]] = {
    "equipment": ("kinds", "officers_per_device"),
    "reconcile": (
        *("hand_in_hours", "device_unseen_days", "dock_unseen_days", "resume_hours", "manifest_days"),
        *("sequence_gap", "most_named"),
    ),
}
_MOST = 100_000


@dataclass(frozen=True, slots=True)
class DeviceFigures:
    """The figures; `officers_per_device` by category, none for one that is equipped as needed."""

    kinds: tuple[str, ...]
    officers_per_device: Mapping[str, int]
    hand_in: timedelta
    device_unseen: timedelta
    dock_unseen: timedelta
    resume: timedelta
    manifests: timedelta
    sequence_gap: int
    most_named: int


def load_device_figures(path: Path = DEFAULT) -> DeviceFigures:
    """The figures in a YAML file.

    Raises:
        BadInput: the file cannot be read, lacks a figure, or has one that cannot be; with line and reason.
    """
    return parse_device_figures(catalog_bytes(path), name=path.name)


def parse_device_figures(data: bytes, *, name: str) -> DeviceFigures:
    """The figures in a YAML text; `name` is what messages call it.

    Raises:
        BadInput: as `load_device_figures`.
    """
    document = read_text(data, name=name)
    faults = [fault for part in _PARTS for fault in _faults(document, part)]
    faults += [Fault(document.mark(key), f"no part {quoted(key)} is known") for key in document.body - _PARTS.keys()]
    if faults:
        refuse(name, faults)
    equipment, told = document.body["equipment"], document.body["reconcile"]
    return DeviceFigures(
        kinds=tuple(equipment["kinds"]),
        officers_per_device=dict(equipment["officers_per_device"]),
        hand_in=timedelta(hours=told["hand_in_hours"]),
        device_unseen=timedelta(days=told["device_unseen_days"]),
        dock_unseen=timedelta(days=told["dock_unseen_days"]),
        resume=timedelta(hours=told["resume_hours"]),
        manifests=timedelta(days=told["manifest_days"]),
        sequence_gap=told["sequence_gap"],
        most_named=told["most_named"],
    )


def _faults(document: Document, part: str) -> list[Fault]:
    said: Any = document.body.get(part)
    if not isinstance(said, dict) or set(said) != set(_PARTS[part]):
        return [Fault(document.mark(part), f"{part} must hold {', '.join(_PARTS[part])}, and nothing else")]
    bad = [key for key, value in said.items() if not _can_be(key, value)]
    return [Fault(document.mark(part, key), f"{part}.{key} cannot be {quoted(said[key])}") for key in bad]


def _can_be(key: str, value: Any) -> bool:
    if key == "kinds":
        return isinstance(value, list) and bool(value) and set(value) <= set(KINDS)
    if key == "officers_per_device":
        return isinstance(value, dict) and set(value) <= set(CATEGORIES) and all(map(_is_count, value.values()))
    return _is_count(value)


def _is_count(value: Any) -> bool:
    return type(value) is int and 1 <= value <= _MOST
