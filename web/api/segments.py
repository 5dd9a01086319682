# SPDX-License-Identifier: Apache-2.0
"""This is where the parts of a recording are told one kind at a time: segments, files, remarks, its series, custody."""

from typing import Annotated

from fastapi import APIRouter

from pipeline.tell import tell_events, tell_originals, tell_remarks, tell_segments
from web.access.acting import Acting, Asker, audited
from web.api.bodies_log import CustodyEntry
from web.api.bodies_recordings import Original, Part, Remark, Segment
from web.api.paging import Listed, Paged, listed
from web.api.recordings import Reads, RecordingId, parts_of

router = APIRouter(prefix="/v1/recordings/{recording}", route_class=audited.AuditedRoute, tags=["recordings"])


@router.get("/segments", operation_id="recordings.segments", response_model=Listed[Segment])
def segments(recording: RecordingId, asker: Annotated[Asker, Acting("segment.read")], paging: Paged) -> Listed[Segment]:
    """The segments of a recording, in order."""
    first = paging.number() or 0
    with asker.view() as connection:
        told = tell_segments(connection, asker.recording(connection, recording))
    shown = told[first : first + paging.limit]
    has_more = len(told) > first + paging.limit
    return listed([Segment(**one) for one in shown], first + paging.limit if has_more else None)


@router.get("/originals", operation_id="recordings.originals", response_model=Listed[Original])
def originals(recording: RecordingId, asker: Reads) -> Listed[Original]:
    """The files of a recording as they left the camera: their digests, and what was measured."""
    with asker.view() as connection:
        told = tell_originals(connection, asker.recording(connection, recording)["id"])
    return listed([Original(**one) for one in told], None)


@router.get("/remarks", operation_id="recordings.remarks", response_model=Listed[Remark])
def remarks(recording: RecordingId, asker: Reads) -> Listed[Remark]:
    """What was noticed of a recording."""
    with asker.view() as connection:
        told = tell_remarks(connection, asker.recording(connection, recording)["id"])
    return listed([Remark(**one) for one in told], None)


@router.get("/series", operation_id="recordings.series", response_model=Listed[Part])
def series(recording: RecordingId, asker: Reads) -> Listed[Part]:
    """The recordings that are one capture with this one, in order; none when it stands alone."""
    with asker.view() as connection:
        told = parts_of(connection, asker, asker.recording(connection, recording)["id"])
    return listed([Part(**one) for one in told], None)


@router.get("/custody", operation_id="recordings.custody", response_model=Listed[CustodyEntry])
def custody(
    recording: RecordingId, asker: Annotated[Asker, Acting("custody.read")], paging: Paged
) -> Listed[CustodyEntry]:
    """Who did what with a recording, when: its custody events in order, each as it was signed."""
    with asker.view() as connection:
        row = asker.recording(connection, recording)
        rows, after = tell_events(connection, f"recording/{row['id']}", limit=paging.limit, after=paging.number())
    return listed([CustodyEntry(**one) for one in rows], after)
