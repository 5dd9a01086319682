# SPDX-License-Identifier: Apache-2.0
"""This is where what a comparison of device lists, register and store finds is a value."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

Told = str | int | None


class Code(StrEnum):
    """What was found. Scripts and locale files rely on these words."""

    LISTED_NOT_RECEIVED = "listed-not-received"
    NOT_SEALED = "not-sealed"
    RECEIVED_NOT_LISTED = "received-not-listed"
    MANIFEST_MISSING = "manifest-missing"
    MANIFEST_ALTERED = "manifest-altered"
    AT_REST_MISSING = "at-rest-missing"
    SIZE_DIFFERS = "size-differs"
    DIGEST_DIFFERS = "digest-differs"
    REFUSED = "refused"
    NOT_RESUMED = "not-resumed"
    SEQUENCE_GAP = "sequence-gap"
    HANDED_IN_LATE = "handed-in-late"
    RETURN_OVERDUE = "return-overdue"
    DEVICE_UNSEEN = "device-unseen"
    DOCK_UNSEEN = "dock-unseen"


@dataclass(frozen=True, slots=True)
class Found:
    """One thing that does not agree, or is overdue: of which device and dock, what it is about, and the facts."""

    code: Code
    subject: str
    device: str | None = None
    dock: str | None = None
    facts: Mapping[str, Told] = field(default_factory=dict)

    def to_json(self) -> dict[str, Told | dict[str, Told]]:
        """As a mapping for JSON."""
        told = {"code": self.code.value, "subject": self.subject, "device": self.device, "dock": self.dock}
        return {**told, "facts": dict(self.facts)}


@dataclass(slots=True)
class Findings:
    """What was found, the first `most` of each kind by name, and all of them by number."""

    most: int
    found: list[Found] = field(default_factory=list)
    counts: Counter[Code] = field(default_factory=Counter)

    def add(self, found: Iterable[Found]) -> None:
        """Take findings, as they come."""
        for one in found:
            self.counts[one.code] += 1
            if self.counts[one.code] <= self.most:
                self.found.append(one)
