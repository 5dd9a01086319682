# SPDX-License-Identifier: Apache-2.0
"""This is where a clip's proof file is read: bounded, no key twice, every part of the form it must have.

Nothing is verified here but the form; and every part that has one right spelling must have it, so
that a changed byte is either refused here or contradicts a signature or the clip.
"""

import base64
import binascii
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from evidence.clip_range import ClipRange, parse_range
from evidence.errors import RecordMalformed
from evidence.note import VerifierKey, parse_vkey
from storage.custody_log import LogProof, proof_from_json

FORM = "evidock/clip-proof/v1"
LARGEST_PROOF = 64 << 20
_LARGEST_TOKEN = 1 << 20
_MOST_PARTS = 100
_SECONDS = re.compile(r"-?[0-9]{1,19}(/[1-9][0-9]{0,18})?", re.ASCII)
# Any one of these shows that bytes were once a proof of ours, whatever has become of them since.
_MARKS = (FORM.encode(), b"evidock/record/v1", b'"packet_root"')


@dataclass(frozen=True, slots=True)
class ProvenRecord:
    """A signed record as a proof file carries it, and the proof that it is in the log."""

    note: str
    log: LogProof


@dataclass(frozen=True, slots=True)
class CarriedToken:
    """A time token as a proof file carries it, over the checkpoint of `size`."""

    authority: str
    trust: str
    size: int
    response: bytes


@dataclass(frozen=True, slots=True)
class ClipProofFile:
    """A proof file that has the form of one. `body` is the whole of it, for the packet check."""

    body: Mapping[str, Any]
    recording: str
    original_sha256: str
    original_bytes: int
    clip_sha256: str
    clip_bytes: int
    asked: Mapping[str, str]
    delivered: Mapping[str, str]
    frames: int
    packet_root: str
    ranges: tuple[ClipRange, ...]
    records: tuple[ProvenRecord, ...]
    tokens: tuple[CarriedToken, ...]
    keys: tuple[VerifierKey, ...]


def was_a_proof(data: bytes) -> bool:
    """True when bytes that do not read as a proof were one of ours before somebody changed them."""
    return any(mark in data for mark in _MARKS)


def parse_proof(data: bytes) -> ClipProofFile:
    """The proof in `data`.

    Raises:
        RecordMalformed: it is not JSON, too large, of another form, or a part of it is.
    """
    body = _json(data)
    if not isinstance(body, dict) or body.get("format") != FORM:
        raise RecordMalformed(f"not a clip proof of form {FORM}")
    original, clip = _part(body, "original", "sha256 size_bytes"), _part(body, "clip", "sha256 size_bytes")
    delivered = _part(body, "delivered", "from to frames")
    asked = _part(body, "asked", "from to")
    return ClipProofFile(
        body=body,
        recording=_text(body, "recording"),
        original_sha256=_text(original, "sha256"),
        original_bytes=_count(original, "size_bytes"),
        clip_sha256=_text(clip, "sha256"),
        clip_bytes=_count(clip, "size_bytes"),
        asked=_span(asked),
        delivered=_span(delivered),
        frames=_count(delivered, "frames"),
        packet_root=_text(body, "packet_root"),
        ranges=tuple(map(_range, _list(body, "ranges"))),
        records=tuple(map(_record, _list(body, "records"))),
        tokens=tuple(map(_token, _list(body, "tokens"))),
        keys=tuple(map(_key, _list(body, "keys"))),
    )


def _json(data: bytes) -> Any:
    if len(data) > LARGEST_PROOF:
        raise RecordMalformed(f"a proof of more than {LARGEST_PROOF} bytes")
    try:
        return json.loads(
            data.decode(),
            object_pairs_hook=_object,
            parse_int=_integer,
            parse_float=_no_number,
            parse_constant=_no_number,
        )
    except (ValueError, RecursionError) as error:
        raise RecordMalformed(f"the proof is not JSON: {error}") from error


def _object(pairs: Sequence[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise RecordMalformed("the proof names a key twice")
    return found


def _integer(text: str) -> int:
    # Written back it must be the same text: -0 is none of ours.
    if len(text) > 20 or str(int(text)) != text:
        raise RecordMalformed(f"a number of the proof is out of range: {text[:40]}")
    return int(text)


def _no_number(text: str) -> object:
    raise RecordMalformed(f"a number of the proof is not whole: {text[:40]}")


def _part(body: Mapping[str, Any], key: str, fields: str) -> Mapping[str, Any]:
    value = body.get(key)
    if not isinstance(value, dict) or set(value) != set(fields.split()):
        raise RecordMalformed(f"{key} of the proof does not hold {fields}")
    return value


def _text(body: Mapping[str, Any], key: str) -> str:
    value = body.get(key)
    if not isinstance(value, str):
        raise RecordMalformed(f"{key} of the proof is not text")
    return value


def _span(part: Mapping[str, Any]) -> Mapping[str, str]:
    # Measured before anyone reads it: a rational may be written in a few letters that fill the memory.
    ends = {end: _text(part, end) for end in ("from", "to")}
    if not all(_SECONDS.fullmatch(text) for text in ends.values()):
        raise RecordMalformed("a time of the proof is not a rational number of seconds")
    return ends


def _count(body: Mapping[str, Any], key: str) -> int:
    value = body.get(key)
    if type(value) is not int or value < 0:
        raise RecordMalformed(f"{key} of the proof is not a whole number")
    return value


def _list(body: Mapping[str, Any], key: str) -> list[Any]:
    value = body.get(key)
    if not isinstance(value, list) or len(value) > _MOST_PARTS:
        raise RecordMalformed(f"{key} of the proof is not a list of at most {_MOST_PARTS}")
    return value


def _range(told: Any) -> ClipRange:
    parsed = parse_range(told)
    if parsed.to_json() != told:
        raise RecordMalformed(f"the range of stream {parsed.stream} is not in its own spelling")
    return parsed


def _record(told: Any) -> ProvenRecord:
    part = _part({"record": told}, "record", "note log")
    if not isinstance(part["log"], dict):
        raise RecordMalformed("log of a record in the proof is not an object")
    return ProvenRecord(_text(part, "note"), proof_from_json(part["log"]))


def _token(told: Any) -> CarriedToken:
    part = _part({"token": told}, "token", "authority response size trust")
    encoded = _text(part, "response")
    try:
        response = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError) as error:
        raise RecordMalformed("a time token of the proof is not base64") from error
    if base64.b64encode(response).decode() != encoded or len(response) > _LARGEST_TOKEN:
        raise RecordMalformed("a time token of the proof is not in its own spelling, or too large")
    return CarriedToken(_text(part, "authority"), _text(part, "trust"), _count(part, "size"), response)


def _key(told: Any) -> VerifierKey:
    if not isinstance(told, str):
        raise RecordMalformed("a key of the proof is not text")
    return parse_vkey(told)
