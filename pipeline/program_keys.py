# SPDX-License-Identifier: Apache-2.0
"""This is where programs of others get keys to sign in with, and lose them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from evidence import ids, instant
from evidence.access import ACTS, Role
from evidence.custody import Happening
from evidence.errors import BadInput, NotFound
from evidence.ids import stream_of
from evidence.tokens import TOKEN_BYTES, token_of, token_sha256
from evidence.written import one_line, reason
from pipeline.ports import Ports
from storage.register import casebook, user_rows

PREFIX = "evk_"


@dataclass(frozen=True, slots=True)
class Key:
    """What a key is for: its name, what it may do, and for which unit (None: the whole agency), until when."""

    name: str
    acts: Sequence[str]
    until: datetime
    unit: str | None = None


@dataclass(frozen=True, slots=True)
class MadeKey:
    """A key that was made; `secret` is told once, here, and kept nowhere."""

    id: str
    secret: str


def acts_of_programs() -> tuple[str, ...]:
    """What a key can be made for: what the role `service` may do."""
    return tuple(sorted(name for name, act in ACTS.items() if Role.SERVICE in act.reach))


def make_key(key: Key, *, longest: timedelta, ports: Ports, now: datetime) -> MadeKey:
    """Make a key that is good for at most `longest`.

    Raises:
        BadInput: no name, an act that is no program's, or an end that has passed or is too far away.
        NotFound: the unit is not registered.
    """
    name, acts = one_line(key.name, "the name of a key"), sorted(set(key.acts))
    strange = [one for one in acts if one not in acts_of_programs()]
    if strange or not acts:
        told = ", ".join(one[:40] for one in strange) or "none"
        raise BadInput(f"a key may do {', '.join(acts_of_programs())}; not {told}", field="acts")
    if not now < key.until <= now + longest:
        raise BadInput(f"a key is good for at most {longest.days} days", field="until_at")
    secret = PREFIX + token_of(ports.chance(TOKEN_BYTES))
    identifier = ids.opaque("key", ports.chance(10))
    with ports.register.begin() as writing:
        unit = None if key.unit is None else casebook.unit_told(writing.connection, key.unit)
        if key.unit is not None and unit is None:
            raise NotFound(f"no unit {key.unit[:80]!r}: run `evidock unit add` first", unit=key.unit[:80])
        facts = {"acts": acts, "sha256": token_sha256(secret), "unit": unit, "until_at": instant.to_text(key.until)}
        happening = Happening("key-made", stream_of("key", identifier), facts=facts, detail={"name": name})
        writing.record(happening, actor=ports.actor, at=now)
    return MadeKey(identifier, secret)


def revoke_key(identifier: str, *, why: str, ports: Ports, now: datetime) -> bool:
    """End a key now; False when it was ended before.

    Raises:
        NotFound: no such key. BadInput: no reason.
    """
    told = {"why": reason(why)}
    with ports.register.begin() as writing:
        if user_rows.key(writing.connection, identifier)["revoked_at"] is not None:
            return False
        happening = Happening("key-revoked", stream_of("key", identifier), detail=told)
        writing.record(happening, actor=ports.actor, at=now)
    return True
