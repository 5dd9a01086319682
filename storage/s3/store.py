# SPDX-License-Identifier: Apache-2.0
"""This is where the object store is a bucket: durable and locked as far as the service is.

`versions` says which version is the object, `writing` and `uploading` how it gets there, `reading` how it comes
back, `locks` how the service is made to refuse. This class keeps the promises of the port by joining them.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

from evidence.digest import Digest
from evidence.errors import BadInput, Conflict, NotFound, RecordMalformed
from storage import layout
from storage.durable import store_errors
from storage.objects import BLOCK_SIZE, Protection, check_key, check_prefix
from storage.s3.address import S3Address
from storage.s3.client import Patience, S3Client, Said, our_errors
from storage.s3.listing import in_order, ours, pages
from storage.s3.locks import Locks
from storage.s3.reading import Reader, drained
from storage.s3.restoring import Restorer
from storage.s3.scratch import scratch, write_file
from storage.s3.sweeping import sweep
from storage.s3.uploading import Uploader
from storage.s3.versions import PAGE, Version, Versions
from storage.s3.writing import Writer

_STALE_AFTER = timedelta(days=1)


class S3Store:
    """The ObjectStore promises over one bucket, or one prefix of it, which nobody else writes to.

    `journal` is a folder of this machine for uploads that are under way and files lent by `local_file`; losing it
    costs a second sending. In a bucket with versions the first version of a key is the object: an overwrite or a
    delete marker changes nothing for our readers, `strays` names it, and `bring_back` makes it right for others.
    In a bucket without versions an overwrite is the loss of the object, which `measure` shows.
    """

    def __init__(self, address: S3Address, *, journal: Path, patience: Patience | None = None) -> None:
        self.address, self._folder = address, journal
        self._client = S3Client(address, patience=patience)
        self._versions = Versions(self._client)
        self._reader = Reader(self._client, self._versions)
        self._uploader = Uploader(self._client, journal)
        self._writer = Writer(self._client, self._versions, self._reader, self._uploader)
        self._locks = Locks(self._client, self._versions)
        self._restorer = Restorer(self._versions, self._reader, self._writer, self._locks, journal)

    # --- writing ----------------------------------------------------------------------------

    def put_once(self, key: str, source: Path, *, digest: Digest, give: bool = False) -> None:
        """As the port says. `give` changes nothing: what goes up is compared on its way."""
        with our_errors(f"cannot store {check_key(key)}"):
            self._writer.put_file(key, source, digest)

    def put_bytes_once(self, key: str, data: bytes) -> None:
        """As the port says."""
        with our_errors(f"cannot store {check_key(key)}"):
            self._writer.put_bytes(key, data)

    def replace(self, key: str, data: bytes) -> None:
        """As the port says: a plain put, which S3 does whole or not at all. The newest version is the pointer."""
        if not layout.is_pointer(check_key(key)):
            raise Conflict(f"{key} is written once; only a pointer is ever replaced", key=key)
        with our_errors(f"cannot replace {key}"):
            self._writer.replace(key, data)

    # --- reading ----------------------------------------------------------------------------

    def read(self, key: str, *, limit: int) -> bytes:
        """As the port says."""

        def taken(version: Version, pieces: Iterator[bytes]) -> bytes:
            if version.size_bytes > limit:
                raise RecordMalformed(f"{key} is larger than the {limit} bytes it may have", key=key, limit=limit)
            return b"".join(pieces)

        with our_errors(f"cannot read {check_key(key)}"):
            return self._reader.whole(key, taken)[0]

    def read_range(self, key: str, start: int, length: int) -> bytes:
        """As the port says. What the bytes are is the reader's to check."""
        if start < 0 or length < 0:
            raise BadInput(f"no range of {key} starts at {start} and has {length} bytes", key=key)
        with our_errors(f"cannot read {check_key(key)}"):
            return self._reader.range(key, start, length)

    def blocks(self, key: str, size: int = BLOCK_SIZE) -> Iterator[bytes]:
        """As the port says. What the bytes are is the reader's to check."""
        if size <= 0:
            raise BadInput(f"no block of {key} has {size} bytes", key=key)
        with our_errors(f"cannot read {check_key(key)}"):
            version, rest = self._versions.first(key), bytearray()
            for piece in self._reader.pieces(version, 0, version.size_bytes):
                rest += piece
                while len(rest) >= size:
                    yield bytes(rest[:size])
                    del rest[:size]
            if rest:
                yield bytes(rest)

    def measure(self, key: str) -> Digest:
        """As the port says: all bytes come back and are hashed here."""
        with our_errors(f"cannot read {check_key(key)}"):
            return self._reader.whole(key, lambda _, pieces: drained(pieces))[1]

    def size(self, key: str) -> int:
        """As the port says."""
        with our_errors(f"cannot read {check_key(key)}"):
            return self._versions.first(key).size_bytes

    def exists(self, key: str) -> bool:
        """As the port says."""
        try:
            self.size(key)
        except NotFound:
            return False
        return True

    def keys(self, prefix: str = "") -> Iterator[str]:
        """As the port says: in a bucket with versions also what a delete marker hides from others."""
        check_prefix(prefix)
        return (name for name in self._names(prefix) if _is_key(name))

    def strays(self) -> Iterator[str]:
        """Names that no key could have, and objects that somebody put a version or a delete marker over."""
        with our_errors("cannot list the store"):
            if not self._versions.are_kept():
                yield from (name for name in self._names("") if not _is_key(name))
                return
            for name, found in self._versions.grouped(""):
                is_single = len(found) == 1 and not found[0].is_delete_marker
                if not _is_key(name) or not (is_single or layout.is_pointer(name)):
                    yield name

    @contextmanager
    def local_file(self, key: str) -> Iterator[Path]:
        """As the port says: a copy in the journal's folder, removed at the end."""
        check_key(key)
        with scratch(self._folder) as folder:
            with our_errors(f"cannot read {key}"):
                path = self._fetched(key, folder)
            yield path

    # --- locks ------------------------------------------------------------------------------

    def protect(self, key: str, *, until: datetime) -> Protection:
        """As the port says: retention in the mode the address names; NO_PROTECTION when it names none."""
        with our_errors(f"cannot protect {check_key(key)}"):
            return self._locks.protect(key, until)

    def hold(self, key: str, *, is_held: bool) -> Protection:
        """As the port says; NO_PROTECTION when the address names no lock."""
        with our_errors(f"cannot hold {check_key(key)}"):
            return self._locks.hold(key, is_held=is_held)

    def protection(self, key: str) -> Protection:
        """As the port says; NO_PROTECTION when the address names no lock."""
        with our_errors(f"cannot read {check_key(key)}"):
            return self._locks.protection(key)

    # --- keeping ----------------------------------------------------------------------------

    def sweep(self, *, now: datetime) -> int:
        """As the port says: uploads in parts, their journals, and files once lent by a process that was killed."""
        before = now - _STALE_AFTER
        with our_errors("cannot sweep unfinished writes"), store_errors("cannot sweep unfinished writes"):
            return sweep(self._client, self._uploader, self._folder, before=before)

    def versions(self, key: str) -> list[Version]:
        """Every version of `key` and every delete marker, newest first; for a person who looks into it."""
        with our_errors(f"cannot read {check_key(key)}"):
            return self._versions.all_of(key)

    def bring_back(self, key: str, digest: Digest) -> bool:
        """Make the newest version of `key` the object again, with its lock; False when it is already.

        Readers of ours never saw anything else, as long as the first version stands. Nothing is removed.

        Raises:
            NotFound: no version has these bytes any more.
            Conflict: the first version has other bytes, so that our readers get those: a person must look at
                both, and delete that version by its id if it is not evidence.

        """
        with our_errors(f"cannot bring back {check_key(key)}"):
            return self._restorer.bring_back(key, digest)

    def recall(self, key: str, *, days: int) -> None:
        """Ask a service that keeps the object where it cannot be read at once to bring it up for some days.

        That may take hours; asking again meanwhile changes nothing.
        """
        with our_errors(f"cannot recall {check_key(key)}"):
            version = self._versions.first(key)
            order = {"Days": days, "GlacierJobParameters": {"Tier": "Standard"}}
            try:
                name = self.address.name(key)
                self._client.call("restore_object", Key=name, RestoreRequest=order, **version.named())
            except Said as error:
                if error.code != "RestoreAlreadyInProgress":
                    raise

    # --- within -----------------------------------------------------------------------------

    def _fetched(self, key: str, folder: Path) -> Path:
        path = folder / key.rpartition("/")[2]
        self._reader.whole(key, lambda _, pieces: write_file(path, pieces))
        path.chmod(0o444)
        return path

    def _names(self, prefix: str) -> Iterator[str]:
        with our_errors("cannot list the store"):
            if self._versions.are_kept():
                for name, found in self._versions.grouped(prefix):
                    if not all(one.is_delete_marker for one in found):
                        yield name
                return
            yield from in_order(self._listed(prefix))

    def _listed(self, prefix: str) -> Iterator[str]:
        begins, marks = self.address.names(prefix), {"ContinuationToken": "NextContinuationToken"}
        for answer in pages(self._client, "list_objects_v2", marks, Prefix=begins, MaxKeys=PAGE):
            for entry in ours(self._client, answer.get("Contents", []), begins):
                yield entry["Key"].removeprefix(self.address.prefix)


def _is_key(name: str) -> bool:
    try:
        check_key(name)
    except BadInput:
        return False
    return True
