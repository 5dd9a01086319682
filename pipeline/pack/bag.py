# SPDX-License-Identifier: Apache-2.0
"""This is where a bag is written: files once each, their digests as they are written, the manifests last.

Source: RFC 8493 §2.
"""

import hashlib
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from evidence.errors import BadInput, FixityMismatch
from pipeline.pack import names
from storage.durable import store_errors, sync_folder


@dataclass(frozen=True, slots=True)
class Written:
    """One file of a bag."""

    sha256: str
    size_bytes: int


class Bag:
    """A bag that is being written into a folder of its own. Every file is durable when its call returns."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.files: dict[str, Written] = {}

    def add(self, name: str, data: bytes) -> Written:
        """Write one file.

        Raises:
            StoreUnavailable: the disk is full, or refuses.
        """
        return self.add_blocks(name, [data])

    def add_blocks(self, name: str, blocks: Iterable[bytes], *, expected: str | None = None) -> Written:
        """Write one file block by block; `expected`: the SHA-256 that it must have.

        Raises:
            FixityMismatch: it has another. StoreUnavailable: the disk is full, or refuses.
        """
        path = self.path(name)
        digest, size_bytes = hashlib.sha256(), 0
        with store_errors(f"{name} of the pack cannot be written"), path.open("xb") as file:
            for block in blocks:
                digest.update(block)
                size_bytes += file.write(block)
            file.flush()
            os.fsync(file.fileno())
        return self._took(name, Written(digest.hexdigest(), size_bytes), expected=expected)

    def adopt(self, name: str) -> Written:
        """Count a file that somebody else wrote in its place.

        Raises:
            StoreUnavailable: it cannot be read.
        """
        path = self.folder / name
        with store_errors(f"{name} of the pack cannot be read"), path.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
            return self._took(name, Written(sha256, path.stat().st_size))

    def path(self, name: str) -> Path:
        """Where the file of this name goes; its folder is there.

        Raises:
            BadInput: it is none of our names, or the bag has it.
        """
        if not names.is_name(name) or name in self.files:
            raise BadInput(f"not a name for a file of a pack: {name!r}")
        path = self.folder / name
        with store_errors(f"the folder of {name} cannot be made"):
            path.parent.mkdir(parents=True, exist_ok=True)
        return path

    @property
    def size_bytes(self) -> int:
        """All that was written."""
        return sum(one.size_bytes for one in self.files.values())

    def seal_payload(self, info: Mapping[str, str]) -> str:
        """Write what says that this is a bag, and the manifest of its payload; the manifest's SHA-256."""
        payload = [one for name, one in self.files.items() if name.startswith(names.PAYLOAD)]
        oxum = f"{sum(one.size_bytes for one in payload)}.{len(payload)}"
        lines = [f"{label}: {value}\n" for label, value in {**info, "Payload-Oxum": oxum}.items()]
        self.add(names.BAGIT, names.DECLARATION)
        self.add(names.BAG_INFO, "".join(lines).encode())
        return self.add(names.MANIFEST, self._manifest(of_payload=True)).sha256

    def finish(self) -> None:
        """Write the manifest of the tag files, and make every name durable."""
        self.add(names.TAG_MANIFEST, self._manifest(of_payload=False))
        with store_errors("the pack cannot be made durable"):
            for folder, _, _ in os.walk(self.folder):
                sync_folder(folder)

    def _manifest(self, *, of_payload: bool) -> bytes:
        wanted = sorted(name for name in self.files if name.startswith(names.PAYLOAD) is of_payload)
        return "".join(f"{self.files[name].sha256}  {name}\n" for name in wanted).encode()

    def _took(self, name: str, written: Written, *, expected: str | None = None) -> Written:
        if expected is not None and written.sha256 != expected:
            raise FixityMismatch(
                f"{name} came out of the store with other bytes than were sealed",
                expected=expected,
                actual=written.sha256,
            )
        self.files[name] = written
        return written
