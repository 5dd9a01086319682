# SPDX-License-Identifier: Apache-2.0
"""This is where uploads are announced, grow and become recordings, whatever asked for it."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TypeVar

from evidence import ids
from evidence.errors import BadInput, Conflict, InUse, NotFound, OffsetConflict, TooLarge, Unavailable
from pipeline import receive
from pipeline.received_told import Told
from storage.register import dock_rows
from storage.register.answers import Row
from web.api.context import Context
from web.tus.announced import Announced
from web.tus.headers import Checksum, metadata
from web.tus.sink import Sink
from web.tus.stream import Body, pour
from web.tus.told import is_upload, told_of

T = TypeVar("T")

_THREADS = 32
_CHANCE_BYTES = 10


@dataclass(frozen=True, slots=True)
class Standing:
    """How far an upload is. `expires_at` is None when it is whole."""

    told: Told
    length: int
    offset: int
    expires_at: datetime | None


@dataclass(slots=True)
class Intake:
    """The uploads of one server. Its plain methods block; `grow` is for the event loop."""

    context: Context
    announced: Announced = field(init=False)
    _has_swept: bool = field(init=False, default=False)
    _bodies: dict[str, Body] = field(init=False, default_factory=dict)
    threads: Executor = field(init=False, default_factory=lambda: ThreadPoolExecutor(_THREADS, "upload"))

    def __post_init__(self) -> None:
        self.announced = Announced(self.context.limits)

    def announce(self, header: str | None, *, length: int, dock: Row) -> str:
        """Take down that a file will come; its id. The very same again, before a byte of it came, is the same upload.

        Raises:
            BadInput: what is said of it cannot be. DiskLow, Overloaded: not now. StoreUnavailable.
        """
        chance = self.context.ports.chance(_CHANCE_BYTES)
        told = told_of(
            metadata(header),
            sender=dock["id"],
            length=length,
            alone=ids.opaque("upl", chance),
            header=header or "",
            read=self.context.read_name,
        )
        self._check_docking(told, dock)
        # An answer may be lost on its way: asking again must not leave an upload behind each time.
        for before in self.announced.same(told):
            if self.context.files.offset(before) == 0:
                return before
        self.announced.check(dock["id"])
        self.context.admit(length)
        identifier = self.context.files.create(told, chance=chance)
        self.announced.add(identifier, told)
        return identifier

    def standing(self, identifier: str, dock: Row) -> Standing:
        """How far an upload of this dock is.

        Raises:
            NotFound: it has none of this id; StoreUnavailable.
        """
        told = self.context.files.told(identifier)
        if told.sender != dock["id"] or not is_upload(told) or told.length is None:
            raise NotFound("no such file is being received")
        offset = self.context.files.offset(identifier)
        return Standing(told, told.length, offset, None if offset == told.length else self._expiry(identifier))

    async def grow(
        self, identifier: str, body: Body, *, at: int, checksum: Checksum | None, coming: int, dock: Row
    ) -> Standing:
        """Append a body from offset `at`, of which `coming` bytes are announced; how far the upload is then.

        A broken connection is no error: what counts of it is in the answer.

        Raises:
            NotFound, OffsetConflict, InUse, TooLarge, ChecksumMismatch: the client is wrong, or late.
            DiskLow, Overloaded, StoreUnavailable, RegisterUnavailable: not now.
        """
        with self.announced.growing(dock["id"]):
            before = await self._beside(self._checked, identifier, at, coming, dock)
            sink = Sink(
                self.context.files,
                identifier,
                at=at,
                limit=before.length,
                checksum=checksum,
                settle_bytes=self.context.limits.settle_bytes,
            )
            await self._poured(identifier, body, sink)
        return await self._beside(self._took, identifier, dock)

    def end(self, identifier: str, dock: Row) -> None:
        """Forget an upload that its dock does not want to finish.

        Raises:
            NotFound: it has none of this id. Conflict: it is whole, and a recording. InUse: it grows right now.
        """
        standing = self.standing(identifier, dock)
        if standing.expires_at is None:
            raise Conflict("this file came whole and is a recording: nobody takes it back here")
        self.context.files.remove(identifier, unless_at=standing.length)
        self.announced.discard(identifier)

    def finish(self, identifier: str) -> None:
        """Take a whole upload down as a recording, and tell a worker; what cannot be done now is done by `sweep`."""
        here = self.context
        self.announced.discard(identifier)
        try:
            arrival = receive.finish(identifier, ports=here.ports, now=here.now())
        except Unavailable as error:
            here.note(
                "took-not-yet", f"{identifier} is whole and is taken down later: {error.message}", code=error.code
            )
            return
        if arrival.is_new:
            here.note("took", f"took {identifier} as {arrival.recording}", recording=arrival.recording)
            here.hint(arrival.job)

    def sweep(self) -> None:
        """Finish what is whole, forget what rests elsewhere or was given up; for every start, and now and then.

        Raises:
            RegisterUnavailable, StoreUnavailable: worth another try. RecordMalformed: a file here is broken.
        """
        here = self.context
        age = timedelta(days=here.limits.upload_days)
        try:
            # A server that was started anew may be a newer one, that can do what the last could not.
            receive.sweep(ports=here.ports, now=here.now(), revives=not self._has_swept)
        finally:
            self._has_swept = True
            receive.expire(ports=here.ports, now=here.now(), after=age, is_meant=is_upload)
            self.announced.look(here.files)

    async def _poured(self, identifier: str, body: Body, sink: Sink) -> None:
        """Let a body flow, unless another does: one whose client went silent is ended, for it may be the same client.

        A network that vanishes tells nobody: until it is noticed, who comes back would find its own upload in use.
        """
        if (other := self._bodies.get(identifier)) is not None:
            other.give_up_if_silent()
            raise InUse(f"{identifier} is being written to by another request")
        self._bodies[identifier] = body
        try:
            await pour(body, sink, self.threads)
        finally:
            del self._bodies[identifier]

    async def _beside(self, function: Callable[..., T], *given: object) -> T:
        return await asyncio.get_running_loop().run_in_executor(self.threads, partial(function, *given))

    def _checked(self, identifier: str, at: int, coming: int, dock: Row) -> Standing:
        standing = self.standing(identifier, dock)
        if at != standing.offset:
            raise OffsetConflict(f"the next byte is number {standing.offset}, not {at}", offset=standing.offset)
        if at + coming > standing.length:
            raise TooLarge(f"the file was announced with {standing.length} bytes, and more came")
        if standing.expires_at is not None:
            self.context.admit(standing.length - standing.offset)
        return standing

    def _took(self, identifier: str, dock: Row) -> Standing:
        standing = self.standing(identifier, dock)
        if standing.expires_at is None:
            self.finish(identifier)
        return standing

    def _expiry(self, identifier: str) -> datetime:
        heard = datetime.fromtimestamp(self.context.files.heard_at(identifier), UTC)
        return heard + timedelta(days=self.context.limits.upload_days)

    def _check_docking(self, told: Told, dock: Row) -> None:
        if told.docking is None:
            return
        with self.context.ports.register.view() as connection:
            row = dock_rows.docking(connection, told.docking)
        if row is not None and row["dock"] != dock["id"]:
            raise BadInput("this docking is another dock's")
