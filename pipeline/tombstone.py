# SPDX-License-Identifier: Apache-2.0
"""This is where it is said what of a recording goes, and what is told of it afterwards: its Tombstone.

The Tombstone, the receipt and the custody events stay: they hold no footage. They say what it was, why and by whose
word it went, what was removed where, and what the stores answered when they were asked for it.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from evidence import instant
from evidence.custody import open_detail
from evidence.errors import Refused, StoreUnavailable
from pipeline.disposal_list import DisposalList
from pipeline.outcome import about
from pipeline.ports import Ports
from storage import layout
from storage.register import dock_rows, ends, search
from storage.register.search import Connection, Row
from storage.removal import Removed, Remover

_LARGEST_DETAIL = 256 << 20
HOT = "objects"
"""The name of the object store among the places where bytes rest."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What goes with a recording: `keys` in the order in which they go. `kept`: keys that others need, and who."""

    recording: Row
    original: Row
    derivatives: tuple[Row, ...]
    keys: tuple[str, ...]
    kept: Mapping[str, Sequence[str]]


@dataclass(frozen=True, slots=True)
class Taken:
    """What a removal took away in one place."""

    place: str
    removed: Removed


def plan_of(connection: Connection, recording: str) -> Plan:
    """What of a recording is to go, by what the register holds now.

    Raises:
        NotFound: no such recording, or it was never measured.
    """
    row, original = search.recording(connection, recording), search.original(connection, recording)
    made = search.derivatives_of(connection, recording)
    shared = {one["sha256"]: ends.living_holders(connection, one["sha256"], but=recording) for one in made}
    holders = {layout.derivative_key(sha256): others for sha256, others in shared.items()}
    for one in dock_rows.attachments_of(connection, recording):
        others = ends.living_attachment_holders(connection, one["sha256"], but=recording)
        holders[layout.attachment_key(one["sha256"])] = others
    kept = {key: others for key, others in holders.items() if others}
    keys = [key for key, others in holders.items() if not others]
    keys += original_keys(original["sha256"])
    return Plan(row, original, tuple(made), (*_envelopes(keys), *keys), kept)


def original_keys(sha256: str) -> list[str]:
    """The keys of an original's bytes and tables, the bytes last."""
    return [layout.packets_key(sha256), layout.chunks_key(sha256), layout.original_key(sha256)]


def _envelopes(keys: Sequence[str]) -> list[str]:
    """Where bytes rest in envelopes the wrapped keys go first: after that no copy of the bytes can be read."""
    return list(dict.fromkeys(found for key in keys if (found := layout.envelope_key_of(key)) is not None))


def check_places(connection: Connection, recording: str, places: Mapping[str, Remover]) -> list[str]:
    """The places where a recording's bytes rest by the records; each can be reached.

    Raises:
        Refused: its bytes also rest in an archive that is not set here.
    """
    archive = ends.archive_of(connection, recording)
    if archive is not None and archive["place"] not in places:
        raise Refused(
            f"{recording} also rests at {archive['place']}: set EVIDOCK_COLD_URL to it first", place=archive["place"]
        )
    if archive is None:
        return [HOT]
    # Of what is archived the object store may hold the bytes still, or may not: a kill between says nothing of it.
    return [archive["place"]] if archive["restored_at"] is None else [HOT, archive["place"]]


def take_away(plan: Plan, place: str, remover: Remover, *, now: datetime) -> list[Taken]:
    """Remove all that the plan names in one place, and prove that it is gone.

    Raises:
        StillLocked: the store locks some of it; the rest may be gone.
        StoreUnavailable: worth another try.
    """
    taken = [Taken(place, remover.remove(key, now=now)) for key in plan.keys]
    still = {key: found for key in plan.keys if (found := remover.traces(key))}
    if still:
        raise StoreUnavailable(f"what was removed stands there again: {still}; somebody writes to {place}")
    return taken


# --- the Tombstone ------------------------------------------------------------------------------


def tombstone_of(
    recording: str, told: DisposalList, plan: Plan, taken: Iterable[Taken], *, ports: Ports, now: datetime
) -> dict[str, Any]:
    """What remains of a recording: text, whole numbers, booleans and None only."""
    entry = next(one for one in told.entries if one.recording == recording)
    row, original = plan.recording, plan.original
    with ports.register.view() as connection:
        begun = search.event_of_kind(connection, about(recording), "disposing")
    found = open_detail(
        ports.store.read(layout.detail_key(begun["detail_sha256"]), limit=_LARGEST_DETAIL),
        sha256=begun["detail_sha256"],
    )
    return {
        "recording": recording,
        "sha256": original["sha256"],
        "size_bytes": original["size_bytes"],
        "chunk_root": original["chunk_root"],
        "packet_root": original["packet_root"],
        "packets_sha256": original["packets_sha256"],
        "receipt_sha256": original["receipt_sha256"],
        "container": original["container"],
        **{name: row[name] for name in ("kind", "item", "catalog", "start_at", "end_at", "duration", "arrived_at")},
        "sealed_at": original["sealed_at"],
        "until": entry.until,
        "reasons": [dict(one) for one in entry.reasons],
        "disposal": told.id,
        "digest": told.digest,
        "why": told.why,
        "proposed_by": told.proposed_by,
        "proposed_at": instant.to_text(told.proposed_at),
        "approved_by": told.approved_by,
        "approved_at": None if told.approved_at is None else instant.to_text(told.approved_at),
        "begun_at": begun["at"],
        "found": found["found"],
        "carried_out_by": ports.actor,
        "gone_at": instant.to_text(now),
        "derivatives": [{name: one[name] for name in ("kind", "sha256", "size_bytes")} for one in plan.derivatives],
        "removed": [told_removal(one) for one in taken],
        "kept_for_others": {key: list(others) for key, others in plan.kept.items()},
    }


def told_removal(taken: Taken) -> dict[str, Any]:
    """A removal as records tell it."""
    one = taken.removed
    return {
        "place": taken.place,
        "key": one.key,
        "versions": [{"id": version.version_id, "size_bytes": version.size_bytes} for version in one.versions],
        "delete_markers": list(one.delete_markers),
        "uploads": list(one.uploads),
        "drafts": one.drafts,
        "asked": [{"question": asked.question, "answer": asked.answer} for asked in one.asked],
        "traces": list(one.traces),
    }


# --- the disposal register (销毁清册) -----------------------------------------------------------------


COLUMNS = (
    *("recording", "sha256", "size_bytes", "kind", "item", "start_at", "until", "disposal", "why"),
    *("proposed_by", "proposed_at", "approved_by", "approved_at", "carried_out_by", "gone_at"),
)


def register_lines(told: DisposalList, stones: Sequence[Row]) -> list[dict[str, Any]]:
    """The disposal register of a list: a line for each Tombstone, by recording."""
    lines = []
    for row in stones:
        stone = json.loads(row["told"])
        lines.append({name: stone.get(name) for name in COLUMNS} | {"removed": len(stone.get("removed", []))})
    return lines
