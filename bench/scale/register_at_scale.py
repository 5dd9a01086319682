# SPDX-License-Identifier: Apache-2.0
"""This is where a large register is asked: the same questions at three sizes on both engines, beside bare SQL."""

import random
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.result import Goal, Result, mib, paragraphs
from bench.scale.databases import ENGINES, Ask, bare, database, opened, put_rows, settle, size_bytes
from bench.scale.filling import Agency, made_up
from bench.scale.questions import QUESTIONS, Question
from storage.register.register import Register

SIZES = (1_000, 10_000, 100_000)
_ROUNDS, _WARM = 300, 10
_CASE_LIMIT_S, _GROWTH_LIMIT = 0.020, 2.0
_SEED = 7
_COLUMNS = (
    *("question", "engine", "10⁴ p50", "10⁵ p50", "10⁶ p50", "10⁶ p99", "growth p50", "growth p99"),
    *("bare p50", "of bare"),
)
_COMPARED = paragraphs("""
The register of an agency of one size that grows with time: 500 officers, 600 cameras, 1000 recordings a day of
ten segments on average, 45 % of them in cases; 10³, 10⁴ and 10⁵ recordings, that is 10⁴, 10⁵ and 10⁶ segments.
Rows are as the projection writes them, by bulk insert, with claims and facts of real length; `custody_events` is
left empty, for none of these questions reads it. Indexes are those of the migrations. PostgreSQL has
been vacuumed and analysed, as its daemon does; SQLite has no statistics, as in production.

Ours: the whole of one question in this process: a connection from the pool, BEGIN, our code, rows as
dictionaries, ROLLBACK. 300 times each, what it is about drawn anew each time (seed 7), ten times unmeasured first.
Milliseconds. `growth` is 10⁶ against 10⁴ segments.

Bare: the same question in SQL written by hand, through sqlite3 or psycopg (prepared), one open connection, rows
as tuples, over the same indexes, at 10⁶ segments. It is told that no recording lasts over an hour, which our code
does not assume. `of bare` is our median to its median. Ours takes longer by what SQLAlchemy costs, by transaction,
and by asking in several questions what one hand-written one asks.

Bare `jobs` gives the oldest; ours takes turns among docks.
""")


@dataclass(frozen=True, slots=True)
class Asked:
    """Seconds of one question on one engine at one size."""

    question: str
    engine: str
    recordings: int
    ours: tuple[float, ...]
    bare: tuple[float, ...]
    rows: tuple[int, ...]

    def to_dict(self) -> dict[str, Any]:
        """A form that JSON can hold: shares of the distribution in milliseconds."""
        told = {"question": self.question, "engine": self.engine, "recordings": self.recordings}
        shares = {
            f"{name}_{share}_ms": round(1000 * quantile(values, share / 100), 4)
            for name, values in (("ours", self.ours), ("bare", self.bare))
            for share in (50, 90, 99)
        }
        return {**told, **shares, "rows_median": quantile(self.rows, 0.5), "rows_most": max(self.rows)}


