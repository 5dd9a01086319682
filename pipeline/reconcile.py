# SPDX-License-Identifier: Apache-2.0
"""This is where work that should be under way is found from the facts alone, and opened again.

Jobs are not in the custody log. After a rebuild, what each recording still needs follows from its
state and from what was made of it.
"""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from evidence.errors import NotFound
from evidence.lifecycle import State
from pipeline import flow, scratch, spool
from pipeline.fingerprint import KIND as FINGERPRINT
from pipeline.ports import Ports
from storage.register import jobs, search
from storage.register.search import Connection, Row


def open_missing_jobs(*, ports: Ports, now: datetime) -> list[str]:
    """Open every job that the facts say is still to be done; the ids of the jobs. Repeats open nothing more."""
    with ports.register.begin() as facts:
        wanted = [
            (step, row)
            for row in search.find_recordings(facts.connection)
            for step in missing_steps(facts.connection, row)
        ]
        return [
            facts.enqueue(
                step,
                row["id"],
                now=now,
                lane=flow.lane_of(step, dock=row["dock"], place=_place_of(facts.connection, row, ports)),
            )
            for step, row in wanted
        ]


def _place_of(connection: Connection, row: Row, ports: Ports) -> str:
    """Ours, where the file that was offered can be seen from here; else any: who sees it will be found by trying."""
    try:
        offer = search.offer_of(connection, row["id"])
    except NotFound:
        return ""
    has_bytes = spool.spooled(ports.spool, row["id"]).original.exists() or Path(offer["root"], offer["path"]).exists()
    return ports.place if has_bytes else ""


def clear_leftovers(*, ports: Ports) -> list[Path]:
    """Remove what dead steps left: files of recordings that need them no more, working files, unfinished writes."""
    removed = spool.sweep(ports.spool, is_wanted=lambda recording: _is_being_read(recording, ports))
    return removed + scratch.sweep(ports.spool)


def _is_being_read(recording: str, ports: Ports) -> bool:
    with ports.register.view() as connection:
        return any(row.step in flow.SPOOLING for row in jobs.open_jobs(connection, [recording]))


def missing_steps(connection: Connection, row: Row) -> Iterator[str]:
    """Steps that nothing in the register shows as done, and that may be done now."""
    state = State(row["state"])
    if state in (State.ARRIVED, State.MEASURED):
        yield "fixity" if state is State.ARRIVED else "seal"
        return
    if row["stamped_size"] is None:
        yield "stamp"
    # Of what is put aside nothing is derived; of what is going, gone, or in the archive, nothing (more) can be.
    if state in (State.QUARANTINED, State.DISPOSING, State.DISPOSED, State.ARCHIVED):
        return
    if state is State.SEALED:
        yield _next_of_index(connection, row)
    if row["problem_code"] is None:
        yield from _derivations(connection, row)


def _next_of_index(connection: Connection, row: Row) -> str:
    """Where the way from segments to the index stands still."""
    if not search.segments_of(connection, row["id"]):
        return "segment"
    return "classify" if row["item_reason"] is None else "index"


def _derivations(connection: Connection, row: Row) -> Iterator[str]:
    made = {one["kind"] for one in search.derivatives_of(connection, row["id"])}
    if not made and row["kind"] != "document":
        yield "transcode"
    elif row["kind"] == "video" and "proxy" in made and FINGERPRINT not in made:
        yield flow.AFTER["transcode"][0]
