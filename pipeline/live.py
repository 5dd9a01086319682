# SPDX-License-Identifier: Apache-2.0
"""This is where footage comes in while it is still being recorded (即时上传): announced, and grown by fragments.

A live recording is a received file without a length. Each fragment is one piece of it, so what was acknowledged
lasts; which fragments are here is what its ledger says. Nothing here knows what a fragment holds.
"""

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from evidence import ids, instant
from evidence.claims import Claim, Claims, Source
from evidence.errors import (
    BadInput,
    ChecksumMismatch,
    Conflict,
    NotFound,
    OffsetConflict,
    Overloaded,
    TooLarge,
    WrongState,
)
from evidence.offer import check_relative, is_showable
from pipeline.live_figures import figures
from pipeline.ports import Ports
from pipeline.received import ReceivedFiles
from pipeline.received_told import Told

MARK = "live"
# Who speaks thus is a person of ours, or a word that is signed at the end.
_NOT_ANNOUNCED = (Source.OPERATOR, Source.SIDECAR)
_FIELD = re.compile(r"[a-z_]{1,40}", re.ASCII)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Sender:
    """Who records: a terminal's id, and the device that it was invited as, if any."""

    id: str
    device: str | None = None


@dataclass(frozen=True, slots=True)
class Announced:
    """What is said of a recording when it begins. `continues`: a recording that was cut off, which this one goes on."""

    name: str
    path: str
    kind: str
    started_at: datetime
    claims: Claims
    continues: str | None = None


@dataclass(frozen=True, slots=True)
class Live:
    """A live recording as it stands: what was told, the offset each fragment ends at, and why it grows no more."""

    id: str
    told: Told
    pieces: tuple[tuple[int, str], ...]
    closed: dict[str, Any] | None

    @property
    def next(self) -> int:
        """The number of the fragment that comes next."""
        return len(self.pieces)

    @property
    def size_bytes(self) -> int:
        """How many bytes last."""
        return self.pieces[-1][0] if self.pieces else 0

    def range_of(self, number: int) -> tuple[int, int]:
        """Where fragment `number` begins and ends in the file.

        Raises:
            NotFound: it is not here (yet).
        """
        if not 0 <= number < self.next:
            raise NotFound(f"fragment {number} is not here")
        return self.pieces[number - 1][0] if number else 0, self.pieces[number][0]


def announce(said: Announced, *, sender: Sender, ports: Ports) -> str:
    """Begin a live recording; its id.

    Raises:
        BadInput: a name, a path or a claim that cannot be. Overloaded: too many are open already.
        StoreUnavailable: worth another try.
    """
    _check(said)
    files = ReceivedFiles(ports.received)
    all_told = [told for one in files.ids() if (told := _told(files, one)) is not None and told.sender == sender.id]
    if sum(MARK in told.extra and told.extra[MARK]["closed"] is None for told in all_told) >= figures().open_at_once:
        raise Overloaded(f"{figures().open_at_once} recordings are open already; end one of them first")
    extra = {
        "closed": None,
        "continues": said.continues,
        "kind": said.kind,
        "started_at": instant.to_text(said.started_at),
    }
    told = Told(
        sender=sender.id,
        path=said.path,
        name=said.name,
        mtime_ns=(said.started_at - _EPOCH) // timedelta(microseconds=1) * 1000,
        length=None,
        claims=said.claims | _known(said, sender, files),
        extra={MARK: extra},
    )
    return files.create(told, chance=ports.chance(10))


def _check(said: Announced) -> None:
    check_relative(said.path)
    if not said.name or not is_showable(said.name) or not is_showable(said.kind):
        raise BadInput("the name and the kind of a recording are text that can be shown")
    if any(claim.source in _NOT_ANNOUNCED for claim in said.claims):
        raise BadInput("a terminal announces nothing as an operator of ours, nor as the word that it signs at the end")
    if not all(_FIELD.fullmatch(claim.field) for claim in said.claims):
        raise BadInput("a claim names a field of small letters")


