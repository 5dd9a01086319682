# SPDX-License-Identifier: Apache-2.0
"""PostgreSQL cuts off who rests inside a transaction: long work of ours does not."""

import time
from pathlib import Path

import pytest

from app.backup import make_backup
from storage.objects_file import DirectoryStore
from storage.register import engine_postgres
from storage.register.rebuild import rebuild
from storage.register.register import open_register
from tests.support.home import open_home
from tests.support.postgres import database_url


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Servers' sessions that are cut off after a second of idleness in a transaction, instead of ten."""
    monkeypatch.setitem(engine_postgres._SERVER_SETTINGS, "idle_in_transaction_session_timeout", "1s")


class _SlowStore(DirectoryStore):
    """A store in a folder that takes a third of a second for each reading."""

    def read(self, key: str, *, limit: int) -> bytes:
        time.sleep(0.35)
        return super().read(key, limit=limit)


def test_a_backup_onto_a_slow_disk_is_not_cut_off(impatient: None, tmp_path: Path) -> None:
    def rest(_: float) -> None:
        if not rested:
            rested.append(1.5)
            time.sleep(1.5)

    rested: list[float] = []
    with open_home(tmp_path / "home", register_url=database_url()) as home:
        home.add_device("A1")
        target, ports, settings = tmp_path / "backup", home.ports, home.settings
        made = make_backup(target, ports=ports, settings=settings, with_keys=True, with_objects=False, progress=rest)
    assert (made.manifest.events, rested) == (1, [1.5])


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
