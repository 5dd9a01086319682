# SPDX-License-Identifier: Apache-2.0
"""This is where bytes are measured, in one reading of the source: what they are from now on.

Three commitments: the SHA-256 of the whole, the chunk tree (which 64 KiB), and the packet tree
(which coded packet of which stream). A file whose media cannot be read is measured all the same,
without a packet tree and with the problem named: its bytes are kept like any other's.
"""

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import Any

from evidence import instant, media_time
from evidence.claims import Claims
from evidence.custody import Happening
from evidence.digest import Digest
from evidence.errors import BadInput, NotFound, StillChanging
from evidence.offer import Offer, from_showable
from pipeline import spool
from pipeline.again import offered_again
from pipeline.arrive import Identity, identify
from pipeline.clock_ledger import docking_told, sighting_of
from pipeline.inside import Inside, look_inside
from pipeline.media.sandbox.probe import level_in_force
from pipeline.media.sniff import TEXT_TRACK
from pipeline.outcome import Done, about
from pipeline.ports import Ports, Progress
from pipeline.received import ReceivedFiles, received_id
from pipeline.when import end_of
from storage.durable import kept_durably, store_errors
from storage.register import search

# Of the time this step takes, about this share goes into reading the source.
_COPY_SHARE = 0.4


def fixity(recording: str, *, ports: Ports, now: datetime, progress: Progress) -> Done:
    """Measure the bytes of a recording that has arrived.

    Repeat: the same bytes give the same digests. Bytes that another recording holds already make
    no second one: the offer is written down there, and this recording folds into it.

    Raises:
        SourceUnavailable, StoreUnavailable: worth another try.
    """
    with ports.register.view() as connection:
        row = search.recording(connection, recording)
        offered = search.offer_of(connection, recording)
    offer = offer_of_row(offered)
    files = spool.spooled(ports.spool, recording)
    claims = Claims.from_json(json.loads(row["claims"]))
    try:
        digest = read_source(offer, offered["root"], ports=ports, files=files, progress=progress)
    except (StillChanging, NotFound, BadInput) as error:
        # Nothing is held of it, so nothing is judged: it is taken when it is offered whole.
        withdrawn = Happening("withdrawn", about(recording), facts={"code": error.code, "offer": offer.id})
        return Done((withdrawn,), halt=True, then=files.clear)
    with ports.register.view() as connection:
        holder = search.holder_of(connection, digest.hex)
    if holder is not None and holder != recording:
        again = offered_again(holder, offer=offer, root=offered["root"], claims=claims, was=recording, ports=ports)
        return Done(again.happenings, halt=True, then=files.clear)
    # What is recorded as measured must rest: a power cut after it would leave a file of the right size only.
    with kept_durably(files.original), ThreadPoolExecutor(1) as beside:
        chunks = beside.submit(spool.measure_chunks, files)
        inside = look_inside(files, name=offer.name)
    claims |= inside.claims
    docking = docking_told(offered["root"], ReceivedFiles(ports.received))
    with ports.register.view() as connection:
        arrived = instant.from_text(row["arrived_at"])
        sighting = sighting_of(connection, docking, device=claims.value("device"), arrived=arrived)
        who = identify(connection, claims, zone=ports.zone, sighting=sighting, duration=inside.duration)
    happening = _measured(
        recording,
        name=offered["name"],
        digest=digest,
        chunk_root=chunks.result().root,
        inside=inside,
        who=who,
        claims=claims,
    )
    return Done((happening,))


def offer_of_row(row: search.Row) -> Offer:
    """The offer that a row of the register tells of."""
    return Offer.from_json({name: row[name] for name in ("dock", "path", "name", "size_bytes", "mtime_ns")})


def read_source(
    offer: Offer, root: str, *, ports: Ports, files: spool.Spooled, progress: Progress, is_to_last: bool = False
) -> Digest:
    """Read the offered file once, into the spool; what was received is adopted, not copied.

    `root` is as the register shows it, `is_to_last` as for the copy.

    Raises:
        StillChanging: it is not as it was offered.
        NotFound, BadInput: it is no longer there, or something else is.
        SourceUnavailable, StoreUnavailable: worth another try.
    """
    with store_errors("there is no spool"):
        ports.spool.mkdir(parents=True, exist_ok=True)
    if (received := received_id(root)) is not None:
        return spool.adopt_measured(
            ReceivedFiles(ports.received).path(received),
            files.original,
            size_bytes=offer.size_bytes,
            progress=lambda done: progress(done * _COPY_SHARE),
        )
    with ports.open_source(Path(from_showable(root)), offer.path) as source:
        if spool.seen(source).st_mtime_ns != offer.mtime_ns:
            raise StillChanging("the file was written to since it was offered; it is taken when it is quiet")
        return spool.copy_measured(
            source,
            files.original,
            size_bytes=offer.size_bytes,
            progress=lambda done: progress(done * _COPY_SHARE),
            is_to_last=is_to_last,
        )


def _measured(
    recording: str,
    *,
    name: str,
    digest: Digest,
    chunk_root: bytes,
    inside: Inside,
    who: Identity,
    claims: Claims,
) -> Happening:
    end = end_of(who.start, inside.duration)
    facts: dict[str, Any] = {
        "chunk_root": chunk_root.hex(),
        "container": inside.container,
        "duration": None if inside.duration is None else media_time.to_text(inside.duration),
        "kind": inside.kind,
        "packet_root": inside.packet_root,
        "packets_sha256": inside.table_sha256,
        "sandbox": level_in_force() if inside.container not in (None, TEXT_TRACK.name) else None,
        "shifts": inside.shifts,
        "sha256": digest.hex,
        "size_bytes": digest.size_bytes,
    }
    detail = {
        "claims": claims.to_json(),
        "clock": who.clock,
        "device": who.device,
        "end_at": None if end is None else instant.to_text(end),
        "end_latest": None if who.end_latest is None else instant.to_text(who.end_latest),
        "examined": inside.examined,
        "name": name,
        "officer": who.officer,
        "problem": inside.problem or who.problem,
        "start_at": None if who.start is None else instant.to_text(who.start),
    }
    return Happening("measured", about(recording), facts=facts, detail=detail)
