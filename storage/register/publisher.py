# SPDX-License-Identifier: Apache-2.0
"""This is where custody events leave the register for the public log: numbered once, published in order.

The order of writes: (1) the register gives each unpublished event its leaf index, for ever;
(2) the log lays down entries, tiles and the signed checkpoint; (3) the register remembers the
checkpoint. Killed anywhere, the next call starts at (1), finds what stands, and writes the same bytes.
"""

from sqlalchemy import func, insert, select, update

from evidence.errors import Conflict
from storage.custody_log import CustodyLog, SignedCheckpoint
from storage.register import search
from storage.register.register import Register
from storage.register.schema import checkpoints, custody_events


def publish(register: Register, log: CustodyLog) -> SignedCheckpoint | None:
    """Publish every committed event and return the checkpoint that covers them all; None while there is none.

    Raises:
        StoreUnavailable, RegisterUnavailable: worth another try; nothing is lost.
        LogInconsistent, Conflict: the log at rest contradicts the register: a person must look.
    """
    with register.publishing():
        while True:
            newest = _publish_once(register, log)
            # Frozen for so long that others published meanwhile, we may have set the pointer back: on to where it was.
            if newest is None or newest.size >= _furthest(register):
                return newest


def _publish_once(register: Register, log: CustodyLog) -> SignedCheckpoint | None:
    _give_places(register)
    newest = log.newest()
    if newest is not None:
        _remember(register, newest)  # what an earlier call published before it died
    # One entry of overlap: a register that was rolled back, or has another event at the end of
    # the log, is refused by the log instead of losing its events below the published size.
    at = 0 if newest is None else max(0, newest.size - 1)
    entries = _entries(register, at)
    if not entries and newest is None:
        return None
    try:
        published = log.publish(entries, at=at)
    except Conflict:
        now = log.newest()
        has_moved = now is not None and (newest is None or now.size > newest.size)
        if not has_moved or _numbered(register) <= at + len(entries):
            raise
        return now  # others published meanwhile what the register had not given us: no contradiction
    _remember(register, published)
    return published


def _numbered(register: Register) -> int:
    with register.view() as connection:
        return search.numbered(connection)


def _furthest(register: Register) -> int:
    """The size of the largest checkpoint that the register knows."""
    with register.view() as connection:
        return connection.scalar(select(func.max(checkpoints.c.size))) or 0


def _give_places(register: Register) -> None:
    with register.begin() as facts:
        column = custody_events.c.leaf_index
        first = search.numbered(facts.connection)
        waiting = facts.connection.scalars(
            select(custody_events.c.id).where(column.is_(None)).order_by(custody_events.c.id)
        )
        for index, identifier in enumerate(list(waiting), start=first):
            facts.connection.execute(
                update(custody_events).where(custody_events.c.id == identifier).values(leaf_index=index)
            )


def _entries(register: Register, at: int) -> list[bytes]:
    with register.view() as connection:
        notes = connection.scalars(
            select(custody_events.c.note).where(custody_events.c.leaf_index >= at).order_by(custody_events.c.leaf_index)
        )
        return [note.encode() for note in notes]


def _remember(register: Register, newest: SignedCheckpoint) -> None:
    known = select(checkpoints.c.size).where(checkpoints.c.size == newest.size)
    with register.view() as connection:
        if connection.scalar(known) is not None:
            return
    with register.begin() as facts:
        if facts.connection.scalar(known) is not None:
            return  # by another, who took over while we were frozen
        facts.connection.execute(insert(checkpoints).values(size=newest.size, root=newest.root.hex(), note=newest.note))
