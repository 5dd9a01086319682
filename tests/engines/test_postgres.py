# SPDX-License-Identifier: Apache-2.0
"""PostgreSQL as the register: what its roles may do, who waits for whom, and how several machines share the work."""

import threading
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from app.settings import without_password
from evidence.errors import BadInput, NotFound, Refused, RegisterUnavailable
from storage.register import jobs
from storage.register.jobs import Tick
from storage.register.roles import prepare_register
from tests.support.command import evidock
from tests.support.home import NOON, Home, open_home, track
from tests.support.postgres import SERVICE, Postgres, database_url, shared_postgres

HERE, THERE = Tick("boot-here", 1000.0, frozenset()), Tick("boot-there", 5.0, frozenset())
LEASE_S = 30.0


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    with open_home(tmp_path / "home", register_url=database_url()) as opened:
        yield opened


@pytest.fixture
def server() -> Postgres:
    return shared_postgres()


@pytest.fixture
def database(server: Postgres) -> str:
    """A database whose tables are the owner's, and the service's role beside it."""
    server.have_role(SERVICE)
    return server.new_database()


def served(home: Home, *, tick: Tick = HERE, owner: str = "one", place: str = "", job: str) -> jobs.Lease | None:
    with home.ports.register.leasing() as connection:
        return jobs.take(connection, job, owner=owner, tick=tick, now=NOON, lease_s=LEASE_S, place=place)


# --- roles --------------------------------------------------------------------------------------


def test_the_service_works_through_a_recording_with_a_role_that_owns_nothing(
    server: Postgres, database: str, tmp_path: Path
) -> None:
    prepare_register(server.url(database), service=SERVICE)
    with open_home(tmp_path / "home", register_url=server.url(database, user=SERVICE)) as home:
        home.ingest_one(track(tmp_path / "card"))
        home.publish()
        assert home.rebuilt()[1] == home.facts()


@pytest.mark.parametrize(
    "tampering",
    [
        "UPDATE custody_events SET note = 'other'",
        "UPDATE custody_events SET at = '2020-01-01T00:00:00.000000Z'",
        "DELETE FROM custody_events",
        "TRUNCATE custody_events",
        "UPDATE checkpoints SET root = 'other'",
        "DELETE FROM checkpoints",
        "ALTER TABLE custody_events DISABLE TRIGGER ALL",
        "DROP TABLE custody_events",
        "UPDATE custody_events SET leaf_index = leaf_index + 100",
    ],
)
def test_the_services_role_cannot_change_what_happened(
    server: Postgres, database: str, tmp_path: Path, tampering: str
) -> None:
    prepare_register(server.url(database), service=SERVICE)
    with open_home(tmp_path / "home", register_url=server.url(database, user=SERVICE)) as home:
        home.add_device("A1")
        home.publish()
        before = home.facts()
        with (
            psycopg.connect(server.url(database, user=SERVICE), autocommit=True) as service,
            pytest.raises(psycopg.errors.InsufficientPrivilege),
        ):
            service.execute(tampering.encode())
        assert home.facts() == before


@pytest.mark.parametrize(
    "tampering", ["UPDATE custody_events SET note = 'other'", "DELETE FROM custody_events", "TRUNCATE custody_events"]
)
def test_not_even_the_owner_changes_an_event_by_mistake(home: Home, server: Postgres, tampering: str) -> None:
    home.add_device("A1")
    database = home.settings.register_url.rpartition("/")[2]
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match="written once"):
        server.execute(tampering, database=database)


def test_the_services_role_holds_no_right_to_delete_or_rewrite_an_event(server: Postgres, database: str) -> None:
    """Beside the trigger: one of the two is enough."""
    prepare_register(server.url(database), service=SERVICE)
    with psycopg.connect(server.url(database)) as owner:
        for right in ("DELETE", "TRUNCATE", "UPDATE"):
            asked = "SELECT has_table_privilege(%s, 'custody_events', %s)"
            assert owner.execute(asked, (SERVICE, right)).fetchone() == (False,), right


