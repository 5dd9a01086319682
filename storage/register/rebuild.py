# SPDX-License-Identifier: Apache-2.0
"""This is where a lost register is remade from the object store and the custody log alone.

(1) Every published event is applied again, in the order of the log, by the same projection that
applied it live. (2) Receipts that rest beside their originals but are not in the log yet (the
register was lost before the next publication) bring back the events they carry. What a receipt
promises is thereby never lost, whenever the register goes.

A register of an earlier day, as a backup has it, is brought forward in the same way from where it stands.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, insert, select, update

from evidence import merkle
from evidence.custody import CustodyEvent, open_detail, parse_event
from evidence.errors import Conflict, LogInconsistent
from evidence.note import Verifier, open_note
from evidence.receipt import parse_receipt
from storage import layout
from storage.custody_log import CustodyLog, open_checkpoint
from storage.objects import ObjectStore
from storage.register import projection, schema, search
from storage.register.register import Register

_DETAIL_LIMIT = 256 << 20
_RECEIPT_LIMIT = 1 << 20
_BATCH = 512


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """How many events came from the log, and how many from receipts that the log does not cover yet."""

    from_log: int
    from_receipts: int


def rebuild(register: Register, *, store: ObjectStore, log: CustodyLog, verifiers: tuple[Verifier, ...]) -> Rebuilt:
    """Fill an empty register from what rests; reads the store and writes the register only.

    Raises:
        LogInconsistent, SignatureInvalid, RecordMalformed: what rests does not hold; a person must look.
        Conflict: the register is not empty.
    """
    _check_empty(register)
    return bring_forward(register, store=store, log=log, verifiers=verifiers)


def bring_forward(
    register: Register, *, store: ObjectStore, log: CustodyLog, verifiers: tuple[Verifier, ...]
) -> Rebuilt:
    """Bring back into a register of an earlier day what rests since: from where it stands, be that nothing.

    Safe to repeat: killed anywhere, the next call goes on. Nothing of the running system may write meanwhile.

    Raises:
        LogInconsistent, SignatureInvalid, RecordMalformed: what rests does not hold, or is not of this
            register: one of them has events that the other has not.
    """
    newest = log.newest()
    # Also what a publisher laid down and did not come to sign: its places are taken, and nothing else fits there.
    size = log.tiles.laid_down(0 if newest is None else newest.size)
    begin, brought = min(_numbered(register), size), 0
    if begin:
        _check_joint(register, log, begin - 1)
    for start in range(begin, size, _BATCH):
        notes = list(log.tiles.entries(start, min(size, start + _BATCH)))
        with register.begin() as facts:
            for index, note in enumerate(notes, start=start):
                brought += _place(facts.connection, note.decode(), index, store=store, verifiers=verifiers)
    _bring_checkpoints(register, log, store=store, verifiers=verifiers)
    return Rebuilt(brought, _bring_receipts(register, store=store, verifiers=verifiers))


def _numbered(register: Register) -> int:
    with register.view() as connection:
        return search.numbered(connection)


def _check_joint(register: Register, log: CustodyLog, index: int) -> None:
    """The last entry that both have must be the same; that all before it are is for an audit to say."""
    [note] = log.tiles.entries(index, index + 1)
    table = schema.custody_events
    with register.view() as connection:
        known = connection.scalar(select(table.c.leaf_hash).where(table.c.leaf_index == index))
    if known != merkle.leaf_hash(note).hex():
        raise LogInconsistent(f"entry {index} of the log is not the event that the register has there", index=index)


def _place(
    connection: Connection, note: str, index: int, *, store: ObjectStore, verifiers: tuple[Verifier, ...]
) -> int:
    """Have the event of an entry at its place; 1 when the register had not heard of it."""
    event = parse_event(open_note(note, verifiers).text)
    unpublished = (*_is_event(event, note), schema.custody_events.c.leaf_index.is_(None))
    if connection.execute(update(schema.custody_events).where(*unpublished).values(leaf_index=index)).rowcount:
        return 0
    _replay(connection, event, note, index, store=store)
    return 1


def _is_event(event: CustodyEvent, note: str) -> tuple[ColumnElement[bool], ...]:
    """What finds the row of this very event, by an index that every register has."""
    columns = schema.custody_events.c
    leaf_hash = merkle.leaf_hash(note.encode()).hex()
    return (columns.stream == event.stream, columns.seq == event.seq, columns.leaf_hash == leaf_hash)


def _check_empty(register: Register) -> None:
    with register.view() as connection:
        if connection.execute(select(schema.custody_events.c.id).limit(1)).first() is not None:
            raise Conflict("a register is rebuilt into an empty one; this is not empty")


def _replay(connection: Connection, event: CustodyEvent, note: str, index: int | None, *, store: ObjectStore) -> None:
    _check_place(connection, event, index)
    projection.take_down(connection, event, note=note, detail=_detail(event, store), leaf_index=index)


def _check_place(connection: Connection, event: CustodyEvent, index: int | None) -> None:
    """An event must be the next of its stream and name its predecessor: no gap, no fork."""
    table = schema.custody_events
    last = connection.execute(
        select(table.c.seq, table.c.leaf_hash)
        .where(table.c.stream == event.stream)
        .order_by(table.c.seq.desc())
        .limit(1)
    ).first()
    expected = (0, None) if last is None else (last.seq + 1, last.leaf_hash)
    if (event.seq, event.prev) != expected:
        raise LogInconsistent(
            f"entry {index} of the log is not the next event of {event.stream}",
            index=index,
            stream=event.stream,
        )


def _detail(event: CustodyEvent, store: ObjectStore) -> Mapping[str, Any] | None:
    if event.detail_sha256 is None:
        return None
    data = store.read(layout.detail_key(event.detail_sha256), limit=_DETAIL_LIMIT)
    return open_detail(data, sha256=event.detail_sha256)


def _bring_checkpoints(
    register: Register, log: CustodyLog, *, store: ObjectStore, verifiers: tuple[Verifier, ...]
) -> None:
    # Years of them are read before the transaction: in it, the register would wait for the store too long.
    newest = log.newest()
    signed = {} if newest is None else {newest.size: newest}
    for key in store.keys(layout.CHECKPOINTS_PREFIX):
        kept = open_checkpoint(store.read(key, limit=_RECEIPT_LIMIT), origin=log.origin, verifiers=verifiers)
        signed.setdefault(kept.size, kept)
    with register.begin() as facts:
        known = set(facts.connection.scalars(select(schema.checkpoints.c.size)))
        for size in sorted(signed.keys() - known):
            facts.connection.execute(
                insert(schema.checkpoints).values(size=size, root=signed[size].root.hex(), note=signed[size].note)
            )


def _bring_receipts(register: Register, *, store: ObjectStore, verifiers: tuple[Verifier, ...]) -> int:
    brought, known = 0, _sealed(register)
    for note in _receipts(store, known=known):
        receipt = parse_receipt(open_note(note, verifiers).text)
        with register.begin() as facts:
            for carried in receipt.facts["events"]:
                brought += _bring(facts.connection, carried, store=store, verifiers=verifiers)
    return brought


def _bring(connection: Connection, note: str, *, store: ObjectStore, verifiers: tuple[Verifier, ...]) -> int:
    event = parse_event(open_note(note, verifiers).text)
    if connection.scalar(select(schema.custody_events.c.id).where(*_is_event(event, note))) is not None:
        return 0
    _replay(connection, event, note, None, store=store)
    return 1


def _sealed(register: Register) -> set[str]:
    """Keys of the receipts whose events the register holds: all they carry came before the seal."""
    table = schema.originals
    with register.view() as connection:
        sealed = connection.scalars(select(table.c.sha256).where(table.c.receipt_sha256.is_not(None)))
        return {layout.receipt_key(sha256) for sha256 in sealed}


def _receipts(store: ObjectStore, *, known: set[str]) -> Iterator[str]:
    for key in sorted(store.keys(layout.ORIGINALS_PREFIX)):
        if key.endswith(".receipt") and key not in known:
            yield store.read(key, limit=_RECEIPT_LIMIT).decode()


def fact_rows(connection: Connection) -> dict[str, list[dict[str, Any]]]:
    """Every row of every table that a rebuild brings back, without row numbers: to compare registers."""
    told = {}
    for table in schema.FACT_TABLES:
        columns = [column for column in table.columns if not (table.name == "custody_events" and column.name == "id")]
        rows = connection.execute(select(*columns)).mappings()
        told[table.name] = sorted((dict(row) for row in rows), key=repr)
    return told
