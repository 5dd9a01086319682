# SPDX-License-Identifier: Apache-2.0
"""This is where a custody event changes the register's tables: the only place, live and in a rebuild.

Each function behind it is a pure consequence of (event, detail): it reads no clock, no file, no
setting. That is why a register rebuilt from the log equals the register that was lost.
"""

from sqlalchemy import Connection, insert

from evidence import instant, merkle
from evidence.custody import CustodyEvent
from evidence.errors import RecordMalformed
from storage.register import (
    project_access,
    project_cases,
    project_devices,
    project_keeping,
    project_people,
    project_recordings,
)
from storage.register.rows import Apply, Detail
from storage.register.schema import custody_events

_KINDS: dict[str, Apply] = {
    **project_recordings.KINDS,
    **project_people.KINDS,
    **project_devices.KINDS,
    **project_cases.KINDS,
    **project_keeping.KINDS,
    **project_access.KINDS,
}
KINDS = frozenset(_KINDS)


def project(connection: Connection, event: CustodyEvent, detail: Detail | None) -> None:
    """Apply one event to the tables.

    Raises:
        RecordMalformed: the kind is unknown.
        WrongState, Conflict: the event contradicts what the register holds.
    """
    apply = _KINDS.get(event.kind)
    if apply is None:
        raise RecordMalformed(f"custody event of unknown kind {event.kind!r}", stream=event.stream)
    apply(connection, event, detail or {})


def take_down(
    connection: Connection, event: CustodyEvent, *, note: str, detail: Detail | None, leaf_index: int | None = None
) -> None:
    """Write an event's own row and apply it: the one way, for a step as for a rebuild.

    `leaf_index` is its place in the public log, None while it is not published.

    Raises:
        RecordMalformed, WrongState, Conflict: as `project`.
    """
    connection.execute(
        insert(custody_events).values(
            stream=event.stream,
            seq=event.seq,
            kind=event.kind,
            at=instant.to_text(event.at),
            actor=event.actor,
            note=note,
            leaf_hash=merkle.leaf_hash(note.encode()).hex(),
            detail_sha256=event.detail_sha256,
            leaf_index=leaf_index,
        )
    )
    project(connection, event, detail)
