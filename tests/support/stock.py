# SPDX-License-Identifier: Apache-2.0
"""This is where tests get thousands of cheap jobs: documents that are taken down as sealed already.

What is left of each are five real steps of some milliseconds: segment, classify, index, transcode, fingerprint.
A stocked recording's receipt is none: it is for what happens to jobs, and not for `verify`.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from typing import Any

from sqlalchemy import select

from app import clocks
from evidence import ids
from evidence.claims import Claims
from evidence.custody import Happening
from evidence.offer import Offer
from pipeline import flow
from pipeline.arrive import told_offer
from pipeline.outcome import about
from storage import layout
from storage.register import schema, search
from storage.register.facts import Facts
from tests.support.servers import Installation, write_tracks

LEFT = ("segment", "classify", "index", "transcode", "fingerprint")
STORY = ["arrived", "measured", "sealed", "segmented", "classified", "indexed"]


def stock(made: Installation, count: int) -> list[str]:
    """Have `count` more documents that are sealed, with the jobs that follow open; the recordings' ids."""
    measured, detail = _pattern(made)
    with made.ports.register.begin() as facts:
        return [_sealed(facts, made, number, measured=measured, detail=detail) for number in range(count)]


def _pattern(made: Installation) -> tuple[dict[str, Any], dict[str, Any]]:
    """What is said of a document that was really measured: the stocked ones are like it."""
    folder = made.settings.home.parent / "pattern"
    write_tracks(folder, 1)
    [recording] = made.take_in(folder)
    clock = clocks.clock(made.settings.lease_s)
    for step in [step for step in flow.STEPS if step not in ("repair", "export")]:  # it is whole, and nobody asked
        assert flow.run(f"{step}:{recording}", ports=made.ports, owner="stock", clock=clock) is flow.Result.DONE
    with made.ports.register.view() as connection:
        event = search.event_of_kind(connection, about(recording), "measured")
    body = json.loads(event["note"].splitlines()[1])
    stored = made.ports.store.read(layout.detail_key(body["detail"]), limit=1 << 20)
    return body["facts"], json.loads(stored)["detail"]


def _sealed(facts: Facts, made: Installation, number: int, *, measured: dict[str, Any], detail: dict[str, Any]) -> str:
    now = clocks.now()
    offer = Offer(dock="stock", path=f"{number}.nmea", name=f"{number}.nmea", size_bytes=1, mtime_ns=number)
    recording = ids.recording_id(offer.id)
    sha256 = hashlib.sha256(recording.encode()).hexdigest()
    # What a step locks must rest, though nobody reads it.
    for key, rests in ((layout.original_key(sha256), recording), (layout.receipt_key(sha256), "a receipt")):
        made.ports.store.put_bytes_once(key, rests.encode())
    told = told_offer(offer, "/nowhere") | {"claims": Claims().to_json(), "device": None, "officer": None}
    arrived = Happening("arrived", about(recording), {"offer": offer.id}, told | {"problem": None, "start_at": None})
    happenings = (
        arrived,
        Happening("measured", about(recording), measured | {"sha256": sha256}, detail | {"name": offer.name}),
        Happening("sealed", about(recording), {"receipt_sha256": sha256, "sha256": sha256, "size_bytes": 1}),
    )
    for happening in happenings:
        facts.record(happening, actor="stock", at=now)
    for step in ("segment", "transcode"):
        facts.enqueue(step, recording, now=now)
    return recording


def told_of(made: Installation, recordings: Sequence[str]) -> dict[str, Counter[str]]:
    """How often each kind of thing happened to each of the recordings."""
    table, told = schema.custody_events, {about(recording): Counter[str]() for recording in recordings}
    with made.ports.register.view() as connection:
        for stream, kind in connection.execute(select(table.c.stream, table.c.kind)):
            if stream in told:
                told[stream][kind] += 1
    return told


def assert_stock_finished_once(made: Installation, recordings: Sequence[str]) -> None:
    """Every job is done, every step of every recording is told once, and nothing else is told."""
    assert set(made.jobs_by_state()) == {"done"}, made.jobs_by_state()
    wrong = {stream: kinds for stream, kinds in told_of(made, recordings).items() if kinds != Counter(STORY)}
    assert not wrong, wrong
