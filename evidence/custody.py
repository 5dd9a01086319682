# SPDX-License-Identifier: Apache-2.0
"""This is where a custody event is defined: who did what to which noun, when, in canonical bytes.

An event is the text of a C2SP signed note: line 1 names the form, line 2 is canonical JSON. The
signed note is one leaf of the custody log. Names of people, files and cases, and anything long,
rest in a salted *detail*; the event holds only the detail's digest, so that a lawful erasure of
the detail breaks no proof.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from evidence import canonical_json, instant
from evidence.errors import RecordMalformed

FORM = "evidock/record/v1"


@dataclass(frozen=True, slots=True)
class Happening:
    """What a step says has happened to one noun; not yet placed in that noun's stream.

    `facts` go into the public log; `detail` (personal or long) rests beside it, salted.
    Both hold only text, whole numbers, booleans, None, lists and mappings.
    """

    kind: str
    stream: str
    facts: Mapping[str, Any] = field(default_factory=dict)
    detail: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class CustodyEvent:
    """A happening in its place: number `seq` of its stream, after the event whose leaf is `prev`.

    `anchor` is (size, root) of the newest checkpoint when it was written: it proves *not before*.
    """

    stream: str
    seq: int
    prev: str | None
    kind: str
    at: datetime
    actor: str
    facts: Mapping[str, Any]
    detail_sha256: str | None
    anchor: tuple[int, str] | None

    def to_text(self) -> str:
        """The note text that is signed: equal events give equal bytes."""
        body = {
            "actor": self.actor,
            "anchor": None if self.anchor is None else {"root": self.anchor[1], "size": self.anchor[0]},
            "at": instant.to_text(self.at),
            "detail": self.detail_sha256,
            "facts": dict(self.facts),
            "kind": self.kind,
            "prev": self.prev,
            "seq": self.seq,
            "stream": self.stream,
        }
        return f"{FORM}\n{canonical_json.dumps(body).decode()}\n"


def parse_event(text: str) -> CustodyEvent:
    """The event whose `to_text` is exactly `text`.

    Raises:
        RecordMalformed: another form, missing or unknown fields, or bytes that are not canonical.

    """
    form, _, rest = text.partition("\n")
    if form != FORM or not rest.endswith("\n"):
        raise RecordMalformed(f"not a record of form {FORM}")
    body = canonical_json.loads(rest[:-1].encode())
    try:
        event = _from_body(body)
    except (KeyError, TypeError, ValueError) as error:
        raise RecordMalformed(f"record with missing or wrong fields: {error}") from error
    if event.to_text() != text:
        raise RecordMalformed("record with fields that its form does not know")
    return event


def _from_body(body: Any) -> CustodyEvent:
    anchor = body["anchor"]
    return CustodyEvent(
        stream=body["stream"],
        seq=body["seq"],
        prev=body["prev"],
        kind=body["kind"],
        at=instant.from_text(body["at"]),
        actor=body["actor"],
        facts=body["facts"],
        detail_sha256=body["detail"],
        anchor=None if anchor is None else (anchor["size"], anchor["root"]),
    )


def detail_bytes(detail: Mapping[str, Any], *, salt: bytes) -> bytes:
    """Canonical bytes of a detail; the salt keeps short names from being guessed from the digest."""
    return canonical_json.dumps({"detail": dict(detail), "salt": salt.hex()})


def open_detail(data: bytes, *, sha256: str) -> Mapping[str, Any]:
    """The detail whose digest an event holds.

    Raises:
        RecordMalformed: the bytes are not those the event names, or not a detail.

    """
    if hashlib.sha256(data).hexdigest() != sha256:
        raise RecordMalformed(f"detail {sha256} has other bytes than the event recorded")
    body = canonical_json.loads(data)
    if not isinstance(body, dict) or not isinstance(body.get("detail"), dict):
        raise RecordMalformed(f"detail {sha256} has another form")
    detail: Mapping[str, Any] = body["detail"]
    return detail
