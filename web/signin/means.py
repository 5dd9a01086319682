# SPDX-License-Identifier: Apache-2.0
"""This is where everything is one value that signing in needs beside the register."""

import time
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from storage.secret_box import SecretBox
from web.oidc.provider import Provider
from web.signin.figures import Figures, shipped_figures
from web.signin.passwords import Passwords
from web.signin.tries import Failures


def _failures() -> Failures:
    return Failures(time.monotonic)


@dataclass(frozen=True, slots=True)
class Means:
    """What a server signs people in with. `public_url`: where browsers reach it, as `https://HOST[:PORT]`.

    `box`: what secrets are sealed in that must be read again; without it nobody gets a second factor by code.
    `oidc`: who else may say who somebody is. `is_second_factor_asked`: of whoever holds a role that two people give.
    """

    figures: Figures = field(default_factory=shipped_figures)
    public_url: str = ""
    box: SecretBox | None = None
    passwords: Passwords = field(default_factory=Passwords)
    failures: Failures = field(default_factory=_failures)
    oidc: Provider | None = None
    is_second_factor_asked: bool = True

    @property
    def host(self) -> str:
        """The name that browsers reach us by; empty when nobody told."""
        return urlsplit(self.public_url).hostname or ""

    def link(self, token: str) -> str:
        """A link with a secret that is good once. It stands behind `#`, which no browser sends to any server."""
        return f"{self.public_url}/enrol#{token}" if self.public_url else token
