# SPDX-License-Identifier: Apache-2.0
"""This is where disposal lists, runs and registers become words, JSON and tables."""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from datetime import datetime, tzinfo
from pathlib import Path
from typing import Any

from app.cli.recordings import show_time
from app.cli.session import out, print_table
from app.words import word
from evidence import instant
from evidence.errors import BadInput, StoreUnavailable
from pipeline.disposal_list import DisposalList
from pipeline.dispose import Ran
from pipeline.tombstone import COLUMNS

_INSTANTS = frozenset({"start_at", "until", "proposed_at", "approved_at", "gone_at"})

# A cell that begins so would be a formula to a spreadsheet.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def show_list(told: DisposalList, zone: tzinfo, *, is_whole: bool = False) -> None:
    """A list for people."""
    out.print(f"{told.id}: {len(told.standing)} of {len(told.entries)} recordings stand; {told.why}")
    out.print(f"  proposed by {told.proposed_by} at {show_time(_text(told.proposed_at), zone)}")
    if told.approved_by is not None:
        until = show_time(_text(told.grace_until), zone)
        out.print(f"  approved by {told.approved_by}; can be undone until {until}")
    if told.is_withdrawn or told.is_finished:
        out.print(f"  {'withdrawn' if told.is_withdrawn else 'carried out'}")
    if is_whole:
        stand = {one.recording for one in told.standing}
        rows = [
            (
                *(one.recording, show_time(one.until, zone), f"{one.size_bytes:,}", _codes(one.reasons)),
                "" if one.recording in stand else "taken back",
            )
            for one in told.entries
        ]
        print_table(("recording", "kept until", "bytes", "by", ""), rows, empty="")


def _codes(reasons: Sequence[Mapping[str, Any]]) -> str:
    return ", ".join(f"{one['code']} {one.get('class') or one.get('condition') or ''}".strip() for one in reasons)


def tell_ran(done: Ran) -> dict[str, Any]:
    """A run as scripts get it."""
    return {
        "disposal": done.disposal,
        "disposed": list(done.disposed),
        "removed_again": list(done.again),
        "waiting": {name: _text(until) for name, until in done.waiting.items()},
        "is_finished": done.is_finished,
    }


def show_ran(done: Ran, zone: tzinfo) -> None:
    """A run for people."""
    out.print(f"{done.disposal}: {len(done.disposed)} recordings are gone, and proven to be")
    for name in done.again:
        out.print(f"  {name} was there again, and is gone again: look who brought it back")
    for name, until in done.waiting.items():
        told = (
            "a legal hold in the store" if until is None else f"the store's lock, until {show_time(_text(until), zone)}"
        )
        out.print(f"  {name} waits for {told}")
    if done.is_finished:
        out.print(f"  the list is carried out: `evidock dispose register {done.disposal}`")


def show_register(lines: Sequence[Mapping[str, Any]], zone: tzinfo) -> None:
    """A disposal register for people: what went, when, and who agreed."""
    shown = ("recording", "sha256", "until", "proposed_by", "approved_by", "gone_at")
    rows = [[_value(name, line[name], zone) for name in shown] for line in lines]
    print_table([word("register", name) for name in shown], rows, empty="")


def write_register(file: Path, lines: Sequence[Mapping[str, Any]], zone: tzinfo) -> None:
    """Write a disposal register as CSV or JSON, as the file's name says; over an older one.

    CSV is for people: columns in their language, times in `zone`, with its offset. JSON has UTC.

    Raises:
        BadInput: it ends otherwise. StoreUnavailable: it cannot be written.
    """
    if file.suffix not in (".csv", ".json"):
        raise BadInput(f"{file.name} must end with .csv or .json")
    text = json.dumps(list(lines), ensure_ascii=False, indent=1) + "\n" if file.suffix == ".json" else _csv(lines, zone)
    try:
        file.write_bytes(text.encode("utf-8-sig" if file.suffix == ".csv" else "utf-8"))
    except OSError as error:
        raise StoreUnavailable(f"{file} cannot be written: {error.strerror}") from error


def _csv(lines: Sequence[Mapping[str, Any]], zone: tzinfo) -> str:
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow([word("register", name) for name in COLUMNS])
    writer.writerows([[_cell(_value(name, line[name], zone)) for name in COLUMNS] for line in lines])
    return buffer.getvalue()


def _value(name: str, value: Any, zone: tzinfo) -> Any:
    return show_time(value, zone) if value is not None and name in _INSTANTS else value


def _cell(value: Any) -> str:
    text = "" if value is None else str(value)
    return f"'{text}" if text.startswith(_FORMULA) else text


def _text(moment: datetime | None) -> str | None:
    return None if moment is None else instant.to_text(moment)
