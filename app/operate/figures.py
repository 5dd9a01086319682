# SPDX-License-Identifier: Apache-2.0
"""This is where the figures of a process are kept: what it did, counted as it happens, for `/metrics`.

Counters are those of this process since it started: add them up over processes. What is asked of the whole
installation at each scrape is in `app.operate.scrape`.
"""

import platform
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, disable_created_metrics

from pipeline.ending import Ending, Result
from storage.register.jobs import Lease

_SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800)
WAITS = ("disk-low", "overloaded")


class Figures:
    """Counters of one process, in a collection of its own. Threads may share it."""

    def __init__(self) -> None:
        # They would be a second series beside each counter, which nobody asks for.
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = CollectorRegistry()
        own = self.registry
        self._steps = Counter(
            "evidock_steps", "Runs of steps by this process, by how they ended.", ["step", "result"], registry=own
        )
        self._seconds = Histogram(
            "evidock_step_seconds", "How long runs of steps took.", ["step"], buckets=_SECONDS, registry=own
        )
        self._bytes = Counter("evidock_bytes_taken", "Bytes of originals that this process sealed.", registry=own)
        self._receipts = Counter("evidock_receipts", "Receipts that this process issued.", registry=own)
        self._quarantined = Counter(
            "evidock_quarantined", "Recordings that this process put aside, by code.", ["code"], registry=own
        )
        self._lost = Counter("evidock_lease_lost", "Runs whose lease was lost to another worker.", registry=own)
        self._outages = Counter(
            "evidock_outages", "Outages that this process met, by its part.", ["part"], registry=own
        )
        self._arrivals = Counter(
            "evidock_arrivals", "Files that this watcher took down as new recordings.", registry=own
        )
        self._waits = Gauge(
            "evidock_intake_waits", "1 while this watcher takes nothing in, by reason.", ["reason"], registry=own
        )
        for reason in WAITS:
            self._waits.labels(reason).set(0)
        build = Info("evidock_build", "The version that runs.", registry=own)
        build.info({"version": _version(), "python": platform.python_version()})

    def broke_off(self, lease: Lease, seconds: float) -> None:
        """A run ended with nothing recorded."""
        self._took(lease.step, "broke-off", seconds)

    def ended(self, lease: Lease, ending: Ending, seconds: float) -> None:
        """A run ended, and recorded these events."""
        self._took(lease.step, ending.result.value, seconds)
        if ending.result is Result.LOST:
            self._lost.inc()
        for happening in ending.recorded:
            self._count(happening.kind, happening.facts)

    def outage(self, part: str) -> None:
        """An outage began."""
        self._outages.labels(part).inc()

    def arrived(self) -> None:
        """A file was taken down as a new recording."""
        self._arrivals.inc()

    def waits(self, reason: str | None) -> None:
        """Taking in waits, for this reason, one of `WAITS`; None: it goes on."""
        for one in WAITS:
            self._waits.labels(one).set(one == reason)

    def _took(self, step: str, result: str, seconds: float) -> None:
        self._steps.labels(step, result).inc()
        self._seconds.labels(step).observe(seconds)

    def _count(self, kind: str, facts: Mapping[str, object]) -> None:
        if kind == "sealed":
            self._receipts.inc()
            self._bytes.inc(int(str(facts["size_bytes"])))
        elif kind == "quarantined":
            self._quarantined.labels(str(facts["code"])).inc()


def _version() -> str:
    try:
        return version("evidock")
    except PackageNotFoundError:
        return "unknown"
