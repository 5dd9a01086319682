# SPDX-License-Identifier: Apache-2.0
"""This is where the index of a pack is read: bounded, and every part of the form it must have.

Nothing is believed here: what the index says is held against signed records afterwards.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from evidence import canonical_json
from evidence.errors import RecordMalformed
from pipeline.pack import names

LARGEST = 64 << 20
_MOST = 100_000
_HEX = re.compile(r"[0-9a-f]{64}", re.ASCII)
_STREAM = re.compile(r"(case|export|approval|recording)/[a-z]{3}-[a-z0-9-]{1,60}", re.ASCII)


@dataclass(frozen=True, slots=True)
class OriginalTold:
    """An original that the index speaks of; `file` is None where its bytes are not in the pack."""

    recording: str
    file: str | None
    receipt: str | None
    sha256: str
    size_bytes: int
    is_gone: bool


@dataclass(frozen=True, slots=True)
class ClipTold:
    """A clip that the index speaks of."""

    recording: str
    file: str
    proof: str


@dataclass(frozen=True, slots=True)
class Index:
    """What a pack says it holds."""

    export: str
    case: str
    origin: str
    size: int
    root: str
    originals: tuple[OriginalTold, ...]
    clips: tuple[ClipTold, ...]
    recordings: frozenset[str]
    streams: Mapping[str, int]
    checkpoints: tuple[int, ...]
    tokens: tuple[tuple[int, str, str, str], ...]
    """size, authority, trust, file"""
    withheld: frozenset[str]


def parse_index(data: bytes) -> Index:
    """The index in `data`.

    Raises:
        RecordMalformed: it is not canonical JSON of the form, or a part of it is not.
    """
    body = canonical_json.loads(data)
    if not isinstance(body, dict) or body.get("format") != names.FORM:
        raise RecordMalformed(f"not the index of a pack of form {names.FORM}")
    place, recordings = _object(body, "checkpoint"), _objects(body, "recordings")
    clips = tuple(one for told in recordings for one in _clips(told))
    if len({one.file for one in clips}) != len(clips):
        raise RecordMalformed("the index names a clip twice")
    return Index(
        export=_text(body, "export"),
        case=_text(_object(body, "case"), "id"),
        origin=_text(body, "log"),
        size=_count(place, "size"),
        root=_hex(place, "root"),
        originals=tuple(one for told in recordings for one in _originals(told)),
        clips=clips,
        recordings=frozenset(_text(told, "recording") for told in recordings),
        streams=_streams(body),
        checkpoints=tuple(_number(one) for one in _list(body, "checkpoints")),
        tokens=tuple(_token(one) for one in _objects(body, "tokens")),
        withheld=frozenset(_hex({"withheld": one}, "withheld") for one in _list(body, "withheld")),
    )


def _originals(told: Mapping[str, Any]) -> Iterator[OriginalTold]:
    for one in _objects(told, "originals"):
        yield OriginalTold(
            recording=_text(told, "recording"),
            file=_name_or_none(one, "file"),
            receipt=_name_or_none(one, "receipt"),
            sha256=_hex(one, "sha256"),
            size_bytes=_count(one, "size_bytes"),
            is_gone=told.get("is_gone") is True,
        )


def _clips(told: Mapping[str, Any]) -> Iterator[ClipTold]:
    for one in _objects(told, "clips"):
        file, proof = _name_or_none(one, "file"), _name_or_none(one, "proof")
        if file is None or proof != names.proof_name(file):
            raise RecordMalformed("a clip of the index without its proof beside it")
        yield ClipTold(_text(told, "recording"), file, proof)


def _streams(body: Mapping[str, Any]) -> Mapping[str, int]:
    found = {}
    for one in _objects(body, "streams"):
        stream = _text(one, "stream")
        if _STREAM.fullmatch(stream) is None or stream in found:
            raise RecordMalformed(f"not a stream, or one told twice: {stream[:80]!r}")
        found[stream] = _count(one, "events")
        if not 0 < found[stream] <= _MOST:
            raise RecordMalformed(f"{stream} cannot have {found[stream]} events")
    return found


def _token(one: Mapping[str, Any]) -> tuple[int, str, str, str]:
    return _count(one, "size"), _text(one, "authority"), _text(one, "trust"), _name_or_none(one, "file") or ""


def _object(body: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = body.get(key)
    if not isinstance(value, dict):
        raise RecordMalformed(f"{key} of the index is not an object")
    return value


def _list(body: Mapping[str, Any], key: str) -> Sequence[Any]:
    value = body.get(key)
    if not isinstance(value, list) or len(value) > _MOST:
        raise RecordMalformed(f"{key} of the index is not a list of at most {_MOST}")
    return value


def _objects(body: Mapping[str, Any], key: str) -> Sequence[Mapping[str, Any]]:
    found = _list(body, key)
    if not all(isinstance(one, dict) for one in found):
        raise RecordMalformed(f"{key} of the index is not a list of objects")
    return found


def _text(body: Mapping[str, Any], key: str) -> str:
    value = body.get(key)
    if not isinstance(value, str):
        raise RecordMalformed(f"{key} of the index is not text")
    return value


def _hex(body: Mapping[str, Any], key: str) -> str:
    if _HEX.fullmatch(_text(body, key)) is None:
        raise RecordMalformed(f"{key} of the index is not a SHA-256")
    return _text(body, key)


def _count(body: Mapping[str, Any], key: str) -> int:
    return _number(body.get(key))


def _number(value: object) -> int:
    if type(value) is not int or value < 0:
        raise RecordMalformed("a number of the index is not whole")
    return value


def _name_or_none(body: Mapping[str, Any], key: str) -> str | None:
    if body.get(key) is None:
        return None
    name = _text(body, key)
    if not names.is_name(name) or not name.startswith(names.PAYLOAD):
        raise RecordMalformed(f"{key} of the index is no name of a pack: {name[:80]!r}")
    return name
