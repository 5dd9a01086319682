# SPDX-License-Identifier: Apache-2.0
"""This is where leave that has ended becomes one event: what was fetched by it, and what its player says was shown."""

from datetime import datetime, timedelta
from typing import Any

from evidence import instant
from evidence.custody import Happening
from pipeline.ports import Ports
from storage.register import token_rows
from storage.register.answers import Row
from storage.register.facts import Facts
from web.media.seen import Ledger, Seen

_AT_ONCE = 100


def act_of(what: str) -> str:
    """The act that fetching this is."""
    return "media.original" if what == "original" else "media.view"


def fold_ended(ledger: Ledger, *, ports: Ports, now: datetime, keep_days: int) -> int:
    """Write down what was seen, and make one event of each leave that has ended; how many ended.

    Repeat: of what is folded nothing is done again, whichever server asks.

    Raises:
        RegisterUnavailable, StoreUnavailable: worth another try; nothing is lost.
    """
    ledger.flush(ports.register)
    at = instant.to_text(now)
    with ports.register.view() as connection:
        rows = token_rows.ended(connection, at=at, limit=_AT_ONCE)
    if not rows:
        return 0
    rested = [(row, ports.register.rest(_happening(row))) for row in rows]
    with ports.register.begin() as writing:
        for row, happening in rested:
            if token_rows.fold(writing.connection, row["sha256"], at=at):
                writing.record(happening, actor=row["actor"], at=now)
        _forget(writing, now=now, keep_days=keep_days)
    return len(rows)


def _happening(row: Row) -> Happening:
    seen = Seen.of_rows(*token_rows.stretches_of(row))
    facts: dict[str, Any] = {"act": act_of(row["what"]), "noun": "recording", "subject": row["recording"]}
    facts |= {"outcome": "allowed", "code": None, "token": row["id"], "served_bytes": seen.served_bytes}
    served, watched = seen.rows()
    facts["watched_ms"] = sum(end - first for first, end in watched)
    return Happening("accessed", row["stream"], facts=facts, detail={"served": served[1:], "watched": watched})


def _forget(writing: Facts, *, now: datetime, keep_days: int) -> None:
    token_rows.forget_tokens(writing.connection, before=instant.to_text(now - timedelta(days=keep_days)))
