# SPDX-License-Identifier: Apache-2.0
"""Packs over HTTP: who may have one made and fetch it, that it is made by a worker, and that it is whole."""

import io
import tarfile
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest

from app import clocks
from evidence import instant
from evidence.custody import Happening
from evidence.verdict import Verdict
from pipeline import audit, flow
from pipeline.pack.check import check_pack
from storage import layout
from tests.support.home import LEASE_S, open_home
from tests.support.people import ROLES, Hall, Person, hall_of_people, signed_in
from web.api.tar_stream import tar_of

UNTIL = "2099-01-01T00:00:00.000000Z"


@pytest.fixture(scope="module")
def hall(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hall]:
    with open_home(tmp_path_factory.mktemp("hall") / "home") as home, hall_of_people(home) as made:
        for number, role in enumerate(("investigator", "legal")):
            grant_export(made, made[role], made.cases["own"], number=number)
        yield made


def grant_export(hall: Hall, person: Person, case: str, *, number: int) -> None:
    """Leave for a person to hand a case out, as two others agreed."""
    with hall.home.ports.register.begin() as facts:
        now = clocks.now()

        def record(kind: str, stream: str, detail: Any = None, actor: str = "user:usr-a", **told: Any) -> None:
            facts.record(Happening(kind, stream, told, detail), actor=actor, at=now)

        asks: dict[str, Any] = {"noun": "case", "subject": case, "digest": "0" * 64, "expires_at": UNTIL}
        record("approval-requested", f"approval/apv-x{number}", {"params": {}, "why": "w"}, act="disclosure", **asks)
        record("approval-decided", f"approval/apv-x{number}", {"why": ""}, actor="user:usr-b", decision="approved")
        leave = {"user": person.actor.name, "noun": "case", "subject": case, "what": "export"}
        span = {"from_at": instant.to_text(now), "until_at": UNTIL}
        record("granted", f"grant/gra-x{number}", {"why": "w"}, **leave, **span, approval=f"apv-x{number}")


def ask(person: Person, case: str = "A-own", **headers: str) -> httpx2.Response:
    return person.post("/exports", {"case": case, "what": "originals"}, **headers)


def work(hall: Hall, export: str) -> flow.Result:
    """As a worker would."""
    return flow.run(f"export:{export}", ports=hall.home.ports, owner="worker", clock=clocks.clock(LEASE_S))


@pytest.fixture(scope="module")
def made(hall: Hall) -> str:
    answer = ask(hall["investigator"])
    assert answer.status_code == 201, answer.text
    export: str = answer.json()["id"]
    assert answer.headers["location"] == f"/v1/exports/{export}"
    assert answer.json()["state"] == "waiting"
    assert work(hall, export) is flow.Result.DONE
    return export


def test_a_pack_is_asked_for_made_by_a_worker_and_fetched_whole(hall: Hall, made: str, tmp_path: Path) -> None:
    told = hall["investigator"].get(f"/exports/{made}").json()
    assert (told["state"], told["progress"], told["approval"]) == ("made", 1000, "apv-x0")
    answer = hall["investigator"].get(f"/exports/{made}/pack")
    assert answer.status_code == 200
    assert len(answer.content) == int(answer.headers["content-length"])
    with tarfile.open(fileobj=io.BytesIO(answer.content)) as tar:
        tar.extractall(tmp_path, filter="data")
    report = check_pack(tmp_path / made, trust=audit.trust_of(hall.home.ports))
    assert (report.verdict, report.findings) == (Verdict.PROVEN, ())
    assert (tmp_path / made / "data" / "custody" / "approval" / "apv-x0" / "00001.note").exists()


def test_that_it_was_asked_for_and_fetched_is_on_record(hall: Hall, made: str) -> None:
    hall["investigator"].get(f"/exports/{made}/pack")
    seen = [(one["act"], one["outcome"]) for one in hall.accesses(hall["investigator"]) if one["subject"] == made]
    assert ("export.make", "allowed") in seen
    assert ("export.take", "allowed") in seen


def test_nobody_without_a_grant_has_a_pack_made(hall: Hall) -> None:
    for role in ROLES:
        person, has_grant = hall[role], role.value in ("investigator", "legal")
        for name in ("own", "other", "restricted"):
            answer = ask(person, f"A-{name}")
            wanted = {201} if has_grant and name == "own" else {403, 404}
            assert answer.status_code in wanted, (role, name, answer.text)


def test_nobody_without_a_grant_fetches_a_pack(hall: Hall, made: str) -> None:
    for role in ROLES:
        answer = hall[role].get(f"/exports/{made}/pack")
        assert answer.status_code == (200 if role.value in ("investigator", "legal") else 403), role


