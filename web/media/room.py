# SPDX-License-Identifier: Apache-2.0
"""This is where what the answers of footage share is one value: viewers, readers, what was seen, what is kept."""

from dataclasses import dataclass, field
from datetime import datetime
from functools import partial

from fastapi import Request, Response

from pipeline.ports import Ports
from web.api import problems
from web.media.figures import Figures, figures
from web.media.folding import fold_ended
from web.media.headers import NEVER_KEPT
from web.media.leave import Leave
from web.media.ranges import wanted
from web.media.seen import Ledger
from web.media.sending import Blocks, Readers, Sending, Viewers
from web.media.things import Thing, Things

_NO_SUCH_RANGE = 416


@dataclass(slots=True)
class MediaRoom:
    """Where footage is shown. Threads may share it."""

    ports: Ports
    figures: Figures = field(default_factory=figures)
    things: Things = field(init=False)
    ledger: Ledger = field(init=False)
    viewers: Viewers = field(init=False)
    readers: Readers = field(init=False)

    def __post_init__(self) -> None:
        told = self.figures
        self.things = Things(self.ports, told)
        self.ledger = Ledger(most=told.stretches)
        self.viewers = Viewers(told.viewers, told.viewers_per_holder)
        self.readers = Readers(told.readers, told.block_bytes)

    def answer(self, request: Request, leave: Leave, thing: Thing) -> Response:
        """A file of a leave, or the part of it that is asked for (RFC 9110 §14)."""
        asked = request.headers
        part = None
        if request.method == "GET":  # of another method, Range means nothing (§14.2)
            part = wanted(asked.get("range"), thing.size_bytes, if_range=asked.get("if-range"), etag=thing.etag)
        if part is not None and not part.length:
            refused = problems.problem(_NO_SUCH_RANGE, "http-416", "no such range, or several ranges at once")
            refused.headers.update(NEVER_KEPT | {"Content-Range": part.content_range})
            return refused
        told = {"Content-Type": thing.media_type, "Content-Disposition": thing.disposition, "ETag": thing.etag}
        told |= NEVER_KEPT | {"Accept-Ranges": "bytes"}
        if part is not None:
            told["Content-Range"] = part.content_range
        first, length = (0, thing.size_bytes) if part is None else (part.first, part.length)
        what = Sending(thing.read, first, length, leave.holder, partial(self._sent, leave, thing))
        return Blocks(
            what, status=200 if part is None else 206, headers=told, readers=self.readers, viewers=self.viewers
        )

    def fold(self, *, now: datetime) -> int:
        """Write down what was seen, and fold what has ended; how many ended.

        Raises:
            RegisterUnavailable, StoreUnavailable: worth another try; nothing is lost.
        """
        return fold_ended(self.ledger, ports=self.ports, now=now, keep_days=self.figures.keep_days)

    def _sent(self, leave: Leave, thing: Thing, first: int, count: int) -> None:
        if count:
            name, stretch = thing.seen(first, first + count)
            self.ledger.served(leave.token, name, stretch, size_bytes=count)
