# SPDX-License-Identifier: Apache-2.0
"""This is where a file that came over the network, whole, becomes a recording; and where its copy here goes.

The sender's word stands as the recording's claims; the sender itself is the dock of the offer.
"""

import os
from datetime import datetime

from evidence.errors import OffsetConflict
from pipeline.arrive import Arrival, arrive
from pipeline.ports import Ports
from pipeline.received import ReceivedFiles, root_of
from storage.durable import store_errors
from storage.register import search


def finish(identifier: str, *, ports: Ports, now: datetime) -> Arrival:
    """Take a received file down as a recording; its steps go on from there. Repeats change nothing.

    Raises:
        OffsetConflict: not all of it is here. NotFound: nothing of that name is being received.
        RegisterUnavailable, StoreUnavailable: worth another try.
    """
    files = ReceivedFiles(ports.received)
    told = files.told(identifier)
    offer = told.offer()
    offset = files.offset(identifier)
    if offset != offer.size_bytes:
        raise OffsetConflict(f"{offset} of {offer.size_bytes} bytes are here", offset=offset)
    with store_errors("a received file cannot be closed"):
        os.chmod(files.path(identifier), 0o444)  # noqa: PTH101
    return arrive(offer, root=root_of(identifier), claims=told.claims, ports=ports, now=now)


def sweep(*, ports: Ports, now: datetime) -> list[str]:
    """Take down what is whole and was not yet, and forget what rests elsewhere; returns what was forgotten.

    For every start and now and then: a server may have been killed between the last byte and the arrival.

    Raises:
        RegisterUnavailable, StoreUnavailable: worth another try.
    """
    files = ReceivedFiles(ports.received)
    forgotten = []
    for identifier in files.ids():
        told = files.told(identifier)
        if told.length is None or files.offset(identifier) != told.length:
            continue
        with ports.register.view() as connection:
            is_done = _rests(connection, told.offer().id)
        if is_done:
            files.remove(identifier)
            forgotten.append(identifier)
        else:
            finish(identifier, ports=ports, now=now)
    return forgotten


def _rests(connection: search.Connection, offer: str) -> bool:
    """True when the bytes of an offer are sealed: under its own recording, or under the one it folded into."""
    row = search.offer(connection, offer)
    if row is None or row["outcome"] == "withdrawn":
        return False
    return any(one["sealed_at"] is not None for one in search.originals_of(connection, row["recording"]))
