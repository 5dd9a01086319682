# SPDX-License-Identifier: Apache-2.0
"""This is where the bytes of one request go to the disk: everything here blocks, and runs beside the event loop."""

import threading
from contextlib import ExitStack

from evidence.errors import ChecksumMismatch, StoreUnavailable
from pipeline.received import ReceivedFiles
from pipeline.received_piece import Piece
from web.tus.headers import Checksum


class Sink:
    """What one request appends to one file, from offset `at` to at most `limit`.

    With a checksum it counts whole or not at all. Without, all that came counts, and every `settle_bytes` of it last
    already while more comes. Calls from several threads wait for one another.
    """

    def __init__(
        self,
        files: ReceivedFiles,
        identifier: str,
        *,
        at: int,
        limit: int,
        checksum: Checksum | None,
        settle_bytes: int,
    ) -> None:
        self._appending = files.appending(identifier, at=at, limit=limit)
        self._checksum = checksum
        self._other = checksum.fresh() if checksum is not None and checksum.algorithm != "sha256" else None
        self._settle_bytes = settle_bytes
        self._stack = ExitStack()
        self._piece: Piece | None = None
        self._is_over = False
        self._lock = threading.Lock()

    def open(self) -> None:
        """Hold the file.

        Raises:
            OffsetConflict, InUse, NotFound, StoreUnavailable: as `ReceivedFiles.appending`.
        """
        with self._lock:
            if self._is_over:
                raise StoreUnavailable("the upload is not held")
            self._piece = self._stack.enter_context(self._appending)

    def write(self, block: bytes | bytearray) -> None:
        """Append a block.

        Raises:
            TooLarge, StoreUnavailable: as `Piece.write`.
        """
        with self._lock:
            piece = self._opened()
            piece.write(block)
            if self._other is not None:
                self._other.update(block)
            if self._checksum is None and piece.end - piece.at >= self._settle_bytes:
                piece.settle()

    def close(self, *, is_whole: bool) -> int:
        """Let go of the file; where its next byte goes. `is_whole`: the request came to its end.

        Raises:
            ChecksumMismatch: it came whole, and is not what was announced; nothing of it counts.
            StoreUnavailable: the disk refused; what was acknowledged before lasts.
        """
        with self._lock, self._stack:
            self._is_over = True
            if self._piece is None:
                return 0
            piece, self._piece = self._piece, None  # whoever comes later finds nothing to write to
            if self._checksum is None:
                piece.commit()
            elif is_whole:
                self._check(piece, self._checksum)
                piece.commit()
            return piece.end

    def abandon(self) -> None:
        """Let go of the file; what has not settled is as if it had never come."""
        with self._lock:
            self._is_over, self._piece = True, None
            self._stack.close()

    def _opened(self) -> Piece:
        if self._piece is None:
            raise StoreUnavailable("the upload is not held")
        return self._piece

    def _check(self, piece: Piece, checksum: Checksum) -> None:
        came = piece.sha256 if self._other is None else self._other.digest()
        if came != checksum.digest:
            raise ChecksumMismatch(f"the bytes have another {checksum.algorithm} than was announced; send them again")
