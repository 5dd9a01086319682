# SPDX-License-Identifier: Apache-2.0
"""This is where it is counted how officers are equipped (配备率): devices in use to officers who may film, by unit.

Officers count by the day that is asked for; devices count as they are registered now.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from evidence.agency import Officer, below, summed, walk
from evidence.device import CATEGORIES, Device, Status
from evidence.errors import NotFound
from pipeline.device_figures import DeviceFigures
from pipeline.devices_register import device_of
from pipeline.people import is_valid_on, officer_of
from pipeline.units import parents_of
from storage.register import casebook, device_rows
from storage.register.search import Connection

_ALL = ""
_COUNTED = ("officers", _ALL, *CATEGORIES)


@dataclass(frozen=True, slots=True)
class Ratio:
    """Devices of a category (empty: of all) and officers, of a unit and all below it (None: of no unit).

    `wanted` is what the figures ask for, None where they ask for nothing.
    """

    unit: str | None
    name: str
    category: str
    devices: int
    officers: int
    wanted: int | None = None

    @property
    def missing(self) -> int | None:
        """How many devices are wanted beyond those there are."""
        return None if self.wanted is None else max(0, self.wanted - self.devices)

    @property
    def permille(self) -> int | None:
        """Devices for each thousand officers (配备率); None without officers."""
        return None if self.officers == 0 else self.devices * 1000 // self.officers

    @property
    def officers_per_device(self) -> str | None:
        """With two decimals, cut; None without devices."""
        if self.devices == 0:
            return None
        hundredths = self.officers * 100 // self.devices
        return f"{hundredths // 100}.{hundredths % 100:02d}"

    def to_json(self) -> dict[str, str | int | None]:
        """As a mapping for JSON."""
        told = {name: getattr(self, name) for name in ("unit", "name", "category", "devices", "officers", "wanted")}
        return told | {name: getattr(self, name) for name in ("missing", "permille", "officers_per_device")}


def equipment_on(connection: Connection, day: date, *, figures: DeviceFigures, unit: str | None = None) -> list[Ratio]:
    """How every unit, or one and those below it, is equipped, each with those below it, in the order of their tree.

    Raises:
        NotFound: there is no such unit.
    """
    parents = parents_of(connection)
    if unit is not None and unit not in parents:
        raise NotFound(f"no unit {unit!r} (`evidock unit list` shows them)", unit=unit)
    names = {row["code"]: row["name"] for row in casebook.every_unit(connection)}
    devices = [device_of(row) for row in device_rows.every_device(connection)]
    officers = [officer_of(row) for row in casebook.every_officer(connection)]
    codes = {text: code for text in {one.unit for one in officers} if (code := casebook.unit_told(connection, text))}
    counts = _counts(devices, [(one, codes.get(one.unit)) for one in officers], parents, day, figures)
    wanted = None if unit is None else set(below(unit, parents))
    return ratios(counts, parents, names, figures.officers_per_device, only=wanted)


def ratios(
    counts: Mapping[str | None, Sequence[int]],
    parents: Mapping[str, str | None],
    names: Mapping[str, str],
    targets: Mapping[str, int],
    *,
    only: Iterable[str] | None = None,
) -> list[Ratio]:
    """Rows of the report, of each unit's own counts: officers, devices, and devices of each category."""
    known = {code: told for code, told in counts.items() if code is not None}
    tree = summed(known, parents, width=len(_COUNTED))
    totals: dict[str | None, Sequence[int]] = dict(tree.items())
    order: list[str | None] = [code for code, _ in walk(parents) if only is None or code in set(only)]
    if only is None and any(counts.get(None, ())):
        totals[None] = counts[None]
        order.append(None)
    return [row for code in order for row in _rows_of(code, names.get(code or "", ""), totals[code], targets)]


def _rows_of(code: str | None, name: str, told: Sequence[int], targets: Mapping[str, int]) -> list[Ratio]:
    officers, *devices = told
    rows = []
    for category, number in zip(_COUNTED[1:], devices, strict=True):
        target = targets.get(category)
        # Of the officers, not of the devices: rounded up, because a part of a camera films nothing.
        wanted = None if target is None else -(-officers // target)
        if category == _ALL or number:
            rows.append(Ratio(code, name, category, number, officers, wanted))
    return rows


def _counts(
    devices: Iterable[Device],
    officers: Iterable[tuple[Officer, str | None]],
    parents: Mapping[str, str | None],
    day: date,
    figures: DeviceFigures,
) -> dict[str | None, Sequence[int]]:
    found: Counter[tuple[str | None, str]] = Counter()
    for officer, unit in officers:
        found[unit, "officers"] += is_valid_on(officer, day)
    for device in devices:
        if device.status is Status.IN_USE and device.kind in figures.kinds:
            unit = device.unit if device.unit in parents else None
            found.update({(unit, _ALL), *([(unit, device.category)] if device.category else [])})
    return {unit: [found[unit, name] for name in _COUNTED] for unit in {unit for unit, _ in found}}
