# SPDX-License-Identifier: Apache-2.0
"""This is where leave to fetch footage is given, with its custody event, and asked for again at each request.

A token opens one object of one recording, for minutes, to the session or key that asked for it. It is 256 bits of
chance; only its SHA-256 is kept. Nothing is told of why one does not open: forged, run out, of somebody else, of a
session that ended.
"""

import base64
import re
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from fractions import Fraction
from hashlib import sha256

from fastapi import Request

from evidence import ids, instant, media_time
from evidence.access import Reach, reach_of
from evidence.errors import NotFound
from evidence.media_time import Span
from pipeline import playback
from pipeline.playback import Shown
from storage.register import reach, token_rows
from storage.register.answers import Row
from storage.register.facts import Facts
from storage.register.search import Connection
from web.access.asker import Asker
from web.api.context import Context
from web.media.figures import figures
from web.media.folding import act_of
from web.media.marks import mark_of
from web.signin.who import signed_in

_TOKEN = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)
_TOKEN_BYTES, _ID_BYTES = 32, 10
_NOTHING = "nothing can be fetched by this"


@dataclass(frozen=True, slots=True)
class Given:
    """Leave that will be good once its event is on record."""

    token: str
    shown: Shown
    until: datetime
    is_whole: bool
    """True when the object itself may be fetched, and not only parts of it or pictures with a watermark."""


@dataclass(frozen=True, slots=True)
class Leave:
    """Leave that is good now: `token` is its digest."""

    token: str
    id: str
    holder: str
    recording: str
    what: str
    object: str
    part: Span | None
    mark: str | None

    @property
    def is_whole(self) -> bool:
        """As `Given.is_whole`."""
        return self.part is None and self.mark is None


def give(asker: Asker, recording: str, what: str, *, part: Span | None) -> Given:
    """Leave for whoever asks to fetch `what` of a recording; it is written with the event that says so.

    Raises:
        NotFound: no such recording within reach, or nothing of it to show. BadInput: no part of this can be shown.
    """
    playback.check_part(what, part)
    with asker.view() as connection:
        row = asker.recording(connection, recording)
        grant = _grant(connection, asker, recording)
        shown = playback.find_shown(connection, row, what)
        mark = mark_of(connection, asker, grant) if what == "proxy" else None
    token = base64.urlsafe_b64encode(asker.ports.chance(_TOKEN_BYTES)).decode().rstrip("=")
    name = ids.opaque("med", asker.ports.chance(_ID_BYTES))
    until = asker.now + timedelta(minutes=figures().token_minutes)
    if grant is not None:
        until = min(until, instant.from_text(grant["until_at"]))
    told = {
        "sha256": _digest(token),
        "id": name,
        "holder": asker.known.holder,
        "actor": asker.actor.id,
        "recording": recording,
        "what": what,
        "object": shown.sha256,
        "first": None if part is None else media_time.to_text(part.start),
        "last": None if part is None else media_time.to_text(part.end),
        "watermark": mark,
        "grant": None if grant is None else grant["id"],
        "stream": asker.actor.id.replace(":", "/", 1),
        "made_at": instant.to_text(asker.now),
        "until_at": instant.to_text(until),
    }
    asker.about("recording", recording, **{key: told[key] for key in ("what", "first", "last", "grant")}, token=name)

    def also(writing: Facts, seq: int) -> None:
        token_rows.add_token(writing.connection, told | {"seq": seq})

    asker.also(also)
    return Given(token, shown, until, part is None and mark is None)


def _grant(connection: Connection, asker: Asker, recording: str) -> Row | None:
    """The grant without which this recording would not be shown; None when the person's own roles show it."""
    try:
        reach.recording(connection, recording, replace(asker.sight, grants=frozenset()))
    except NotFound:
        at, kinds = instant.to_text(asker.now), asker.sight.grants
        found = token_rows.grant_of(connection, asker.actor.name, recording, kinds=kinds, at=at)
        if found is None:
            raise
        return found
    return None


def open_leave(request: Request, here: Context, token: str) -> Leave:
    """The leave that a token is, for who asks with it.

    Raises:
        NotSignedIn: nobody is known. NotFound: nothing can be fetched by it, whatever the reason.
        RegisterUnavailable: it cannot be told now, and nothing is given.
    """
    known = signed_in(request, here).known
    if not _TOKEN.fullmatch(token):
        raise NotFound(_NOTHING)
    digest = _digest(token)
    with here.ports.register.view() as connection:
        row = token_rows.token(connection, digest)
    if row is None or (row["holder"], row["actor"]) != (known.holder, known.actor.id):
        raise NotFound(_NOTHING)
    is_over = here.now() >= instant.from_text(row["until_at"])
    if is_over or reach_of(known.actor, act_of(row["what"])) is Reach.NONE:
        raise NotFound(_NOTHING)
    part = None if row["first"] is None else Span(*(Fraction(row[name]) for name in ("first", "last")))
    told = {name: row[name] for name in ("id", "holder", "recording", "what", "object")}
    return Leave(token=digest, **told, part=part, mark=row["watermark"])


def _digest(token: str) -> str:
    return sha256(token.encode()).hexdigest()
