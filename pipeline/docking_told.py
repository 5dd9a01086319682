# SPDX-License-Identifier: Apache-2.0
"""This is where what a dock tells of a device that was plugged in is a value, checked."""

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from evidence import instant
from evidence.errors import BadInput
from evidence.offer import showable
from evidence.written import moment

LONGEST_TEXT = 2000
_ID = re.compile(r"dkg-[a-z2-7]{16}", re.ASCII)
_SHA256 = re.compile(r"[0-9a-f]{64}", re.ASCII)
_CODE = re.compile(r"[a-z0-9][a-z0-9-]{0,39}", re.ASCII)
_LONGEST_NAME = 200
_MOST = 10**15  # milliseconds, names and bytes all stay below it


@dataclass(frozen=True, slots=True)
class Clock:
    """A device's clock beside a good one at `at`: `offset_ms` is device minus true, within `uncertainty_ms`.

    `after_ms` is the offset after the clock was set, None when it was not.
    """

    at: datetime
    offset_ms: int
    uncertainty_ms: int
    after_ms: int | None = None

    def __post_init__(self) -> None:
        moment(self.at, "the time of a clock's reading")
        check_numbers(signed=(self.offset_ms, self.after_ms or 0), counted=(self.uncertainty_ms,))

    def to_facts(self) -> dict[str, Any]:
        """As the `docked` event holds it."""
        return asdict(self) | {"at": instant.to_text(self.at)}


@dataclass(frozen=True, slots=True)
class Listing:
    """What a manifest amounts to, and its SHA-256 in hexadecimal."""

    sha256: str
    names: int
    taken: int
    taken_bytes: int

    def __post_init__(self) -> None:
        if not _SHA256.fullmatch(self.sha256):
            raise BadInput("a manifest is named by its SHA-256 in lower-case hexadecimal")
        check_numbers(counted=(self.names, self.taken, self.taken_bytes))


@dataclass(frozen=True, slots=True)
class Docking:
    """A device was plugged into `port`; `device` is the serial it told, `problem` the code of what the dock found.

    Raises:
        BadInput: a field is of no form that a dock sends.
    """

    id: str
    port: str
    device: str | None
    began_at: datetime
    listing: Listing
    clock: Clock | None = None
    problem: str | None = None

    def __post_init__(self) -> None:
        if not _ID.fullmatch(self.id):
            raise BadInput("a docking's id is `dkg-` and 16 characters of a-z and 2-7")
        if not 1 <= len(self.port) <= _LONGEST_NAME or self.device == "":
            raise BadInput("a docking has a port, and names a device or none")
        if self.problem is not None:
            check_code(self.problem)
        moment(self.began_at, "the beginning of a docking")

    def told(self) -> dict[str, Any]:
        """What the docking's row holds of it."""
        listing = self.listing
        return {
            "began_at": instant.to_text(self.began_at),
            "device": None if self.device is None else written(self.device, _LONGEST_NAME),
            "manifest_sha256": listing.sha256,
            "names": listing.names,
            "port": written(self.port, _LONGEST_NAME),
            "taken": listing.taken,
            "taken_bytes": listing.taken_bytes,
        }


def written(text: str, longest: int = LONGEST_TEXT) -> str:
    """What a machine told, on one line that can be shown; cut, because refusing it would make it come again."""
    return showable(text)[:longest]


def check_code(code: str) -> None:
    """Check the code of an alarm or a problem.

    Raises:
        BadInput: it is none.
    """
    if not _CODE.fullmatch(code):
        raise BadInput(f"a code has 1 to 40 of a-z, 0-9 and dashes, not {code[:40]!r}")


def check_numbers(*, signed: Sequence[int] = (), counted: Sequence[int] = ()) -> None:
    """Check numbers that a machine told: of these, `counted` are not below nothing.

    Raises:
        BadInput: one is out of all bounds.
    """
    if any(abs(one) > _MOST for one in (*signed, *counted)) or any(one < 0 for one in counted):
        raise BadInput("a number is out of all bounds")
