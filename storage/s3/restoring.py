# SPDX-License-Identifier: Apache-2.0
"""This is where an object that somebody wrote over, or hid, is put on top again for tools that read the newest."""

from pathlib import Path

from evidence.digest import Digest
from evidence.errors import Conflict, NotFound
from storage.s3.locks import Locks
from storage.s3.reading import Reader
from storage.s3.scratch import scratch, write_file
from storage.s3.versions import Version, Versions
from storage.s3.writing import Writer


class Restorer:
    """Brings objects back at one address; `folder` is where one lies on its way."""

    def __init__(self, versions: Versions, reader: Reader, writer: Writer, locks: Locks, folder: Path) -> None:
        self._versions, self._reader, self._writer, self._locks = versions, reader, writer, locks
        self._folder = folder

    def bring_back(self, key: str, digest: Digest) -> bool:
        """See `S3Store.bring_back`."""
        found = [one for one in self._versions.all_of(key) if not one.is_delete_marker]
        intact = [one for one in reversed(found) if self._reader.measure(one) == digest]
        if not intact:
            raise NotFound(f"no version of {key} is {digest}", key=key)
        first = found[-1]
        if first != intact[0]:
            raise Conflict(
                f"the first version of {key} ({first.version_id}) has other bytes than version "
                f"{intact[0].version_id}: delete it by its id if it is not evidence",
                key=key,
            )
        if intact[-1].is_latest:
            return False
        self._put_on_top(first, digest)
        return True

    def _put_on_top(self, first: Version, digest: Digest) -> None:
        with scratch(self._folder) as folder:
            path = folder / "object"
            write_file(path, self._reader.pieces(first, 0, first.size_bytes))
            self._writer.put_on_top(first.key, path, digest)
        newest = self._versions.all_of(first.key)[0]
        self._locks.carry_over(first, onto=newest)
