# SPDX-License-Identifier: Apache-2.0
"""This is where files leave the spool for the server: a few connections at once, piece by piece, also while they grow.

What a cut leaves: the server has the pieces that it acknowledged, and says so when it is asked; the piece that was
under way is sent again, and no other. Where an upload is, is in the spool's journal, so that an agent that is killed
goes on as after a cut. An upload that the server knows no more was either received whole, or is begun anew.
"""

import threading
from collections.abc import Callable
from contextlib import suppress

from devices.agent.pieces import Sent, measured
from devices.agent.server_patience import Gate
from devices.agent.server_port import Server
from devices.agent.session import Session
from devices.agent.spool import Spool
from devices.agent.uploading_queue import Queue, Transfer
from devices.agent.uploading_requests import create, offset_of, send_piece
from evidence.errors import (
    ChecksumMismatch,
    EvidockError,
    FixityMismatch,
    InUse,
    NotFound,
    NotSignedIn,
    OffsetConflict,
    ServerUnavailable,
    StoreUnavailable,
)

CONNECTIONS = 4
_IDLE_S = 0.02
_IN_USE_S = 0.5
_REFUSED_S = 60.0
_REVOKED_S = 60.0
_DISK_S = 2.0
WITHDRAWN = "withdrawn"

# Hears of a file that cannot be uploaded: the offer, and why.
OnTrouble = Callable[[str, EvidockError], None]


class Uploads:
    """The uploader of one dock: threads from `start` until `stop` is set. `monotonic` tells seconds."""

    def __init__(
        self,
        spool: Spool,
        session: Session,
        server: Server,
        gate: Gate,
        *,
        monotonic: Callable[[], float],
        on_trouble: OnTrouble,
        on_failure: Callable[[Exception], None],
        connections: int = CONNECTIONS,
    ) -> None:
        self.sent = Sent()
        self._spool = spool
        self._session = session
        self._server = server
        self._gate = gate
        self._queue = Queue(spool, monotonic=monotonic)
        self._on_trouble = on_trouble
        self._on_failure = on_failure
        self._threads = [
            threading.Thread(target=self._run, name=f"dock-upload-{number}", daemon=True)
            for number in range(connections)
        ]
        self._stop = threading.Event()

    def start(self, stop: threading.Event) -> None:
        """Upload until `stop` is set."""
        self._stop = stop
        for thread in self._threads:
            thread.start()

    def join(self, timeout_s: float) -> None:
        """Return when the threads ended, or after a while each."""
        for thread in self._threads:
            thread.join(timeout_s)

    def _run(self) -> None:
        while not self._stop.is_set():
            self._gate.wait(self._stop)
            try:
                has_done = self._turn()
            except StoreUnavailable as error:
                self._on_trouble("", error)
                self._stop.wait(_DISK_S)
            except Exception as error:
                self._on_failure(error)
                self._stop.wait(_DISK_S)
            else:
                if not has_done:
                    self._stop.wait(_IDLE_S)

    def _turn(self) -> bool:
        transfer = self._queue.take()
        if transfer is None:
            return False
        pause_s = _DISK_S  # when a disk fails beneath it
        try:
            pause_s = self._go_on(transfer)
        finally:
            self._queue.give_back(transfer, pause_s=pause_s)
        return True

    def _go_on(self, transfer: Transfer) -> float:
        """Do the next thing of a transfer; for how long it then rests."""
        try:
            self._next(transfer)
        except ServerUnavailable as error:
            transfer.offset = None
            self._gate.failed(error.message, retry_after_s=_seconds(error.values.get("retry_after_s")))
        except NotSignedIn as error:
            transfer.offset = None
            self._gate.failed(error.message, retry_after_s=_REVOKED_S)
            self._on_trouble(transfer.file.offer, error)
        except (OffsetConflict, InUse):
            transfer.offset = None
            return _IN_USE_S
        except StoreUnavailable:
            transfer.offset = None
            raise
        except EvidockError as error:
            transfer.offset = None
            self._on_trouble(transfer.file.offer, error)
            return _REFUSED_S
        else:
            self._gate.worked()
        return 0.0

    def _next(self, transfer: Transfer) -> None:
        file = transfer.file
        if transfer.path is None:
            transfer.path, transfer.offset = create(self._session, file), 0
            self._spool.set_upload(file.offer, transfer.path)
        elif transfer.offset is None:
            self._ask_offset(transfer, transfer.path)
        elif transfer.offset < file.size_bytes:
            self._send(transfer, transfer.path, transfer.offset)

    def _ask_offset(self, transfer: Transfer, path: str) -> None:
        offer, size = transfer.file.offer, transfer.file.size_bytes
        offset = offset_of(self._session, path)
        if offset is not None and offset <= size:
            if transfer.tried_at is not None:  # the piece may have come to count, and its answer was lost
                self.sent.add(acknowledged=max(0, offset - transfer.tried_at))
            transfer.offset, transfer.tried_at = offset, None
            self._spool.set_uploaded(offer, offset)
        else:
            self._lost(transfer)

    def _lost(self, transfer: Transfer) -> None:
        """The server knows no such upload: it has the whole file, or the file is sent anew."""
        offer, size = transfer.file.offer, transfer.file.size_bytes
        known = self._server.known([offer]).get(offer)
        if known is not None and known.outcome != WITHDRAWN:
            transfer.offset = size
            self._spool.set_uploaded(offer, size)
            return
        self._spool.set_upload(offer, None)
        transfer.path, transfer.offset = None, 0

    def _send(self, transfer: Transfer, path: str, at: int) -> None:
        file, end, before = transfer.file, transfer.end, self.sent.bytes
        try:
            reader = self._spool.open(file.offer)
        except NotFound:  # given up meanwhile, and not ours any more
            transfer.offset = None
            return
        with reader:
            descriptor = reader.fileno()
            digest = self._digest(transfer, descriptor, at, end)
            transfer.tried_at = at
            try:
                reached = send_piece(
                    self._session, path, descriptor=descriptor, at=at, end=end, digest=digest, sent=self.sent
                )
            except ChecksumMismatch as error:
                self.sent.add(cuts=1)
                self._blame(descriptor, at, end, digest, error)
                transfer.offset = None
                return
            except NotFound:
                self._lost(transfer)
                return
            except EvidockError:
                self.sent.add(cuts=int(self.sent.bytes != before))
                self._queue.broke_off()
                raise
        self.sent.add(acknowledged=reached - at, pieces=1)
        self._queue.landed()
        transfer.offset, transfer.tried_at = reached, None
        self._spool.set_uploaded(file.offer, reached)

    def _digest(self, transfer: Transfer, descriptor: int, at: int, end: int) -> bytes:
        """The SHA-256 of what is sent: of a whole file that which was measured while it was read from the device."""
        file = transfer.file
        if file.sha256 is not None and (at, end) == (0, file.size_bytes):
            return bytes.fromhex(file.sha256)
        return measured(descriptor, at, end)

    def _blame(self, descriptor: int, at: int, end: int, digest: bytes, error: EvidockError) -> None:
        """Return when the wire changed a piece; it is sent again.

        Raises:
            FixityMismatch: the dock's own disk did: what rests is not what was copied.
        """
        if measured(descriptor, at, end) != digest:
            raise FixityMismatch("bytes in the dock's spool are not those that were copied") from error


def _seconds(value: object) -> float | None:
    with suppress(TypeError, ValueError):
        return float(str(value))
    return None
