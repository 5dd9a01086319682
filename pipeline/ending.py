# SPDX-License-Identifier: Apache-2.0
"""This is where it is said how a run of a job can end, and who may follow runs from outside: logs and counts.

Steps know nothing of it. Whoever follows must not raise, and must not take long.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from evidence.custody import Happening
from storage.register.jobs import Lease


class Result(StrEnum):
    """What became of one run of a job."""

    DONE = "done"
    NOT_NOW = "not-now"  # held by another, not due, or finished already
    AGAIN = "again"  # the world was down; the job is due again later
    LOST = "lost"  # another lease was given meanwhile; nothing was recorded
    ASIDE = "aside"  # the recording was quarantined or flagged


@dataclass(frozen=True, slots=True)
class Ending:
    """How a run ended, the code of what kept it from being done, and the events it recorded."""

    result: Result
    code: str | None = None
    recorded: Sequence[Happening] = ()


class Observer(Protocol):
    """Follows runs. Called from the thread that runs the job."""

    def started(self, lease: Lease) -> None:
        """The job's lease was taken; its step runs next."""
        ...

    def ended(self, lease: Lease, ending: Ending) -> None:
        """The run came to an end that the register knows, unless the lease was lost."""
        ...

    def broke_off(self, lease: Lease, error: BaseException) -> None:
        """The run ended with nothing recorded: the register is away, or there is a defect."""
        ...


class _Nobody:
    def started(self, lease: Lease) -> None:
        pass

    def ended(self, lease: Lease, ending: Ending) -> None:
        pass

    def broke_off(self, lease: Lease, error: BaseException) -> None:
        pass


UNOBSERVED: Observer = _Nobody()
