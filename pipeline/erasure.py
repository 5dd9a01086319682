# SPDX-License-Identifier: Apache-2.0
"""This is where a dock asks for leave to clear a device, and gets it only when nothing is lost by it.

(1) the agency's switch is on for this dock, and the docking was not refused; (2) the dock names every file that the
docking's manifest took, or every one of a part of it, and no other; (3) each is sealed here with the SHA-256 that the
dock itself read; (4) the object store really has it now, with the size that the device listed. Then the leave is
recorded, and then given. What is put aside for a person but sealed is at rest like any other. A repeat is checked like
the first time, and recorded once: what rested yesterday need not rest today.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from itertools import islice

from evidence.custody import Happening
from evidence.errors import BadInput, Conflict, NotFound
from evidence.offer import Offer, showable
from pipeline.decided import take_down
from pipeline.dock_figures import dock_figures
from pipeline.docking_manifest import taken_offers
from pipeline.dockings import docking_of, leaves, station, stream_of_docking
from pipeline.ports import Ports
from storage import layout
from storage.register import dock_rows
from storage.register.search import Connection, Row

_AT_ONCE = 8  # questions to a store that answers over a network
_BATCH = 500


def allow_erasure(
    identifier: str, files: Mapping[str, str], *, dock: str, ports: Ports, now: datetime, first: int | None = None
) -> None:
    """Return when the device of a docking may be cleared of `files` (offer to SHA-256), and that is on record.

    `first`: they are a part of what the manifest took, from this one on (0 is the first), each of them and no other;
    None: they are all. A part is leave for itself alone: who wants all cleared or nothing asks for every part first.

    Raises:
        BadInput: a part of nothing.
        Conflict: it may not; the message says why, and names up to 20 of the files that stand in the way.
        NotFound: this dock told of no such docking. StoreUnavailable: worth another try.
    """
    with ports.register.view() as connection:
        row = _open_docking(connection, identifier, dock=dock)
    if first is not None and (first < 0 or not files):
        raise BadInput("a part names files, from number 0 on")
    offers = _promised(row, ports=ports, part=None if first is None else (first, first + len(files)))
    _check_names(offers, files)
    with ports.register.view() as connection:
        _check_sealed(connection, offers, files)
    _check_at_rest(offers, files, ports=ports)

    def decide(connection: Connection) -> tuple[None, Sequence[Happening]]:
        by_now = _open_docking(connection, identifier, dock=dock)
        _check_sealed(connection, offers, files)
        facts = {"count": len(offers), "docking": identifier} | ({} if first is None else {"first": first})
        if facts in leaves(connection, by_now):
            return None, ()
        told = [{"offer": name, "path": showable(offer.path), "sha256": files[name]} for name, offer in offers.items()]
        return None, [Happening("erasing", stream_of_docking(by_now), facts=facts, detail={"files": told})]

    take_down(decide, actor=f"dock:{dock}", ports=ports, now=now)


def _open_docking(connection: Connection, identifier: str, *, dock: str) -> Row:
    if not station(connection, dock)["erases"]:
        raise Conflict("the agency has not switched clearing on for this dock: the device keeps its files")
    row = docking_of(connection, identifier, dock=dock)
    if row["refusal"] is not None:
        raise Conflict(f"docking {identifier} was refused ({row['refusal']}): nothing of that device is cleared")
    if row["ended_at"] is not None and row["erasing_at"] is None:
        raise Conflict(f"docking {identifier} has ended: what the device holds now is for the next one to say")
    return row


def _promised(row: Row, *, ports: Ports, part: tuple[int, int] | None) -> dict[str, Offer]:
    """What the manifest of a docking took, or a part of it, by offer id."""
    start, end = part or (0, None)
    try:
        return {offer.id: offer for offer in islice(taken_offers(row, ports=ports), start, end)}
    except NotFound as error:
        raise Conflict(f"the manifest of docking {row['id']} is not here: send it first") from error


def _check_names(offers: Mapping[str, Offer], files: Mapping[str, str]) -> None:
    """The manifest's files and those that the dock names are the same."""
    missing = [offer for name, offer in offers.items() if name not in files]
    if missing:
        raise _refused("the manifest took files that are not named", missing)
    others = sorted(files.keys() - offers.keys())
    if others:
        raise Conflict(f"{len(others)} files are not of this docking's manifest: {', '.join(others[: _most()])}")


def _check_sealed(connection: Connection, offers: Mapping[str, Offer], sha256: Mapping[str, str]) -> None:
    sealed: dict[str, set[str]] = {}
    for batch in _batches(offers):
        for row in dock_rows.known_offers(connection, batch):
            if row["sealed_at"] is not None:
                sealed.setdefault(row["id"], set()).add(row["sha256"])
    open_ones = [offer for name, offer in offers.items() if name not in sealed]
    if open_ones:
        raise _refused("not sealed", open_ones)
    others = [offer for name, offer in offers.items() if sha256[name] not in sealed[name]]
    if others:
        raise _refused("sealed with another SHA-256 than the dock read", others)


def _check_at_rest(offers: Mapping[str, Offer], sha256: Mapping[str, str], *, ports: Ports) -> None:
    def rests(name: str) -> bool:
        try:
            return ports.store.size(layout.original_key(sha256[name])) == offers[name].size_bytes
        except NotFound:
            return False

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        answers = list(pool.map(rests, offers))
    gone = [offer for offer, is_there in zip(offers.values(), answers, strict=True) if not is_there]
    if gone:
        raise _refused("the object store does not hold them, or not whole", gone)


def _refused(why: str, offers: Sequence[Offer]) -> Conflict:
    named = ", ".join(showable(offer.path)[:200] for offer in offers[: _most()])
    return Conflict(f"{len(offers)} files may not be cleared: {why}: {named}")


def _most() -> int:
    return dock_figures().dockings.named_when_refused


def _batches(names: Iterable[str]) -> Iterator[list[str]]:
    rest = iter(names)
    while batch := list(islice(rest, _BATCH)):
        yield batch
