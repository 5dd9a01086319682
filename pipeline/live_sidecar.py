# SPDX-License-Identifier: Apache-2.0
"""This is where a terminal's signed word on its recording is checked and read: case, item, officer, place, marks.

The text is kept as it came, with its signature: who has the terminal's key from the custody log can check it
without us. What it says stands as claims of a sidecar, never as facts.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from evidence.claims import Claim, Claims, Source
from evidence.errors import BadInput, RecordMalformed, SignatureInvalid, TooLarge
from evidence.note import VerifierKey
from pipeline.live_figures import figures
from storage.signing import verifier_of

DOMAIN = b"evidock-sidecar-v1\n"
_SAID_ONCE = ("case", "item", "officer", "device", "place")
_MARKS_MAX = 1000


@dataclass(frozen=True, slots=True)
class Sidecar:
    """A terminal's word whose signature holds: its text, the signature, what it claims, the media it speaks of."""

    text: str
    signature: bytes
    claims: Claims
    media_sha256: str


def read_sidecar(text: str, signature: bytes, *, key: bytes) -> Sidecar:
    """The word that the holder of `key` (Ed25519, 32 bytes) signed. Fields we do not know are kept and not read.

    Raises:
        SignatureInvalid: the signature is of another key, or over another text.
        TooLarge: it is larger than such a word may be.
        BadInput: it is no JSON object, has no `sha256`, or a field holds what cannot be claimed.
    """
    if len(text) > figures().sidecar_bytes:
        raise TooLarge(f"a terminal's word has at most {figures().sidecar_bytes} characters")
    try:
        is_signed = verifier_of(VerifierKey("terminal", key)).verify(DOMAIN + text.encode(), signature)
    except (RecordMalformed, UnicodeEncodeError) as error:
        raise SignatureInvalid(f"the terminal's word cannot be checked: {error}") from error
    if not is_signed:
        raise SignatureInvalid("the signature under the terminal's word is not by the key that it enrolled with")
    try:
        told = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadInput("the terminal's word is no JSON") from error
    if not isinstance(told, dict) or not isinstance(told.get("sha256"), str):
        raise BadInput("the terminal's word must be a JSON object with the sha256 of what it recorded")
    return Sidecar(text, signature, Claims(_claims(told)), told["sha256"])


def _claims(told: dict[str, Any]) -> Iterator[Claim]:
    for field in _SAID_ONCE:
        if told.get(field) is not None:
            yield Claim(field, _text(told[field], field), Source.SIDECAR)
    if told.get("started_at") is not None:
        yield Claim("start", _text(told["started_at"], "started_at"), Source.SIDECAR)
    marks = told.get("marks", [])
    if not isinstance(marks, list) or len(marks) > _MARKS_MAX:
        raise BadInput(f"marks is a list of at most {_MARKS_MAX}")
    for mark in marks:
        if not isinstance(mark, dict):
            raise BadInput("a mark has at and text")
        words = [_text(mark[name], name) for name in ("at", "text") if mark.get(name) is not None]
        yield Claim("mark", " ".join(words), Source.SIDECAR)


def _text(value: object, field: str) -> str:
    if not isinstance(value, str):
        raise BadInput(f"{field} is text")
    return value
