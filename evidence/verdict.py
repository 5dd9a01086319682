# SPDX-License-Identifier: Apache-2.0
"""This is where the answer of a check is defined: what was looked at, what does not hold, and where."""

from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """The one word of a check; never `proven` with anything left unchecked."""

    PROVEN = "proven"
    TAMPERED = "tampered"
    UNDECIDABLE = "undecidable"
    UNUSABLE = "unusable"


EXIT_STATUS = {Verdict.PROVEN: 0, Verdict.TAMPERED: 1, Verdict.UNDECIDABLE: 2, Verdict.UNUSABLE: 3}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that does not hold (or could not be decided): the object, what is wrong, and where in it."""

    object: str
    what: str
    where: str = ""
    verdict: Verdict = Verdict.TAMPERED


@dataclass(frozen=True, slots=True)
class CheckReport:
    """All findings of a check, how much was checked, and what is worth saying though nothing is wrong with it."""

    findings: tuple[Finding, ...]
    objects: int
    size_bytes: int
    notes: tuple[str, ...] = ()

    @property
    def verdict(self) -> Verdict:
        """The worst finding's word: tampered over unusable over undecidable over proven."""
        found = {finding.verdict for finding in self.findings}
        for word in (Verdict.TAMPERED, Verdict.UNUSABLE, Verdict.UNDECIDABLE):
            if word in found:
                return word
        return Verdict.PROVEN
