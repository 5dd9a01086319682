# SPDX-License-Identifier: Apache-2.0
"""A role of PostgreSQL that lost what it needs, and a URL that says what is none: told in words, and waited for."""

import time
from pathlib import Path

import pytest
from sqlalchemy import select

from evidence.errors import BadInput, Refused, RegisterUnavailable
from pipeline.ending import Result
from pipeline.leasing import Heartbeat
from pipeline.ports import unheard
from storage.register import jobs, schema
from storage.register.roles import prepare_register
from tests.support.home import NOON, Home, at_tick, open_home, track
from tests.support.postgres import SERVICE, Postgres, shared_postgres


@pytest.fixture
def server() -> Postgres:
    return shared_postgres()


@pytest.fixture
def database(server: Postgres) -> str:
    server.have_role(SERVICE)
    return server.new_database()


def test_tables_whose_grants_are_gone_are_asked_for_in_words_and_no_recording_suffers(
    server: Postgres, database: str, tmp_path: Path
) -> None:
    prepare_register(server.url(database), service=SERVICE)
    url = server.url(database, user=SERVICE)
    with open_home(tmp_path / "home", register_url=url) as home:
        recording = home.offer(track(tmp_path / "card"))
        server.execute(f"REVOKE ALL ON originals FROM {SERVICE}", database=database)
        assert home.run("fixity", recording) is Result.AGAIN
        server.execute(f"REVOKE ALL ON ALL TABLES IN SCHEMA public FROM {SERVICE}", database=database)
        with pytest.raises(RegisterUnavailable, match="permission denied"):
            home.run("fixity", recording)
    with pytest.raises(Refused, match="register prepare"), open_home(tmp_path / "home", register_url=url):
        pass
    prepare_register(server.url(database), service=SERVICE)
    with open_home(tmp_path / "home", register_url=url) as home:
        home.drain(recording)
        assert home.story(recording)[-1] in ("indexed", "stamped")


def test_a_heartbeat_that_did_not_get_through_is_tried_again_at_the_next_beat(
    server: Postgres, database: str, tmp_path: Path
) -> None:
    def until(home: Home) -> float:
        with home.ports.register.view() as connection:
            return float(connection.scalar(select(schema.jobs.c.lease_until)) or 0)

    prepare_register(server.url(database), service=SERVICE)
    with open_home(tmp_path / "home", register_url=server.url(database, user=SERVICE)) as home:
        with home.ports.register.begin() as facts:
            job = facts.enqueue("index", "rec-a", now=NOON)
        clock = at_tick("boot", 2000.0, lease_s=9.0)
        with home.ports.register.leasing() as connection:
            lease = jobs.take(connection, job, owner="one", tick=jobs.Tick("boot", 1000.0), now=NOON, lease_s=9.0)
        assert lease is not None
        server.execute(f"REVOKE UPDATE ON jobs FROM {SERVICE}", database=database)
        with Heartbeat(lease, register=home.ports.register, clock=clock, on_progress=unheard):
            time.sleep(3.4)  # the first that had to get through, at a third of the lease, did not
            server.execute(f"GRANT UPDATE ON jobs TO {SERVICE}", database=database)
            time.sleep(1.4)
            assert until(home) == 2009.0


def test_an_option_of_the_url_that_is_none_is_refused_in_words(server: Postgres, database: str, tmp_path: Path) -> None:
    with (
        pytest.raises(BadInput, match="sslmod"),
        open_home(tmp_path / "home", register_url=f"{server.url(database)}?sslmod=require"),
    ):
        pass
