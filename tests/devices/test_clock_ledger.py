# SPDX-License-Identifier: Apache-2.0
"""Cameras of every kind live for a month; the interval that we state for each recording must hold the truth."""

import json
import random
import secrets
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median

import pytest

from devices.makers.registry import read_claims
from evidence import instant
from evidence.custody import Happening
from pipeline.clock_ledger import ledger
from pipeline.receive import finish
from pipeline.received import ReceivedFiles
from pipeline.received_told import Told
from pipeline.when import weigh_start
from tests.devices.clock_world import KINDS, Kind, Life, live
from tests.support.chaos import seeded, times
from tests.support.command import evidock
from tests.support.home import NOON, Home, dsj_name, open_home, track

SERIAL = "36NCC009910"
_ENDLESS = timedelta(days=99_999)


@dataclass(frozen=True, slots=True)
class Stated:
    """What was stated of one recording: whether the truth lies in it, how wide it is, and how it was known."""

    holds: bool
    width_s: float
    basis: str


def population(chance: random.Random, cameras: int) -> Iterator[Life]:
    """Cameras of every kind, by their shares; at least one of each."""
    for kind in KINDS:
        for _ in range(max(1, kind.share * cameras // 100)):
            yield live(kind, chance)


def stated(life: Life) -> Iterator[Stated]:
    """What would be recorded of each recording, with the readings that there were by then."""
    known = 0
    for filmed, count in life.filmed:
        if count != known:
            readings, known = life.readings[:count], count
        told = ledger(readings, zone=life.kind.zone, sighting=filmed.sighting, manner=life.kind.manner)
        start = weigh_start(filmed.claims, told, duration=filmed.duration)
        assert start is not None
        early = _ENDLESS if start.early is None else start.early
        late = _ENDLESS if start.late is None else start.late
        holds = -early <= filmed.true - start.at <= late
        yield Stated(holds, min(early + late, _ENDLESS).total_seconds(), start.basis["kind"])


def table(found: dict[str, list[Stated]]) -> str:
    """Coverage, median width and bases of each kind of camera, and of each basis, as the report shows them."""
    lines = []
    for name, all_of in sorted(found.items()):
        held = sum(one.holds for one in all_of)
        bases = ", ".join(sorted({one.basis for one in all_of}))
        width = median(one.width_s for one in all_of)
        lines.append(f"{name:26} {len(all_of):6} {held / len(all_of):8.4%} {width:12.2f} s  {bases}")
    return "\n".join(lines)


def is_daily(kind: Kind) -> bool:
    return kind.daily == 1.0


def test_the_true_time_lies_in_the_stated_interval_of_cameras_of_every_kind() -> None:
    chance = seeded("the_true_time_lies_in_the_stated_interval")
    found: dict[str, list[Stated]] = defaultdict(list)
    daily: list[float] = []
    for life in population(chance, times(60, 1000)):
        told = list(stated(life))
        found[life.kind.name] += told
        for one in told:
            found[f"({one.basis})"].append(one)
        daily += [one.width_s for one in told] if is_daily(life.kind) else []
    every = [one for name, all_of in found.items() if not name.startswith("(") for one in all_of]
    coverage = sum(one.holds for one in every) / len(every)
    print(f"\n{table(found)}\nall: {len(every)} recordings, {coverage:.4%} held, daily median {median(daily):.2f} s")
    assert coverage >= 0.995
    assert median(daily) <= 2


# --- through the whole pipeline ---------------------------------------------------------------

BEGAN = NOON + timedelta(hours=6)
FIRST = BEGAN - timedelta(days=1)


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    with open_home(tmp_path / "home") as opened:
        opened.add_device(SERIAL)
        yield opened


def docked(home: Home, docking: str, began: datetime, *, offset_ms: int, device: str = SERIAL) -> None:
    """What a dock tells when a device was put into it, and that all was taken from it."""
    clock = {"after_ms": 0, "at": instant.to_text(began), "offset_ms": offset_ms, "uncertainty_ms": 100}
    listing = {"manifest_sha256": "2" * 64, "names": 1, "taken": 1, "taken_bytes": 9}
    facts = {"docking": docking, "dock": "dck-a", "port": "1", "began_at": instant.to_text(began), "refusal": None}
    told = Happening("docked", f"device/{device}", facts=facts | listing | {"clock": clock}, detail={"device": device})
    ended = {"docking": docking, "outcome": "finished", "received": 1, "erased": 0}
    with home.ports.register.begin() as writing:
        writing.record(told, actor="dock:dck-a", at=began)
        writing.record(
            Happening("undocked", f"device/{device}", facts=ended, detail={"why": ""}), actor="dock:dck-a", at=began
        )


def received(home: Home, source: Path, *, docking: str) -> str:
    """A file that came over the network, of a docking; the recording that it became."""
    files, size = ReceivedFiles(home.ports.received), source.stat().st_size
    claims = read_claims(source.name, mtime_ns=source.stat().st_mtime_ns)
    told = Told("dck-a", source.name, source.name, source.stat().st_mtime_ns, size, claims, docking)
    identifier = files.create(told, chance=secrets.token_bytes(10))
    with files.appending(identifier, at=0, limit=size) as piece:
        piece.write(source.read_bytes())
        piece.commit()
    recording = finish(identifier, ports=home.ports, now=BEGAN).recording
    home.drain(recording)
    return recording


def card(folder: Path, *, at: datetime, offset: timedelta) -> Path:
    return track(folder, dsj_name(SERIAL, at=at + offset), at=at)


def test_what_a_dock_measured_makes_the_start_an_interval_that_a_rebuild_brings_back(
    home: Home, tmp_path: Path
) -> None:
    docked(home, "dkg-1", FIRST, offset_ms=90_000)
    docked(home, "dkg-2", BEGAN, offset_ms=4_000)
    true = FIRST + (BEGAN - FIRST) / 2
    recording = received(home, card(tmp_path / "card", at=true, offset=timedelta(seconds=2)), docking="dkg-2")
    row = home.recording(recording)
    start = instant.from_text(row["start_at"])
    assert start - timedelta(milliseconds=row["early_ms"]) <= true <= start + timedelta(milliseconds=row["late_ms"])
    assert row["early_ms"] + row["late_ms"] < 3000
    assert json.loads(row["clock_basis"])["kind"] == "between"
    home.publish()
    _, facts = home.rebuilt()
    again = next(one for one in facts["recordings"] if one["id"] == recording)
    assert {name: again[name] for name in ("early_ms", "late_ms", "clock_basis")} == {
        name: row[name] for name in ("early_ms", "late_ms", "clock_basis")
    }


def test_keeping_counts_from_the_later_bound(home: Home, tmp_path: Path) -> None:
    docked(home, "dkg-1", FIRST, offset_ms=0)
    docked(home, "dkg-2", BEGAN, offset_ms=-3_600_000)
    row = home.recording(received(home, card(tmp_path / "card", at=NOON, offset=timedelta(hours=-1)), docking="dkg-2"))
    latest = instant.from_text(row["start_at"]) + timedelta(milliseconds=row["late_ms"] - 1)
    assert json.loads(row["clock_basis"])["kind"] == "jump"
    assert instant.from_text(row["end_latest"]) >= latest
    assert instant.from_text(row["end_latest"]) >= NOON


def test_a_file_of_a_docking_is_not_looked_for_before_the_docking_that_took_all(home: Home, tmp_path: Path) -> None:
    docked(home, "dkg-0", FIRST - timedelta(days=1), offset_ms=0)
    docked(home, "dkg-1", FIRST, offset_ms=0)
    docked(home, "dkg-2", BEGAN, offset_ms=0)
    file = card(tmp_path / "card", at=datetime(1980, 1, 1, tzinfo=UTC), offset=timedelta(0))
    row = home.recording(received(home, file, docking="dkg-2"))
    start = instant.from_text(row["start_at"])
    assert json.loads(row["clock_basis"])["kind"] == "unexplained"
    assert FIRST - timedelta(minutes=2) <= start - timedelta(milliseconds=row["early_ms"]) <= FIRST
    assert start + timedelta(milliseconds=row["late_ms"]) >= BEGAN


def test_a_docking_of_another_device_says_nothing_of_when_a_file_was_made(home: Home, tmp_path: Path) -> None:
    docked(home, "dkg-1", FIRST, offset_ms=0)
    docked(home, "dkg-a", FIRST, offset_ms=0, device="OTHER1")
    docked(home, "dkg-b", BEGAN, offset_ms=0, device="OTHER1")
    file = card(tmp_path / "card", at=FIRST - timedelta(hours=30), offset=timedelta(0))
    row = home.recording(received(home, file, docking="dkg-b"))
    assert json.loads(row["clock_basis"])["kind"] == "before"


def test_a_clock_that_no_dock_measured_leaves_the_start_as_it_was_and_says_nothing(home: Home, tmp_path: Path) -> None:
    home.add_device(SERIAL, offset_ms=60_000)
    row = home.recording(home.ingest_one(card(tmp_path / "card", at=NOON, offset=timedelta(minutes=1)))["id"])
    assert row["start_at"] == instant.to_text(NOON)
    assert (row["early_ms"], row["late_ms"]) == (None, None)


def test_show_and_device_clock_tell_of_it_in_json_and_in_words(home: Home, tmp_path: Path) -> None:
    docked(home, "dkg-1", FIRST, offset_ms=0)
    docked(home, "dkg-2", BEGAN, offset_ms=2_000)
    recording = received(home, card(tmp_path / "card", at=NOON, offset=timedelta(0)), docking="dkg-2")
    folder = home.settings.home
    told = evidock("show", recording, "--json", home=folder).json
    assert told["clock"]["basis"]["kind"] == "between"
    assert all(one["earliest"] < one["start_at"] and one["latest"] > one["end_at"] for one in told["segment_list"])
    assert "s later: drifted between two readings" in evidock("show", recording, home=folder).out
    told = evidock("device", "clock", SERIAL, "--shown", "2026-06-19T12:00:00", "--json", home=folder).json
    assert [one["drift_ms_per_day"] for one in told["readings"]] == [None, 2000]
    assert told["shown"]["earliest"] < "2026-06-19T03:59:58.5" < told["shown"]["latest"]
    words = evidock("device", "clock", SERIAL, "--shown", "2026-06-19T12:00:00", home=folder, lang="zh")
    assert words.status == 0
    assert "truly" in words.out
    assert evidock("device", "clock", SERIAL, "--shown", "noon", home=folder).status == 3