def _known(said: Announced, sender: Sender, files: ReceivedFiles) -> Iterable[Claim]:
    """What follows from the announcement itself. Which device a terminal is, a person of ours said by inviting it."""
    yield Claim("start", instant.to_text(said.started_at), Source.DEVICE_INFO)
    if sender.device is not None:
        yield Claim("device", sender.device, Source.OPERATOR)
    if said.continues is not None:
        yield Claim("note", f"continues {_continued(said.continues, sender, files)}", Source.DEVICE_INFO)


def _continued(identifier: str, sender: Sender, files: ReceivedFiles) -> str:
    """The Recording that a live one became, while that is known here; else its own id."""
    try:
        live = look(identifier, sender=sender, files=files)
    except NotFound:
        return identifier
    if live.closed is None:
        return identifier
    return ids.recording_id(replace(live.told, length=live.closed["size_bytes"]).offer().id)


def take(identifier: str, number: int, data: bytes, *, sha256: bytes, sender: Sender, ports: Ports) -> None:
    """Take fragment `number` (0: the init segment); when this returned, it lasts. The same again changes nothing.

    Raises:
        NotFound: the sender has no such live recording. ChecksumMismatch: the bytes changed on the way.
        OffsetConflict: another fragment comes next; `values["next"]` says which. Conflict: it is here with other bytes.
        WrongState: the recording grows no more, or has as many fragments as it may.
        TooLarge, BadInput: no such fragment can be.
        InUse: another request writes to it. StoreUnavailable: worth another try.
    """
    _check_fragment(number, data, sha256)
    files = ReceivedFiles(ports.received)
    live = look(identifier, sender=sender, files=files)
    if number < live.next:
        if live.pieces[number][1] != sha256.hex():
            raise Conflict(f"fragment {number} is here already, with other bytes", number=number)
        return
    _refuse_closed(live.closed)
    if number > live.next:
        raise OffsetConflict(f"fragment {live.next} comes next, not {number}", next=live.next)
    if number >= figures().recording_fragments:
        # As if it had ended here: a terminal knows how to go on with a new one. This one is cut off soon.
        most = figures().recording_fragments
        raise WrongState(f"a recording has at most {most} fragments: what follows begins a new one that continues it")
    try:
        with files.appending(identifier, at=live.size_bytes, limit=figures().recording_bytes) as piece:
            # Once more, now that nobody else can close it.
            _refuse_closed(files.told(identifier).extra[MARK]["closed"])
            piece.write(data)
            piece.commit(sha256)
    except OffsetConflict:
        # Another request was quicker, maybe with the same fragment.
        take(identifier, number, data, sha256=sha256, sender=sender, ports=ports)


def _check_fragment(number: int, data: bytes, sha256: bytes) -> None:
    if len(data) > figures().fragment_bytes:
        raise TooLarge(f"a fragment has at most {figures().fragment_bytes} bytes")
    if not data or number < 0:
        raise BadInput("a fragment has bytes, and a number from 0")
    if hashlib.sha256(data).digest() != sha256:
        raise ChecksumMismatch("the fragment has another SHA-256 than was announced; send it again")


def _refuse_closed(closed: dict[str, Any] | None) -> None:
    if closed is not None:
        raise WrongState("this recording has ended here; what follows begins a new one that continues it")


def look(identifier: str, *, sender: Sender, files: ReceivedFiles) -> Live:
    """A live recording of this sender, as it stands.

    Raises:
        NotFound: it has none of this id. StoreUnavailable, RecordMalformed: it cannot be read.
    """
    live = look_at(identifier, files=files)
    if live.told.sender != sender.id:
        raise NotFound(f"no live recording {identifier}")
    return live


def look_at(identifier: str, *, files: ReceivedFiles) -> Live:
    """A live recording, whoever sends it. Raises: as `look`."""
    told = files.told(identifier)
    if MARK not in told.extra:
        raise NotFound(f"no live recording {identifier}")
    return Live(identifier, told, tuple(files.pieces(identifier)), told.extra[MARK]["closed"])


def live_ids(files: ReceivedFiles) -> list[str]:
    """Every live recording that is here, also those that ended and do not rest elsewhere yet."""
    return [one for one in files.ids() if (told := _told(files, one)) is not None and MARK in told.extra]


def _told(files: ReceivedFiles, identifier: str) -> Told | None:
    try:
        return files.told(identifier)
    except NotFound:  # it went meanwhile
        return None
