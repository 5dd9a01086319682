# SPDX-License-Identifier: Apache-2.0
"""This is where a dock's list of all that a device held is kept, and read again as the offers that it promised."""

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from evidence.digest import Digest
from evidence.errors import BadInput, RecordMalformed
from evidence.offer import Offer
from pipeline.dock_manifest import Row, Summary, read_manifest
from pipeline.dockings import docking_of
from pipeline.ports import Ports
from storage import layout
from storage.durable import store_errors
from storage.register import search


def keep_manifest(identifier: str, source: Path, *, dock: str, ports: Ports) -> None:
    """Keep the manifest that a docking was announced with; a repeat changes nothing. `source` is only read.

    Raises:
        NotFound: this dock told of no such docking.
        BadInput: it is not the manifest that was announced, or is none, or lists what no offer can be made of.
        StoreUnavailable: worth another try.
    """
    with ports.register.view() as connection:
        row = docking_of(connection, identifier, dock=dock)
    with store_errors("a manifest cannot be read"), source.open("rb") as file:
        digest = Digest(hashlib.file_digest(file, "sha256").digest(), source.stat().st_size)
        if digest.hex != row["manifest_sha256"]:
            raise BadInput(f"docking {identifier} was announced with another manifest", sha256=digest.hex)
        file.seek(0)
        told = Summary()
        try:
            for line in read_manifest(file):
                told = told.plus(line)
                if line.ignored is None:
                    offer_of(line, dock=dock)
        except RecordMalformed as error:
            raise BadInput(f"the manifest cannot be read: {error.message}") from error
    announced = Summary(row["names"], row["taken"], row["taken_bytes"])
    if replace(told, digest=None) != announced:
        raise BadInput(f"the manifest amounts to something else than docking {identifier} was announced with")
    ports.store.put_once(layout.manifest_key(digest.hex), source, digest=digest)


def taken_offers(docking: search.Row, *, ports: Ports) -> Iterator[Offer]:
    """The offers that a docking's manifest promised, in its order; believe none before the last came.

    Raises:
        NotFound: the manifest was not kept yet. RecordMalformed: other bytes rest in its place.
        StoreUnavailable: worth another try.
    """
    key = layout.manifest_key(docking["manifest_sha256"])
    with ports.store.local_file(key) as path, store_errors("a manifest cannot be read"), path.open("rb") as file:
        if hashlib.file_digest(file, "sha256").hexdigest() != docking["manifest_sha256"]:
            raise RecordMalformed(f"the manifest of docking {docking['id']} is not the one that was kept")
        file.seek(0)
        for line in read_manifest(file):
            if line.ignored is None:
                yield offer_of(line, dock=docking["dock"])


def offer_of(line: Row, *, dock: str) -> Offer:
    """The offer that a taken file of a manifest is made as.

    Raises:
        BadInput: nobody measured it, or its path leaves the device.
    """
    if line.size_bytes is None or line.mtime_ns is None:
        raise BadInput("the manifest takes a file that has no size or no time")
    return Offer(dock, line.path, line.path.rpartition("/")[2], line.size_bytes, line.mtime_ns)
