# SPDX-License-Identifier: Apache-2.0
"""This is where what is told of a case, and how far it is covered, become the two files of a pack that say so."""

import json
from datetime import datetime
from typing import Any

from evidence import instant
from evidence.coverage import cover
from evidence.coverage_terms import Cell, Coverage, Status
from pipeline.coverage import case_of, yardstick_now
from pipeline.ports import Ports
from storage.register import casebook, coverage_rows, search
from storage.register.search import Connection, Row

_CASE = (
    "id", "number", "title", "kind", "type", "item", "unit", "start_at", "end_at", "opened_at", "closed_at",
    "file_term", "source", "source_key",
)  # fmt: skip
_LINK = ("segment", "recording", "start", "end", "start_at", "linked_by", "linked_at")
_PAPER = ("id", "name", "number", "link", "item", "start_at", "end_at")
_GAP = ("start_at", "end_at", "how", "why")
_CONDITION = ("code", "why", "set_by", "set_at")


def case_facts(connection: Connection, row: Row) -> dict[str, Any]:
    """All that the register tells of a case, with the reason of each link."""
    return {
        **{name: row[name] for name in _CASE},
        "officers": search.officers_of_case(connection, row["id"]),
        "told": json.loads(row["told"]),
        "links": [
            {name: link[name] for name in _LINK} | {"reason": json.loads(link["reason"])}
            for link in search.links_of_case(connection, row["id"])
        ],
        "documents": [
            {name: one[name] for name in _PAPER} | {"officers": json.loads(one["officers"])}
            for one in casebook.documents_of(connection, row["id"])
        ],
        "gaps": [{name: one[name] for name in _GAP} for one in casebook.gaps_of(connection, row["id"])],
        "conditions": [
            {name: one[name] for name in _CONDITION}
            for one in casebook.conditions_of(connection, "case", row["id"])
        ],
    }  # fmt: skip


def coverage_facts(connection: Connection, row: Row, *, ports: Ports, now: datetime) -> dict[str, Any]:
    """The case held against the catalog in force at `now`: each cell, and what is missing."""
    yardstick = yardstick_now(connection, ports=ports, now=now)
    rows = coverage_rows.filled(connection, [row])
    found = cover(case_of(rows[0], yardstick.limits), yardstick, now=now)
    demanded = [cell for cell in found.cells if cell.is_demanded]
    return {
        "at": instant.to_text(now),
        "catalog": yardstick.catalog.id,
        "cells": [_cell(cell) for cell in found.cells],
        "demanded": len(demanded),
        "doubts": _doubts(found),
        "present": sum(cell.status is Status.PRESENT for cell in demanded),
    }


def _doubts(found: Coverage) -> list[dict[str, str]]:
    return [{"code": doubt.value, "of": told} for doubt, told in found.doubts]


def _cell(cell: Cell) -> dict[str, Any]:
    start, end = (None if one is None else instant.to_text(one) for one in (cell.activity.start, cell.activity.end))
    return {
        "due": instant.to_text(cell.due),
        "findings": [{"code": finding.code.value, **finding.facts} for finding in cell.findings],
        "from": start,
        "invalid": list(cell.invalid),
        "is_demanded": cell.is_demanded,
        "item": cell.item.id,
        "link": cell.item.link,
        "name_zh": cell.item.name_zh,
        "obligation": cell.item.obligation.value,
        "recordings": list(cell.recordings),
        "status": cell.status.value,
        "to": end,
    }
