# SPDX-License-Identifier: Apache-2.0
"""This is where an original is locked in a store that locks: for the hard floor that the catalog sets.

When it is sealed nobody knows its catalog item yet, so it is locked for the catalog's shortest floor; when it
is classified, for its item's. A lock is only ever extended. What a store without locks keeps is
tamper-evident, and nothing is said of a lock.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta

from evidence import instant
from evidence.term import Term
from pipeline.catalogs.in_force import catalog_now
from pipeline.ports import Ports
from storage import layout
from storage.objects import Protection
from storage.register import search

# A lock needs a date, also one for good; services take no date without bounds.
_CLOCKS_DIFFER = timedelta(days=1)
_FOR_GOOD = Term(months=12 * 100)


def lock_sealed(sha256: str, *, ports: Ports, now: datetime) -> Protection:
    """Lock the bytes of an original and their tables before a receipt is given for them; what the store answers for.

    Raises:
        NotProtected: the store was to lock and does not: there must be no receipt.
        StoreUnavailable: worth another try.
    """
    until = _end(catalog_now(ports, now).shortest_floor, now)
    for key in _tables(sha256, ports):
        ports.store.protect(key, until=until)
    return ports.store.protect(layout.original_key(sha256), until=until)


def lock_receipt(sha256: str, *, ports: Ports, now: datetime) -> None:
    """Lock the receipt beside the bytes, as long as them.

    Raises:
        NotProtected, StoreUnavailable: as above.
    """
    ports.store.protect(layout.receipt_key(sha256), until=_end(catalog_now(ports, now).shortest_floor, now))


def lock_classified(row: search.Row, originals: list[search.Row], floor: Term, *, ports: Ports, now: datetime) -> None:
    """Extend the locks of a recording to its item's hard `floor`, counted from its end as far as that can be.

    Raises:
        NotProtected, StoreUnavailable: as above.
    """
    until = _end(floor, max(now, _ended(row, now)))
    for original in originals:
        sha256 = original["sha256"]
        for key in (*_tables(sha256, ports), layout.receipt_key(sha256), layout.original_key(sha256)):
            ports.store.protect(key, until=until)


def _ended(row: search.Row, now: datetime) -> datetime:
    """When the recording ended; a camera's claim of a far future must not lock for a century what no one can unlock."""
    told = row["end_at"] or row["start_at"]
    ended = now if told is None else instant.from_text(told)
    return ended if ended <= now + _CLOCKS_DIFFER else now


def told(protection: Protection) -> dict[str, str]:
    """What the sealed event says of the lock; nothing where there is none."""
    if protection.mode is None or protection.until is None:
        return {}
    return {"lock": protection.mode, "locked_until": instant.to_text(protection.until)}


def _tables(sha256: str, ports: Ports) -> Iterator[str]:
    for key in (layout.chunks_key(sha256), layout.packets_key(sha256)):
        if ports.store.exists(key):
            yield key


def _end(floor: Term, start: datetime) -> datetime:
    return floor.end(start) or _FOR_GOOD.end(start) or start
