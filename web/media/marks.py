# SPDX-License-Identifier: Apache-2.0
"""This is where it is decided whether pictures are shown with the viewer's name in them, and what is written."""

from storage.register import user_rows
from storage.register.answers import Row
from storage.register.search import Connection
from web.access.asker import Asker

_LONGEST = 40


def mark_of(connection: Connection, asker: Asker, grant: Row | None) -> str | None:
    """What is written into each picture for who asks: login and day and minute; None: nothing is.

    A login that is not of plain letters is told by the id of its user: the marks have no other letters.
    """
    if not (asker.here.is_watermarked or (grant is not None and grant["watermark"])):
        return None
    door, _, name = asker.actor.id.partition(":")
    login = str(user_rows.user(connection, name)["login"]) if door == "user" else name
    plain = login if login.isascii() and login.isprintable() else name
    return f"{plain[:_LONGEST]} {asker.now:%Y-%m-%d %H:%M}Z"
