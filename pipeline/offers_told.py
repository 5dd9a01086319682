# SPDX-License-Identifier: Apache-2.0
"""This is where a dock is told what became of its files, with the receipt that alone lets it clear a device."""

from collections.abc import Sequence
from dataclasses import dataclass

from evidence.errors import NotFound
from pipeline.ports import Ports
from storage import layout
from storage.register import dock_rows, search

MOST_AT_ONCE = 500
_LARGEST_RECEIPT = 1 << 20


@dataclass(frozen=True, slots=True)
class Known:
    """An offer that we have heard of; `sha256` once its bytes were measured."""

    id: str
    recording: str
    outcome: str
    sha256: str | None
    is_sealed: bool


@dataclass(frozen=True, slots=True)
class Told:
    """What became of an offer; `receipt` is the signed note that rests beside its bytes, None until they are sealed.

    Files of equal bytes are one recording: then recording and receipt are those of the first.
    """

    id: str
    recording: str
    state: str
    sha256: str | None
    receipt: str | None


def known_offers(identifiers: Sequence[str], *, dock: str, ports: Ports) -> list[Known]:
    """Of these offers (at most 500) those that this dock made and we have heard of, by id.

    Raises:
        RegisterUnavailable: worth another try.
    """
    wanted = sorted(set(identifiers))[:MOST_AT_ONCE]
    with ports.register.view() as connection:
        rows = [row for row in dock_rows.known_offers(connection, wanted) if row["dock"] == dock]
    found = {
        row["id"]: Known(row["id"], row["recording"], row["outcome"], row["sha256"], row["sealed_at"] is not None)
        for row in rows
    }
    return list(found.values())


def told_of(identifier: str, *, dock: str, ports: Ports) -> Told:
    """What became of an offer of this dock.

    Raises:
        NotFound: this dock made no such offer. RegisterUnavailable, StoreUnavailable: worth another try.
    """
    with ports.register.view() as connection:
        row = search.offer(connection, identifier)
        if row is None or row["dock"] != dock:
            raise NotFound(f"no offer {identifier[:40]!r} of this dock")
        if row["outcome"] == "withdrawn":
            return Told(identifier, row["recording"], "withdrawn", None, None)
        recording = search.recording(connection, row["recording"])
        originals = search.originals_of(connection, row["recording"])
    original = originals[0] if originals else None
    sha256 = None if original is None else original["sha256"]
    receipt = None
    if original is not None and original["sealed_at"] is not None:
        receipt = ports.store.read(layout.receipt_key(original["sha256"]), limit=_LARGEST_RECEIPT).decode()
    return Told(identifier, recording["id"], recording["state"], sha256, receipt)
