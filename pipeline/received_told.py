# SPDX-License-Identifier: Apache-2.0
"""This is where what a sender says of a file on its way in is a value."""

from dataclasses import dataclass, field
from typing import Any

from evidence.claims import Claims
from evidence.errors import OffsetConflict, RecordMalformed
from evidence.offer import Offer, from_showable, showable


@dataclass(frozen=True, slots=True)
class Told:
    """What a sender said of a file: whose it is, how it is called, how long it will be (None: it still grows).

    `sender` is the id of a dock or terminal; `claims` what it read from the device; `extra` what its protocol keeps.
    """

    sender: str
    path: str
    name: str
    mtime_ns: int
    length: int | None
    claims: Claims = field(default_factory=Claims)
    docking: str | None = None
    sha256: str | None = None
    extra: dict[str, Any] = field(default_factory=dict)

    def offer(self) -> Offer:
        """The offer that the whole file is.

        Raises:
            OffsetConflict: it still grows. BadInput: its path leaves the device.
        """
        if self.length is None:
            raise OffsetConflict("the file still grows: it is no offer yet")
        return Offer(self.sender, self.path, self.name, self.length, self.mtime_ns)

    def to_json(self) -> dict[str, Any]:
        """As JSON takes it; names are `showable`."""
        return {
            "claims": self.claims.to_json(),
            "docking": self.docking,
            "extra": self.extra,
            "length": self.length,
            "mtime_ns": str(self.mtime_ns),
            "name": showable(self.name),
            "path": showable(self.path),
            "sender": self.sender,
            "sha256": self.sha256,
        }

    @classmethod
    def from_json(cls, told: Any) -> "Told":
        """What `to_json` wrote.

        Raises:
            RecordMalformed: it is something else.
        """
        try:
            return cls(
                sender=told["sender"],
                path=from_showable(told["path"]),
                name=from_showable(told["name"]),
                mtime_ns=int(told["mtime_ns"]),
                length=told["length"],
                claims=Claims.from_json(told["claims"]),
                docking=told["docking"],
                sha256=told["sha256"],
                extra=told["extra"],
            )
        except (KeyError, TypeError, ValueError) as error:
            raise RecordMalformed(f"what was told of a received file cannot be read: {error}") from error
