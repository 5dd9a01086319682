# SPDX-License-Identifier: Apache-2.0
"""This is where a case is handed out: asked for, made, and recorded, so that no pack leaves without its event.

At the machine itself it is made at once; over the network it is a job, and rests in the home until it is fetched.
"""

import json
import shutil
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from evidence import ids
from evidence.custody import Happening
from evidence.errors import Conflict, EvidockError, InUse, Unavailable, WrongState
from evidence.ids import stream_of
from pipeline.outcome import Done
from pipeline.pack.build import Made, build
from pipeline.pack.draft import check_room, drafted
from pipeline.pack.plan import What, plan_of
from pipeline.ports import Ports, Progress, unheard
from storage.durable import store_errors
from storage.register import export_rows, search
from storage.register.jobs import Lane

STEP = "export"
Clock = Callable[[], datetime]


def ask(
    case: str, what: What, *, ports: Ports, now: datetime, approval: str | None = None, is_job: bool = False
) -> str:
    """Record that the pack of a case (by number) is wanted, and return the export's id.

    `approval`: what two people agreed on; None at the machine itself. `is_job`: a worker makes it.

    Raises:
        NotFound: no such case. WrongState: a recording of it rests in the archive alone.
    """
    with ports.register.begin() as facts:
        row = search.case(facts.connection, case)
        plan_of(facts.connection, row, what)
        export = ids.opaque("exp", ports.chance(10))
        told = {"case": row["id"], "approval": approval}
        happening = Happening(
            "export-asked", stream_of("export", export), facts=told, detail={"wanted": {"what": what.value}}
        )
        facts.record(happening, actor=ports.actor, at=now)
        if is_job:
            facts.enqueue(STEP, export, now=now, lane=Lane(None, ports.place))
    return export


def export_case(
    case: str, what: What, out: Path, *, ports: Ports, now: Clock, progress: Progress = unheard
) -> tuple[str, Made]:
    """Make the pack of a case in the new folder `out`, and record it; the export's id, and what was made.

    An export that failed is recorded as such, and leaves nothing behind.

    Raises:
        BadInput: something is at `out`. NotFound: no such case. WrongState: footage of it is in the archive alone.
        DiskLow, StoreUnavailable, RegisterUnavailable: worth another try.
    """
    with drafted(out) as draft:
        export = ask(case, what, ports=ports, now=now())
        try:
            made = make(export, draft, ports=ports, now=now(), progress=progress)
        except EvidockError as error:
            with suppress(Unavailable):
                _record(failed(export, error.code, error.message), ports=ports, now=now())
            raise
        # Recorded before it has its name: nobody holds a pack that no event speaks of.
        _record(exported(export, made), ports=ports, now=now())
    return export, made


def make(export: str, folder: Path, *, ports: Ports, now: datetime, progress: Progress = unheard) -> Made:
    """Make the pack that an export asked for, in the empty `folder`.

    Raises:
        As `export_case`.
    """
    with ports.register.view() as connection:
        row = export_rows.export(connection, export)
        case = search.case(connection, row["case"])
        items = plan_of(connection, case, What(json.loads(row["wanted"])["what"]))
    check_room(folder, sum(item.size_bytes for item in items))
    return build(row, case, items, folder, ports=ports, now=now, progress=progress)


def exported(export: str, made: Made) -> Happening:
    """That a pack was made."""
    told = {"manifest_sha256": made.manifest_sha256, "size_bytes": made.size_bytes}
    return Happening("exported", stream_of("export", export), facts=told)


def failed(export: str, code: str, why: str) -> Happening:
    """That a pack could not be made."""
    return Happening("export-failed", stream_of("export", export), facts={"code": code}, detail={"why": why})


def _record(happening: Happening, *, ports: Ports, now: datetime) -> None:
    with ports.register.begin() as facts:
        facts.record(happening, actor=ports.actor, at=now)


# --- as a job -----------------------------------------------------------------------------------


def step(recording: str, *, ports: Ports, now: datetime, progress: Progress) -> Done:
    """Make the pack of an export (`recording` is its id) where it waits to be fetched; one that is there is remade.

    Raises:
        As `export_case`.
    """
    export, rests = recording, folder_of(recording, ports=ports)
    with store_errors(f"{rests.parent} cannot be written"):
        rests.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if rests.exists():
            shutil.rmtree(rests)  # no event speaks of it: its worker died between the name and the record
    try:
        with drafted(rests) as draft:
            made = make(export, draft, ports=ports, now=now, progress=progress)
    except InUse as error:  # a worker whose lease was lost is at it still
        raise Conflict(error.message, export=export) from error
    return Done((exported(export, made),))


def folder_of(export: str, *, ports: Ports) -> Path:
    """Where the pack of an export rests that was made by a job."""
    return ports.exports / export


def fetched_from(export: str, *, ports: Ports) -> Path:
    """The folder of a pack that was made and can be fetched.

    Raises:
        NotFound: no such export. WrongState: it is not made yet, failed, or was taken away.
    """
    with ports.register.view() as connection:
        row = export_rows.export(connection, export)
    if row["made_at"] is None:
        why = f"failed ({row['problem_code']})" if row["problem_code"] else "is not made yet"
        raise WrongState(f"export {export} {why}", export=export)
    rests = folder_of(export, ports=ports)
    if not rests.is_dir():
        raise WrongState(f"the pack of export {export} is not here: ask for it anew", export=export)
    return rests