def quantile(values: Sequence[float], share: float) -> float:
    """The value that this share of all values does not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, -(-int(share * 1000 * len(ordered)) // 1000) - 1))]


def measure_register(sizes: Sequence[int] = SIZES, engines: Sequence[str] = ENGINES, rounds: int = _ROUNDS) -> Result:
    """Every question on every engine at every size."""
    asked: list[Asked] = []
    filled: list[dict[str, Any]] = []
    for recordings in sizes:
        agency = made_up(recordings)
        for engine in engines:
            with tempfile.TemporaryDirectory(prefix="evidock-scale-") as folder, database(engine, Path(folder)) as url:
                filled.append({"engine": engine, "recordings": recordings} | _fill(url, Path(folder), agency))
                with opened(url, Path(folder)) as register, bare(url) as ask:
                    asked += [_ask(one, engine, agency, register, ask, rounds=rounds) for one in QUESTIONS]
    return _result(asked, filled)


def _fill(url: str, folder: Path, agency: Agency) -> dict[str, Any]:
    began = time.monotonic()
    with opened(url, folder) as register, register.begin() as facts:
        for table, (columns, rows) in agency.tables.items():
            put_rows(facts.connection, table, columns, rows)
    settle(url)
    counts = {table: len(rows) for table, (_, rows) in agency.tables.items()}
    return {"seconds": round(time.monotonic() - began, 1), "bytes": size_bytes(url), "rows": counts}


def _ask(question: Question, engine: str, agency: Agency, register: Register, ask: Ask, *, rounds: int) -> Asked:
    chance = random.Random(f"{_SEED} {question.name}")
    ours: list[float] = []
    bare_: list[float] = []
    rows: list[int] = []
    for number in range(rounds + _WARM):
        about = question.draw(chance, agency)
        began = time.perf_counter()
        with register.view() as connection:
            count = question.ours(connection, about)
        between = time.perf_counter()
        ask(question.sql, question.values(about))
        ended = time.perf_counter()
        if number >= _WARM:
            ours.append(between - began)
            bare_.append(ended - between)
            rows.append(count)
    return Asked(question.name, engine, len(agency.recordings), tuple(ours), tuple(bare_), tuple(rows))


def _result(asked: Sequence[Asked], filled: Sequence[dict[str, Any]]) -> Result:
    by_key = {(one.question, one.engine, one.recordings): one for one in asked}
    pairs = dict.fromkeys((one.question, one.engine) for one in asked)
    sizes = sorted({one.recordings for one in asked})
    rows = [_row([by_key[question, engine, size] for size in sizes]) for question, engine in pairs]
    largest = [one for one in filled if one["recordings"] == sizes[-1]]
    told = tuple(
        f"At the largest size {one['engine']} holds {one['rows']['segments']:,} segments and "
        f"{one['rows']['case_links']:,} links in {mib(one['bytes'])}; filled in {one['seconds']:.0f} s."
        for one in largest
    )
    figures = {"asked": [one.to_dict() for one in asked], "filled": list(filled), "rounds": len(asked[0].ours)}
    title = "A register of 10⁵ recordings and 10⁶ segments"
    goals = tuple(goal for pair in pairs for goal in _goals([by_key[*pair, size] for size in sizes]))
    return Result("register", title, (*_COMPARED, *told), _COLUMNS, tuple(rows), figures, goals)


def _row(sizes: Sequence[Asked]) -> tuple[str, ...]:
    small, large = sizes[0], sizes[-1]
    medians = [quantile(one.ours, 0.5) for one in sizes]
    bare_ = quantile(large.bare, 0.5)
    return (
        *(large.question, {"postgresql": "PostgreSQL", "sqlite": "SQLite"}[large.engine]),
        *(f"{1000 * one:.2f}" for one in medians),
        f"{1000 * quantile(large.ours, 0.99):.2f}",
        f"{medians[-1] / medians[0]:.2f} ×",
        f"{quantile(large.ours, 0.99) / quantile(small.ours, 0.99):.2f} ×",
        *(f"{1000 * bare_:.2f}", f"{medians[-1] / bare_:.1f} ×"),
    )


def _goals(sizes: Sequence[Asked]) -> tuple[Goal, ...]:
    small, large = sizes[0], sizes[-1]
    name = f"{large.question}, {large.engine}"
    worst = quantile(large.ours, 0.99)
    growth = quantile(large.ours, 0.5) / quantile(small.ours, 0.5)
    within = f"≤ {1000 * _CASE_LIMIT_S:g} ms"
    growing = f"≤ {_GROWTH_LIMIT:g} ×"
    return (
        Goal(f"{name}: p99 at 10⁶ segments", within, f"{1000 * worst:.2f} ms", worst <= _CASE_LIMIT_S),
        Goal(f"{name}: growth of the median from 10⁴", growing, f"{growth:.2f} ×", growth <= _GROWTH_LIMIT),
    )
