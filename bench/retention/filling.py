# SPDX-License-Identifier: Apache-2.0
"""This is where the register of a large agency is made up as far as keeping reads it, row by row, flat in memory.

Ids are random, as real ones are digests; rows come in the order of time, as they do in life. Claims are as long as
real ones. A recording has six segments: more of them make more links to read, nothing else.
"""

import hashlib
import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

from bench.scale.databases import put_rows
from evidence import ids, instant
from evidence.catalog import Catalog
from storage.register.register import Register

BEGAN = datetime(2020, 1, 1, tzinfo=UTC)
NOW = datetime(2026, 6, 1, tzinfo=UTC)
PER_DAY = 500
SEGMENTS = 6
FILED, IN_A_CASE = 0.45, 5
_BASE32 = "abcdefghijklmnopqrstuvwxyz234567"
_BATCH = 20_000
Row = tuple[Any, ...]

_RECORDING = (
    *("id", "state", "kind", "name", "dock", "device", "officer", "start_at", "end_at", "duration", "claims"),
    *("item", "item_reason", "catalog", "arrived_at", "stamped_size", "end_latest"),
)
_CASE = ("id", "number", "title", "start_at", "end_at", "opened_at", "closed_at", "file_term")
_LINK = ("segment", "case_id", "recording", "reason", "linked_by", "linked_at")
_CONDITION = ("noun", "subject", "code", "why", "set_by", "set_at")
_HOLD = ("id", "noun", "subject", "why", "placed_by", "placed_at")
_ORIGINAL = ("recording", "position", "name", "sha256", "size_bytes", "chunk_root", "facts")
_COLUMNS = {"recordings": _RECORDING, "cases": _CASE, "case_links": _LINK, "conditions": _CONDITION, "holds": _HOLD}
# The first in the order of ids rests in the store, which can so be seen to know no locks.
AT_REST = "rec-" + "2" * 20
BYTES = b"footage"


@dataclass(slots=True)
class _Filmed:
    id: str
    ended: datetime


def fill(register: Register, catalog: Catalog, *, recordings: int, seed: int = 2026) -> dict[str, int]:
    """Write the rows of so many recordings, their cases, conditions and holds; how many of each table."""
    chance = random.Random(seed)
    counts = dict.fromkeys(_COLUMNS, 0)
    _rest_one(register, catalog, chance)
    for first in range(0, recordings, _BATCH):
        tables = _batch(range(first, min(first + _BATCH, recordings)), catalog, chance)
        with register.leasing() as connection:
            for table, rows in tables.items():
                put_rows(connection, table, _COLUMNS[table], rows)
                counts[table] += len(rows)
    return counts


def _rest_one(register: Register, catalog: Catalog, chance: random.Random) -> None:
    sha256 = hashlib.sha256(BYTES).hexdigest()
    row = _recording(_Filmed(AT_REST, NOW), next(iter(catalog.items)), catalog.id, chance)
    with register.leasing() as connection:
        put_rows(connection, "recordings", _RECORDING, [row])
        put_rows(connection, "originals", _ORIGINAL, [(AT_REST, 0, "a.mp4", sha256, len(BYTES), sha256, "{}")])


def _batch(numbers: range, catalog: Catalog, chance: random.Random) -> dict[str, list[Row]]:
    tables: dict[str, list[Row]] = {table: [] for table in _COLUMNS}
    items = list(catalog.items)
    filmed = []
    for number in numbers:
        one = _Filmed(
            "rec-" + "".join(chance.choices(_BASE32, k=20)),
            BEGAN + timedelta(days=number / PER_DAY, minutes=chance.randrange(600)),
        )
        filmed.append(one)
        tables["recordings"].append(_recording(one, chance.choice(items), catalog.id, chance))
        if chance.random() < 0.002:
            tables["holds"].append(_hold("recording", one.id, chance))
    waiting = iter(chance.sample(filmed, round(FILED * len(filmed))))
    while held := list(islice(waiting, min(1 + int(chance.expovariate(1 / IN_A_CASE)), 40))):
        for table, rows in _case(held, chance):
            tables[table] += rows
    return tables


def _text(moment: datetime) -> str:
    return instant.to_text(moment)


def _recording(one: _Filmed, item: str, catalog: str, chance: random.Random) -> Row:
    officer, start = f"43{chance.randrange(500):04d}", one.ended - timedelta(minutes=1)
    name = f"DSJ_SIM{officer}_{officer}_{start:%Y%m%d_%H%M%S}.mp4"
    marks = [{"field": "important", "source": "file-name", "value": "yes"}] if chance.random() < 0.03 else []
    claims = marks + [
        {"field": what, "source": source, "value": f"{value} {name}"}
        for source in ("file-name", "folder", "container", "sidecar", "mtime")
        for what, value in (("device", officer), ("officer", officer), ("start", _text(start)))
    ]
    doubt = chance.random()
    latest = None if doubt < 0.02 else _text(one.ended + timedelta(days=40 if doubt < 0.03 else 0))
    state = "quarantined" if chance.random() < 0.01 else "indexed"
    arrived = _text(one.ended + timedelta(hours=6))
    return (
        *(one.id, state, "video", name, f"dock-{chance.randrange(64):02d}", officer, officer, _text(start)),
        *(_text(one.ended), "60", json.dumps(claims), item if chance.random() < 0.98 else None),
        *('{"rule": "default"}', catalog, arrived, 1, latest),
    )


def _case(held: list[_Filmed], chance: random.Random) -> Iterator[tuple[str, list[Row]]]:
    case, began = "cas-" + "".join(chance.choices(_BASE32, k=16)), held[0].ended
    closed = None if chance.random() < 0.1 else _text(began + timedelta(days=chance.randrange(10, 200)))
    term = chance.choice([None, None, None, "P10Y", "P30Y", "permanent"])
    yield "cases", [(case, case, "", _text(began), _text(began), _text(began), closed, term)]
    why = '{"rule": "officer-window", "officer": "430001", "window": ["", ""]}'
    yield (
        "case_links",
        [
            (ids.segment_id(one.id, n), case, one.id, why, "worker", _text(began))
            for one in held
            for n in range(SEGMENTS)
        ],
    )
    if chance.random() < 0.06:
        code = chance.choice(["PC-EVID", "PC-OBSTRUCT", "PC-MAJOR", "PC-DISPUTE"])
        yield "conditions", [("case", case, code, "", "cli:a", _text(began))]
    if chance.random() < 0.01:
        yield "holds", [_hold("case", case, chance)]


def _hold(noun: str, subject: str, chance: random.Random) -> Row:
    return ("hol-" + "".join(chance.choices(_BASE32, k=16)), noun, subject, "", "cli:a", _text(BEGAN))
