# SPDX-License-Identifier: Apache-2.0
"""This is where it is asked, after every fault, whether all is there: each thing once, whole, and proven.

The bytes are compared with the source files themselves, and `verify` shares no code with the writer
beyond `evidence/`.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from evidence.lifecycle import State
from evidence.verdict import Verdict
from pipeline.audit import verify_all
from storage import layout
from storage.log_check import check_log
from tests.support.home import Home

_RECEIPT = ".receipt"
# What may happen to a recording more than once: it may be offered often, and has several derivatives.
_OFTEN = {"offered-again", "derived"}
_ALWAYS = {"arrived", "measured", "sealed", "stamped"}


def assert_nothing_promised_is_lost(home: Home) -> None:
    """At any moment: a receipt's bytes rest, the log holds, and a lost register would bring every receipt back."""
    if home.ports.log.newest() is not None:  # a first publication that was killed looks like a log without its pointer
        report = check_log(home.ports.store, home.ports.verifiers, origin=home.ports.log.origin)
        assert report.findings == ()
    promised = receipts(home)
    for sha256 in promised:
        assert home.ports.store.measure(layout.original_key(sha256)).hex == sha256
    assert promised <= {row["sha256"] for row in home.rebuilt()[1]["originals"]}


def receipts(home: Home) -> set[str]:
    """Digests of the originals that a receipt rests for."""
    keys = home.ports.store.keys(layout.ORIGINALS_PREFIX)
    return {key.rpartition("/")[2].removesuffix(_RECEIPT) for key in keys if key.endswith(_RECEIPT)}


def assert_whole(home: Home, sources: Iterable[Path]) -> None:
    """At the end: zero lost, zero doubled, nothing left to do, all proven, and the rebuilt register equals the live."""
    assert_each_once(home, sources)
    home.publish()
    report = verify_all(home.ports)
    assert report.verdict is Verdict.PROVEN, report.findings
    live, rebuilt = home.facts(), home.rebuilt()[1]
    for table, rows in live.items():
        assert rebuilt[table] == rows, table


def assert_each_once(home: Home, sources: Iterable[Path]) -> None:
    """At the end, by the register and the names at rest: zero lost, zero doubled, nothing left to do."""
    files = list(sources)
    assert home.open_jobs() == []
    wanted = {hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
    originals = home.facts()["originals"]
    assert sorted(row["sha256"] for row in originals) == sorted(wanted)
    assert receipts(home) == wanted
    rows = {row["id"]: row for row in home.recordings()}
    assert sorted(rows) == sorted(row["recording"] for row in originals)
    assert len(home.facts()["offers"]) == len(files)
    for identifier, row in rows.items():
        _assert_told_once(home, identifier, row["state"])


def _assert_told_once(home: Home, recording: str, state: str) -> None:
    assert state in (State.INDEXED, State.QUARANTINED), home.story(recording)
    counts = Counter(home.story(recording))
    assert counts.keys() >= _ALWAYS | {state}
    assert not {kind for kind, count in counts.items() if count > 1 and kind not in _OFTEN}, counts
    made = [row["kind"] for row in home.facts()["derivatives"] if row["recording"] == recording]
    assert counts["derived"] == len(made) == len(set(made)), (counts, made)
