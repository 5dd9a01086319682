# SPDX-License-Identifier: Apache-2.0
"""This is where clips are cut and fetched over HTTP, by whoever may see the recording and by nobody else."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.wiring import open_keys
from pipeline import audit
from pipeline.casework import link
from storage.signing import verifier_of
from tests.support.cameras import NOON, tiny_clip
from tests.support.home import open_home
from tests.support.people import OFFICER, Hall, hall_of_people

CAMERA = "36NCC009910"


@pytest.fixture(scope="module")
def hall(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hall]:
    with open_home(tmp_path_factory.mktemp("clips")) as home:
        keys = open_keys(home.settings)
        with hall_of_people(home, proof_keys=(keys.log.verifier_key, keys.records.verifier_key)) as made:
            yield made


@pytest.fixture(scope="module")
def video(hall: Hall) -> str:
    """A recording that was put aside for an unknown device, and that an investigator released over HTTP."""
    (aside,) = hall.home.ingest(tiny_clip("plain"), officer=OFFICER)["quarantined"]
    made = str(aside["id"])
    path, person = f"/recordings/{made}/release", hall["investigator"]
    assert person.post(path, {"why": "too early"}).json()["code"] == "wrong-state"
    hall.home.add_device(CAMERA)
    assert hall["officer"].post(path, {"why": "not theirs to do"}).status_code == 403
    released = person.post(path, {"why": "registered now"}, Idempotency_Key="release")
    assert released.json()["jobs"], released.text
    assert person.post(path, {"why": "registered now"}, Idempotency_Key="release").content == released.content
    hall.home.drain(made)
    assert person.get(f"/recordings/{made}").json()["state"] == "indexed"
    link("A-own", [made], why="filmed there", withdraw=False, ports=hall.home.ports, now=NOON)
    return made


def test_a_clip_is_cut_fetched_and_proven_with_the_agencys_keys_alone(hall: Hall, video: str, tmp_path: Path) -> None:
    officer = hall["officer"]
    made = officer.post("/clips", {"recording": video, "from": "00:01", "to": "00:02.5"})
    assert made.status_code == 201, made.text
    (told,) = made.json()["clips"]
    assert (told["asked"], told["recording"]) == ({"from": "1", "to": "5/2"}, video)
    clip = tmp_path / f"{told['id']}.mp4"
    file, proof = (officer.get(told[name].removeprefix("/v1")) for name in ("file", "proof"))
    assert file.headers["Content-Type"] == "video/mp4"
    clip.write_bytes(file.content)
    clip.with_name(clip.name + ".proof.json").write_bytes(proof.content)
    keys = open_keys(hall.home.settings)
    trust = audit.Trust((keys.log.verifier(), verifier_of(keys.records.verifier_key)), None)
    report = audit.verify_clip(clip, clip.with_name(clip.name + ".proof.json"), trust=trust)
    assert report.verdict.value == "proven", report.findings
    part = officer.ask("GET", told["file"].removeprefix("/v1"), headers={"Range": "bytes=0-9"})
    assert (part.status_code, part.content) == (206, file.content[:10])
    served = officer.get("/clips", recording=video).json()["items"]
    assert [(one["actor"], one["frames"]) for one in served] == [(officer.actor.id, told["delivered"]["frames"])]


def test_a_clip_is_fetched_by_whoever_made_it_and_nobody_else(hall: Hall, video: str) -> None:
    (told,) = hall["officer"].post("/clips", {"recording": video, "from": "1", "to": "2"}).json()["clips"]
    for path in ("", "/file", "/proof"):
        assert hall["officer"].get(f"/clips/{told['id']}{path}").status_code == 200
        assert hall["investigator"].get(f"/clips/{told['id']}{path}").status_code == 404


def test_a_case_is_clipped_by_its_time(hall: Hall, video: str) -> None:
    start = hall["officer"].get(f"/recordings/{video}").json()["start"]
    until = start.replace(":00.000000Z", ":02.000000Z")
    asked = {"case": hall.cases["own"], "from": start, "to": until}
    made = hall["officer"].post("/clips", asked)
    assert [one["recording"] for one in made.json()["clips"]] == [video], made.text


def test_what_nobody_may_see_is_not_clipped_and_nothing_is_left(hall: Hall, video: str) -> None:
    waits = set(clips_of(hall).glob("clp-*"))
    hidden = {"recording": hall.recordings["restricted"], "from": "0", "to": "1"}
    assert hall["officer"].post("/clips", hidden).status_code == 404
    assert hall["auditor"].post("/clips", {"recording": video, "from": "0", "to": "1"}).status_code == 403
    nothing_there = hall["officer"].post("/clips", {"recording": video, "from": "5:00", "to": "6:00"})
    assert (nothing_there.status_code, nothing_there.json()["code"]) == (400, "bad-input")
    assert set(clips_of(hall).glob("clp-*")) == waits


def test_a_clip_that_waited_too_long_is_gone(hall: Hall, video: str) -> None:
    (told,) = hall["officer"].post("/clips", {"recording": video, "from": "1", "to": "2"}).json()["clips"]
    folder = clips_of(hall) / told["id"]
    for path in (folder, *folder.iterdir()):
        os.utime(path, (0, 0))
    assert hall["officer"].get(f"/clips/{told['id']}/file").status_code == 404
    assert hall["officer"].post("/clips", {"recording": video, "from": "1", "to": "2"}).status_code == 201
    assert not folder.exists()


def clips_of(hall: Hall) -> Path:
    return hall.home.ports.received.with_name("clips")
