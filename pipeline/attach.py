# SPDX-License-Identifier: Apache-2.0
"""This is where what came along with a recording is kept as it came: a signed word, bookmarks, a track, a key."""

import hashlib
from dataclasses import dataclass
from datetime import datetime

from evidence.custody import Happening
from evidence.errors import BadInput, TooLarge
from evidence.offer import showable
from pipeline.outcome import about
from pipeline.ports import Ports
from storage import layout
from storage.register import dock_rows, search

LARGEST = 64 << 20


@dataclass(frozen=True, slots=True)
class Attachment:
    """What came along: what it is to the recording, how it was called, its bytes, the dock whose signature it bears.

    Raises:
        TooLarge: it is larger than an attachment may be. BadInput: it is empty.
    """

    role: str
    name: str
    data: bytes
    signer: str | None = None

    def __post_init__(self) -> None:
        if len(self.data) > LARGEST:
            raise TooLarge(f"{showable(self.name)} has {len(self.data)} bytes; an attachment has at most {LARGEST}")
        if not self.data:
            raise BadInput(f"{showable(self.name)} is empty: there is nothing to attach")

    @property
    def sha256(self) -> str:
        """Of its bytes, in hexadecimal: its name in the store."""
        return hashlib.sha256(self.data).hexdigest()


def attach(recording: str, attachment: Attachment, *, ports: Ports, now: datetime) -> None:
    """Keep an attachment of a recording that has arrived. The same bytes in the same role again change nothing.

    The bytes rest before the record speaks of them.

    Raises:
        NotFound: no such recording. StoreUnavailable, RegisterUnavailable: worth another try.
    """
    ports.store.put_bytes_once(layout.attachment_key(attachment.sha256), attachment.data)
    told = {
        "role": attachment.role,
        "sha256": attachment.sha256,
        "signer": attachment.signer,
        "size_bytes": len(attachment.data),
    }
    happening = Happening("attached", about(recording), facts=told, detail={"name": showable(attachment.name)})
    rested = ports.register.rest(happening)
    with ports.register.begin() as facts:
        search.recording(facts.connection, recording)
        known = {(one["role"], one["sha256"]) for one in dock_rows.attachments_of(facts.connection, recording)}
        if (attachment.role, attachment.sha256) not in known:
            facts.record(rested, actor=ports.actor, at=now)
