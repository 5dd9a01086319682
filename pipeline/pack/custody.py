# SPDX-License-Identifier: Apache-2.0
"""This is where the records of a pack are written: every event of the streams concerned, and that the log holds them.

All of them are proven under one checkpoint. Time tokens are over older ones; a consistency proof shows that those are
the beginning of the same log.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from evidence import canonical_json
from evidence.errors import NotFound
from evidence.merkle import SubtreeReader, consistency_proof, inclusion_proof
from pipeline.pack import names
from pipeline.pack.bag import Bag
from pipeline.ports import Ports
from storage import layout
from storage.custody_log import SignedCheckpoint
from storage.register import search
from storage.register.search import Connection, Row

_LARGEST = 64 << 20
_LARGEST_TOKEN = 1 << 20


@dataclass(frozen=True, slots=True)
class Records:
    """What was written: for the pack's index, and for the report."""

    streams: tuple[dict[str, Any], ...]
    checkpoints: tuple[int, ...]
    tokens: tuple[dict[str, Any], ...]
    withheld: tuple[str, ...]
    events: tuple[Row, ...]


def write_records(
    connection: Connection, streams: Sequence[str], stamped: Iterable[int], *, newest: SignedCheckpoint,
    bag: Bag, ports: Ports,
) -> Records:  # fmt: skip
    """Write the events of `streams`, their details, the checkpoint `newest`, and the tokens over sizes `stamped`.

    Raises:
        StoreUnavailable: worth another try. LogInconsistent: the stored log is not whole.
    """
    subtree = ports.log.tiles.subtree(newest.size)
    bag.add(names.CHECKPOINT, newest.note.encode())
    told, events = [], []
    for stream in streams:
        found = _published(search.events_of(connection, stream), newest)
        _write_stream(stream, found, newest=newest, subtree=subtree, bag=bag)
        told.append({"events": len(found), "stream": stream})
        events += found
    withheld = _write_details(events, bag=bag, ports=ports)
    sizes = tuple(sorted(size for size in set(stamped) if size <= newest.size))
    _write_checkpoints(sizes, newest=newest, subtree=subtree, bag=bag, ports=ports)
    tokens = [
        _write_token(token, bag=bag, ports=ports) for size in sizes for token in search.tokens_of(connection, size)
    ]
    return Records(tuple(told), sizes, tuple(tokens), withheld, tuple(events))


def _published(events: Sequence[Row], newest: SignedCheckpoint) -> list[Row]:
    """Those events that the checkpoint covers: the beginning of their stream."""
    return [row for row in events if row["leaf_index"] is not None and row["leaf_index"] < newest.size]


def _write_stream(
    stream: str, events: Sequence[Row], *, newest: SignedCheckpoint, subtree: SubtreeReader, bag: Bag
) -> None:
    places = []
    for row in events:
        bag.add(names.note_name(stream, row["seq"]), row["note"].encode())
        path = inclusion_proof(row["leaf_index"], newest.size, subtree)
        places.append({"index": row["leaf_index"], "path": [step.hex() for step in path], "seq": row["seq"]})
    body = {"events": places, "size": newest.size, "stream": stream}
    bag.add(names.inclusion_name(stream), canonical_json.dumps(body))


def _write_details(events: Iterable[Row], *, bag: Bag, ports: Ports) -> tuple[str, ...]:
    """Write the details of events; returns the digests of those that were taken away, as a law may demand."""
    wanted = {str(json.loads(row["note"].split("\n")[1])["detail"] or "") for row in events} - {""}
    withheld = []
    for sha256 in sorted(wanted):
        try:
            data = ports.store.read(layout.detail_key(sha256), limit=_LARGEST)
        except NotFound:
            withheld.append(sha256)
        else:
            bag.add_blocks(names.detail_name(sha256), [data], expected=sha256)
    return tuple(withheld)


def _write_checkpoints(
    sizes: Sequence[int], *, newest: SignedCheckpoint, subtree: SubtreeReader, bag: Bag, ports: Ports
) -> None:
    proofs = {}
    for size in sizes:
        bag.add(names.checkpoint_name(size), ports.log.checkpoint(size).note.encode())
        proofs[str(size)] = [step.hex() for step in consistency_proof(size, newest.size, subtree)]
    bag.add(names.CONSISTENCY, canonical_json.dumps({"proofs": proofs, "size": newest.size}))


def _write_token(token: Row, *, bag: Bag, ports: Ports) -> dict[str, Any]:
    key = layout.token_key(token["size"], token["authority"], token["sha256"])
    name = names.token_name(token["size"], token["authority"], token["sha256"])
    bag.add_blocks(name, [ports.store.read(key, limit=_LARGEST_TOKEN)], expected=token["sha256"])
    return {"authority": token["authority"], "file": name, "size": token["size"], "trust": token["trust"]}
