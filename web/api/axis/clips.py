# SPDX-License-Identifier: Apache-2.0
"""This is where the bytes of an object flow to the disk, are held against their MD5, and become ours to answer for."""

import hashlib
import threading
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta

from fastapi import Request
from fastapi.concurrency import run_in_threadpool

from evidence.errors import BadInput, ChecksumMismatch, Conflict, EvidockError, NotFound, TooLarge
from pipeline import receive
from pipeline.axis_account import Account, Metadata, Thing
from pipeline.axis_recording import is_here, is_ours, make_whole, marks_of, settle, told_of_clip
from pipeline.axis_words import REJECTED, device_of, role_of
from pipeline.dock_alarms import alarm
from storage.register.answers import Row
from web.api.bodies import whole_body
from web.api.context import Context
from web.tus.intake import Intake
from web.tus.sink import Sink
from web.tus.stream import Body, pour

REPLACED = "object-replaced"
COMPLETE = "complete"


@dataclass(frozen=True, slots=True)
class Put:
    """An object that comes: whose, where to, what is said of it, the MD5 and the length its sender names."""

    dock: Row
    container: str
    name: str
    metadata: Metadata
    md5: bytes | None
    length: int | None


class Measure:
    """Digests of what flows through, and how much it was."""

    def __init__(self) -> None:
        self.md5 = hashlib.md5(usedforsecurity=False)
        self.sha256 = hashlib.sha256()
        self.size = 0

    def add(self, block: bytes | bytearray) -> None:
        """Count a block."""
        self.md5.update(block)
        self.sha256.update(block)
        self.size += len(block)

    def check(self, put: Put, *, is_broken: bool) -> None:
        """Return when all of it came, as it was sent.

        Raises:
            BadInput: it broke off. ChecksumMismatch: it has another MD5.
        """
        if is_broken or (put.length is not None and self.size != put.length):
            raise BadInput("the request ended before its end: send the object again")
        if put.md5 is not None and put.md5 != self.md5.digest():
            raise ChecksumMismatch("the content has another MD5 than its ETag says; send it again")

    def thing(self, put: Put) -> Thing:
        """What came, as an object."""
        return Thing(put.name, self.size, self.md5.hexdigest(), self.sha256.hexdigest(), dict(put.metadata))


class _MeasuredSink(Sink):
    """A sink that takes the digests of the whole."""

    measure: Measure

    def write(self, block: bytes | bytearray) -> None:
        super().write(block)
        self.measure.add(block)


