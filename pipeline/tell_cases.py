# SPDX-License-Identifier: Apache-2.0
"""This is where rows of cases become the JSON that scripts rely on."""

import json
from collections.abc import Sequence
from typing import Any

from storage.register import casebook
from storage.register.search import Connection, Row


def tell_cases(connection: Connection, rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Cases as lists tell them, in the order given."""
    named = [row["id"] for row in rows]
    held, officers = casebook.held_by_cases(connection, named), casebook.officers_by_case(connection, named)
    return [
        {
            **{name: row[name] for name in ("number", "title", "kind", "type", "unit", "item", "file_term")},
            **{name: row[name] for name in ("source", "source_key", "closed_at")},
            "from": row["start_at"],
            "to": row["end_at"],
            "officers": officers.get(row["id"], []),
            "segments": sum(held.get(row["id"], {}).values()),
            "recordings": sorted(held.get(row["id"], {})),
            "closed": row["closed_at"] is not None,
        }
        for row in rows
    ]


def tell_papers(connection: Connection, row: Row) -> dict[str, Any]:
    """What else is told of a case: its papers, explained interruptions, conditions, parties, place, draw."""
    documents = casebook.documents_of(connection, row["id"])
    columns = ("id", "name", "number", "link", "item", "start_at", "end_at")
    return {
        "told": json.loads(row["told"]),
        "documents": [
            {name: one[name] for name in columns} | {"officers": json.loads(one["officers"])} for one in documents
        ],
        "gaps": [
            {name: one[name] for name in ("start_at", "end_at", "how", "why")}
            for one in casebook.gaps_of(connection, row["id"])
        ],
        "conditions": [
            {name: one[name] for name in ("code", "why", "set_by", "set_at")}
            for one in casebook.conditions_of(connection, "case", row["id"])
        ],
    }
