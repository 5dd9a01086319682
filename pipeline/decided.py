# SPDX-License-Identifier: Apache-2.0
"""This is where what a machine tells is decided on as the register is, and taken down, while nobody waits for a store.

The decision is made twice: once to lay down the details, and again inside the transaction, where nothing changes
beside it. When both say the same, and they nearly always do, the details rest already.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TypeVar

from evidence.custody import Happening
from pipeline.ports import Ports
from storage.register.search import Connection

T = TypeVar("T")


def take_down(
    decide: Callable[[Connection], tuple[T, Sequence[Happening]]], *, actor: str, ports: Ports, now: datetime
) -> T:
    """What `decide` answers, when the happenings that it names are on record; it may raise, and nothing is then.

    `decide` only reads, and gives one answer for one state of the register.

    Raises:
        RegisterUnavailable, StoreUnavailable: worth another try.
    """
    with ports.register.view() as connection:
        answer, first = decide(connection)
    if not first:
        return answer
    rested = [ports.register.rest(one) for one in first]
    with ports.register.begin() as writing:
        answer, by_now = decide(writing.connection)
        for one in rested if by_now == first else by_now:
            writing.record(one, actor=actor, at=now)
    return answer
