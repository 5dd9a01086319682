# SPDX-License-Identifier: Apache-2.0
"""This is where a file that came over the network, whole, becomes a recording; and where its copy here goes.

The sender's word stands as the recording's claims; the sender itself is the dock of the offer.
"""

import os
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta

from evidence import ids
from evidence.errors import EvidockError, InUse, NotFound, OffsetConflict
from evidence.lifecycle import State
from pipeline.arrive import Arrival, arrive
from pipeline.ports import Ports
from pipeline.received import ReceivedFiles, root_of
from pipeline.received_told import Told
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


def sweep(*, ports: Ports, now: datetime, revives: bool = True) -> list[str]:
    """Take down what is whole and was not yet, and forget what rests elsewhere; returns what was forgotten.

    For every start and now and then: a server may have been killed between the last byte and the arrival. A file
    that cannot be taken down keeps no other from it; its error is raised at the end. What was put aside before its
    bytes rested stays here, and begins anew only if `revives`: what kills its worker would kill one after another.

    Raises:
        RegisterUnavailable, StoreUnavailable: worth another try. RecordMalformed: a file here is broken.
    """
    files = ReceivedFiles(ports.received)
    forgotten, failed = [], []
    for identifier in files.ids():
        try:
            if _went_on(identifier, files, ports=ports, now=now, revives=revives):
                forgotten.append(identifier)
        except NotFound:  # it was ended meanwhile
            continue
        except EvidockError as error:
            failed.append(error)
    if failed:
        raise failed[0]
    return forgotten


def forget(recording: str, *, ports: Ports) -> list[str]:
    """Remove what of a recording still rests as it came in; returns what was removed. Repeats change nothing.

    Raises:
        StoreUnavailable, InUse: worth another try. RecordMalformed: a file here is broken.
    """
    files = ReceivedFiles(ports.received)
    forgotten = []
    for identifier in files.ids():
        with suppress(NotFound):  # the server was quicker
            told = files.told(identifier)
            if told.length is not None and ids.recording_id(told.offer().id) == recording:
                files.remove(identifier)
                forgotten.append(identifier)
    return forgotten


def _went_on(identifier: str, files: ReceivedFiles, *, ports: Ports, now: datetime, revives: bool) -> bool:
    """Take a whole file further; True when it was forgotten."""
    told = files.told(identifier)
    if told.length is None or files.offset(identifier) != told.length:
        return False
    with ports.register.view() as connection:
        is_done = _rests(connection, told.offer().id)
        is_aside = not is_done and _is_aside(connection, told.offer().id)
    if is_done:
        files.remove(identifier)
    elif revives or not is_aside:
        finish(identifier, ports=ports, now=now)
    return is_done


def expire(*, ports: Ports, now: datetime, after: timedelta, is_meant: Callable[[Told], bool]) -> list[str]:
    """Forget files of which not all came, and nothing for the time `after`; returns them. Their senders have them.

    Of `is_meant` files only: some end otherwise. The wall clock counts: one that jumps costs a sender what it sent.

    Raises:
        StoreUnavailable: worth another try. RecordMalformed: a file here is broken.
    """
    files = ReceivedFiles(ports.received)
    forgotten = []
    for identifier in files.ids():
        with suppress(NotFound, InUse):  # ended meanwhile, or not quiet after all
            told = files.told(identifier)
            is_old = now.timestamp() - files.heard_at(identifier) > after.total_seconds()
            if is_meant(told) and is_old and files.offset(identifier) != told.length:
                # Its last byte may come while we look: then it is a recording, and its sender needs it no more.
                files.remove(identifier, unless_at=told.length)
                forgotten.append(identifier)
    return forgotten


def _rests(connection: search.Connection, offer: str) -> bool:
    """True when the bytes of an offer are sealed: under its own recording, or under the one it folded into."""
    row = search.offer(connection, offer)
    if row is None or row["outcome"] == "withdrawn":
        return False
    return any(one["sealed_at"] is not None for one in search.originals_of(connection, row["recording"]))


def _is_aside(connection: search.Connection, offer: str) -> bool:
    row = search.offer(connection, offer)
    if row is None or row["outcome"] == "withdrawn":
        return False
    return bool(search.recording(connection, row["recording"])["state"] == State.QUARANTINED)
