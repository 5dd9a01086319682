# SPDX-License-Identifier: Apache-2.0
"""This is where a test session is kept apart from its machine, and where nothing goes untested in silence."""

import os
import shutil
import tempfile
from collections.abc import Generator
from pathlib import Path

import pytest

from tests.support.chaos import CHAOS
from tests.support.postgres import database_url

SCRATCH = pytest.StashKey[Path]()
# The one reason that also holds in CI: not every CI runs as root. Whoever is root runs them.
ALSO_IN_CI = "only root "


def pytest_configure(config: pytest.Config) -> None:
    """Give the session its own scratch folder, and take the person's own evidock settings out of sight."""
    # Short on purpose: sockets live below it, and their paths may hold some hundred bytes only.
    scratch = Path(tempfile.mkdtemp(prefix="evd-"))
    config.stash[SCRATCH] = scratch
    os.environ["TMPDIR"] = tempfile.tempdir = str(scratch)
    for name in [name for name in os.environ if name.startswith("EVIDOCK_") and name != CHAOS]:
        del os.environ[name]


def pytest_unconfigure(config: pytest.Config) -> None:
    """Take the scratch folder away; footage adds up."""
    scratch = config.stash.get(SCRATCH, None)
    if scratch is not None:
        tempfile.tempdir = None
        shutil.rmtree(scratch, ignore_errors=True)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """In CI a skipped test has failed: what it needs must be installed there, or the test deleted."""
    report = yield
    if report.skipped and not hasattr(report, "wasxfail"):
        refuse_in_ci(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """The same for a whole file that is skipped."""
    report = yield
    if report.skipped:
        refuse_in_ci(report)
    return report


def refuse_in_ci(report: pytest.TestReport | pytest.CollectReport) -> None:
    """Turn a skip into a failure where everything must be there."""
    if os.environ.get("CI") and not reason_of(report).startswith(ALSO_IN_CI):
        report.longrepr = f"skipped in CI, where everything must be there: {reason_of(report)}"
        report.outcome = "failed"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say aloud, at the end, what this run did not test, once per reason."""
    counts: dict[str, int] = {}
    for report in terminalreporter.stats.get("skipped", []):
        counts[reason_of(report)] = counts.get(reason_of(report), 0) + 1
    if counts:
        terminalreporter.section("NOT TESTED ON THIS MACHINE", sep="!", red=True, bold=True)
    for reason, count in sorted(counts.items()):
        plain = reason.removeprefix("NOT TESTED: ")
        terminalreporter.line(f"{count} test{'s'[: count > 1]}: {plain}", red=True)


def reason_of(report: pytest.TestReport | pytest.CollectReport) -> str:
    """The words a test was skipped with."""
    told = report.longrepr
    words = told[2] if isinstance(told, tuple) else str(told)
    return words.removeprefix("Skipped: ")


@pytest.fixture(params=["sqlite", "postgresql"])
def register_settings(request: pytest.FixtureRequest) -> dict[str, str]:
    """Settings of an installation on each engine of the register in turn: one suite, no engine excused."""
    return {} if request.param == "sqlite" else {"register_url": database_url()}
