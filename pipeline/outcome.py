# SPDX-License-Identifier: Apache-2.0
"""This is where a step's answer is a value: what happened, and whether the recording goes on."""

from collections.abc import Callable
from dataclasses import dataclass

from evidence.custody import Happening
from storage.register.search import Connection


@dataclass(frozen=True, slots=True)
class Done:
    """The step succeeded: record `happenings` in order; with `halt`, open no next job.

    `decide`, when given, adds happenings decided inside the writing transaction, where nothing that
    was read can change any more. `then` runs after the commit: for leftovers (a spool file) that the
    record has made needless.
    """

    happenings: tuple[Happening, ...] = ()
    halt: bool = False
    decide: Callable[[Connection], tuple[Happening, ...]] | None = None
    then: Callable[[], None] | None = None


def about(recording: str) -> str:
    """The custody stream of a recording."""
    return f"recording/{recording}"