@dataclass(slots=True)
class Objects:
    """The objects of one server's Axis docks."""

    context: Context
    intake: Intake
    _lock: threading.Lock = field(init=False, default_factory=threading.Lock)

    def account(self, dock: Row) -> Account:
        """What a dock told."""
        return Account(self.context.ports.received.with_name("axis"), dock["id"])

    def forget_torn(self) -> None:
        """Forget clips that broke off and of which nothing came for days; their senders have them."""
        here = self.context
        age = timedelta(days=here.limits.upload_days)
        try:
            receive.expire(ports=here.ports, now=here.now(), after=age, is_meant=is_ours)
        except EvidockError as error:  # nobody waits for it: the next time
            here.note("upload-stuck", f"what broke off cannot be cleared: {error.message}", code=error.code)

    async def take(self, put: Put, request: Request) -> Thing:
        """Take an object in; when this returned, it lasts.

        Raises:
            NotFound: there is no such container. Conflict: other bytes rest under this name, and stay.
            BadInput, ChecksumMismatch, TooLarge: it is not what was said.
            DiskLow, Overloaded, StoreUnavailable, RegisterUnavailable: not now.
        """
        before = await run_in_threadpool(self._before, put)
        if role_of(put.name, put.metadata) is not None and (before is None or not before.is_clip):
            return await self._take_small(put, request)
        with self.intake.announced.growing(put.dock["id"]):
            if before is not None:
                return await self._compare(put, before, request)
            return await self._take_clip(put, request)

    async def take_told(self, put: Put, request: Request) -> Thing:
        """Take in what is told of a user, a device or a system: the last word counts.

        Raises:
            As `take` does.
        """
        return await self._take_small(put, request)

    # --- footage ------------------------------------------------------------------------------

    async def _take_clip(self, put: Put, request: Request) -> Thing:
        received = await run_in_threadpool(self._announce, put)
        try:
            measure = await self._poured(put, request, received)
            return await run_in_threadpool(self._took, put, measure, received)
        except BaseException:
            # A stray one that cannot go now goes with those that broke off.
            with suppress(EvidockError):
                await run_in_threadpool(self._give_up, put, received)
            raise

    async def _poured(self, put: Put, request: Request, received: str) -> Measure:
        limits = self.context.limits
        sink = _MeasuredSink(
            self.context.files,
            received,
            at=0,
            limit=limits.largest_bytes,
            checksum=None,
            settle_bytes=limits.settle_bytes,
        )
        sink.measure = Measure()
        body = Body(request, silence_s=limits.silence_s)
        await pour(body, sink, self.intake.threads)
        sink.measure.check(put, is_broken=body.is_broken)
        return sink.measure

    def _announce(self, put: Put) -> str:
        here = self.context
        if (put.length or 0) > here.limits.largest_bytes:
            raise TooLarge(f"the largest object is {here.limits.largest_bytes} bytes", limit=here.limits.largest_bytes)
        here.admit(put.length or 0)
        told = told_of_clip(
            put.dock["id"], put.container, put.name, put.metadata, account=self.account(put.dock), ports=here.ports
        )
        return here.files.create(told, chance=here.ports.chance(10))

    def _took(self, put: Put, measure: Measure, received: str) -> Thing:
        """The clip is here, whole: write that down, then have it be a recording."""
        here, account = self.context, self.account(put.dock)
        told = here.files.told(received)
        offer = replace(told, length=measure.size).offer().id
        thing = replace(measure.thing(put), received=received, offer=offer, claimed=marks_of(told))
        with self._lock:
            known = account.thing(put.container, put.name)
            if known is not None:  # another request was quicker
                self._check_same(put, known, thing)
                here.files.remove(received)
                thing = known
            else:
                # What it is lasts before it can arrive: who sends it again is held against this.
                account.keep(put.container, thing)
        make_whole(thing, files=here.files)
        self._arrive(put, thing)
        return thing

    def _arrive(self, put: Put, thing: Thing) -> None:
        # What is whole lasts; what cannot be done now with it is done by the sweep.
        with suppress(NotFound):
            self.intake.finish(thing.received or "")
        self._settle(put)

    def _give_up(self, put: Put, received: str) -> None:
        known = self.account(put.dock).thing(put.container, put.name)
        if known is None or known.received != received:
            self.context.files.remove(received)

    async def _compare(self, put: Put, before: Thing, request: Request) -> Thing:
        """The object is here: only its own bytes may be sent again, when an answer was lost on its way."""
        measure, body = Measure(), Body(request, silence_s=self.context.limits.silence_s)
        while block := await body.block():
            await run_in_threadpool(measure.add, block)
        measure.check(put, is_broken=body.is_broken)
        await run_in_threadpool(self._check_same, put, before, measure.thing(put))
        await run_in_threadpool(self._arrive, put, before)
        return before

    def _before(self, put: Put) -> Thing | None:
        """The object of this name that we answer for."""
        account = self.account(put.dock)
        if account.metadata(put.container) is None:
            raise NotFound("no such container")
        known = account.thing(put.container, put.name)
        if known is None or is_here(known, ports=self.context.ports):
            return known
        account.forget(put.container, put.name)
        return None

    def _check_same(self, put: Put, known: Thing, came: Thing) -> None:
        if (known.sha256, known.size_bytes) == (came.sha256, came.size_bytes):
            return
        here = self.context
        metadata = self.account(put.dock).metadata(put.container) or {}
        text = f"{put.container}/{put.name} came again with other bytes; those that came first are kept"
        device = device_of(put.container, metadata)
        alarm(REPLACED, text, device=device, dock=put.dock["id"], ports=here.ports, now=here.now())
        here.note("device-alarm", f"dock {put.dock['name']}: {REPLACED}", dock=put.dock["id"], code=REPLACED)
        raise Conflict("other bytes rest under this name already, and stay")

    # --- all else -----------------------------------------------------------------------------

    async def _take_small(self, put: Put, request: Request) -> Thing:
        limit = self.context.limits.body_bytes
        if (put.length or 0) > limit:
            raise TooLarge(f"more than {limit} bytes are announced", limit=limit)
        data = await whole_body(request, limit=limit)
        return await run_in_threadpool(self._took_small, put, data)

    def _took_small(self, put: Put, data: bytes) -> Thing:
        self.context.admit(len(data))
        measure = Measure()
        measure.add(data)
        measure.check(put, is_broken=False)
        account = self.account(put.dock)
        with self._lock:
            if account.metadata(put.container) is None:
                raise NotFound("no such container")
            known = account.thing(put.container, put.name)
            earlier = () if known is None else tuple(one for one in (*known.earlier, known.sha256))
            came = measure.thing(put)
            thing = replace(came, earlier=tuple(one for one in dict.fromkeys(earlier) if one != came.sha256))
            account.keep(put.container, thing, data)
        self._settle(put)
        return thing

    def say(self, put: Put) -> None:
        """Put what is said of an object in place of what was said.

        Raises:
            NotFound: it is not here. StoreUnavailable, RegisterUnavailable: not now.
        """
        account = self.account(put.dock)
        with self._lock:
            known = account.thing(put.container, put.name)
            if known is None:
                raise NotFound("no such object")
            account.keep(put.container, replace(known, metadata=dict(put.metadata)))
        self._settle(put)

    def say_of_container(self, put: Put, *, may_make: bool) -> bool:
        """Add to what is said of a container; True when it is new.

        Raises:
            NotFound: it is not here, and `may_make` is False. StoreUnavailable, RegisterUnavailable: not now.
        """
        account = self.account(put.dock)
        with self._lock:
            known = account.metadata(put.container)
            if known is None and not may_make:
                raise NotFound("no such container")
            all_said = {key: value for key, value in {**(known or {}), **put.metadata}.items() if value}
            if known is None or known != all_said:
                account.keep_metadata(put.container, all_said)
        self._settle(put)
        return known is None

    def _settle(self, put: Put) -> None:
        """Attach what came along, once the system said that all is here. Of rejected content it never says so."""
        account = self.account(put.dock)
        metadata = account.metadata(put.container) or {}
        if metadata.get("status", "").lower() == COMPLETE or put.container.startswith(REJECTED):
            settle(put.container, account=account, ports=self.context.ports, now=self.context.now())
