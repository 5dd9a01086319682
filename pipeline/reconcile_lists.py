# SPDX-License-Identifier: Apache-2.0
"""This is where what devices listed is held against what the register holds, and that against what rests.

All three ways: a file that was listed and did not come; one that came and was on no list; one that is on record and
does not rest as it was sealed.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from itertools import islice

from evidence import instant
from evidence.errors import BadInput, IntegrityError, NotFound
from evidence.offer import Offer, showable
from pipeline.docking_manifest import taken_offers
from pipeline.ports import Ports
from pipeline.reconcile_terms import Code, Findings, Found
from storage import layout
from storage.register import device_rows, dock_rows
from storage.register.search import Row

_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Compared:
    """What one docking's list came to: how many were listed, and the recordings they became."""

    listed: int
    received: int
    recordings: frozenset[str]


def compare_list(docking: Row, findings: Findings, *, ports: Ports) -> Compared:
    """A docking's list against the register; what does not agree goes to `findings`.

    Raises:
        StoreUnavailable, RegisterUnavailable: nothing was decided.
    """
    whose = {"device": docking["device"], "dock": docking["dock"]}
    listed = received = 0
    recordings: set[str] = set()
    try:
        offers = taken_offers(docking, ports=ports)
        while some := list(islice(offers, _AT_ONCE)):
            with ports.register.view() as connection:
                known = {row["id"]: row for row in dock_rows.known_offers(connection, [one.id for one in some])}
            here = [row for row in known.values() if row["outcome"] != "withdrawn"]
            listed, received = listed + len(some), received + len(here)
            recordings |= {row["recording"] for row in here}
            findings.add(_missing(docking, some, known))
    except NotFound:
        findings.add([Found(Code.MANIFEST_MISSING, docking["id"], **whose)])
    except (IntegrityError, BadInput) as error:
        findings.add([Found(Code.MANIFEST_ALTERED, docking["id"], facts={"why": error.message}, **whose)])
    return Compared(listed, received, frozenset(recordings))


def _missing(docking: Row, offers: Iterable[Offer], known: dict[str, Row]) -> Iterator[Found]:
    whose = {"device": docking["device"], "dock": docking["dock"]}
    for offer in offers:
        row, told = known.get(offer.id), {"docking": docking["id"], "size_bytes": offer.size_bytes}
        path = showable(offer.path)
        if row is None or row["outcome"] == "withdrawn":
            yield Found(Code.LISTED_NOT_RECEIVED, path, facts=told, **whose)
        elif row["sealed_at"] is None:
            yield Found(Code.NOT_SEALED, row["recording"], facts=told | {"path": path}, **whose)


def unlisted(start: str, end: str, *, ports: Ports, back: timedelta) -> Iterator[Found]:
    """What dock stations handed in during `[start, end)` and no list of theirs has, as far back as `back`.

    Raises:
        StoreUnavailable, RegisterUnavailable: nothing was decided.
    """
    since = instant.to_text(instant.from_text(start) - back)
    with ports.register.view() as connection:
        rows = [row for row in device_rows.offers_between(connection, start, end) if row["dock_kind"] == "dock"]
        docks = {row["dock"] for row in rows}
        dockings = {dock: device_rows.dockings_of_dock_before(connection, dock, end, since) for dock in docks}
    for dock in sorted(docks):
        waiting = {row["id"]: row for row in rows if row["dock"] == dock}
        for docking in dockings[dock]:
            if not waiting:
                break
            _strike(waiting, docking, ports)
        for row in waiting.values():
            yield Found(Code.RECEIVED_NOT_LISTED, row["recording"], dock=dock, facts={"path": row["path"]})


def _strike(waiting: dict[str, Row], docking: Row, ports: Ports) -> None:
    """Take from what waits what a docking's list has; a list that is not there, or not whole, has nothing."""
    try:
        listed = [offer.id for offer in taken_offers(docking, ports=ports) if offer.id in waiting]
    except (NotFound, IntegrityError, BadInput):
        return
    for identifier in listed:
        del waiting[identifier]


def at_rest(recordings: Iterable[str], *, ports: Ports, is_deep: bool) -> Iterator[Found]:
    """Sealed originals that are not there, or are of another size; `is_deep`: or of other bytes.

    Raises:
        StoreUnavailable, RegisterUnavailable: nothing was decided.
    """
    with ports.register.view() as connection:
        rows = device_rows.at_rest(connection, recordings)
    for row in rows:
        key, told = layout.original_key(row["sha256"]), {"sha256": row["sha256"], "size_bytes": row["size_bytes"]}
        try:
            if is_deep:
                digest = ports.store.measure(key)
                size, sha256 = digest.size_bytes, digest.hex
            else:
                size, sha256 = ports.store.size(key), row["sha256"]
        except NotFound:
            yield Found(Code.AT_REST_MISSING, row["recording"], facts=told)
            continue
        except IntegrityError as error:
            yield Found(Code.DIGEST_DIFFERS, row["recording"], facts=told | {"why": error.message})
            continue
        if size != row["size_bytes"]:
            yield Found(Code.SIZE_DIFFERS, row["recording"], facts=told | {"found": size})
        elif sha256 != row["sha256"]:
            yield Found(Code.DIGEST_DIFFERS, row["recording"], facts=told | {"found": sha256})
