# SPDX-License-Identifier: Apache-2.0
"""F12: cameras whose clocks are wrong by decades, or say local for UTC: every claim is kept, the offset mends."""

import json
import os
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from pathlib import Path

import pytest

from devices.simulator.camera import Recorded
from devices.simulator.filming import TINY
from evidence import instant
from evidence.claims import Claims, Source
from tests.support.cameras import CAMERA, NOON
from tests.support.home import Home, dsj_name, open_home, track

# An empty backup battery, a year mistyped, the last day that FAT can say.
_CLOCKS = {
    "1980": datetime(1980, 1, 1, tzinfo=UTC),
    "a year behind": NOON.replace(year=2025),
    "2062": NOON.replace(year=2062),
    "2107": datetime(2107, 12, 30, tzinfo=UTC),
}
_FAT_GRAIN_NS = 2 * 10**9
_GRAIN = timedelta(seconds=4)
# A movie header counts seconds since 1904 in 32 bits (ISO 14496-12 §8.2.2, version 0): it begins anew in 2040,
# and readers take what lies before 1970 for seconds since 1970, as some writers count.
_HEADER_SAYS = tuple(timedelta(seconds=seconds) for seconds in (0, 2**32, 2**32 - 2_082_844_800))


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    with open_home(tmp_path / "home") as opened:
        yield opened


def film(card: Path, shown: datetime) -> tuple[Recorded, timedelta]:
    """A second of footage of a camera whose clock shows `shown` at noon, dated as FAT would; the clock's error."""
    wrong = shown - NOON
    camera = replace(CAMERA, clock_offset=wrong)
    recorded = camera.record(card, at=NOON, seconds=1, quality=TINY, has_sound=False, has_track=False)
    written = recorded.path.stat().st_mtime_ns // _FAT_GRAIN_NS * _FAT_GRAIN_NS
    os.utime(recorded.path, ns=(written, written))
    return recorded, wrong


def starts_of(row: dict[str, str]) -> dict[Source, str]:
    return {claim.source: claim.value for claim in Claims.from_json(json.loads(row["claims"])).of("start")}


def shown_by(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=CAMERA.zone)


def assert_said(told: dict[Source, str], shown: datetime) -> None:
    """Each source says what the camera's clock showed, as well as that source can say it."""
    assert {Source.FILE_NAME, Source.CONTAINER, Source.MTIME} <= told.keys()
    for source, text in told.items():
        apart = shown - shown_by(text)
        errors = _HEADER_SAYS if source is Source.CONTAINER else (timedelta(0),)
        assert any(abs(apart - error) <= _GRAIN for error in errors), (source, text)


@pytest.mark.parametrize("shown", _CLOCKS.values(), ids=_CLOCKS)
def test_a_wrong_camera_clock_keeps_every_claim_as_it_was_made(home: Home, shown: datetime, tmp_path: Path) -> None:
    recorded, _ = film(tmp_path / "card", shown)
    home.add_device(CAMERA.serial)
    row = home.ingest_one(recorded.path)
    assert_said(starts_of(home.recording(row["id"])), shown)
    assert home.recording(row["id"])["start_at"] == instant.to_text(shown), "what the camera says, for want of better"
    assert home.recording(row["id"])["state"] == "indexed"


@pytest.mark.parametrize("shown", _CLOCKS.values(), ids=_CLOCKS)
def test_a_measured_offset_gives_the_true_time_and_changes_no_claim(
    home: Home, shown: datetime, tmp_path: Path
) -> None:
    recorded, wrong = film(tmp_path / "card", shown)
    home.add_device(CAMERA.serial, offset_ms=wrong // timedelta(milliseconds=1))
    row = home.recording(home.ingest_one(recorded.path)["id"])
    assert row["start_at"] == instant.to_text(NOON)
    assert row["end_at"] == instant.to_text(NOON + timedelta(seconds=float(Fraction(row["duration"]))))
    assert_said(starts_of(row), shown)


def test_local_time_that_is_said_to_be_utc_stands_beside_the_time_of_the_name(home: Home, tmp_path: Path) -> None:
    # A container's times are UTC by their standard; many recorders write the time of their display.
    camera = replace(CAMERA, clock_offset=timedelta(hours=8))
    recorded = camera.record(tmp_path, at=NOON, seconds=1, quality=TINY, has_sound=False, has_track=False)
    named = tmp_path / "card" / dsj_name(CAMERA.serial, at=NOON, ending="mp4")
    named.parent.mkdir()
    recorded.path.rename(named)
    home.add_device(CAMERA.serial)
    row = home.recording(home.ingest_one(named)["id"])
    told = starts_of(row)
    assert shown_by(told[Source.CONTAINER]) == NOON + timedelta(hours=8)
    assert shown_by(told[Source.FILE_NAME]) == NOON
    assert row["start_at"] == instant.to_text(NOON), "the name outweighs the container"


def test_equal_bytes_whose_card_was_written_in_another_zone_are_one_recording(home: Home, tmp_path: Path) -> None:
    # FAT keeps local time without its zone: read on a machine of another zone, every file is hours younger.
    first = track(tmp_path / "card", "1.gpx")
    again = track(tmp_path / "again", "1.gpx")
    moved = first.stat().st_mtime_ns + 8 * 3600 * 10**9
    os.utime(again, ns=(moved, moved))
    recording = home.ingest_one(first)["id"]
    assert home.ingest(again)["recordings"][0]["id"] == recording
    assert len(home.recordings()) == 1
    assert home.times(recording, "offered-again") == 1
