# SPDX-License-Identifier: Apache-2.0
"""This is where what the compose file does to its engines is done to real ones: PostgreSQL, Redis, an S3 store."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest
import redis
import yaml
from redis.backoff import NoBackoff
from redis.retry import Retry

from app.cli.register import OWNER as OWNER_URL
from deploy.compose.make_bucket import main as make_bucket
from tests.deploy.tools import DEPLOY, run
from tests.support.ceph import Ceph, memory_gateway
from tests.support.footage import missing
from tests.support.postgres import OWNER, database_url
from tests.support.s3 import use_credentials

COMPOSE = DEPLOY / "compose"
ONCE = Retry(NoBackoff(), 0)
FORBIDDEN = (
    b"CREATE TABLE anything (at int)",
    b"DELETE FROM custody_events",
    b"UPDATE custody_events SET note = ''",
    b"TRUNCATE custody_events",
    b"DROP TABLE custody_events",
    b"ALTER TABLE custody_events DISABLE TRIGGER ALL",
)
PASSWORD = "a password with 'quotes' in it"


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Ceph:
    """A real gateway, whose keys boto3 finds."""
    gateway = memory_gateway()
    for name, value in use_credentials().items():
        monkeypatch.setenv(name, value)
    return gateway


@pytest.fixture
def bucket(store: Ceph) -> str:
    """The name of a bucket that is not there yet."""
    return f"evidence-{time.monotonic_ns()}"


def test_the_bucket_is_made_with_its_lock_and_making_it_again_changes_nothing(store: Ceph, bucket: str) -> None:
    assert make_bucket(store.url(bucket, lock="compliance")) is None
    assert make_bucket(store.url(bucket, lock="compliance")) is None
    told = store.client.get_object_lock_configuration(Bucket=bucket)
    assert told["ObjectLockConfiguration"]["ObjectLockEnabled"] == "Enabled"


def test_a_bucket_that_cannot_lock_is_refused(store: Ceph) -> None:
    assert "no Object Lock" in (make_bucket(store.url(store.new_bucket(), lock="compliance")) or "")


def test_a_store_that_does_not_answer_is_said_in_words(bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    use_credentials()
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    assert "does not answer" in (make_bucket(f"s3://{bucket}/evidock?endpoint=http://127.0.0.1:9") or "")


def test_what_is_no_address_of_a_bucket_is_said_in_words() -> None:
    assert "not the address of a bucket" in (make_bucket("file:///srv/objects") or "")


@pytest.fixture
def database() -> Iterator[str]:
    """A new database whose server forgets our role at the end."""
    url = database_url()
    yield url
    with closing(psycopg.connect(url, autocommit=True)) as connection:
        connection.execute("DROP OWNED BY evidock_service")
        connection.execute("DROP ROLE evidock_service")


@pytest.fixture
def service(database: str, tmp_path: Path) -> Iterator[psycopg.Connection]:
    """A connection as the service, whose role and tables were made as the containers make them."""
    where = urlsplit(database)
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    (tmp_path / "password").write_text(PASSWORD, "utf-8")
    told = {
        "PATH": os.pathsep.join([*map(str, folders), os.environ["PATH"]]),
        "PGHOST": str(where.hostname),
        "PGPORT": str(where.port),
        "PGPASSWORD": str(where.password),
        "POSTGRES_USER": OWNER,
        "POSTGRES_DB": where.path.removeprefix("/"),
        "REGISTER_SERVICE_FILE": str(tmp_path / "password"),
    }
    done = run(COMPOSE / "register-roles.sh", env=told)
    assert done.returncode == 0, done.stderr
    services = yaml.safe_load((COMPOSE / "compose.yaml").read_text("utf-8"))["services"]
    words = services["tables"]["entrypoint"][-1].partition("exec evidock ")[2].split()
    done = run(sys.executable, "-m", "app", *words, env={OWNER_URL: database})
    assert done.returncode == 0, done.stderr
    connection = psycopg.connect(
        host=where.hostname,
        port=where.port,
        dbname=told["POSTGRES_DB"],
        user="evidock_service",
        password=PASSWORD,
        autocommit=True,
    )
    with closing(connection):
        yield connection


def test_the_service_of_the_containers_cannot_change_what_was_recorded(service: psycopg.Connection) -> None:
    assert service.execute("SELECT count(*) FROM custody_events").fetchone() == (0,)
    for statement in FORBIDDEN:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            service.execute(statement)


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[redis.Redis]:
    """Redis, started by the very words of the compose file, behind a socket."""
    if shutil.which("redis-server") is None:
        missing("redis-server", remedy="apt-get install redis-server")
    (tmp_path / "broker").write_text("secret-of-the-broker", "utf-8")
    words = yaml.safe_load((COMPOSE / "compose.yaml").read_text("utf-8"))["services"]["broker"]["command"]
    script = words[-1].replace("$$", "$").replace("/run/secrets/broker", str(tmp_path / "broker"))
    socket = tmp_path / "redis.sock"
    process = subprocess.Popen(
        [*words[:-1], f"{script} --port 0 --unixsocket {socket}"],
        cwd=tmp_path,
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        client = redis.Redis(
            unix_socket_path=str(socket), password="secret-of-the-broker", decode_responses=True, retry=ONCE
        )
        for _ in range(100):
            with suppress(redis.ConnectionError):
                client.ping()
                break
            time.sleep(0.05)
        yield client
        client.close()
    finally:
        # The words are a shell's: it and what it started.
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def test_the_broker_asks_for_its_password_and_throws_nothing_away(broker: redis.Redis) -> None:
    told = broker.config_get("*")
    assert told["appendonly"] == "yes"
    assert told["maxmemory-policy"] == "noeviction"
    assert told["maxmemory"] == str(256 * 1024 * 1024)
    path = broker.connection_pool.connection_kwargs["path"]
    with redis.Redis(unix_socket_path=path, retry=ONCE) as stranger, pytest.raises(redis.AuthenticationError):
        stranger.ping()
