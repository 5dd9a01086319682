# SPDX-License-Identifier: Apache-2.0
"""This is where the coverage of many cases is counted: by enforcement type and link, and by unit."""

from collections import Counter
from dataclasses import dataclass, field
from fractions import Fraction

from evidence.catalog import Obligation
from evidence.coverage_terms import Cell, Coverage, Status


@dataclass(slots=True)
class Tally:
    """Counts of cells. `must` are cells of items that must be recorded, by what became of them; `other` the rest.

    `findings` counts the must cells that have a finding, by its code: each cell once for each code.
    """

    must: Counter[Status] = field(default_factory=Counter)
    other: Counter[Status] = field(default_factory=Counter)
    findings: Counter[str] = field(default_factory=Counter)

    def add(self, cell: Cell) -> None:
        """Count one cell."""
        if cell.item.obligation is not Obligation.MUST:
            self.other[cell.status] += 1
            return
        self.must[cell.status] += 1
        self.findings.update({finding.code.value for finding in cell.findings})

    @property
    def demanded(self) -> int:
        """Must cells that are not merely awaited."""
        return self.must.total() - self.must[Status.AWAITED]

    @property
    def rate(self) -> Fraction | None:
        """Present cells among the demanded (清单覆盖率); None when none is demanded."""
        return Fraction(self.must[Status.PRESENT], self.demanded) if self.demanded else None


@dataclass(slots=True)
class Matrix:
    """Tallies of many cases: in all, by (type, link) of the cells' items, by unit of the cases, and doubts by kind."""

    cases: int = 0
    total: Tally = field(default_factory=Tally)
    cells: dict[tuple[str, str], Tally] = field(default_factory=dict)
    units: dict[str | None, Tally] = field(default_factory=dict)
    doubts: Counter[str] = field(default_factory=Counter)

    def add(self, coverage: Coverage) -> None:
        """Count one case."""
        self.cases += 1
        self.doubts.update(doubt.value for doubt, _ in coverage.doubts)
        unit = self.units.setdefault(coverage.case.unit, Tally())
        for cell in coverage.cells:
            place = self.cells.setdefault((cell.item.type, cell.item.link), Tally())
            for tally in (self.total, unit, place):
                tally.add(cell)
