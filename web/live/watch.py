# SPDX-License-Identifier: Apache-2.0
"""This is where it is found out what one who watches is told next: of docks, jobs and approvals within their reach.

An event's number is that of the newest event of the custody log it takes in, so that whoever comes back with it
misses nothing. Jobs have no such numbers: whoever comes is told of all that go on.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from evidence import instant
from evidence.access import Reach, reach_of
from storage.register import live_rows, session_rows, user_rows
from storage.register.answers import Row
from web.access.asker import Asker
from web.api.limits import Limits
from web.live.wall import wall
from web.signin.sessions import Session
from web.signin.who import actor_of

_JOB = ("id", "step", "subject", "dock", "place", "state", "attempts", "failures", "progress_permille", "error_code")
_APPROVAL = ("id", "act", "noun", "subject", "unit", "requested_by", "requested_at", "expires_at", "decision")


@dataclass(slots=True)
class Watch:
    """What one stream was told so far. `at`: up to which event; None: it begins now."""

    asker: Asker
    limits: Limits
    at: int | None
    _jobs: dict[str, Row] = field(default_factory=dict)

    def begin(self) -> list[bytes]:
        """The first words: `ready` with the number that counts from now on, or `reset` when too much was missed.

        Raises:
            RegisterUnavailable: worth another try.
        """
        with self.asker.ports.register.view() as connection:
            newest = live_rows.newest_event(connection)
        if self.at is not None and self.at <= newest:
            return [said("ready", {}, at=self.at)]
        is_known, self.at = self.at is None, newest
        return [said("ready" if is_known else "reset", {}, at=newest)]

    def next(self) -> list[bytes]:
        """What is new.

        Raises:
            RegisterUnavailable: worth another try.
        """
        now = self.asker.here.now()
        return [*self._of_events(now), *self._of_jobs()]

    def still(self) -> bool:
        """True while they are signed in as they were when they came: the same session, roles and units.

        Raises:
            RegisterUnavailable: worth another try.
        """
        known, here = self.asker.known, self.asker.here
        with self.asker.ports.register.view() as connection:
            if not known.by_cookie:
                key = user_rows.key(connection, known.holder)
                return key["revoked_at"] is None and here.now() < instant.from_text(key["until_at"])
            row = session_rows.session(connection, known.holder)
            if row is None or row["state"] != "active":
                return False
            is_over = Session.of_row(row).is_over(here.sign_in.figures, here.now())
            return not is_over and actor_of(connection, row, row["user"]) == known.actor

    def _of_events(self, now: datetime) -> Iterator[bytes]:
        assert self.at is not None  # noqa: S101 - `begin` set it
        register = self.asker.ports.register
        with register.view() as connection:
            changes = live_rows.changes_after(connection, self.at, most=self.limits.stream_behind)
            names = live_rows.docks_of(connection, changes) if changes.is_whole else frozenset[str]()
        if not changes.is_whole:
            self.at = changes.at
            yield said("reset", {}, at=changes.at)
            return
        told = [("dock", one.model_dump()) for one in self._docks(names, now)]
        told += [("approval", row) for row in self._approvals(changes.approvals)]
        before, self.at = self.at, changes.at
        # Only the last has the number: whoever breaks off in between is told all of it again.
        for place, (kind, body) in enumerate(told, 1):
            yield said(kind, body, at=changes.at if place == len(told) else before)

    def _docks(self, names: frozenset[str], now: datetime) -> list[Any]:
        sight = replace(self.asker.sight, now=instant.to_text(now))
        days = self.limits.wall_days
        return list(wall(self.asker.ports.register, sight, now=now, days=days, among=names)) if names else []

    def _approvals(self, names: frozenset[str]) -> list[dict[str, Any]]:
        reach, actor = reach_of(self.asker.actor, "approval.read"), self.asker.actor
        if not names or reach is Reach.NONE:
            return []
        units = actor.units if reach is Reach.UNIT else None
        is_all = reach is Reach.ALL or (reach is Reach.UNIT and actor.unit is None)
        with self.asker.ports.register.view() as connection:
            rows = live_rows.approvals_seen(connection, names, units=units, by=actor.id, is_all=is_all)
        return [{name: row[name] for name in _APPROVAL} for row in rows]

    def _of_jobs(self) -> Iterator[bytes]:
        if reach_of(self.asker.actor, "job.read") is Reach.NONE:
            return
        with self.asker.ports.register.view() as connection:
            rows = live_rows.jobs_going_on(connection, most=self.limits.stream_jobs)
            gone = self._jobs.keys() - {row["id"] for row in rows}
            ended = live_rows.jobs_named(connection, gone) if gone else []
        current = {row["id"]: {name: row[name] for name in _JOB} for row in rows}
        told = [body for name, body in current.items() if self._jobs.get(name) != body]
        told += [{name: row[name] for name in _JOB} for row in ended]
        self._jobs = dict(current)
        for body in told:
            yield said("job", body)


def said(kind: str, body: Any, *, at: int | None = None) -> bytes:
    """An event as it is sent. Source: WHATWG HTML, 9.2 Server-sent events."""
    number = "" if at is None else f"id: {at}\n"
    return f"{number}event: {kind}\ndata: {json.dumps(body, ensure_ascii=False)}\n\n".encode()
