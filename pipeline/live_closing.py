# SPDX-License-Identifier: Apache-2.0
"""This is where a live recording becomes a Recording: it ended, or nothing more was heard of it.

First it is closed, under the lock of its ledger and durably: from then on it has its length, and grows no more. All
that follows is done from what was written down then, and may be done again: a server that is killed in between
goes on at its next sweep. The file gets its length last, so that nobody clears it away before.
"""

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from evidence.claims import Claims
from evidence.errors import (
    ChecksumMismatch,
    EvidockError,
    InUse,
    NotFound,
    OffsetConflict,
    Unavailable,
    WrongState,
)
from pipeline.arrive import arrive
from pipeline.attach import Attachment, attach
from pipeline.live import MARK, Live, Sender, live_ids, look, look_at
from pipeline.live_figures import figures
from pipeline.live_late import CUT_OFF, cut_off_before, keep_late_word, remark
from pipeline.live_sidecar import Sidecar
from pipeline.ports import Ports
from pipeline.received import ReceivedFiles, root_of
from pipeline.received_told import Told
from storage.durable import store_errors
from storage.register import search

_BLOCK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Ended:
    """What a terminal says at the end: how many fragments, the SHA-256 of all of them, and its signed word."""

    fragments: int
    sha256: str
    sidecar: Sidecar | None = None

    def told_by(self, sender: Sender) -> dict[str, Any]:
        """As it is written down when the recording is closed."""
        word = self.sidecar
        kept = word and {"signature": word.signature.hex(), "signer": sender.id, "text": word.text}
        return {"sha256": self.sha256, "sidecar": kept, "why": "ended"}


def end(identifier: str, said: Ended, *, sender: Sender, ports: Ports, now: datetime) -> str:
    """The recording ended as it should; the Recording that it is. Repeats change nothing.

    Raises:
        NotFound: the sender has no such live recording.
        OffsetConflict: not all fragments are here; `values["next"]` says which comes next.
        ChecksumMismatch: what is here is not what was recorded, or not what the signed word speaks of.
        WrongState: it was cut off, or ended with another word, and is a Recording as it was then. The first signed
            word that comes after a cut is kept with it.
        InUse: a fragment is being written. StoreUnavailable, RegisterUnavailable: worth another try.
    """
    files = ReceivedFiles(ports.received)
    try:
        live = look(identifier, sender=sender, files=files)
    except NotFound:
        recording = cut_off_before(identifier, sender=sender.id, ports=ports)
        if recording is None:
            raise
        raise _too_late(recording, said, sender=sender, ports=ports, now=now) from None
    if live.closed is None:
        _check(live, said, files=files)
        claims = said.sidecar.claims if said.sidecar else Claims()
        close(identifier, said.told_by(sender), claims=claims, size_bytes=live.size_bytes, files=files)
    elif live.closed != said.told_by(sender) | {"size_bytes": live.size_bytes}:
        if live.closed["why"] != CUT_OFF:
            raise WrongState("this recording ended otherwise, and is kept as it was then")
        recording = take_down(identifier, ports=ports, now=now)
        raise _too_late(recording, said, sender=sender, ports=ports, now=now)
    return take_down(identifier, ports=ports, now=now)


def _too_late(recording: str, said: Ended, *, sender: Sender, ports: Ports, now: datetime) -> WrongState:
    """What the sender hears; its word is kept, if it has one that speaks of what it says it recorded."""
    told = "this recording was cut off, and is kept as it was then"
    word = said.sidecar
    if word is None or word.media_sha256 != said.sha256:
        return WrongState(told)
    is_kept = keep_late_word(recording, word, signer=sender.id, ports=ports, now=now)
    return WrongState(
        f"{told}, with the signed word" if is_kept else f"{told}, with the word that came before this one"
    )


def _check(live: Live, said: Ended, *, files: ReceivedFiles) -> None:
    if said.fragments != live.next or live.next == 0:
        raise OffsetConflict(f"{live.next} fragments are here, not {said.fragments}", next=live.next)
    spoken_of = {said.sha256} | ({said.sidecar.media_sha256} if said.sidecar else set())
    if spoken_of != {_sha256(live, files)}:
        raise ChecksumMismatch("what came has another SHA-256 than what was recorded")


def _sha256(live: Live, files: ReceivedFiles) -> str:
    """Of what lasts; a torn piece behind it is not counted."""
    sha, left = hashlib.sha256(), live.size_bytes
    with store_errors("a live recording cannot be read"), files.path(live.id).open("rb") as file:
        while left and (block := file.read(min(left, _BLOCK_BYTES))):
            sha.update(block)
            left -= len(block)
    return sha.hexdigest()


def close(identifier: str, why: Mapping[str, Any], *, claims: Claims, size_bytes: int, files: ReceivedFiles) -> None:
    """Let a live recording grow no more, at this length.

    Raises:
        OffsetConflict: it has grown since. InUse: a fragment is being written, or it was closed meanwhile.
        NotFound, StoreUnavailable: it cannot be closed (now).
    """
    with files.appending(identifier, at=size_bytes):
        told = look_at(identifier, files=files).told
        if told.extra[MARK]["closed"] is not None:  # of two who end it, one does
            raise InUse(f"{identifier} was ended meanwhile")
        live = told.extra[MARK] | {"closed": {**why, "size_bytes": size_bytes}}
        files.tell(identifier, replace(told, claims=told.claims | claims, extra=told.extra | {MARK: live}))


