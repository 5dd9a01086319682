# SPDX-License-Identifier: Apache-2.0
"""This is where a recording's states and the only ways between them are written."""

from enum import StrEnum

from evidence.errors import WrongState


class State(StrEnum):
    """Where a recording is in its life. *Held* is a fact beside the state, not a state."""

    ARRIVED = "arrived"
    MEASURED = "measured"
    SEALED = "sealed"
    INDEXED = "indexed"
    DUE = "due"  # its disposal is approved, and can still be undone
    ARCHIVED = "archived"
    DISPOSING = "disposing"  # bytes are being taken away: there is no way back
    DISPOSED = "disposed"
    QUARANTINED = "quarantined"


_WAYS: dict[State, frozenset[State]] = {
    State.ARRIVED: frozenset({State.MEASURED, State.QUARANTINED}),
    State.MEASURED: frozenset({State.SEALED, State.QUARANTINED}),
    State.SEALED: frozenset({State.INDEXED, State.QUARANTINED}),
    State.INDEXED: frozenset({State.DUE, State.ARCHIVED}),
    State.DUE: frozenset({State.INDEXED, State.ARCHIVED, State.DISPOSING}),
    State.ARCHIVED: frozenset({State.INDEXED, State.DUE}),
    State.DISPOSING: frozenset({State.DISPOSED}),
    State.DISPOSED: frozenset(),
    # A person may release what was put aside once its cause is gone; its bytes are sealed already.
    State.QUARANTINED: frozenset({State.SEALED}),
}


def step_to(current: State, wanted: State) -> State:
    """`wanted`, when the lifecycle allows it from `current`.

    Raises:
        WrongState: there is no such way.

    """
    if wanted not in _WAYS[current]:
        raise WrongState(f"a recording that is {current} cannot become {wanted}", current=current, wanted=wanted)
    return wanted