def test_tables_that_the_owner_has_not_made_are_asked_for_in_words(
    server: Postgres, database: str, tmp_path: Path
) -> None:
    url = server.url(database, user=SERVICE)
    with pytest.raises(Refused, match="evidock register prepare"), open_home(tmp_path / "home", register_url=url):
        pass


def test_preparing_twice_changes_nothing_and_a_missing_role_is_named(server: Postgres, database: str) -> None:
    url = server.url(database)
    assert prepare_register(url, service=SERVICE) == prepare_register(url, service=SERVICE)
    with pytest.raises(NotFound, match="nobody_here"):
        prepare_register(url, service="nobody_here")
    with pytest.raises(BadInput, match="role"):
        prepare_register(url, service="x; DROP TABLE jobs")


def test_the_command_prepares_and_never_shows_a_password(server: Postgres, database: str, tmp_path: Path) -> None:
    owner = {"EVIDOCK_REGISTER_OWNER_URL": server.url(database)}
    assert evidock("register", "prepare", "--service", SERVICE, home=tmp_path / "home", **owner).status == 0
    service = {"EVIDOCK_REGISTER_URL": server.url(database, user=SERVICE)}
    told = evidock("doctor", home=tmp_path / "home", **service)
    assert SERVICE in told.out
    assert server.password not in told.out + told.err


def test_a_password_is_left_out_of_what_is_shown() -> None:
    assert without_password("postgresql://me:se:c/ret@db/x") != "postgresql://me:se:c/ret@db/x"
    assert without_password("postgresql://me:secret@db/x") == "postgresql://me:…@db/x"
    assert without_password("postgresql://me@db/x") == "postgresql://me@db/x"


# --- durability and waiting ---------------------------------------------------------------------


def test_a_commit_is_on_disk_whatever_the_role_was_set_to(server: Postgres, tmp_path: Path) -> None:
    database = server.new_database()
    server.execute(f"ALTER DATABASE {database} SET synchronous_commit = off")
    with (
        open_home(tmp_path / "home", register_url=server.url(database)) as home,
        home.ports.register.view() as connection,
    ):
        assert connection.exec_driver_sql("SHOW synchronous_commit").scalar() == "on"


def test_who_takes_a_job_waits_for_no_writer_of_facts(home: Home) -> None:
    with home.ports.register.begin() as facts:
        job = facts.enqueue("index", "rec-a", now=NOON)
    with home.ports.register.begin():
        assert served(home, job=job) is not None


def test_facts_are_written_one_transaction_at_a_time(home: Home) -> None:
    inside, may_end, order = threading.Event(), threading.Event(), []

    def first() -> None:
        with home.ports.register.begin():
            inside.set()
            may_end.wait(20)
            order.append("first")

    def second() -> None:
        with home.ports.register.begin():
            order.append("second")

    one, two = threading.Thread(target=first), threading.Thread(target=second)
    one.start()
    assert inside.wait(20)
    two.start()
    two.join(0.5)
    assert two.is_alive()
    may_end.set()
    one.join()
    two.join()
    assert order == ["first", "second"]


def test_one_of_many_who_ask_at_once_gets_a_job(home: Home) -> None:
    with home.ports.register.begin() as facts:
        job = facts.enqueue("index", "rec-a", now=NOON)
    got: list[jobs.Lease] = []

    def ask(number: int) -> None:
        lease = served(home, job=job, owner=f"worker-{number}")
        if lease is not None:
            got.append(lease)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(got) == 1


def test_a_server_that_is_not_there_is_an_outage_and_its_words_hold_no_password(tmp_path: Path) -> None:
    url = "postgresql://me:hidden-word@127.0.0.1:1/nothing"
    with pytest.raises(RegisterUnavailable) as told, open_home(tmp_path / "home", register_url=url):
        pass
    assert "hidden-word" not in str(told.value)


def test_events_go_on_where_a_small_number_would_end(home: Home, server: Postgres) -> None:
    made = str(home.settings.register_url).rpartition("/")[2]
    server.execute(f"ALTER SEQUENCE custody_events_id_seq RESTART WITH {2**31 - 1}", database=made)
    for number in range(3):
        home.add_device(f"A{number}")
    home.publish()
    assert sorted(event["leaf_index"] for event in home.facts()["custody_events"]) == [0, 1, 2]
