# SPDX-License-Identifier: Apache-2.0
"""Transactions on PostgreSQL: who rests in one holds up others and is cut off; one that failed is not committed."""

import time
from contextlib import suppress
from pathlib import Path

import pytest
from sqlalchemy import update
from sqlalchemy.exc import SQLAlchemyError

from app.backup import make_backup
from evidence.errors import RegisterUnavailable
from pipeline.ending import Result
from storage.objects_file import DirectoryStore
from storage.register import engine_postgres, schema
from storage.register.rebuild import rebuild
from storage.register.register import open_register
from tests.support.home import NOON, Home, open_home, track
from tests.support.postgres import database_url


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Servers' sessions that are cut off after two seconds of idleness in a transaction, instead of ten."""
    monkeypatch.setitem(engine_postgres._SERVER_SETTINGS, "idle_in_transaction_session_timeout", "2s")


class _SlowStore(DirectoryStore):
    """A store in a folder that takes more than half a second for each reading."""

    def read(self, key: str, *, limit: int) -> bytes:
        time.sleep(0.6)
        return super().read(key, limit=limit)


def test_a_backup_onto_a_slow_disk_is_not_cut_off(impatient: None, tmp_path: Path) -> None:
    def rest(_: float) -> None:
        if not rested:
            rested.append(2.5)
            time.sleep(2.5)

    rested: list[float] = []
    with open_home(tmp_path / "home", register_url=database_url()) as home:
        home.add_device("A1")
        target, ports, settings = tmp_path / "backup", home.ports, home.settings
        made = make_backup(target, ports=ports, settings=settings, with_keys=True, with_objects=False, progress=rest)
    assert (made.manifest.events, rested) == (1, [2.5])


def test_a_rebuild_from_a_slow_store_is_not_cut_off(impatient: None, tmp_path: Path) -> None:
    with open_home(tmp_path / "home", register_url=database_url()) as home:
        for number in range(5):
            home.add_device(f"A{number}")
            home.publish()
        slow = _SlowStore(tmp_path / "home" / "objects")
        signer, chance, verifiers = home.ports.signer, home.ports.chance, home.ports.verifiers
        fresh = open_register(database_url(), store=slow, signer=signer, chance=chance)
        try:
            assert rebuild(fresh, store=slow, log=home.ports.log, verifiers=verifiers).from_log == 5
        finally:
            fresh.close()


class _WritingStore(DirectoryStore):
    """A store that another writes facts beside, whenever something is put into it."""

    beside: Home | None = None

    def put_bytes_once(self, key: str, data: bytes) -> None:
        if self.beside is not None:
            with self.beside.ports.register.begin():
                pass
        super().put_bytes_once(key, data)


@pytest.mark.parametrize("ending", ["arrived", "quarantined"])
def test_no_writer_waits_for_a_store(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, ending: str) -> None:
    monkeypatch.setitem(engine_postgres._SERVER_SETTINGS, "lock_timeout", "1s")
    told, store = {"register_url": database_url()}, _WritingStore(tmp_path / "home" / "objects")
    with open_home(tmp_path / "home", **told) as home:
        register = open_register(told["register_url"], store=store, signer=home.ports.signer, chance=home.ports.chance)
        slow = home.with_ports(store=store, register=register)
        store.beside = home
        try:
            recording = slow.offer(track(tmp_path / "card"))
            if ending == "quarantined":
                with register.leasing() as connection:
                    connection.execute(update(schema.jobs).values(attempts=3))
                assert slow.run("fixity", recording) is Result.ASIDE
        finally:
            register.close()
        assert home.story(recording)[-1] == ending


def test_a_transaction_in_which_something_failed_never_looks_committed(tmp_path: Path) -> None:
    with open_home(tmp_path / "home", register_url=database_url()) as home:
        with pytest.raises(RegisterUnavailable):
            _go_on_after_a_failure(home)
        assert home.open_jobs() == []


def _go_on_after_a_failure(home: Home) -> None:
    with home.ports.register.begin() as facts:
        facts.enqueue("index", "rec-a", now=NOON)
        with suppress(SQLAlchemyError):
            facts.connection.exec_driver_sql("SELECT 1 / 0")
