# SPDX-License-Identifier: Apache-2.0
"""This is where a list of people, units or devices is taken in row by row: what was done, and what was not, and why."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from evidence.errors import BadInput, Refused, Unacceptable
from pipeline.cells import Read, Where, read_cells
from pipeline.ports import Ports
from pipeline.sheets import Fault, SheetRow
from storage.register.facts import Facts


@dataclass(slots=True)
class Listed:
    """What taking in a list did: how many were registered anew or changed, how many were so already, and faults."""

    changed: int = 0
    same: int = 0
    faults: list[Fault] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """As a mapping for JSON."""
        return {
            "changed": self.changed,
            "same": self.same,
            "refused": len(self.faults),
            "faults": [fault.to_json() for fault in sorted(self.faults, key=lambda fault: fault.line)],
        }


Told = list[tuple[Where, dict[str, Any]]]
"""Rows that were read: where each is, and its values by field."""


def read_row(row: SheetRow, where: Where, readers: Mapping[str, Read], listed: Listed) -> dict[str, Any] | None:
    """The values of a row by field; None, and its faults noted, when one cannot be read."""
    told, faults = read_cells(row.cells, readers, where)
    listed.faults += faults
    return None if faults else told


def once(rows: Told, key: str, listed: Listed) -> Told:
    """The rows without those whose key an earlier one has."""
    seen: dict[str, int] = {}
    unique = []
    for where, told in rows:
        if told[key] in seen:
            double = BadInput(f"{told[key]!r} is on line {seen[told[key]]} already")
            listed.faults.append(where.fault(double, field=key))
            continue
        seen[told[key]] = where.line
        unique.append((where, told))
    return unique


def take(rows: Told, register: Callable[[Facts, dict[str, Any]], bool], listed: Listed, *, ports: Ports) -> None:
    """Register each row that was read, in a transaction of its own; what is refused is noted."""
    # A list is short, and wrong together or right together only row by row: each is decided before it is written.
    for where, told in rows:
        try:
            with ports.register.begin() as facts:
                is_new = register(facts, told)
        except (Unacceptable, Refused) as error:
            listed.faults.append(where.fault(error))
            continue
        listed.changed += is_new
        listed.same += not is_new
