# SPDX-License-Identifier: Apache-2.0
"""This is where bytes we hold already are offered once more: a second event, never a second recording."""

import hashlib
from datetime import datetime
from pathlib import Path

from evidence.claims import Claims
from evidence.custody import Happening
from evidence.errors import UnknownDevice
from evidence.lifecycle import State
from evidence.offer import Offer, showable
from pipeline.arrive import Identity, identify, told_offer
from pipeline.outcome import Done, about
from pipeline.ports import Ports
from storage.register import search

_BLOCK_BYTES = 1 << 20


def offered_again(holder: str, *, offer: Offer, root: str, claims: Claims, was: str | None, ports: Ports) -> Done:
    """Happenings for an offer whose bytes `holder` holds; `was` is the recording that folds into it.

    A holder that was put aside for a device nobody knew is released once the device is registered.
    """
    with ports.register.view() as connection:
        row = search.recording(connection, holder)
        who = identify(connection, claims, zone=ports.zone)
    detail = told_offer(offer, root) | {"claims": claims.to_json()}
    again = Happening("offered-again", about(holder), facts={"offer": offer.id, "was": was}, detail=detail)
    if _is_released(row, who):
        told = {
            "device": who.device,
            "officer": who.officer or row["officer"],
            "reason": f"device {who.device} is in the register now",
        }
        return Done((again, Happening("released", about(holder), detail=told)))
    return Done((again,))


def hold_again(
    holder: str, offer: Offer, *, root: Path, claims: Claims, ports: Ports, now: datetime
) -> tuple[Happening, ...]:
    """Record that a file taken in before was offered once more, if its bytes are those we hold.

    The happenings that were recorded; none when the file has other bytes now, or nothing is held yet.

    Raises:
        SourceUnavailable, NotFound: the file cannot be read.
    """
    with ports.register.view() as connection:
        held = {row["sha256"] for row in search.originals_of(connection, holder)}
    with ports.open_source(root, offer.path) as source:
        digest = hashlib.sha256()
        while block := source.read(_BLOCK_BYTES):
            digest.update(block)
    if digest.hexdigest() not in held:
        return ()
    again = offered_again(holder, offer=offer, root=showable(str(root)), claims=claims, was=None, ports=ports)
    with ports.register.begin() as facts:
        for happening in again.happenings:
            facts.record(happening, actor=ports.actor, at=now)
    return again.happenings


def _is_released(row: search.Row, who: Identity) -> bool:
    waits = row["state"] == State.QUARANTINED and row["problem_code"] == UnknownDevice.code
    return waits and who.problem is None
