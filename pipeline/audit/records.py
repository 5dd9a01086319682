# SPDX-License-Identifier: Apache-2.0
"""This is where signed custody events are taken apart into what an audit looks for at rest.

The facts were signed by a records key, yet nothing here trusts their form: an event that lacks what
its kind must say is refused, not guessed at.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from evidence.custody import CustodyEvent
from evidence.errors import RecordMalformed
from evidence.lifecycle import State

_HEX = re.compile(r"[0-9a-f]{64}", re.ASCII)
_STREAM = re.compile(r"0|[1-9][0-9]{0,8}", re.ASCII)
_SECONDS = re.compile(r"-?[0-9]{1,19}(/[1-9][0-9]{0,18})?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Measured:
    """What a recording's bytes were when they were measured; the packets are None for what has none.

    `shifts`: by stream, seconds between a packet's stored time and the time it is shown.
    """

    recording: str
    sha256: str
    size_bytes: int
    chunk_root: str
    packet_root: str | None
    packets_sha256: str | None
    kind: str | None
    container: str | None
    shifts: Mapping[int, Fraction]


@dataclass(frozen=True, slots=True)
class Sealed:
    """That the measured bytes were put to rest, and which receipt was signed for them."""

    recording: str
    sha256: str
    size_bytes: int
    receipt_sha256: str


@dataclass(frozen=True, slots=True)
class Derived:
    """Something that was made from a recording."""

    recording: str
    kind: str
    sha256: str
    size_bytes: int
    recipe: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Stamped:
    """A time token that was laid beside the checkpoint of `size`."""

    size: int
    authority: str
    sha256: str
    gen_time: str
    trust: str


@dataclass(frozen=True, slots=True)
class Attached:
    """Something that came along with a recording."""

    recording: str
    role: str
    sha256: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Clipped:
    """That a clip was served: its own digest and what it shows."""

    recording: str
    clip_sha256: str
    size_bytes: int
    asked: Mapping[str, str]
    delivered: Mapping[str, str]
    frames: int


STATES: Mapping[str, State] = {
    "arrived": State.ARRIVED,
    "measured": State.MEASURED,
    "sealed": State.SEALED,
    "released": State.SEALED,
    "indexed": State.INDEXED,
    "quarantined": State.QUARANTINED,
    "archived": State.ARCHIVED,
    "restored": State.INDEXED,
    "disposing": State.DISPOSING,
    "disposed": State.DISPOSED,
}
"""The state that an event of this kind takes its recording to; *due* comes from disposal lists."""


def recording_of(event: CustodyEvent) -> str | None:
    """The recording that an event is about, or None when it is about something else."""
    noun, _, name = event.stream.partition("/")
    return name if noun == "recording" else None


def measured_of(event: CustodyEvent) -> Measured:
    """What a `measured` event says; as all functions here, RecordMalformed when it does not say it."""
    facts = event.facts
    return Measured(
        recording=_recording(event),
        sha256=_hex(facts, "sha256"),
        size_bytes=_count(facts, "size_bytes"),
        chunk_root=_hex(facts, "chunk_root"),
        packet_root=_hex_or_none(facts, "packet_root"),
        packets_sha256=_hex_or_none(facts, "packets_sha256"),
        kind=_text_or_none(facts, "kind"),
        container=_text_or_none(facts, "container"),
        shifts=_shifts(facts),
    )


def sealed_of(event: CustodyEvent) -> Sealed:
    """What a `sealed` event says."""
    facts = event.facts
    receipt = _hex(facts, "receipt_sha256")
    return Sealed(_recording(event), _hex(facts, "sha256"), _count(facts, "size_bytes"), receipt)


def derived_of(event: CustodyEvent) -> Derived:
    """What a `derived` event says."""
    facts = event.facts
    recipe = facts.get("recipe")
    if not isinstance(recipe, Mapping):
        raise RecordMalformed("recipe of a record is not an object")
    kind, sha256 = _text(facts, "kind"), _hex(facts, "sha256")
    return Derived(_recording(event), kind, sha256, _count(facts, "size_bytes"), recipe)


def stamped_of(event: CustodyEvent) -> tuple[Stamped, ...]:
    """The tokens that a `stamped` event names."""
    size, tokens = _count(event.facts, "size"), event.facts.get("tokens")
    if not isinstance(tokens, list) or not all(isinstance(token, Mapping) for token in tokens):
        raise RecordMalformed("tokens of a record are not a list of objects")
    return tuple(
        Stamped(
            size=size,
            authority=_text(token, "authority"),
            sha256=_hex(token, "sha256"),
            gen_time=_text(token, "gen_time"),
            trust=_text(token, "trust"),
        )
        for token in tokens
    )


def attached_of(event: CustodyEvent) -> Attached:
    """What an `attached` event says."""
    facts = event.facts
    return Attached(_recording(event), _text(facts, "role"), _hex(facts, "sha256"), _count(facts, "size_bytes"))


def manifest_of(event: CustodyEvent) -> str:
    """The digest of the device list that a `docked` event names."""
    return _hex(event.facts, "manifest_sha256")


def clipped_of(event: CustodyEvent) -> Clipped:
    """What a `clipped` event says."""
    facts = event.facts
    return Clipped(
        recording=_recording(event),
        clip_sha256=_hex(facts, "clip_sha256"),
        size_bytes=_count(facts, "size_bytes"),
        asked=_span(facts, "asked"),
        delivered=_span(facts, "delivered"),
        frames=_count(facts, "frames"),
    )


def _recording(event: CustodyEvent) -> str:
    name = recording_of(event)
    if not name:
        raise RecordMalformed(f"a {event.kind} record in the stream {event.stream}")
    return name


def _text(facts: Mapping[str, Any], key: str) -> str:
    value = facts.get(key)
    if not isinstance(value, str):
        raise RecordMalformed(f"{key} of a record is not text")
    return value


def _text_or_none(facts: Mapping[str, Any], key: str) -> str | None:
    return None if facts.get(key) is None else _text(facts, key)


def _hex(facts: Mapping[str, Any], key: str) -> str:
    value = _text(facts, key)
    if _HEX.fullmatch(value) is None:
        raise RecordMalformed(f"{key} of a record is not a SHA-256 in hexadecimal")
    return value


def _hex_or_none(facts: Mapping[str, Any], key: str) -> str | None:
    return None if facts.get(key) is None else _hex(facts, key)


def _count(facts: Mapping[str, Any], key: str) -> int:
    value = facts.get(key)
    if type(value) is not int or value < 0:
        raise RecordMalformed(f"{key} of a record is not a whole number")
    return value


def _span(facts: Mapping[str, Any], key: str) -> Mapping[str, str]:
    value = facts.get(key)
    if not isinstance(value, Mapping) or set(value) != {"from", "to"}:
        raise RecordMalformed(f"{key} of a record is not a span of time")
    return {end: _text(value, end) for end in ("from", "to")}


def _shifts(facts: Mapping[str, Any]) -> Mapping[int, Fraction]:
    told = facts.get("shifts")
    if not isinstance(told, Mapping):
        raise RecordMalformed("shifts of a record are not an object")
    if not all(_STREAM.fullmatch(stream) and _SECONDS.fullmatch(str(told[stream])) for stream in told):
        raise RecordMalformed("shifts of a record are not seconds by stream")
    return {int(stream): Fraction(str(told[stream])) for stream in told}
