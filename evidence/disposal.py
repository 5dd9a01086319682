# SPDX-License-Identifier: Apache-2.0
"""This is where a disposal list (销毁清单) is a value: what two people agree on, entry by entry, under one digest.

An entry holds everything the agreement was made of: the bytes, the date, and every reason for it. When any of that is
different today, it is another entry, and nobody has agreed to it.
"""

import hashlib
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from evidence import canonical_json, instant
from evidence.errors import RecordMalformed
from evidence.retention import Decision


@dataclass(frozen=True, slots=True)
class Entry:
    """One recording that is to go: `until` is when its keeping ended, `reasons` the chain that date follows from."""

    recording: str
    until: str
    reasons: tuple[Mapping[str, Any], ...]
    sha256: str
    size_bytes: int

    @classmethod
    def of(cls, recording: str, decision: Decision, *, sha256: str, size_bytes: int) -> "Entry":
        """The entry that a decision with a date makes."""
        if decision.until is None:
            raise RecordMalformed(f"{recording} has no date: it is no entry of a disposal list")
        reasons = tuple(reason.to_json() for reason in decision.reasons)
        return cls(recording, instant.to_text(decision.until), reasons, sha256, size_bytes)

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> "Entry":
        """The entry that `to_json` told.

        Raises:
            RecordMalformed: it is none.

        """
        try:
            reasons = tuple(dict(one) for one in body["reasons"])
            entry = cls(body["recording"], body["until"], reasons, body["sha256"], body["size_bytes"])
        except (KeyError, TypeError, ValueError) as error:
            raise RecordMalformed(f"not an entry of a disposal list: {error}") from error
        return entry

    def to_json(self) -> dict[str, Any]:
        """As a mapping for JSON."""
        return {
            "reasons": [dict(one) for one in self.reasons],
            "recording": self.recording,
            "sha256": self.sha256,
            "size_bytes": self.size_bytes,
            "until": self.until,
        }


def digest_of(entries: Iterable[Entry]) -> str:
    """SHA-256 (hexadecimal) over a list's entries in the order of their recordings: what is approved."""
    told = [one.to_json() for one in sorted(entries, key=lambda one: one.recording)]
    return hashlib.sha256(canonical_json.dumps(told)).hexdigest()


def is_same_person(one: str, other: str) -> bool:
    """True when two actors may be one person: which door they came through, case and look-alikes do not count.

    An actor is written DOOR:ACCOUNT. Two accounts of one person are for those who hand out accounts to prevent.
    """
    return _account(one) == _account(other)


def _account(actor: str) -> str:
    _, door, account = actor.partition(":")
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", account if door else actor).casefold())
    # What is not seen (controls, joiners, marks on letters, blanks) makes no other person.
    bare = unicodedata.normalize("NFKD", folded)
    return "".join(one for one in bare if unicodedata.category(one)[0] not in "CMZ")