def test_a_grant_that_ended_fetches_nothing(hall: Hall) -> None:
    grant_export(hall, hall["legal"], hall.cases["other"], number=7)
    export = ask(hall["legal"], "A-other").json()["id"]
    assert work(hall, export) is flow.Result.DONE
    assert hall["legal"].get(f"/exports/{export}/pack").status_code == 200
    with hall.home.ports.register.begin() as facts:
        facts.record(
            Happening("grant-revoked", "grant/gra-x7", {}, {"why": "over"}), actor="user:usr-b", at=clocks.now()
        )
    assert hall["legal"].get(f"/exports/{export}/pack").status_code in (403, 404)


def test_who_sees_no_case_sees_none_of_its_packs(hall: Hall, made: str) -> None:
    listed = {role.value: hall[role].get("/exports").json() for role in ROLES}
    assert made in [one["id"] for one in listed["auditor"]["items"]]
    assert made in [one["id"] for one in listed["legal"]["items"]]
    assert made not in [one["id"] for one in listed["approver"]["items"]]
    assert listed["admin"]["code"] == "not-allowed"
    assert listed["officer"]["code"] == "not-allowed"


def test_a_pack_that_is_not_made_yet_is_told_as_that(hall: Hall) -> None:
    export = ask(hall["investigator"]).json()["id"]
    answer = hall["investigator"].get(f"/exports/{export}/pack")
    assert (answer.status_code, answer.json()["code"]) == (409, "wrong-state")


def test_a_pack_that_cannot_be_made_is_recorded_as_failed_and_its_recordings_stay_as_they_are(hall: Hall) -> None:
    export = ask(hall["investigator"]).json()["id"]
    recording = hall.home.recording(hall.recordings["own"])
    (original,) = [one for one in hall.home.facts()["originals"] if one["recording"] == recording["id"]]
    path = Path(hall.home.settings.home) / "objects" / layout.original_key(original["sha256"])
    data = path.read_bytes()
    path.chmod(0o644)
    path.write_bytes(data[:-1] + b"?")
    try:
        assert work(hall, export) is flow.Result.ASIDE
    finally:
        path.write_bytes(data)
    told = hall["investigator"].get(f"/exports/{export}").json()
    assert (told["state"], told["problem"]) == ("failed", "fixity-mismatch")
    assert hall.home.recording(recording["id"])["state"] == recording["state"]
    assert not (hall.home.ports.exports / export).exists()


def test_a_repeat_of_a_request_makes_one_pack(hall: Hall) -> None:
    one, other = (ask(hall["investigator"], Idempotency_Key="k-1") for _ in range(2))
    assert one.json() == other.json()


def test_a_session_that_was_not_proved_lately_neither_asks_nor_fetches(hall: Hall, made: str) -> None:
    person = hall["investigator"]
    earlier = clocks.now() - timedelta(minutes=6)
    stale = signed_in(hall.home.ports, person.actor.name, person.client, person.actor, now=earlier)
    answers = ask(stale), stale.get(f"/exports/{made}/pack")
    assert [(one.status_code, one.json()["code"]) for one in answers] == [(403, "prove-again")] * 2


@pytest.mark.parametrize("export", ["exp-nobody", "..", "%2e%2e", "exp-a%2f..%2f..", "%00", "x" * 200])
def test_an_export_that_is_none_leads_nowhere(hall: Hall, export: str) -> None:
    for path in (f"/exports/{export}", f"/exports/{export}/pack"):
        assert hall["investigator"].get(path).status_code in (400, 404)


def test_a_worker_that_died_between_the_name_and_the_record_leaves_nothing_in_the_way(hall: Hall) -> None:
    export = ask(hall["investigator"]).json()["id"]
    (hall.home.ports.exports / export / "data").mkdir(parents=True)
    assert work(hall, export) is flow.Result.DONE
    assert check_pack(hall.home.ports.exports / export, trust=audit.trust_of(hall.home.ports)).verdict is Verdict.PROVEN


def test_a_stream_of_files_is_as_long_as_it_said_and_the_same_twice(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    for size in (0, 1, 511, 512, 513, 5000):
        (tmp_path / "data" / f"{'n' * 90}{size:05d}.{'x' * 30}").write_bytes(b"x" * size)
    stream = tar_of(tmp_path, top="exp-a")
    one, other = (b"".join(stream.blocks()) for _ in range(2))
    assert one == other
    assert len(one) == stream.size_bytes
    with tarfile.open(fileobj=io.BytesIO(one)) as tar:
        assert sorted(member.size for member in tar) == [0, 1, 511, 512, 513, 5000]
