# SPDX-License-Identifier: Apache-2.0
"""This is where it is one value who asks: the person or program, by which proof, and how fresh that proof is."""

from dataclasses import dataclass
from datetime import datetime

from evidence.access import Actor


@dataclass(frozen=True, slots=True)
class Known:
    """Whoever signed in. `holder`: the SHA-256 of their session's token, or the id of their key.

    `proved_at`: when the person last proved themselves; None: a program, which is never asked again. `by_cookie`:
    the browser sent it by itself, so that another site may have made it ask.
    """

    actor: Actor
    holder: str
    proved_at: datetime | None
    by_cookie: bool
