# SPDX-License-Identifier: Apache-2.0
"""This is where tiles and bundles of the custody log are changed at rest, and each change is named."""

import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from evidence.merkle import leaf_hash
from storage.layout import CHECKPOINT_KEY, checkpoint_key, entries_key, tile_key
from storage.log_check import check_log
from storage.objects_file import DirectoryStore
from storage.tiles import pack_bundle, split_bundle
from tests.support.custody_log import (
    ORIGIN,
    SIZE,
    VERIFIER,
    at_rest,
    change,
    check,
    entries,
    flip,
    found,
    opened,
    published,
    put_back,
    remove,
)


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("sound") / "store"
    published(root)
    return root


@pytest.fixture
def store(tmp_path: Path, sound: Path) -> DirectoryStore:
    return DirectoryStore(Path(shutil.copytree(sound, tmp_path / "store")))


def with_entry(place: int, entry: bytes) -> Callable[[bytes], bytes]:
    def forge(bundle: bytes) -> bytes:
        all_of_them = split_bundle(bundle, min(256, bundle.count(b"entry")))
        return pack_bundle([*all_of_them[:place], entry, *all_of_them[place + 1 :]])

    return forge


def with_hash(place: int, value: bytes) -> Callable[[bytes], bytes]:
    return lambda tile: tile[: 32 * place] + value + tile[32 * place + 32 :]


def test_40_one_changed_entry_in_a_full_bundle_is_named(store: DirectoryStore) -> None:
    change(store, entries_key(1), with_entry(17, b"entry XXX"))
    assert found(store) == [
        (entries_key(1), "altered", "entry 273 is not hash 17 of log/tile/0/001"),
    ]


def test_40_one_changed_entry_in_the_open_bundle_is_named(store: DirectoryStore) -> None:
    change(store, entries_key(2, width=88), with_entry(3, b"entry XXX"))
    assert found(store) == [
        (entries_key(2, width=88), "altered", "entry 515 is not hash 3 of log/tile/0/002.p/88"),
    ]


def test_40_one_changed_hash_in_a_full_tile_is_named(store: DirectoryStore) -> None:
    change(store, tile_key(0, 1), with_hash(17, bytes(32)))
    assert found(store) == [(tile_key(0, 1), "altered", "hash 17 = entry 273")]


def test_40_one_changed_hash_in_the_partial_tile_is_named(store: DirectoryStore) -> None:
    change(store, tile_key(0, 2, width=88), with_hash(3, bytes(32)))
    assert found(store) == [(tile_key(0, 2, width=88), "altered", "hash 3 = entry 515")]


def test_40_one_changed_hash_in_a_higher_tile_is_named(store: DirectoryStore) -> None:
    change(store, tile_key(1, 0, width=2), with_hash(1, bytes(32)))
    assert found(store) == [(tile_key(1, 0, width=2), "altered", "hash 1 = entries 256 to 511")]


def test_40_an_entry_changed_together_with_its_hash_is_named_by_the_tile_above(store: DirectoryStore) -> None:
    change(store, entries_key(1), with_entry(17, b"entry XXX"))
    change(store, tile_key(0, 1), with_hash(17, leaf_hash(b"entry XXX")))
    findings = found(store)
    assert (
        entries_key(1),
        "altered",
        "entries 256 to 511 do not lead to hash 1 of log/tile/1/000.p/2",
    ) in findings
    # The narrower bundle and tile of 400 entries, which the thief forgot, contradict the forgery too.
    assert {name for name, _, _ in findings} <= {
        entries_key(1),
        entries_key(1, width=144),
        tile_key(0, 1, width=144),
    }


def test_40_an_entry_changed_with_every_hash_above_it_is_bounded_by_the_checkpoints(tmp_path: Path) -> None:
    store, forged = published(tmp_path / "store"), tmp_path / "forged"
    other = DirectoryStore(forged)
    opened(other).publish([*entries(273), b"entry XXX", *entries(326, start=274)], at=0)
    for key in list(store.keys("log/tile/")):
        if other.exists(key):
            put_back(store, key, other.read(key, limit=1 << 20))
    findings = found(store)
    wrong = [name for name, what, _ in findings if what == "another-root"]
    assert wrong == [checkpoint_key(400), CHECKPOINT_KEY, checkpoint_key(SIZE)]
    assert all("agrees up to size 256" in where for _, what, where in findings if what == "another-root")


def test_40_a_wrong_length_prefix_is_named(store: DirectoryStore) -> None:
    change(store, entries_key(1), lambda bundle: b"\xff\xff" + bundle[2:])
    ((name, what, where),) = found(store)
    assert (name, what) == (entries_key(1), "misshapen")
    assert where.startswith("from entry 256 on")


def test_40_a_truncated_bundle_and_one_with_extra_bytes_are_named(store: DirectoryStore) -> None:
    whole = store.read(entries_key(1), limit=1 << 20)
    for forged, place in [(whole[:-1], 511), (whole[:-200], 493), (whole + b"x", 512), (b"", 256)]:
        put_back(store, entries_key(1), forged)
        ((name, what, where),) = found(store)
        assert (name, what) == (entries_key(1), "misshapen")
        assert where.startswith(f"from entry {place} on"), where


def test_40_a_tile_of_the_wrong_length_is_named(store: DirectoryStore) -> None:
    for key in (tile_key(0, 1), tile_key(0, 2, width=88), tile_key(1, 0, width=2)):
        before = store.read(key, limit=1 << 20)
        for forged in (before[:-1], before + b"x", before + bytes(32), b""):
            put_back(store, key, forged)
            findings = found(store)
            assert (key, "misshapen" if len(forged) <= 8192 else "unreadable") in [one[:2] for one in findings]
            assert {name for name, _, _ in findings} == {key}
        put_back(store, key, before)


