# SPDX-License-Identifier: Apache-2.0
"""This is where a body worn system of Axis is let in: a name and a key that it is told in its connection file.

The key is made here, told once and kept nowhere; the record holds its SHA-256. It has 256 bits: its digest, which
stands in a public log, gives it to nobody.
"""

import hashlib
import hmac
from dataclasses import dataclass
from datetime import datetime

from evidence import ids, instant
from evidence.custody import Happening
from evidence.errors import BadInput, NotFound, WrongState
from evidence.ids import stream_of
from evidence.written import one_line
from pipeline.ports import Ports
from storage.register import casebook, dock_rows
from storage.register.search import Connection, Row

KIND = "axis"
_KEY_BYTES = 32
_LONGEST_NAME = 64


@dataclass(frozen=True, slots=True)
class Connected:
    """What the system is told: the dock's id is its user name; `key` is told once, here."""

    dock: str
    key: str


def connect(name: str, *, unit: str = "", again: str | None = None, ports: Ports, now: datetime) -> Connected:
    """Let a system in, at once; `again`: the id of one that is known gets a new key, and the old one is worth nothing.

    Raises:
        BadInput: the name is none. NotFound: no such unit, or no such dock. WrongState: it is of another kind, or
            was revoked.
    """
    if one_line(name, "the name of a dock") != name or len(name) > _LONGEST_NAME:
        raise BadInput(f"a name has at most {_LONGEST_NAME} characters, and no space around it")
    key = ports.chance(_KEY_BYTES).hex()
    digest = key_sha256(key)
    with ports.register.begin() as writing:
        code = _unit(writing.connection, unit)
        identifier = ids.opaque("dck", ports.chance(10)) if again is None else _known(writing.connection, again)
        # Nothing is left to enrol with: what stands as the code is the key's digest, and is good until now.
        facts = {"code_sha256": digest, "erases": False, "kind": KIND, "until": instant.to_text(now)}
        stream, detail = stream_of("dock", identifier), {"device": None, "name": name, "unit": code}
        writing.record(Happening("dock-invited", stream, facts=facts, detail=detail), actor=ports.actor, at=now)
        writing.record(Happening("dock-enrolled", stream, facts={"key": digest}), actor=ports.actor, at=now)
    return Connected(identifier, key)


def is_key_of(dock: Row, key: str) -> bool:
    """True when a dock of this kind is let in, and this is its key."""
    is_one = dock["kind"] == KIND and dock["state"] == "enrolled" and dock["key"]
    return hmac.compare_digest(str(dock["key"] or ""), key_sha256(key)) and bool(is_one)


def key_sha256(key: str) -> str:
    """What is kept of a key."""
    return hashlib.sha256(b"evidock-axis-key-v1\n" + key.encode("utf-8", "replace")).hexdigest()


def _known(connection: Connection, identifier: str) -> str:
    row = dock_rows.dock(connection, identifier)
    if row["kind"] != KIND or row["state"] == "revoked":
        raise WrongState(f"{identifier} is a {row['kind']}, {row['state']}: it cannot get a connection file")
    return identifier


def _unit(connection: Connection, told: str) -> str:
    if not told:
        return ""
    code = casebook.unit_told(connection, told)
    if code is None:
        raise NotFound(f"no unit {told[:80]!r}: run `evidock unit add` first")
    return code
