# SPDX-License-Identifier: Apache-2.0
"""This is where a recording is verified on demand: its records, its place in the log, and every byte at rest.

It is done while the client waits. All bytes are read, so few are verified at the same moment, and a recording of
more bytes than `verify_most_bytes` is verified at the machine itself (`evidock verify`).
"""

import threading
from typing import Annotated

from fastapi import APIRouter

from evidence.errors import Overloaded, Refused
from pipeline import audit
from storage.register import search
from web.access.acting import Acting, Asker, audited
from web.api.bodies_log import Report
from web.api.figures import shipped_figures
from web.api.texts import Asking, Id

router = APIRouter(prefix="/v1", route_class=audited.AuditedRoute, tags=["custody"])

_FIGURES = shipped_figures()
_ROOM = threading.BoundedSemaphore(_FIGURES.verifying_at_once)


class Verifying(Asking):
    """What is to be verified."""

    recording: Id


@router.post("/verify", operation_id="verify", response_model=Report)
def verify(told: Verifying, asker: Annotated[Asker, Acting("verify")]) -> Report:
    """Verify one recording, and name what does not hold and where."""
    with asker.view() as connection:
        row = asker.recording(connection, told.recording)
        originals = search.originals_of(connection, row["id"])
    size_bytes = sum(one["size_bytes"] for one in originals)
    if size_bytes > _FIGURES.verify_most_bytes:
        raise Refused(f"{size_bytes} bytes are too many to verify while you wait: run `evidock verify {row['id']}`")
    if not _ROOM.acquire(blocking=False):
        raise Overloaded("others are being verified: ask again in a moment")
    try:
        found = audit.verify_recording(asker.ports, row["id"])
    finally:
        _ROOM.release()
    asker.about("recording", row["id"], verdict=found.verdict.value)
    return Report.model_validate(audit.to_json(found))
