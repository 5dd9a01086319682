# SPDX-License-Identifier: Apache-2.0
"""This is where every remover is held to its promises: an engine joins by giving three fixtures.

class TestMyRemover(RemoverContract):
    @pytest.fixture
    def store(self, …) -> ObjectStore: …        # empty
    @pytest.fixture
    def remover(self, …) -> Remover: …          # of the same place
    @pytest.fixture
    def same_remover(self, …) -> Remover: …     # another handle on it, as another process has
"""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest

from evidence.errors import BadInput, NotFound, Refused
from storage.layout import CHECKPOINT_KEY
from storage.objects import ObjectStore
from storage.removal import MISSING, Remover
from tests.contract.object_store import KEY, ODD_KEYS, OTHER, digest_of, put, some_bytes

NAMESAKES = [f"{KEY}.chunks", f"{KEY}.packets", f"{KEY}e", f"{KEY}/x", KEY[:-1], OTHER]
STAY = [CHECKPOINT_KEY, "log/tile/0/000", "log/checkpoints/001", "details/ab/cd/abcd", f"{KEY}.receipt", "elsewhere/a"]


def now() -> datetime:
    return datetime.now(UTC)


class RemoverContract:
    """The promises of `storage/removal.py`, one test each."""

    def test_what_was_removed_is_gone_for_every_reader_and_can_be_put_anew(
        self, store: ObjectStore, remover: Remover, tmp_path: Path
    ) -> None:
        data = some_bytes(100_000)
        put(store, KEY, data, tmp_path)
        told = remover.remove(KEY, now=now())
        assert told.key == KEY
        assert told.size_bytes == len(data)
        assert told.asked
        assert told.traces == ()
        assert remover.traces(KEY) == ()
        assert not store.exists(KEY)
        assert list(store.keys()) == []
        assert list(store.strays()) == []
        with pytest.raises(NotFound):
            store.read_range(KEY, 0, 1)
        put(store, KEY, data, tmp_path)
        assert store.measure(KEY) == digest_of(data)

    def test_what_was_asked_afterwards_is_told_with_its_answers(self, store: ObjectStore, remover: Remover) -> None:
        store.put_bytes_once(KEY, b"footage")
        told = remover.remove(KEY, now=now())
        assert len(told.asked) >= 2
        assert all(one.answer.startswith((MISSING, "0")) for one in told.asked)

    def test_nothing_but_that_very_key_is_removed(self, store: ObjectStore, remover: Remover) -> None:
        names = [name for name in NAMESAKES if name != f"{KEY}/x"]
        for name in (KEY, *names):
            store.put_bytes_once(name, name.encode())
        remover.remove(KEY, now=now())
        assert sorted(store.keys()) == sorted(names)
        assert all(store.read(name, limit=100) == name.encode() for name in names)

    def test_traces_name_what_stands_and_nothing_else(self, store: ObjectStore, remover: Remover) -> None:
        assert remover.traces(KEY) == ()
        store.put_bytes_once(OTHER, b"other")
        assert remover.traces(KEY) == ()
        store.put_bytes_once(KEY, b"footage")
        assert len(remover.traces(KEY)) == 1

    def test_removing_twice_is_removing_once_and_the_proof_is_made_again(
        self, store: ObjectStore, remover: Remover, same_remover: Remover
    ) -> None:
        store.put_bytes_once(KEY, b"footage")
        remover.remove(KEY, now=now())
        again = same_remover.remove(KEY, now=now())
        assert again.versions == ()
        assert again.asked

    def test_of_four_that_remove_at_once_all_succeed(
        self, store: ObjectStore, remover: Remover, same_remover: Remover
    ) -> None:
        store.put_bytes_once(KEY, b"footage")
        with ThreadPoolExecutor(4) as pool:
            told = list(pool.map(lambda n: (remover, same_remover)[n % 2].remove(KEY, now=now()), range(4)))
        assert any(one.versions for one in told)
        assert all(one.asked for one in told)
        assert not store.exists(KEY)

    def test_an_empty_object_goes_too(self, store: ObjectStore, remover: Remover) -> None:
        store.put_bytes_once(KEY, b"")
        assert remover.remove(KEY, now=now()).size_bytes == 0
        assert not store.exists(KEY)

    @pytest.mark.parametrize("key", STAY)
    def test_what_must_stay_goes_through_no_door(self, store: ObjectStore, remover: Remover, key: str) -> None:
        if key == CHECKPOINT_KEY:
            store.replace(key, b"stays")
        else:
            store.put_bytes_once(key, b"stays")
        with pytest.raises(Refused):
            remover.remove(key, now=now())
        assert store.read(key, limit=10) == b"stays"

    @pytest.mark.parametrize("key", ODD_KEYS, ids=ascii)
    def test_an_odd_key_is_refused(self, remover: Remover, key: str) -> None:
        with pytest.raises(BadInput):
            remover.remove(key, now=now())
        with pytest.raises(BadInput):
            remover.traces(key)
