# SPDX-License-Identifier: Apache-2.0
"""This is where an offer becomes a recording: the door through which everything comes.

Nothing is judged here that would turn bytes away: an unknown device is written down as a problem,
its bytes are taken in like all others, and the recording is put aside after it is sealed.
"""

from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from evidence import ids, instant
from evidence.camera_clock_interval import Sighting
from evidence.claims import Claim, Claims, Source
from evidence.custody import Happening
from evidence.errors import UnknownDevice
from evidence.lifecycle import State
from evidence.offer import Offer, showable
from pipeline.clock_ledger import docking_told, ledger_of, sighting_of
from pipeline.outcome import about
from pipeline.ports import Ports
from pipeline.received import ReceivedFiles
from pipeline.when import latest_end, told_clock, weigh_start
from storage.register import search
from storage.register.jobs import Lane
from storage.register.search import Connection


@dataclass(frozen=True, slots=True)
class Arrival:
    """The recording an offer belongs to, the job that goes on with it, and whether it is new."""

    recording: str
    job: str
    is_new: bool


@dataclass(frozen=True, slots=True)
class Identity:
    """Who made a recording, when, as best we know; `problem` says why that cannot be right.

    `end_latest` is when it can have ended at the latest, `clock` how surely the start is known (`when.told_clock`).
    """

    device: str | None
    officer: str | None
    start: datetime | None
    end_latest: datetime | None
    clock: dict[str, Any] | None
    problem: dict[str, str] | None


def arrive(offer: Offer, *, root: Path | str, claims: Claims, ports: Ports, now: datetime) -> Arrival:
    """Take an offer down as a recording and open its first job, in one transaction.

    Safe to repeat: the same offer (dock, path, size, mtime) is the same recording, and a second
    call changes nothing. An offer that was withdrawn, or put aside before its bytes were at rest,
    begins anew: we hold nothing of it yet.

    Raises:
        RegisterUnavailable, StoreUnavailable: worth another try.
    """
    recording = ids.recording_id(offer.id)
    job = ids.job_id("fixity", recording)
    # The detail first: nobody who writes waits for a store of ours.
    docking = docking_told(str(root), ReceivedFiles(ports.received))
    arrived = partial(_arrived, offer=offer, root=root, claims=claims, zone=ports.zone, docking=docking, now=now)
    with ports.register.view() as connection:
        happening = arrived(connection, recording)
        known = search.offer(connection, offer.id)
        if known is not None and not _begins_anew(connection, known):
            return _known(known)
    rested = ports.register.rest(happening)
    with ports.register.begin() as facts:
        known = search.offer(facts.connection, offer.id)
        if known is not None and not _begins_anew(facts.connection, known):
            return _known(known)
        if known is not None and known["outcome"] != "withdrawn":
            lost = {"code": "offered-again", "offer": known["id"]}
            facts.record(Happening("withdrawn", about(known["recording"]), facts=lost), actor=ports.actor, at=now)
        by_now = arrived(facts.connection, recording)
        facts.record(rested if by_now == happening else by_now, actor=ports.actor, at=now)
        # Its jobs may have run and ended for bytes that were not taken in the end.
        facts.revive("fixity", recording, now=now, lane=Lane(offer.dock, ports.place))
    return Arrival(recording, job, is_new=True)


def _known(row: search.Row) -> Arrival:
    return Arrival(row["recording"], ids.job_id("fixity", row["recording"]), is_new=False)


def _arrived(
    connection: Connection,
    recording: str,
    *,
    offer: Offer,
    root: Path | str,
    claims: Claims,
    zone: ZoneInfo,
    docking: str | None,
    now: datetime,
) -> Happening:
    """The arrival of an offer, as the registries are at this moment."""
    sighting = sighting_of(connection, docking, device=claims.value("device"), arrived=now)
    who = identify(connection, claims, zone=zone, sighting=sighting)
    return Happening(
        "arrived",
        about(recording),
        facts={"offer": offer.id},
        detail={
            **told_offer(offer, showable(str(root))),
            "claims": claims.to_json(),
            "device": who.device,
            "officer": who.officer,
            "problem": who.problem,
            "start_at": None if who.start is None else instant.to_text(who.start),
        },
    )


def _begins_anew(connection: Connection, known: search.Row) -> bool:
    return known["outcome"] == "withdrawn" or _is_lost(connection, known["recording"])


def _is_lost(connection: Connection, recording: str) -> bool:
    """True when a recording was put aside (poison, a source that went) and its bytes do not rest."""
    row = search.recording(connection, recording)
    is_at_rest = any(one["sealed_at"] is not None for one in search.originals_of(connection, recording))
    return row["state"] == State.QUARANTINED and not is_at_rest


def told_offer(offer: Offer, root: str) -> dict[str, Any]:
    """The part of an event's detail that tells which file was offered; `root` is as `showable` writes it."""
    return {"offer": offer.to_json(), "root": root}


def identify(
    connection: Connection, claims: Claims, *, zone: ZoneInfo, sighting: Sighting, duration: Fraction | None = None
) -> Identity:
    """Device, officer and start as the claims, the registries and the clock ledger give them."""
    serial = claims.value("device")
    device = None if serial is None else search.device(connection, serial)
    ledger = ledger_of(connection, device, claims, zone=zone, sighting=sighting)
    start = weigh_start(claims, ledger, duration=duration)
    latest = latest_end(claims, ledger, start, duration=duration)
    officer = claims.value("officer")
    if officer is None and device is not None and start is not None:
        officer = search.officer_holding(connection, device["serial"], instant.to_text(start.at))
    problem = None
    if serial is not None and device is None:
        told = (
            f"device {serial} is not in the register; if it is ours, run `evidock device add {serial}` "
            "and offer the file again"
        )
        problem = {"code": UnknownDevice.code, "text": told}
    return Identity(serial, officer, None if start is None else start.at, latest, told_clock(start), problem)


def operator_claims(*, device: str | None, officer: str | None) -> Claims:
    """What a person at the dock says of the files."""
    said = [("device", device), ("officer", officer)]
    return Claims(Claim(field, value, Source.OPERATOR) for field, value in said if value)
