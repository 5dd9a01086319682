# SPDX-License-Identifier: Apache-2.0
"""This is where a reviewed change of the rules is told: what it changes, what that does, and what comes next."""

from zoneinfo import ZoneInfo

from app.cli.recordings import show_time
from app.cli.session import out, print_table
from app.words import word
from evidence import instant
from pipeline.catalogs.adopt import Reviewed
from pipeline.catalogs.diff import CatalogDiff
from pipeline.catalogs.effects import KINDS, Effects

_FIELD_WIDTH = 60


def print_review(found: Reviewed, zone: ZoneInfo) -> None:
    """The same for people."""
    _print_change(found.change)
    _print_effects(found.effects, zone)
    day = show_time(instant.to_text(found.effective_from), zone, grain="minutes")
    if found.is_adopted:
        out.print(f"{found.catalog} is adopted and counts from {day} on; nothing was removed")
        return
    out.print(f"{found.catalog} is proposed from {day} on; nothing was changed or removed")
    out.print(f"another person than its proposer approves it: evidock catalog approve '{found.catalog}'")


def _print_change(change: CatalogDiff) -> None:
    out.print(
        f"{change.new} against {change.old}: {len(change.added)} matters added, {len(change.removed)} removed, "
        f"{len(change.changed)} changed"
    )
    rows = [
        *((item.id, word("effect", "added"), "", "", item.name_zh) for item in change.added),
        *((item.id, word("effect", "removed"), "", item.name_zh, "") for item in change.removed),
        *(
            (one.id, word("effect", one.keeping.value), said.field, _short(said.old), _short(said.new))
            for one in change.changed
            for said in one.fields
        ),
        *(("", "", said.field, _short(said.old), _short(said.new)) for said in change.head),
    ]
    print_table(("item", "keeping", "field", "before", "after"), rows, empty="no rule differs")


def _short(text: str) -> str:
    return text if len(text) <= _FIELD_WIDTH else f"{text[:_FIELD_WIDTH]}…"


def _print_effects(effects: Effects, zone: ZoneInfo) -> None:
    shorter, due = effects.count("shorter"), effects.count("due")
    out.print(
        f"of {effects.entries} recordings {shorter} would be kept shorter ({effects.count('bytes')} bytes; {due} "
        f"of them due at once), {effects.count('longer')} longer, {effects.count('same')} as before"
    )
    counted = [
        (item, tally.shorter, tally.due, tally.longer, tally.same)
        for item, tally in sorted(effects.items.items())
        if tally.shorter or tally.longer
    ]
    print_table(("item", "shorter", "due at once", "longer", "as before"), counted, empty="")
    rows = [
        (one.recording, one.item, word("effect", kind), _until(one.old, zone), _until(one.new, zone))
        for kind in KINDS
        for one in effects.examples.get(kind, ())
    ]
    print_table(("for example", "item", "", "kept until", "then until"), rows, empty="")


def _until(told: str | None, zone: ZoneInfo) -> str:
    if told is None:
        return word("effect", "no-date")
    return instant.from_text(told).astimezone(zone).strftime("%Y-%m-%d")
