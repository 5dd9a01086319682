# SPDX-License-Identifier: Apache-2.0
"""This is where an auditor's own keys and anchors are held, and what a note without them is worth.

Keys come from the auditor, never from beside the thing that is checked. A log's key bears the log's
origin as its name; the keys that sign records of that agency are named `<origin>/…`.
"""

from dataclasses import dataclass

from cryptography.x509.verification import VerificationError

from evidence import checkpoint
from evidence.errors import RecordMalformed, TokenInvalid
from evidence.note import Verifier, split_note
from evidence.verdict import Verdict
from pipeline.tsa.port import TrustAnchors


@dataclass(frozen=True, slots=True)
class Trust:
    """The keys an auditor trusts, and the anchors of timestamp authorities if he brings any."""

    keys: tuple[Verifier, ...]
    anchors: TrustAnchors | None = None

    def log_keys(self, origin: str) -> tuple[Verifier, ...]:
        """Keys that may sign checkpoints of the log `origin`."""
        return tuple(key for key in self.keys if key.name == origin)

    def record_keys(self, origin: str) -> tuple[Verifier, ...]:
        """Keys that may sign records of the agency whose log is `origin`."""
        return tuple(key for key in self.keys if key.name.startswith(f"{origin}/"))


def origin_of(note: str) -> str:
    """The log that a checkpoint's note says it is of. NOTHING IS VERIFIED.

    Raises:
        RecordMalformed: it is no checkpoint.
    """
    return checkpoint.parse(split_note(note)[0]).origin


def verdict_on_unopened(note: str | bytes, trust: Trust) -> Verdict:
    """What it means that no trusted key opened `note`.

    Tampered, when it names a trusted key in part or in whole: that key never signed this. Undecidable,
    when it is by strangers only: with their keys it might hold.
    """
    try:
        _, signatures = split_note(note)
    except RecordMalformed:
        return Verdict.TAMPERED
    names, ids = {key.name for key in trust.keys}, {key.key_hash for key in trust.keys}
    claims_one = any(one.name in names or one.key_hash in ids for one in signatures)
    return Verdict.TAMPERED if claims_one else Verdict.UNDECIDABLE


def signers_of(note: str | bytes) -> str:
    """Who a note says to be signed by, as `name+id`, for the words of a finding."""
    _, signatures = split_note(note)
    return ", ".join(f"{one.name}+{one.key_hash:08x}" for one in signatures)


def is_by_a_stranger(error: TokenInvalid) -> bool:
    """True when a time token is sound in itself, but no anchor vouches for whoever signed it.

    The chain is looked at last of what the token itself must hold: all else had held by then.
    """
    return isinstance(error.__cause__, VerificationError)
