# SPDX-License-Identifier: Apache-2.0
"""This is where EVIDOCK_SANDBOX is followed: what waits, what is said, and what the records keep."""

import threading
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import update

from app import clocks, walls
from app.examination import examine_installation
from app.settings import load_settings
from app.worker import run_worker
from evidence.custody import parse_event
from evidence.errors import BadInput, Unavailable
from pipeline import approvals, flow
from pipeline.approvals import Request
from pipeline.media.sandbox import probe as probing
from pipeline.media.sandbox.probe import Sandbox, level_in_force, probe
from storage.register import jobs, schema
from tests.support.cameras import CAMERA, tiny_clip
from tests.support.home import LEASE_S, Home, open_home, track
from tests.support.two_people import ASKER, SECOND, by, leave_the_sandbox

NONE = Sandbox("none", frozenset({"read", "tcp"}), "landlock: it managed ['read', 'tcp']", 0)


@pytest.fixture
def no_sandbox(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine on which the probe's child gets out."""
    monkeypatch.setattr(probing, "_found", [])
    monkeypatch.setattr(probing, "_try_all", lambda: NONE)


def kept(home: Home, recording: str) -> set[str | None]:
    """What the records of a recording say of the sandbox."""
    events = [parse_event(event["note"].partition("\n\n")[0] + "\n") for event in home.events(f"recording/{recording}")]
    return {event.facts["sandbox"] for event in events if event.kind in ("measured", "derived")}


def test_the_records_keep_behind_which_walls_footage_was_decoded(tmp_path: Path) -> None:
    with open_home(tmp_path / "home") as home:
        home.add_device(CAMERA.serial)
        assert kept(home, home.ingest_one(tiny_clip("plain"))["id"]) == {probe().level}


def test_the_records_of_what_is_not_decoded_name_no_walls(tmp_path: Path) -> None:
    with open_home(tmp_path / "home") as home:
        assert kept(home, home.ingest_one(track(tmp_path / "dock"))["id"]) == {None}


@pytest.mark.usefixtures("no_sandbox")
def test_without_a_sandbox_footage_waits_and_nothing_is_put_aside(tmp_path: Path) -> None:
    with open_home(tmp_path / "home") as home:
        recording = home.offer(tiny_clip("plain"))
        flow.run(f"fixity:{recording}", ports=home.ports, owner="test", clock=clocks.clock(LEASE_S))
        with home.ports.register.view() as connection:
            (job,) = jobs.open_jobs(connection)
        assert (job.id, job.state, job.error_code) == (f"fixity:{recording}", "runnable", "sandbox-missing")
        assert home.recording(recording)["state"] == "arrived"


@pytest.mark.usefixtures("no_sandbox")
def test_without_a_sandbox_what_is_not_decoded_is_taken_all_the_same(tmp_path: Path) -> None:
    with open_home(tmp_path / "home") as home:
        assert home.ingest_one(track(tmp_path / "dock"))["state"] == "indexed"


@pytest.mark.usefixtures("no_sandbox")
def test_a_sandbox_that_is_off_is_kept_in_the_records(tmp_path: Path) -> None:
    with open_home(tmp_path / "home") as home:
        leave_the_sandbox(home)
    with open_home(tmp_path / "home", sandbox="off") as home:
        home.add_device(CAMERA.serial)
        assert kept(home, home.ingest_one(tiny_clip("plain"))["id"]) == {"off"}
    with open_home(tmp_path / "home"), pytest.raises(Unavailable):
        level_in_force()


def doctor(tmp_path: Path, **settings: str) -> tuple[str, str | None]:
    given = {f"EVIDOCK_{name.upper()}": value for name, value in settings.items()}
    checks = examine_installation(load_settings(given, home=tmp_path / "home"))
    (check,) = [one for one in checks if one.name == "media sandbox"]
    return check.found, check.advice


def test_doctor_says_which_walls_stand(tmp_path: Path) -> None:
    found, advice = doctor(tmp_path)
    assert advice is None
    assert found.startswith(probe().level)
    assert "no other file, no network, no other process" in found


def test_doctor_says_that_the_sandbox_is_off(tmp_path: Path) -> None:
    told = doctor(tmp_path, sandbox="off")[0]
    assert "is not followed: two people agree on it first" in told
    assert told.startswith(probe().level)
    with open_home(tmp_path / "home") as home:
        leave_the_sandbox(home)
    assert doctor(tmp_path, sandbox="off")[0].startswith("OFF")
    assert doctor(tmp_path)[0].startswith(probe().level), "the setting says so too"


@pytest.mark.usefixtures("no_sandbox")
def test_without_an_agreement_of_two_nothing_is_decoded_without_walls(tmp_path: Path) -> None:
    with open_home(tmp_path / "home", sandbox="off") as home:
        with pytest.raises(Unavailable, match="no agreement stands: `evidock approval request sandbox-off"):
            level_in_force()
        asked = approvals.request(
            Request("sandbox-off", "installation", home.ports.place), why="w", ports=by(home, ASKER), now=clocks.now()
        )
        approvals.refuse(asked.id, why="no", ports=by(home, SECOND), now=clocks.now())
    with open_home(tmp_path / "home", sandbox="off"), pytest.raises(Unavailable):
        level_in_force()


@pytest.mark.usefixtures("no_sandbox")
def test_an_agreement_to_do_without_walls_ends_while_a_process_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_home(tmp_path / "home") as home:
        leave_the_sandbox(home)
    with open_home(tmp_path / "home", sandbox="off") as home:
        assert level_in_force() == "off"
        now = clocks.reading(home.ports.place)
        later = replace(now, uptime_s=now.uptime_s + 31 * 86400)
        monkeypatch.setattr(clocks, "reading", lambda _: later)
        with pytest.raises(Unavailable):
            level_in_force()


@pytest.mark.usefixtures("no_sandbox")
def test_an_agreement_that_somebody_wrote_into_the_register_counts_for_nothing(tmp_path: Path) -> None:
    with open_home(tmp_path / "home") as home:
        leave_the_sandbox(home)
        with home.ports.register.leasing() as connection:
            params = '{"until": "9000-01-01T00:00:00.000000Z"}'
            connection.execute(update(schema.approvals).values(params=params))
    with open_home(tmp_path / "home", sandbox="off"), pytest.raises(Unavailable):
        level_in_force()


@pytest.mark.usefixtures("no_sandbox")
def test_doctor_says_what_the_probe_managed(tmp_path: Path) -> None:
    advice = doctor(tmp_path)[1]
    assert advice is not None
    assert "it managed ['read', 'tcp']" in advice
    assert "EVIDOCK_SANDBOX" in advice


@pytest.mark.parametrize("policy", ["off", "required"])
@pytest.mark.usefixtures("no_sandbox")
def test_whoever_starts_a_process_is_told_that_there_are_no_walls(policy: str, tmp_path: Path) -> None:
    settings = load_settings({"EVIDOCK_SANDBOX": policy}, home=tmp_path / "home")
    told: list[str] = []
    stop = threading.Event()
    stop.set()
    run_worker(settings, stop=stop, threads=1, on_notice=told.append)
    assert walls.notice(settings) in told
    assert any("EVIDOCK_SANDBOX is off" in one if policy == "off" else "media waits" in one for one in told)


def test_behind_walls_nobody_is_told_anything(tmp_path: Path) -> None:
    assert walls.notice(load_settings({}, home=tmp_path / "home")) is None


def test_a_policy_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="EVIDOCK_SANDBOX"):
        load_settings({"EVIDOCK_SANDBOX": "maybe"}, home=tmp_path / "home")
