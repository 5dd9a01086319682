# SPDX-License-Identifier: Apache-2.0
"""This is where a third party's word on *when* is fetched: time tokens over a checkpoint above the seal.

A token is over the SHA-256 of the checkpoint's text (what the log signs). It proves that the
checkpoint, and through it every event below it, existed before the token's time. It says nothing
of "not before": that is the `anchor` of each event.
"""

import hashlib
from contextlib import suppress
from datetime import datetime
from typing import Any

from evidence import instant
from evidence.custody import Happening
from evidence.errors import AuthorityUnavailable, IntegrityError, NotFound
from evidence.note import open_note
from pipeline.outcome import Done, about
from pipeline.ports import Ports, Progress
from pipeline.tsa.port import Authority
from storage import layout
from storage.custody_log import SignedCheckpoint
from storage.register import search
from storage.register.publisher import publish

_TOKEN_LIMIT = 1 << 20
_LOOK_BACK = 8


def stamp(recording: str, *, ports: Ports, now: datetime, progress: Progress) -> Done:
    """Have every authority stamp a checkpoint that covers the seal of `recording`.

    Safe to repeat: one valid token for each authority and checkpoint; one that rests is used again,
    and the earliest says most.

    Raises:
        AuthorityUnavailable, StoreUnavailable: worth another try.
        TokenInvalid: an authority answered with a token that does not hold; final.
    """
    checkpoint = _begun(recording, ports=ports) or covering(recording, ports=ports)
    tokens = [_token(checkpoint, authority, ports=ports, now=now) for authority in ports.authorities]
    facts = {"size": checkpoint.size, "tokens": tokens}
    return Done((Happening("stamped", about(recording), facts=facts),))


def _begun(recording: str, *, ports: Ports) -> SignedCheckpoint | None:
    """The earliest checkpoint above the seal that an authority has stamped, maybe for a try of ours that was killed."""
    with ports.register.view() as connection:
        sealed = search.event_of_kind(connection, about(recording), "sealed")
        sizes = search.checkpoints_above(connection, sealed["leaf_index"], limit=_LOOK_BACK)
    for size in sizes:
        with suppress(IntegrityError, NotFound):  # what was damaged at rest is for an audit to tell
            checkpoint = ports.log.checkpoint(size)
            imprint = _imprint(checkpoint, ports)
            if any(_resting(checkpoint, authority, imprint, ports) for authority in ports.authorities):
                return checkpoint
    return None


def covering(recording: str, *, ports: Ports) -> SignedCheckpoint:
    """A published checkpoint under which the seal of `recording` is a leaf; publishes when there is none."""
    with ports.register.view() as connection:
        sealed = search.event_of_kind(connection, about(recording), "sealed")
    newest = ports.log.newest()
    if newest is not None and sealed["leaf_index"] is not None and sealed["leaf_index"] < newest.size:
        return newest
    published = publish(ports.register, ports.log)
    if published is None:
        raise AuthorityUnavailable("the custody log could not be published")
    return published


def checkpoint_text(checkpoint: SignedCheckpoint, ports: Ports) -> bytes:
    """The bytes a token is over: the checkpoint's text as signed, without the signature lines."""
    return open_note(checkpoint.note, ports.verifiers).text.encode()


def _imprint(checkpoint: SignedCheckpoint, ports: Ports) -> bytes:
    return hashlib.sha256(checkpoint_text(checkpoint, ports)).digest()


def _resting(checkpoint: SignedCheckpoint, authority: Authority, imprint: bytes, ports: Ports) -> bytes | None:
    """A token at rest that verifies. One that was damaged is for an audit to tell, and no fault of this recording."""
    prefix = f"{layout.token_prefix(checkpoint.size)}{authority.name}/"
    for key in sorted(ports.store.keys(prefix)):
        with suppress(IntegrityError):
            token = ports.store.read(key, limit=_TOKEN_LIMIT)
            authority.verify(token, imprint)
            return token
    return None


def _token(checkpoint: SignedCheckpoint, authority: Authority, *, ports: Ports, now: datetime) -> dict[str, Any]:
    imprint = _imprint(checkpoint, ports)
    token = _resting(checkpoint, authority, imprint, ports) or authority.stamp(imprint, now)
    # Never rest or record what does not verify: a token is only worth what a stranger can check.
    stamped = authority.verify(token, imprint)
    sha256 = hashlib.sha256(token).hexdigest()
    ports.store.put_bytes_once(layout.token_key(checkpoint.size, authority.name, sha256), token)
    return {
        "authority": authority.name,
        "gen_time": instant.to_text(stamped.gen_time),
        "sha256": sha256,
        "trust": authority.trust,
    }