def take_down(identifier: str, *, ports: Ports, now: datetime) -> str:
    """Make a Recording of a closed one, with what came along; its id. Repeats change nothing.

    Raises:
        NotFound: there is none of this id. StoreUnavailable, RegisterUnavailable: worth another try.
    """
    files = ReceivedFiles(ports.received)
    live = look_at(identifier, files=files)
    if live.closed is None:
        raise WrongState(f"{identifier} still grows")
    whole = _alone(replace(live.told, length=live.closed["size_bytes"]), identifier, ports=ports)
    with store_errors("a live recording cannot be closed"):
        os.chmod(files.path(identifier), 0o444)  # noqa: PTH101
    arrival = arrive(whole.offer(), root=root_of(identifier), claims=whole.claims, ports=ports, now=now)
    for attachment in _attachments(live.closed["sidecar"], live.told.name):
        attach(arrival.recording, attachment, ports=ports, now=now)
    if live.closed["why"] == CUT_OFF:
        _remark_cut_off(arrival.recording, fragments=live.next, ports=ports, now=now)
    if live.told.length is None:
        files.tell(identifier, whole)
    return arrival.recording


def _alone(told: Told, identifier: str, *, ports: Ports) -> Told:
    """What was told; with a path of its own when another file is the very same offer already.

    Else these bytes would be taken for those of the other, and a word on these would stand beside the other's.
    """
    with ports.register.view() as connection:
        known = search.offer(connection, told.offer().id)
    if known is None or known["root"] == root_of(identifier):
        return told
    return replace(told, path=f"{told.path}/{identifier}")


def _attachments(word: Mapping[str, str] | None, name: str) -> Sequence[Attachment]:
    if word is None:
        return ()
    signature = bytes.fromhex(word["signature"])
    return (
        Attachment("sidecar", f"{name}.sidecar.json", word["text"].encode(), word["signer"]),
        Attachment("sidecar-signature", f"{name}.sidecar.sig", signature, word["signer"]),
    )


def _remark_cut_off(recording: str, *, fragments: int, ports: Ports, now: datetime) -> None:
    text = f"the recording was cut off while it came in: {fragments} fragments are kept, and no word of its end"
    remark(recording, CUT_OFF, text, ports=ports, now=now)


# --- what is not heard of any more ----------------------------------------------------------------


@dataclass(slots=True)
class Quiet:
    """Since when each live recording has had the same size, in seconds of a clock that only goes forward.

    It looks at what lasts, not at who speaks: it holds whichever process takes the fragments, and a server that was
    started again gives everyone the whole time once more.
    """

    _seen: dict[str, tuple[int, float]] = field(default_factory=dict)

    def for_seconds(self, live: Live, *, at: float) -> float:
        """How long nothing new has come of a recording, as far as was looked."""
        size, since = self._seen.get(live.id, (-1, at))
        if size != live.size_bytes:
            size, since = live.size_bytes, at
        self._seen[live.id] = (size, since)
        return at - since

    def keep_only(self, identifiers: Sequence[str]) -> None:
        """Forget all others."""
        self._seen = {one: seen for one, seen in self._seen.items() if one in identifiers}


def sweep(quiet: Quiet, *, at: float, ports: Ports, now: datetime) -> list[str]:
    """Close what was cut off, go on with what was closed; the Recordings that were made of it.

    `at` is steady time in seconds. What was announced and never came is forgotten.

    Raises:
        StoreUnavailable, RegisterUnavailable: worth another try.
        EvidockError: one of them needs a person; the others were seen to first.
    """
    files = ReceivedFiles(ports.received)
    found = live_ids(files)
    quiet.keep_only(found)
    made, failed = [], None
    for identifier in found:
        try:
            recording = _swept(identifier, quiet, at=at, ports=ports, now=now)
        except (NotFound, InUse, OffsetConflict):  # it moves: the next round sees
            continue
        except Unavailable:
            raise
        except EvidockError as error:
            failed = failed or error
            continue
        if recording is not None:
            made.append(recording)
    if failed is not None:
        raise failed
    return made


def _swept(identifier: str, quiet: Quiet, *, at: float, ports: Ports, now: datetime) -> str | None:
    files = ReceivedFiles(ports.received)
    live = look_at(identifier, files=files)
    if live.told.length is not None:
        return None
    if live.closed is None:
        if quiet.for_seconds(live, at=at) < figures().cut_off_s:
            return None
        if not live.pieces:
            files.remove(identifier, only_at=0)
            return None
        cut_off(live, files=files)
    return take_down(identifier, ports=ports, now=now)


def cut_off(live: Live, *, files: ReceivedFiles) -> None:
    """Close a live recording whose end nobody told. Raises: as `close`."""
    why = {"sha256": None, "sidecar": None, "why": CUT_OFF}
    close(live.id, why, claims=Claims(), size_bytes=live.size_bytes, files=files)
