# SPDX-License-Identifier: Apache-2.0
"""This is where the custody log is told over HTTP: streams, the signed checkpoint, entries with proofs, keys."""

from typing import Annotated

from fastapi import APIRouter, Path, Query

from evidence.access import Reach
from evidence.errors import NotFound
from pipeline.tell import tell_events
from storage.register import log_rows
from web.access.acting import Acting, Asker, audited
from web.api.bodies_log import Checkpoint, CustodyEntry, LogEntry, LogKeys, ProvenEntry
from web.api.context import Here
from web.api.paging import Listed, Paged, listed

router = APIRouter(prefix="/v1", route_class=audited.AuditedRoute, tags=["custody"])

_MOST_LEAVES = 2**53
Reads = Annotated[Asker, Acting("log.read")]
Stream = Annotated[
    str, Query(min_length=3, max_length=120, pattern=r"^[a-z-]+/[A-Za-z0-9._:-]+$", description="Such as `case/cas-…`.")
]
Leaf = Annotated[int, Path(ge=0, le=_MOST_LEAVES)]


@router.get("/custody", operation_id="custody.stream", response_model=Listed[CustodyEntry])
def custody(stream: Stream, asker: Annotated[Asker, Acting("custody.read")], paging: Paged) -> Listed[CustodyEntry]:
    """The custody events of one noun in order, each as it was signed; `stream` names it as events do."""
    noun, _, name = stream.partition("/")
    with asker.view() as connection:
        if noun == "recording":
            asker.recording(connection, name)
        elif noun == "case":
            name = asker.case(connection, name)["id"]
        elif asker.reach is not Reach.ALL:
            raise NotFound("no such stream, or none that is yours to see")
        rows, after = tell_events(connection, f"{noun}/{name}", limit=paging.limit, after=paging.number())
    return listed([CustodyEntry(**one) for one in rows], after)


@router.get("/log/checkpoint", operation_id="log.checkpoint", response_model=Checkpoint)
def checkpoint(asker: Reads) -> Checkpoint:
    """The newest signed checkpoint: whoever keeps it can prove later that nothing was taken out of the log."""
    newest = asker.ports.log.newest()
    return Checkpoint(size=0, checkpoint="") if newest is None else Checkpoint(size=newest.size, checkpoint=newest.note)


@router.get("/log/keys", operation_id="log.keys", response_model=LogKeys)
def keys(asker: Reads, here: Here) -> LogKeys:
    """The public keys that an auditor checks signatures with; compare them with those you were given on paper."""
    return LogKeys(keys=[key.to_text() for key in here.proof_keys])


@router.get("/log/entries", operation_id="log.entries", response_model=Listed[LogEntry])
def entries(
    asker: Reads,
    paging: Paged,
    first: Annotated[int, Query(alias="from", ge=0, le=_MOST_LEAVES, description="Leaf to begin with.")] = 0,
) -> Listed[LogEntry]:
    """Leaves of the public log in order, as they were signed."""
    at = paging.number()
    with asker.view() as connection:
        rows = log_rows.leaves_from(connection, first if at is None else at, limit=paging.limit + 1)
    told = [LogEntry(index=row["leaf_index"], leaf_hash=row["leaf_hash"], entry=row["note"]) for row in rows]
    return listed(told[: paging.limit], rows[paging.limit]["leaf_index"] if len(rows) > paging.limit else None)


@router.get("/log/entries/{index}", operation_id="log.entry", response_model=ProvenEntry)
def entry(index: Leaf, asker: Reads) -> ProvenEntry:
    """One leaf, with the proof that it stands in the newest checkpoint."""
    newest = asker.ports.log.newest()
    with asker.view() as connection:
        rows = log_rows.leaves_from(connection, index, limit=1)
    if newest is None or index >= newest.size or not rows or rows[0]["leaf_index"] != index:
        raise NotFound(f"the log has no entry {index}")
    proof = asker.ports.log.proof(index, newest).to_json()
    return ProvenEntry(index=index, leaf_hash=rows[0]["leaf_hash"], entry=rows[0]["note"], proof=proof)
