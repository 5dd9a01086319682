# SPDX-License-Identifier: Apache-2.0
"""This is where it is said whether a recording's bytes can be read now, and if not, what to do or why never again."""

from evidence.errors import WrongState
from evidence.lifecycle import State
from storage.register import ends, search
from storage.register.search import Connection


def check_readable(connection: Connection, recording: str) -> None:
    """Return when the bytes of a recording rest in the object store, as far as the register knows.

    Raises:
        NotFound: there is no such recording.
        WrongState: it was disposed of, is being, or rests in the archive alone.
    """
    state = search.recording(connection, recording)["state"]
    if state in (State.DISPOSING, State.DISPOSED):
        stone = ends.tombstone_of(connection, recording)
        told = "" if stone is None else f" at {stone['disposed_at'] or stone['began_at']}, list {stone['disposal']}"
        raise WrongState(
            f"{recording} was disposed of{told}: `evidock show {recording}` has its Tombstone", state=state
        )
    archive = ends.archive_of(connection, recording)
    if archive is not None and archive["hot_removed_at"] and not archive["restored_at"]:
        raise WrongState(f"{recording} is archived: `evidock archive restore {recording}` brings it back", state=state)
