# SPDX-License-Identifier: Apache-2.0
"""This is where coverage is told to programs: one case cell by cell, or the counts of many."""

from fractions import Fraction
from typing import Any

from evidence import instant
from evidence.catalog import Catalog
from evidence.coverage_matrix import Matrix, Tally
from evidence.coverage_terms import Activity, Cell, Code, Coverage, Status


def tell_coverage(found: Coverage, catalog: Catalog) -> dict[str, Any]:
    """The JSON of a case that was held against a catalog."""
    demanded = [cell for cell in found.cells if cell.is_demanded]
    return {
        "case": found.case.number,
        "catalog": catalog.id,
        "type": found.case.type,
        "unit": found.case.unit,
        "demanded": len(demanded),
        "present": sum(cell.status is Status.PRESENT for cell in demanded),
        "rate_permille": _permille(found.rate),
        "cells": [_told_cell(cell) for cell in found.cells],
        "doubts": [{"code": doubt.value, "of": told} for doubt, told in found.doubts],
    }


def _told_cell(cell: Cell) -> dict[str, Any]:
    item = cell.item
    return {
        "item": item.id,
        "type": item.type,
        "link": item.link,
        "obligation": item.obligation.value,
        **_told_activity(cell.activity),
        "status": cell.status.value,
        "is_demanded": cell.is_demanded,
        "due": instant.to_text(cell.due),
        "recordings": list(cell.recordings),
        "invalid": list(cell.invalid),
        "findings": [{"code": finding.code.value, **finding.facts} for finding in cell.findings],
    }


def _told_activity(activity: Activity) -> dict[str, Any]:
    return {
        "can_be": [item.id for item in activity.items],
        "papers": list(activity.papers),
        "from": None if activity.start is None else instant.to_text(activity.start),
        "to": None if activity.end is None else instant.to_text(activity.end),
    }


def tell_matrix(matrix: Matrix, catalog: Catalog, *, unit: str | None) -> dict[str, Any]:
    """The JSON of the counts of many cases."""
    return {
        "catalog": catalog.id,
        "unit": unit,
        "cases": matrix.cases,
        "total": _told_tally(matrix.total),
        "cells": [
            {"type": type_, "link": link, **_told_tally(tally)} for (type_, link), tally in in_order(matrix, catalog)
        ],
        "units": [{"unit": code, **_told_tally(tally)} for code, tally in by_unit(matrix)],
        "doubts": dict(sorted(matrix.doubts.items())),
    }


def _told_tally(tally: Tally) -> dict[str, Any]:
    return {
        "demanded": tally.demanded,
        **{status.value: tally.must[status] for status in Status},
        "rate_permille": _permille(tally.rate),
        "other": tally.other.total(),
        "other_present": tally.other[Status.PRESENT],
        "findings": {code.value: tally.findings[code.value] for code in Code if tally.findings[code.value]},
    }


def in_order(matrix: Matrix, catalog: Catalog) -> list[tuple[tuple[str, str], Tally]]:
    """Cells of the matrix as the catalog orders types and links."""
    types, links = list(catalog.types), list(catalog.links)
    return sorted(matrix.cells.items(), key=lambda one: (types.index(one[0][0]), links.index(one[0][1])))


def by_unit(matrix: Matrix) -> list[tuple[str | None, Tally]]:
    """Units by code, cases of none last."""
    return sorted(matrix.units.items(), key=lambda one: (one[0] is None, one[0] or ""))


def _permille(rate: Fraction | None) -> int | None:
    return None if rate is None else round(rate * 1000)
