# SPDX-License-Identifier: Apache-2.0
"""This is where the figures of signing in are read: how long a session lasts, how often one may be wrong."""

from dataclasses import dataclass, fields
from datetime import timedelta
from pathlib import Path

import yaml

_DATA = Path(__file__).parents[1] / "data" / "sign_in.yaml"


@dataclass(frozen=True, slots=True)
class Figures:
    """The figures of `web/data/sign_in.yaml`, where each is explained; names tell their units."""

    idle_minutes: int
    absolute_hours: int
    proof_minutes: int
    touch_s: int
    sessions_per_user: int
    tries: int
    tries_minutes: int
    link_hours: int
    challenge_minutes: int
    challenges: int
    argon2_memory_kib: int
    argon2_passes: int
    argon2_lanes: int
    hashes_at_once: int
    password_least: int
    password_better: int
    password_most: int
    totp_steps: int
    key_requests: int
    key_requests_s: int
    key_days: int

    @property
    def idle(self) -> timedelta:
        """A session that nobody uses for so long has ended."""
        return timedelta(minutes=self.idle_minutes)

    @property
    def absolute(self) -> timedelta:
        """So long a session lasts at most."""
        return timedelta(hours=self.absolute_hours)

    @property
    def proof(self) -> timedelta:
        """How old a proof of the person may be for a sensitive act."""
        return timedelta(minutes=self.proof_minutes)

    @property
    def window(self) -> timedelta:
        """The time in which wrong tries are counted."""
        return timedelta(minutes=self.tries_minutes)


def shipped_figures() -> Figures:
    """The figures as they are shipped."""
    told = yaml.safe_load(_DATA.read_text("utf-8"))
    return Figures(**{field.name: int(told[field.name]) for field in fields(Figures)})
