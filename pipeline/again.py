# SPDX-License-Identifier: Apache-2.0
"""This is where bytes we hold already are offered once more: a second event, never a second recording."""

import hashlib
import json
from collections.abc import Callable, Sequence
from datetime import datetime
from fractions import Fraction
from pathlib import Path

from evidence import instant
from evidence.camera_clock_interval import Sighting
from evidence.claims import Claims
from evidence.custody import Happening
from evidence.errors import Conflict, UnknownDevice
from evidence.lifecycle import State
from evidence.offer import Offer, showable
from pipeline.arrive import Identity, identify, told_offer
from pipeline.outcome import Done, about
from pipeline.ports import Ports
from pipeline.when import end_of
from storage.register import search
from storage.register.facts import Facts

_BLOCK_BYTES = 1 << 20


def offered_again(holder: str, *, offer: Offer, root: str, claims: Claims, was: str | None, ports: Ports) -> Done:
    """Happenings for an offer whose bytes `holder` holds; `was` is the recording that folds into it.

    A holder that was put aside for a device nobody knew is released once the device is registered.
    """
    with ports.register.view() as connection:
        row = search.recording(connection, holder)
        duration = None if row["duration"] is None else Fraction(row["duration"])
        every = Claims.from_json(json.loads(row["claims"])) | claims
        # Which docking it first came with is not asked: it was on the device before it first came.
        sighting = Sighting(instant.from_text(row["arrived_at"]))
        who = identify(connection, every, zone=ports.zone, sighting=sighting, duration=duration)
    detail = told_offer(offer, root) | {"claims": claims.to_json()}
    again = Happening("offered-again", about(holder), facts={"offer": offer.id, "was": was}, detail=detail)
    if may_go_on(row, who):
        why = f"device {who.device} is in the register now"
        return Done((again, released(row, who, duration=duration, why=why)))
    return Done((again,))


Follow = Callable[[Facts, Sequence[Happening]], object]
"""Opens the jobs that follow what was recorded."""


def hold_again(
    holder: str, offer: Offer, *, root: Path, claims: Claims, follow: Follow, ports: Ports, now: datetime
) -> tuple[Happening, ...]:
    """Record that a file taken in before was offered once more, if its bytes are those we hold.

    The happenings that were recorded; none when nothing is held of it yet. `follow` opens what comes after them,
    in the same transaction.

    Raises:
        Conflict: it has other bytes now, under the name, size and time of the ones we hold.
        SourceUnavailable, NotFound: the file cannot be read.
    """
    with ports.register.view() as connection:
        held = {row["sha256"] for row in search.originals_of(connection, holder)}
    if not held:
        return ()
    with ports.open_source(root, offer.path) as source:
        digest = hashlib.sha256()
        while block := source.read(_BLOCK_BYTES):
            digest.update(block)
    if digest.hexdigest() not in held:
        told = f"other bytes than {holder} holds, under the same name, size and time: give it another name or time"
        raise Conflict(told, recording=holder)
    again = offered_again(holder, offer=offer, root=showable(str(root)), claims=claims, was=None, ports=ports)
    rested = [ports.register.rest(happening) for happening in again.happenings]
    with ports.register.begin() as facts:
        for one in rested:
            facts.record(one, actor=ports.actor, at=now)
        follow(facts, again.happenings)
    return again.happenings


def released(row: search.Row, who: Identity, *, duration: Fraction | None, why: str) -> Happening:
    """That a recording which was put aside goes on, as the registries know it now."""
    end = end_of(who.start, duration)
    # Doubt never shortens: what may have ended later by what was known then is kept until then.
    latest = [] if who.end_latest is None else [instant.to_text(who.end_latest)]
    latest += [] if row["end_latest"] is None else [row["end_latest"]]
    told = {
        "clock": who.clock,
        "device": who.device,
        "end_at": None if end is None else instant.to_text(end),
        "end_latest": max(latest, default=None),
        "officer": who.officer or row["officer"],
        "reason": why,
        "start_at": None if who.start is None else instant.to_text(who.start),
    }
    return Happening("released", about(row["id"]), detail=told)


def may_go_on(row: search.Row, who: Identity) -> bool:
    """True when a recording was put aside for a device that nobody knew, and now it is known."""
    waits = row["state"] == State.QUARANTINED and row["problem_code"] == UnknownDevice.code
    return waits and who.problem is None
