# SPDX-License-Identifier: Apache-2.0
"""This is where it is written down beside the requests what was fetched and watched, until it becomes an event."""

from evidence.errors import EvidockError, Unavailable
from web.api.context import Context
from web.media.room import MediaRoom
from workers.rounds import Round


def media_round(context: Context, room: MediaRoom) -> Round:
    """The round that writes down what was seen and folds leave that has ended."""

    def once() -> float:
        try:
            room.fold(now=context.now())
        except Unavailable:
            raise
        except EvidockError as error:
            told = f"what was seen cannot be put on record: {error.message} ({error.code})"
            context.note("media-stuck", told, code=error.code)
        return float(room.figures.tell_s)

    return once
