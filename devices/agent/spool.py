# SPDX-License-Identifier: Apache-2.0
"""This is where files rest in a dock between the device and the server: days without a network, kills, power cuts.

    journal.sqlite      a row for each file that was ever copied: what is known of it
    <offer>.bytes       what was copied so far, from its first byte on

Order of writes: the bytes of a file, made durable; then `sha256` in its row: a row with `sha256` has all its bytes,
and they last. Of a file that is not whole, what was written since the machine was started is believed; after a
power cut only what was made durable when the copy was broken off (`kept_bytes`). A file leaves only after its
receipt was verified, and its row stays: what is docked again is known by it. Before a file leaves here or the
device, the journal is made durable; and should the word "receipted" be lost, the file is asked after again.
"""

import os
import secrets
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO

from devices.agent.journal import Journal, Row
from devices.agent.spool_rows import SpoolFile, claims_text, file_of
from evidence.claims import Claims
from evidence.errors import FixityMismatch, NotFound
from evidence.offer import Offer, showable
from evidence.receipt import Receipt
from storage.durable import store_errors, sync_folder

PIECE_BYTES = 8 << 20
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_MEASURED_AT_ONCE = 16


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a file comes from: the docking that takes it, its port, the device, and whether it goes first."""

    docking: str
    port: str
    device: str
    is_priority: bool = False


class Spool:
    """The files of one dock. Safe to use from several threads; one process at a time."""

    def __init__(self, folder: Path) -> None:
        """Open the spool in `folder`, made when it is not there. Raises: StoreUnavailable."""
        self.folder = folder
        self.journal = Journal(folder / "journal.sqlite")
        self._growing: dict[str, int] = {}
        self._pieces: dict[str, list[bytes]] = {}
        self._lock = threading.Lock()
        self._boot = _BOOT_ID.read_text("ascii").strip() if _BOOT_ID.exists() else secrets.token_hex(8)

    def close(self) -> None:
        """The spool is not used any more."""
        self.journal.close()

    # --- for the uploader ---------------------------------------------------------------------------

    def waiting(self, limit: int = 1000) -> list[SpoolFile]:
        """Files without receipt, priority first, then as they were taken; those that still grow among them."""
        asked = "SELECT * FROM files WHERE is_receipted = 0 ORDER BY is_priority DESC, docking, offer LIMIT ?"
        return [file_of(row) for row in self.journal.rows(asked, (limit,))]

    def count_waiting(self) -> int:
        """How many files have no receipt yet."""
        return int(self.journal.rows("SELECT count(*) AS n FROM files WHERE is_receipted = 0")[0]["n"])

    def ready_bytes(self, offer: str) -> int:
        """How many bytes of a file may be uploaded now: all of a whole one, whole pieces of one that still grows.

        They are there to be read with `open`, and stay.

        Raises:
            NotFound: no such file.
        """
        told = self.file(offer)
        return told.size_bytes if told.sha256 is not None else self._growing.get(offer, 0)

    def pieces(self, offer: str) -> tuple[bytes, ...]:
        """The SHA-256 of the pieces that may be uploaded now, in order; after a restart of large files, first of some.

        They are measured here and not while copying, which would take the time of a second SHA-256. Each call
        measures at most 16 pieces more than the last one, and what was measured is remembered while it waits.

        Raises:
            NotFound: no such file. StoreUnavailable: it cannot be read.
        """
        ready = self.ready_bytes(offer)
        with self._lock:
            known = list(self._pieces.get(offer, ()))
        end = -(-ready // PIECE_BYTES)
        if len(known) < end:
            with self.open(offer) as reader, store_errors("a file in the spool cannot be read"):
                for at in range(len(known), min(end, len(known) + _MEASURED_AT_ONCE)):
                    size = min(PIECE_BYTES, ready - at * PIECE_BYTES)
                    known.append(_sha256_at(reader.fileno(), at * PIECE_BYTES, size))
            with self._lock:
                self._pieces[offer] = known
        return tuple(known)

    def open(self, offer: str) -> BinaryIO:
        """An unbuffered reader of what rests of a file; the caller closes it.

        Raises:
            NotFound: nothing rests here (any more). StoreUnavailable: it cannot be read.
        """
        with store_errors("a file in the spool cannot be read"):
            try:
                return self.bytes_path(offer).open("rb", buffering=0)
            except FileNotFoundError as error:
                raise NotFound(f"nothing rests in the spool of {offer}") from error

    def set_upload(self, offer: str, url: str | None, *, uploaded_bytes: int = 0) -> None:
        """Where the file is uploaded to (None: nowhere yet), and how much of it the server has acknowledged."""
        written = "UPDATE files SET upload_url = ?, uploaded_bytes = ? WHERE offer = ?"
        self.journal.write(written, (url, uploaded_bytes, offer))

    def set_uploaded(self, offer: str, uploaded_bytes: int) -> None:
        """So much of the file has been acknowledged by the server."""
        self.journal.write("UPDATE files SET uploaded_bytes = ? WHERE offer = ?", (uploaded_bytes, offer))

    def take_receipt(self, offer: str, receipt: Receipt) -> None:
        """The server's word for this file, opened with its pinned key: it may leave the spool.

        Raises:
            FixityMismatch: the receipt is for other bytes than were copied, or the file is not copied whole.
            NotFound: no such file.
        """
        told = self.file(offer)
        if told.sha256 is None or (receipt.sha256, receipt.size_bytes) != (told.sha256, told.size_bytes):
            raise FixityMismatch(
                f"the receipt is for other bytes than were copied: {showable(told.path)}",
                offer=offer,
                ours=told.sha256 or "",
                theirs=receipt.sha256,
            )
        self.journal.write(
            "UPDATE files SET is_receipted = 1, recording = ? WHERE offer = ?", (receipt.recording, offer)
        )

    # --- for the ports ------------------------------------------------------------------------------

    def find(self, offer: str) -> SpoolFile | None:
        """What is known of a file, or None."""
        rows: list[Row] = self.journal.rows("SELECT * FROM files WHERE offer = ?", (offer,))
        return file_of(rows[0]) if rows else None

    def file(self, offer: str) -> SpoolFile:
        """What is known of a file.

        Raises:
            NotFound: no such file.
        """
        found = self.find(offer)
        if found is None:
            raise NotFound(f"the spool knows no file {offer}")
        return found

    def begin(self, offer: Offer, origin: Origin, claims: Claims) -> SpoolFile:
        """The row of a file that is about to be copied; one that is there already keeps what was done."""
        name = (offer.id, origin.device, origin.docking, origin.port, showable(offer.path), showable(offer.name))
        self.journal.write(
            "INSERT INTO files (offer, device, docking, port, path, name, size_bytes, mtime_ns, claims, is_priority)"
            " VALUES (?,?,?,?,?,?,?,?,?,?) ON CONFLICT (offer) DO UPDATE SET port = excluded.port,"
            " docking = CASE WHEN sha256 IS NULL THEN excluded.docking ELSE docking END,"
            " is_priority = excluded.is_priority",
            (*name, offer.size_bytes, offer.mtime_ns, claims_text(claims), origin.is_priority),
        )
        return self.file(offer.id)

    def kept_bytes(self, told: SpoolFile) -> int:
        """How much of a file that is not whole can be believed: whole pieces, from its first byte on."""
        with store_errors("the spool cannot be read"):
            try:
                size = self.bytes_path(told.offer).stat().st_size
            except FileNotFoundError:
                return 0
        believed = size if told.boot == self._boot else min(size, told.kept_bytes)
        return min(believed, told.size_bytes) // PIECE_BYTES * PIECE_BYTES

    def begin_writing(self, offer: str) -> None:
        """What is in the file until here was believed, and more is written now."""
        self.journal.write("UPDATE files SET boot = ? WHERE offer = ?", (self._boot, offer))

    def grow(self, offer: str, size_bytes: int) -> None:
        """So many bytes of a file, whole pieces, are written and may be uploaded."""
        with self._lock:
            self._growing[offer] = size_bytes

    def set_kept(self, offer: str, size_bytes: int) -> None:
        """So many bytes of a file that is not whole were made durable."""
        self.journal.write("UPDATE files SET kept_bytes = ? WHERE offer = ?", (size_bytes, offer))

    def copied(self, offer: str, sha256: str, *, tail: str, docking: str | None) -> None:
        """All bytes of a file rest here and last; `docking`: every one was read from the device in it, or None."""
        self.all_copied([(sha256, tail, docking, offer)])

    def all_copied(self, files: Sequence[tuple[str, str, str | None, str]]) -> None:
        """As `copied`, for several files at once: (sha256, tail, docking, offer) of each."""
        written = "UPDATE files SET sha256 = ?, tail = ?, read_in = ?, is_resting = 1 WHERE offer = ?"
        self.journal.write_many(written, files)
        with self._lock:
            for *_, offer in files:
                self._growing.pop(offer, None)

    def read_again(self, offer: str, *, docking: str) -> None:
        """A file that was copied before was read from the device whole in `docking`, and is the same."""
        self.journal.write("UPDATE files SET read_in = ? WHERE offer = ?", (docking, offer))

    def backed_up(self, offer: str) -> None:
        """The file rests on the dock's second disk, too."""
        self.journal.write("UPDATE files SET is_backed_up = 1 WHERE offer = ?", (offer,))

    def erased(self, offers: Sequence[str]) -> None:
        """These files are gone from the device, as was looked for."""
        for offer in offers:
            self.journal.write("UPDATE files SET is_erased = 1 WHERE offer = ?", (offer,))

    def release(self, *, needs_backup: bool, limit: int = 1000) -> int:
        """Let go of files whose receipt was verified (and that are backed up, when that is wanted); how many."""
        asked = "SELECT offer FROM files WHERE is_receipted = 1 AND is_resting = 1 AND is_backed_up >= ? LIMIT ?"
        offers = [str(row["offer"]) for row in self.journal.rows(asked, (int(needs_backup), limit))]
        if not offers:
            return 0
        self.journal.make_durable()
        for offer in offers:
            with store_errors("a file in the spool cannot be let go"):
                self.bytes_path(offer).unlink(missing_ok=True)
            self._forget(offer)
            self.journal.write("UPDATE files SET is_resting = 0 WHERE offer = ?", (offer,))
        return len(offers)

    def unbacked(self, limit: int = 10) -> list[SpoolFile]:
        """Whole files that rest here and not on the second disk."""
        asked = "SELECT * FROM files WHERE is_backed_up = 0 AND is_resting = 1 AND sha256 IS NOT NULL LIMIT ?"
        return [file_of(row) for row in self.journal.rows(asked, (limit,))]

    def lost(self, offer: str) -> None:
        """A file is to be copied anew: its row says that it rests here, and it does not."""
        self.journal.write("UPDATE files SET sha256 = NULL, upload_url = NULL WHERE offer = ?", (offer,))

    def forgotten(self, offer: str) -> None:
        """The server lost a file that it gave a receipt for: it is to be copied and uploaded anew."""
        written = (
            "UPDATE files SET is_receipted = 0, recording = NULL, sha256 = NULL, read_in = NULL, is_erased = 0,"
            " upload_url = NULL, uploaded_bytes = 0 WHERE offer = ?"
        )
        self.journal.write(written, (offer,))

    def discard(self, offer: str) -> None:
        """Forget what was copied of a file that is not whole: it is not what the device has."""
        self._forget(offer)
        with store_errors("a file in the spool cannot be discarded"):
            self.bytes_path(offer).unlink(missing_ok=True)
        self.set_upload(offer, None)

    def _forget(self, offer: str) -> None:
        with self._lock:
            self._growing.pop(offer, None)
            self._pieces.pop(offer, None)

    def bytes_path(self, offer: str) -> Path:
        """Where the bytes of a file rest."""
        return self.folder / f"{offer}.bytes"

    def sync(self) -> None:
        """Return when the names in the spool would outlive a power cut."""
        with store_errors("the spool cannot be made durable"):
            sync_folder(self.folder)


def _sha256_at(descriptor: int, at: int, size_bytes: int) -> bytes:
    measured, end = sha256(), at + size_bytes
    while at < end:
        block = os.pread(descriptor, min(1 << 20, end - at), at)
        if not block:
            raise FixityMismatch("a file in the spool is shorter than it was")
        measured.update(block)
        at += len(block)
    return measured.digest()
