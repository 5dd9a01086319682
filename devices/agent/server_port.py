# SPDX-License-Identifier: Apache-2.0
"""This is where it is said what a dock asks of its server, whoever answers.

`docs/upload-protocol.md` is the same in requests. Questions that only the server can answer are asked now and
fail when it cannot be reached; what it only has to be told may be told later, in order, and never fails for
want of a network.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal, Protocol

from evidence.receipt import Receipt
from pipeline.dock_manifest import Summary

Outcome = Literal["finished", "interrupted", "refused", "failed"]


@dataclass(frozen=True, slots=True)
class Clock:
    """A device's clock as it was measured at `at` (true time): offset is device minus true.

    The true offset lies within `uncertainty_ms` of `offset_ms`; `after_ms` is what was measured after the
    clock was set, None when it was not.
    """

    at: datetime
    offset_ms: int
    uncertainty_ms: int
    after_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Docking:
    """A device was plugged in. `device` is its serial, None when it told none; `problem` is our own finding."""

    id: str
    port: str
    device: str | None
    began_at: datetime
    clock: Clock | None
    problem: str | None
    manifest: Summary


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why nothing is taken from a device: a code that does not change, and words."""

    code: str
    text: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What the server says to a docking; `erases` is the agency's switch at this moment."""

    is_taken: bool
    refusal: Refusal | None = None
    erases: bool = False
    is_priority: bool = False


@dataclass(frozen=True, slots=True)
class Known:
    """An offer that the server has heard of; `sha256` (hex) once its bytes are there."""

    id: str
    recording: str | None
    outcome: str | None
    sha256: str | None
    is_sealed: bool


@dataclass(frozen=True, slots=True)
class ErasureFile:
    """A file that is to be erased: its offer, and the SHA-256 (hex) that we ourselves read from the device."""

    offer: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Alarm:
    """Something that a person must hear of; `device` is a serial, None when it concerns the dock itself."""

    device: str | None
    code: str
    text: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Ending:
    """What became of a docking."""

    docking: str
    outcome: Outcome
    received: int
    erased: int
    why: str = ""


class Server(Protocol):
    """What a dock asks and tells. Safe to use from several threads; every repeat changes nothing.

    Methods that ask raise ServerUnavailable while there is no network or the server says that it cannot now,
    and NotSignedIn when this dock was revoked.
    """

    def announce(self, docking: Docking, manifest: Path) -> Answer:
        """Tell of a docking, and put its manifest when the device is taken. Asks.

        Raises:
            ServerUnavailable, NotSignedIn: as above.
        """

    def announce_later(self, docking: Docking, manifest: Path) -> None:
        """Tell of a docking when there is a network again, before all else that is told of it. Durable.

        `manifest` is a file that stays as it is until it was put.
        """

    def known(self, offers: Sequence[str]) -> Mapping[str, Known]:
        """Of these offers (at most 500) those that the server has heard of. Asks.

        Raises:
            ServerUnavailable, NotSignedIn: as above.
        """

    def receipt(self, offer: str) -> Receipt | None:
        """The receipt for an offer, opened with the keys that were pinned at enrolment; None while not sealed. Asks.

        Raises:
            SignatureInvalid, RecordMalformed: it is not our server's word.
            ServerUnavailable, NotSignedIn: as above.
        """

    def ask_erasure(self, docking: str, files: Iterable[ErasureFile]) -> None:
        """Return when the server allows these files to be erased, and has that on record. Asks.

        Raises:
            Conflict: it does not, and says which are not sealed or that the switch is off.
            ServerUnavailable, NotSignedIn: as above.
        """

    def tell_alarm(self, alarm: Alarm) -> None:
        """Tell of an alarm, now or later. Durable."""

    def tell_end(self, ending: Ending) -> None:
        """Tell of the end of a docking, now or later, after all else that was told of it. Durable."""
