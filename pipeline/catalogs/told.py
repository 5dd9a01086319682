# SPDX-License-Identifier: Apache-2.0
"""This is where versions of the catalog, and a change between two, are told to programs."""

import json
from datetime import datetime
from typing import Any

from evidence import instant
from pipeline.catalogs.adopt import Reviewed
from pipeline.catalogs.diff import CatalogDiff
from pipeline.catalogs.review import is_remembered
from pipeline.ports import Ports
from storage.register import catalogs
from storage.register.answers import Row
from storage.register.search import Connection


def tell_versions(connection: Connection, *, ports: Ports, now: datetime) -> dict[str, Any]:
    """The JSON of all versions that were ever proposed, and which counts at `now`."""
    counting = catalogs.adopted_rows(connection, instant.to_text(now))
    newest = counting[-1]["id"] if counting and counting[-1]["approved_at"] else ports.catalog.id
    rows = [tell_version(row, newest=newest, now=now) for row in catalogs.every_version(connection)]
    return {"versions": rows, "in_force": newest, "configured": ports.catalog.id}


def tell_review(found: Reviewed) -> dict[str, Any]:
    """The JSON of a reviewed change."""
    return {
        "catalog": found.catalog,
        "effective_from": instant.to_text(found.effective_from),
        "adopted": found.is_adopted,
        "change": tell_change(found.change),
        "effects": found.effects.to_json(),
    }


def tell_change(change: CatalogDiff) -> dict[str, Any]:
    """The JSON of what differs between two versions."""
    return {
        "old": change.old,
        "new": change.new,
        "added": [item.id for item in change.added],
        "removed": [item.id for item in change.removed],
        "changed": [
            {
                "item": one.id,
                "keeping": one.keeping.value,
                "deadline": one.deadline.value,
                "obligation": one.obligation.value,
                "fields": [{"field": said.field, "old": said.old, "new": said.new} for said in one.fields],
            }
            for one in change.changed
        ],
        "head": [{"field": said.field, "old": said.old, "new": said.new} for said in change.head],
    }


def tell_version(row: Row, *, newest: str, now: datetime) -> dict[str, Any]:
    """The JSON of a version, without its text."""
    heads = ("id", "sha256", "profile", "preset", "effective_from", "why", "proposed_by", "proposed_at")
    return {
        **{name: row[name] for name in (*heads, "approved_by", "approved_at", "withdrawn_at")},
        "state": _state(row, newest=newest, now=now),
        "shortens": json.loads(row["shortens"]),
        "filing": json.loads(row["filing"]),
    }


def _state(row: Row, *, newest: str, now: datetime) -> str:
    if row["withdrawn_at"] is not None:
        return "withdrawn"
    if row["id"] == newest:
        return "in-force"
    if row["approved_at"] is None:
        return "used" if is_remembered(row) else "proposed"
    return "approved" if row["effective_from"] > instant.to_text(now) else "past"
