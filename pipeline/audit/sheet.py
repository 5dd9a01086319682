# SPDX-License-Identifier: Apache-2.0
"""This is where an audit writes down what it finds: a damaged thing is a finding, never an exception.

Only a store that cannot be read now ends an audit early: then nothing was decided.
"""

from collections.abc import Sequence

from evidence.digest import Digest
from evidence.errors import IntegrityError, NotFound
from evidence.verdict import CheckReport, Finding, Verdict
from pipeline.ports import Progress, unheard
from storage.objects import ObjectStore

MOST_FINDINGS = 1000
_WORST_FIRST = (Verdict.TAMPERED, Verdict.UNUSABLE, Verdict.UNDECIDABLE)


def to_json(report: CheckReport) -> dict[str, object]:
    """The report as `evidock verify --json` prints it."""
    return {
        "verdict": report.verdict.value,
        "findings": [
            {"object": one.object, "what": one.what, "where": one.where, "verdict": one.verdict.value}
            for one in report.findings
        ],
        "checked": {"objects": report.objects, "bytes": report.size_bytes},
        "notes": list(report.notes),
    }


class Sheet:
    """Findings, remarks and counts of one audit, and the store as a checker reads it."""

    def __init__(self, progress: Progress = unheard) -> None:
        self._progress = progress
        self._findings: list[Finding] = []
        self._notes: dict[str, None] = {}
        self._unlisted = 0
        self._worst_unlisted: set[Verdict] = set()
        self._objects = self._size_bytes = self._expected_bytes = 0

    # --- writing ----------------------------------------------------------------------------

    def blame(self, name: str, what: str, where: str = "") -> None:
        """Note that the thing called `name` does not hold."""
        self._note(Finding(name, what, where))

    def doubt(self, name: str, what: str, where: str = "") -> None:
        """Note that it could not be decided whether the thing called `name` holds."""
        self._note(Finding(name, what, where, Verdict.UNDECIDABLE))

    def despair(self, name: str, what: str, where: str = "") -> None:
        """Note that the thing called `name` cannot be checked at all: it is not what was asked for."""
        self._note(Finding(name, what, where, Verdict.UNUSABLE))

    def absorb(self, findings: Sequence[Finding]) -> None:
        """Take over what another checker found."""
        for finding in findings:
            self._note(finding)

    def remark(self, text: str) -> None:
        """Say something that is no finding, once."""
        self._notes[text] = None

    def _note(self, finding: Finding) -> None:
        if finding in self._findings:
            return
        if len(self._findings) < MOST_FINDINGS:
            self._findings.append(finding)
        else:
            self._unlisted += 1
            self._worst_unlisted.add(finding.verdict)

    def is_blamed(self, name: str) -> bool:
        """True when something was noted about the thing called `name`."""
        return any(finding.object == name for finding in self._findings)

    # --- counting ---------------------------------------------------------------------------

    def expect(self, size_bytes: int) -> None:
        """Say how many bytes are still to be read, so that progress means something."""
        self._expected_bytes = self._size_bytes + size_bytes

    def count(self, size_bytes: int, *, objects: int = 1) -> None:
        """Count what was looked at, whether or not it holds."""
        self._objects += objects
        self._size_bytes += size_bytes
        if self._expected_bytes:
            self._progress(min(1.0, self._size_bytes / self._expected_bytes))

    # --- the end ----------------------------------------------------------------------------

    def report(self) -> CheckReport:
        """Everything noted so far."""
        findings = list(self._findings)
        if self._unlisted:
            worst = next(word for word in _WORST_FIRST if word in self._worst_unlisted)
            findings.append(Finding("audit", "unlisted", f"{self._unlisted} more findings", worst))
        return CheckReport(tuple(findings), self._objects, self._size_bytes, tuple(self._notes))


class StoreSheet(Sheet):
    """The sheet of an audit that reads a store."""

    def __init__(self, store: ObjectStore, progress: Progress = unheard) -> None:
        super().__init__(progress)
        self.store = store

    def take(self, key: str, limit: int, *, why: str) -> bytes | None:
        """The bytes at rest under `key`; None, and noted, when they are missing or no plain object.

        Raises:
            StoreUnavailable: nothing can be said.
        """
        try:
            data = self.store.read(key, limit=limit)
        except NotFound:
            self.blame(key, "missing", why)
            return None
        except IntegrityError as error:
            self.blame(key, "unreadable", f"{why}: {error.message}")
            return None
        self.count(len(data))
        return data

    def measure(self, key: str, *, why: str) -> Digest | None:
        """Digest of the bytes at rest under `key`, read anew; None, and noted, as `take`.

        Raises:
            StoreUnavailable: nothing can be said.
        """
        try:
            digest = self.store.measure(key)
        except NotFound:
            self.blame(key, "missing", why)
            return None
        except IntegrityError as error:
            self.blame(key, "unreadable", f"{why}: {error.message}")
            return None
        self.count(digest.size_bytes)
        return digest
