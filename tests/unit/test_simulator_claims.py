# SPDX-License-Identifier: Apache-2.0
"""This is where what simulated cameras write meets what the makers' profiles read."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from devices.makers.registry import read_claims
from devices.makers.sidecar import read_side
from devices.simulator.filming import TINY
from devices.simulator.layouts import LAYOUTS
from evidence.claims import Claims, Source
from tests.support.cameras import CAMERA, NOON


def claims_of(card: Path, name: str) -> Claims:
    mtime_ns = (card / name).stat().st_mtime_ns
    return read_claims(name, mtime_ns=mtime_ns, side=read_side(card, name))


@pytest.mark.parametrize("form", list(LAYOUTS))
def test_a_makers_profile_reads_back_what_the_camera_meant(tmp_path: Path, form: str) -> None:
    camera = replace(CAMERA, layout=form, clock_offset=timedelta(seconds=-37))
    made = camera.record(tmp_path, at=NOON, seconds=1, rate=5, quality=TINY)
    claims = claims_of(tmp_path, str(made.name))

    assert claims.value("maker") == {"generic": "phone"}.get(form, form)
    assert claims.value("start") == "2026-06-19T11:59:23"
    assert claims.value("kind") == "video"
    known = form != "generic"
    assert claims.value("device") == ("36NCC009910" if known else None)
    assert claims.value("officer") == ("000001" if known else None)


@pytest.mark.parametrize("form", list(LAYOUTS))
def test_photos_and_sound_are_read_back_too(tmp_path: Path, form: str) -> None:
    camera = replace(CAMERA, layout=form)
    photo = camera.photograph(tmp_path, at=NOON, quality=TINY)
    sound = camera.record_sound(tmp_path, at=NOON, seconds=1)

    for made, kind in ((photo, "photo"), (sound, "audio")):
        claims = claims_of(tmp_path, str(made.name))
        assert claims.value("kind") == kind
        assert claims.value("start") == "2026-06-19T12:00:00"


@pytest.mark.parametrize("form", ["dsj", "dcam"])
def test_the_cards_own_file_names_the_device_first(tmp_path: Path, form: str) -> None:
    made = replace(CAMERA, layout=form).record(tmp_path, at=NOON, seconds=1, rate=5, quality=TINY)
    claims = claims_of(tmp_path, str(made.name))

    for field in ("device", "officer"):
        best = claims.best(field)
        assert best is not None
        assert best.source is Source.SIDECAR
    assert "device" not in claims.conflicts()


def test_mtime_is_the_cameras_clock_at_the_end(tmp_path: Path) -> None:
    made = CAMERA.record(tmp_path, at=NOON, seconds=2, rate=5, quality=TINY)
    told = claims_of(tmp_path, str(made.name)).of("start")[-1]

    assert told.source is Source.MTIME
    assert datetime.fromisoformat(told.value).astimezone(UTC) == NOON + timedelta(seconds=2)
