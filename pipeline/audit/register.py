# SPDX-License-Identifier: Apache-2.0
"""This is where rows of the register are held against the signed records: the register is only an index.

Compared is what names bytes: originals, derivatives, time tokens, tombstones, archives; each recording's state; and
all that speaks for keeping: item, clocks, locks, holds, cases and what is in them, conditions, appraisals, catalogs;
what docks may do and did, who held which device, what was noticed of a recording and came along with it; and users,
their roles, approvals, grants and members of cases.
Other rows that are made from details (names, segments) are not compared here: a rebuilt register shows them.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from evidence import instant
from pipeline.audit import agreements, devices
from pipeline.audit.ledger import Told
from pipeline.audit.sheet import Sheet
from storage.register import dock_rows, ends, search
from storage.register.rows import as_text
from storage.register.search import Connection, Row

Key = tuple[Any, ...]
_TABLES: Mapping[str, tuple[str, ...]] = {
    "recordings": ("id",),
    "originals": ("sha256",),
    "derivatives": ("recording", "kind"),
    "time_tokens": ("size", "authority"),
    "tombstones": ("recording",),
    "archives": ("recording",),
    "holds": ("id",),
    "cases": ("id",),
    "conditions": ("noun", "subject", "code"),
    "appraisals": ("recording",),
    "case_links": ("segment", "case_id"),
    "catalogs": ("id",),
    **devices.TABLES,
    **agreements.TABLES,
}


def read_rows(connection: Connection) -> dict[str, list[Row]]:
    """All rows that `check_rows` compares, of one moment."""
    return {table: search.every(connection, table) for table in _TABLES}


def rows_of(connection: Connection, recording: str) -> dict[str, list[Row]]:
    """The rows about one recording, for `check_rows`."""
    return {
        "recordings": [search.recording(connection, recording)],
        "originals": search.originals_of(connection, recording),
        "derivatives": search.derivatives_of(connection, recording),
        "tombstones": [row for row in (ends.tombstone_of(connection, recording),) if row is not None],
        "archives": [row for row in (ends.archive_of(connection, recording),) if row is not None],
        "attachments": dock_rows.attachments_of(connection, recording),
        "remarks": dock_rows.remarks_of(connection, recording),
        "series_parts": [row for row in dock_rows.series_of(connection, recording) if row["recording"] == recording],
    }


def check_rows(told: Told, rows: Mapping[str, Sequence[Row]], *, sheet: Sheet) -> None:
    """Every row says what the records say; no row is missing, and none is there that no record made."""
    expected: dict[str, Mapping[Any, Mapping[str, Any]]] = {
        "recordings": {
            (name,): {"state": state.value, **told.keeping.recordings.get(name, {})}
            for name, (_, state) in told.states.items()
            if state
        },
        "holds": told.keeping.holds,
        "cases": told.keeping.cases,
        "conditions": told.keeping.conditions,
        "appraisals": told.keeping.appraisals,
        "case_links": told.keeping.links,
        "catalogs": told.keeping.catalogs,
        "originals": _originals(told),
        "derivatives": _derivatives(told),
        "time_tokens": _tokens(told),
        "tombstones": _tombstones(told),
        **told.devices.rows,
        **told.agreements.rows,
        "clock_readings": devices.expected_readings(told.devices, rows.get("clock_readings", ())),
        "archives": {
            (name,): {"place": one.place, "storage_class": one.storage_class}
            for name, one in told.endings.archived.items()
        },
    }
    for table, found in rows.items():
        key = _TABLES[table]
        named = {tuple(row[column] for column in key): row for row in found}
        _compare(table, expected[table], named, sheet=sheet)


def _originals(told: Told) -> dict[Key, dict[str, Any]]:
    made: dict[Key, dict[str, Any]] = {}
    for sha256, one in told.measured.items():
        sealed = told.sealed.get(sha256)
        made[sha256,] = {
            "recording": one.recording,
            "size_bytes": one.size_bytes,
            "container": one.container,
            "chunk_root": one.chunk_root,
            "packet_root": one.packet_root,
            "packets_sha256": one.packets_sha256,
            "receipt_sha256": None if sealed is None else sealed.receipt_sha256,
        }
    return made


def _derivatives(told: Told) -> dict[Key, dict[str, Any]]:
    return {
        key: {
            "sha256": one.sha256,
            "size_bytes": one.size_bytes,
            "recipe": one.recipe,
            "removed_at": told.endings.removed_at(*key),
        }
        for key, (_, one) in told.first_derived.items()
    }


def _tombstones(told: Told) -> dict[Key, dict[str, Any]]:
    bytes_of = {one.recording: one for one in told.measured.values()}
    return {
        (name,): {
            "disposal": begun.disposal,
            "sha256": bytes_of[name].sha256 if name in bytes_of else None,
            "size_bytes": bytes_of[name].size_bytes if name in bytes_of else None,
            "disposed_at": instant.to_text(told.endings.disposed[name].at) if name in told.endings.disposed else None,
            **({"told": as_text(told.endings.stones[name])} if name in told.endings.stones else {}),
        }
        for name, begun in told.endings.begun.items()
    }


def _tokens(told: Told) -> dict[Key, dict[str, Any]]:
    return {
        key: {"sha256": one.sha256, "gen_time": one.gen_time, "trust": one.trust}
        for key, (_, one) in told.first_stamped.items()
    }


def _compare(table: str, expected: Mapping[Key, Mapping[str, Any]], found: Mapping[Key, Row], *, sheet: Sheet) -> None:
    name = f"register/{table}"
    for key in sorted(expected.keys() | found.keys(), key=repr):
        where = " ".join(map(str, key))
        if key not in found:
            sheet.blame(name, "missing", f"{where}: the records speak of it")
        elif key not in expected:
            sheet.blame(name, "unrecorded", f"{where}: no record made this row")
        else:
            for column, value in expected[key].items():
                if _value(found[key], column) != value:
                    told = f"{where}: {column} is {found[key][column]}, recorded is {value}"
                    sheet.blame(name, "altered", told)


def _value(row: Row, column: str) -> Any:
    if column != "recipe":
        return row[column]
    try:
        return json.loads(row[column])
    except (TypeError, ValueError):
        return row[column]