def test_40_a_missing_object_of_any_kind_is_named_once(store: DirectoryStore) -> None:
    for key, where in [
        (entries_key(0), "entries 0 to 255"),
        (tile_key(0, 1), "entries 256 to 511"),
        (entries_key(2, width=88), "entries 512 to 599"),
        (tile_key(0, 2, width=88), "entries 512 to 599"),
        (tile_key(1, 0, width=2), "entries 0 to 511"),
    ]:
        data = store.read(key, limit=1 << 20)
        remove(store, key)
        assert found(store) == [(key, "missing", where)]
        store.put_bytes_once(key, data)
    assert found(store) == []


def test_40_a_bundle_missing_with_its_tile_is_two_missing_objects_and_nothing_more(
    store: DirectoryStore,
) -> None:
    remove(store, entries_key(1), tile_key(0, 1))
    missing = [(key, "missing", "entries 256 to 511") for key in (entries_key(1), tile_key(0, 1))]
    assert found(store) == missing


def test_40_a_partial_object_long_outgrown_is_still_held_to_the_full_one(store: DirectoryStore) -> None:
    for key, other in [
        (tile_key(0, 0, width=100), tile_key(0, 0)),
        (entries_key(1, width=144), entries_key(1)),
    ]:
        before = store.read(key, limit=1 << 20)
        change(store, key, flip(70))
        assert found(store) == [(key, "altered", f"it does not agree with {other}")]
        put_back(store, key, before)


def test_40_a_link_in_the_place_of_a_tile_is_named(store: DirectoryStore, tmp_path: Path) -> None:
    with store.local_file(tile_key(0, 1)) as path:
        shutil.move(path, tmp_path / "elsewhere")
        path.symlink_to(tmp_path / "elsewhere")
    ((name, what, where),) = found(store)
    assert (name, what) == (tile_key(0, 1), "unreadable")
    assert "entries 256 to 511" in where


def test_40_two_entries_swapped_are_both_named(store: DirectoryStore) -> None:
    def swap(bundle: bytes) -> bytes:
        one, other, *rest = split_bundle(bundle, 256)
        return pack_bundle([other, one, *rest])

    change(store, entries_key(0), swap)
    assert [where.split(" is")[0] for _, _, where in found(store)] == ["entry 0", "entry 1"]


def test_objects_that_no_log_has_are_named(store: DirectoryStore) -> None:
    strange = [
        "log/tile/0/1",
        "log/tile/0/x000/001",
        "log/tile/00/001",
        "log/tile/0/001.p/256",
        "log/tile/0/001.p/08",
        "log/tile/64/000",
        "log/tile/entries/002.p/0",
        "log/readme",
        "log/checkpoints/x000/600",
        "log/checkpoints/latest",
    ]
    for key in strange:
        store.put_bytes_once(key, b"")
    assert {(name, what) for name, what, _ in found(store)} == {(key, "unexpected") for key in strange}


def test_a_changed_entry_is_never_visited(store: DirectoryStore) -> None:
    change(store, entries_key(1), with_entry(17, b"entry XXX"))
    seen: dict[int, bytes] = {}
    check_log(store, [VERIFIER], origin=ORIGIN, visit=seen.__setitem__)
    assert seen == {index: b"entry %d" % index for index in range(SIZE) if index != 273}


def test_every_byte_flipped_anywhere_in_a_small_log_is_found_and_its_object_named(tmp_path: Path) -> None:
    store = published(tmp_path, 1, 3)
    for key in sorted(store.keys("log/")):
        data = store.read(key, limit=1 << 20)
        for at in range(len(data)):
            change(store, key, flip(at))
            named = {name for name, _, _ in found(store)}
            assert key in named, (key, at)
            put_back(store, key, data)
    assert found(store) == []


def test_one_bit_flipped_in_any_object_of_a_larger_log_names_that_object_alone(store: DirectoryStore) -> None:
    chance = random.Random(7)
    for key in sorted(store.keys("log/")):
        data = store.read(key, limit=1 << 20)
        change(store, key, flip(chance.randrange(len(data))))
        assert {name for name, _, _ in found(store)} == {key}
        put_back(store, key, data)


def test_40_an_outgrown_object_cut_short_or_lengthened_is_named(store: DirectoryStore) -> None:
    for key in (tile_key(0, 0, width=100), entries_key(1, width=144)):
        before = store.read(key, limit=1 << 20)
        for forged in (b"", before[:-1], before[:32], before + b"x"):
            put_back(store, key, forged)
            assert [one[:2] for one in found(store)] == [(key, "misshapen")]
        put_back(store, key, before)


@pytest.mark.parametrize("seed", range(40))
def test_any_few_objects_changed_cut_swapped_or_taken_away_are_found_and_never_crash_the_audit(
    store: DirectoryStore, seed: int
) -> None:
    chance = random.Random(seed)
    before = at_rest(store)
    needed = {entries_key(0), entries_key(1), tile_key(0, 0), tile_key(0, 1), CHECKPOINT_KEY}
    for key in chance.sample(sorted(before), chance.randint(1, 4)):
        data, other = before[key], before[chance.choice(sorted(before))]
        ways = [flip(chance.randrange(len(data)))(data), data[: chance.randrange(len(data))]]
        ways += [data + b"\0", bytes(len(data)), b"", *([other] if other != data else [])]
        put_back(store, key, chance.choice(ways))
        if key in needed and chance.random() < 0.3:
            remove(store, key)
    assert check(store).findings
