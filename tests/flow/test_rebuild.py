# SPDX-License-Identifier: Apache-2.0
"""This is where the register is lost, and brought back from what rests."""

import fcntl
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete
from sqlalchemy.engine import make_url

from app import clocks
from evidence.errors import InUse, Refused
from pipeline.reconcile import open_missing_jobs
from storage.register import jobs, schema
from storage.register.rebuild import Rebuilt, rebuild
from storage.register.register import Register
from storage.register.replace_postgres import replace_register
from tests.support.cameras import tiny_clip
from tests.support.command import Said, evidock
from tests.support.home import NOON, Home, open_home, track
from tests.support.oracle import assert_whole
from tests.support.postgres import database_url, shared_postgres


def test_nothing_is_written_beside_a_log_whose_register_is_gone(tmp_path: Path) -> None:
    home = tmp_path / "home"
    assert evidock("device", "add", "36NCC009910", home=home).status == 0
    assert evidock("ingest", tiny_clip("plain"), home=home).status == 0
    for path in home.glob("register.db*"):
        path.unlink()

    refused = evidock("officer", "add", "430407", "--json", home=home)

    assert (refused.status, refused.json["code"]) == (77, "register-lost")
    assert evidock("doctor", "--json", home=home).json["healthy"] is False
    assert evidock("doctor", "--rebuild-register", home=home).status == 0
    assert evidock("officer", "add", "430407", home=home).status == 0
    assert evidock("verify", "--all", home=home).status == 0


def test_a_register_is_not_replaced_under_running_processes(tmp_path: Path) -> None:
    home = tmp_path / "home"
    assert evidock("officer", "add", "430407", home=home).status == 0

    with (home / "in-use").open("a") as running:
        fcntl.flock(running, fcntl.LOCK_SH)
        refused = evidock("doctor", "--rebuild-register", "--json", home=home)

    assert (refused.status, refused.json["code"]) == (77, "in-use")


def test_the_old_register_is_kept_when_a_new_one_takes_its_place(tmp_path: Path) -> None:
    home = tmp_path / "home"
    assert evidock("officer", "add", "430407", home=home).status == 0
    before = (home / "register.db").read_bytes()

    done = evidock("doctor", "--rebuild-register", "--json", home=home)

    assert Path(done.json["old"]).read_bytes() == before
    assert done.json["events_from_log"] == 1
    assert [one["number"] for one in evidock("officer", "list", "--json", home=home).json["officers"]] == ["430407"]


# --- on PostgreSQL --------------------------------------------------------------------------------


def rebuilt(home: Path, url: str, *, objects: Path | None = None) -> Said:
    told = {"EVIDOCK_REGISTER_URL": url} | ({"EVIDOCK_OBJECTS_URL": f"file://{objects}"} if objects else {})
    return evidock("doctor", "--rebuild-register", "--json", home=home, **told)


def lived(home: Home, card: Path) -> dict[str, list[dict[str, Any]]]:
    """Something has happened and is published; its facts."""
    home.add_officer("430407")
    home.ingest(track(card))
    home.publish()
    return home.facts()


def test_a_register_on_postgresql_is_remade_beside_the_old_one_which_is_kept(tmp_path: Path) -> None:
    url = database_url()
    with open_home(tmp_path / "home", register_url=url) as home:
        facts = lived(home, tmp_path / "card")
        home.add_officer("999999")  # never published, in no receipt
    done = rebuilt(tmp_path / "home", url)
    assert (done.status, done.json["events_from_log"]) == (0, len(facts["custody_events"])), done.out
    kept = done.json["old"].removeprefix("schema ")
    server, database = shared_postgres(), str(make_url(url).database)
    server.execute(f"TABLE {kept}.custody_events", database=database)
    with open_home(tmp_path / "home", register_url=url) as home:
        assert home.facts() == facts
        home.ingest(track(tmp_path / "card", "2.gpx", number=2))
        assert_whole(home, sorted((tmp_path / "card").iterdir()))
    again = rebuilt(tmp_path / "home", url)
    assert (again.status, again.json["old"] != done.json["old"]) == (0, True), again.out


def test_an_empty_database_is_filled_where_it_is(tmp_path: Path) -> None:
    with open_home(tmp_path / "home", register_url=database_url()) as home:
        facts = lived(home, tmp_path / "card")
    other = database_url()
    done = rebuilt(tmp_path / "home", other)
    assert (done.status, done.json["old"]) == (0, None)
    with open_home(tmp_path / "home", register_url=other) as home:
        assert home.facts() == facts


def test_a_register_that_another_machine_uses_is_not_replaced(tmp_path: Path) -> None:
    url = database_url()
    with open_home(tmp_path / "home", register_url=url) as home:
        facts = lived(home, tmp_path / "card")
    with open_home(tmp_path / "elsewhere", register_url=url, objects_url=f"file://{tmp_path}/home/objects") as running:
        refused = rebuilt(tmp_path / "home", url)
        assert running.facts() == facts
    assert (refused.status, refused.json["code"]) == (77, InUse.code)


def test_what_another_machine_records_while_a_register_is_remade_is_not_put_aside(tmp_path: Path) -> None:
    url = database_url()
    with open_home(tmp_path / "home", register_url=url) as home:
        lived(home, tmp_path / "card")

    def fill(fresh: Register) -> Rebuilt:
        with open_home(tmp_path / "home", register_url=url) as other:
            other.add_officer("999999")
        return rebuild(fresh, store=ports.store, log=ports.log, verifiers=ports.verifiers)

    ports = home.ports
    with pytest.raises(InUse, match="recorded into"):
        replace_register(url, fill, store=ports.store, signer=ports.signer, chance=ports.chance, now=NOON)
    with open_home(tmp_path / "home", register_url=url) as again:
        assert "999999" in {row["number"] for row in again.facts()["officers"]}


def test_a_role_that_may_make_no_schema_is_told_what_to_do(tmp_path: Path) -> None:
    url = database_url()
    with open_home(tmp_path / "home", register_url=url) as home:
        facts = lived(home, tmp_path / "card")
    server, database = shared_postgres(), str(make_url(url).database)
    role = f"service_{database}"
    server.execute(f"CREATE ROLE {role} LOGIN PASSWORD '{server.password}'")
    server.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role}", database=database)
    refused = rebuilt(tmp_path / "home", server.url(database, user=role))
    assert (refused.status, refused.json["code"]) == (77, Refused.code)
    assert "empty database" in refused.json["message"]
    with open_home(tmp_path / "home", register_url=url) as home:
        assert home.facts() == facts


def test_work_that_is_opened_again_is_pinned_to_a_place_that_sees_its_bytes_or_to_none(tmp_path: Path) -> None:
    with open_home(tmp_path / "home") as home:
        file = track(tmp_path / "card")
        recording = home.offer(file)
        assert place_of_missing_job(home, recording) == home.ports.place
        file.unlink()
        assert place_of_missing_job(home, recording) == ""


def place_of_missing_job(home: Home, recording: str) -> str:
    """Where the first job of a recording is opened after all jobs were lost."""
    with home.ports.register.begin() as facts:
        facts.connection.execute(delete(schema.jobs))
    assert open_missing_jobs(ports=home.ports, now=clocks.now()) == [f"fixity:{recording}"]
    with home.ports.register.view() as connection:
        [job] = jobs.open_jobs(connection)
    return str(job.place)
