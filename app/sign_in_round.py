# SPDX-License-Identifier: Apache-2.0
"""This is where wrong tries of a minute are put on record though nobody tries any more, and at the server's end."""

from contextlib import suppress

from evidence.errors import Unavailable
from web.api.context import Context
from workers.rounds import Round

_FOLD_S = 60.0


def sign_in_round(context: Context) -> Round:
    """The round that puts them on record; an outage is waited out."""

    def once() -> float:
        context.sign_in.failures.tell(ports=context.ports, now=context.now())
        return _FOLD_S

    return once


def tell_last_tries(context: Context) -> None:
    """Put on record what was met since; without a register nobody signs in, and that is on record elsewhere."""
    with suppress(Unavailable):
        context.sign_in.failures.tell(ports=context.ports, now=context.now(), is_last=True)
