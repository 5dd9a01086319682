# SPDX-License-Identifier: Apache-2.0
"""F13. One bit flips in each of many objects at rest: verify names every one of them, and no other."""

import random
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from evidence.chunk_tree import CHUNK_SIZE
from evidence.verdict import CheckReport, Verdict
from pipeline.audit import verify_all
from pipeline.ports import Ports
from storage import layout
from tests.support.chaos import seeded, times
from tests.support.home import open_home, track
from tests.support.homes import Home, copy_of_home, flip
from tests.support.quick_folder import quick_folder

pytestmark = pytest.mark.timeout(3600)

_AT_ONCE = 25
_ORIGINAL = re.compile(r"originals/../../[0-9a-f]{64}")
_LOG = "log/"


@pytest.fixture
def home() -> Iterator[Home]:
    """Videos, a photo, sound, and as many tracks as make the objects that are wanted."""
    with quick_folder("evd-rot-") as folder:
        home = copy_of_home(folder / "home")
        with open_home(home.path) as opened:
            tracks = [track(folder / "card", f"{number}.gpx", number=number) for number in range(times(22, 160))]
            opened.ingest(folder / "card")
            assert len(opened.recordings()) == len(tracks) + len(home.recordings)
        yield home


def test_one_flipped_bit_in_each_object_is_found_and_named_and_nothing_else_is(home: Home) -> None:
    chance, wanted = seeded("test_one_flipped_bit_in_each_object"), times(200, 1000)
    with home.ports() as ports:
        assert verify_all(ports).findings == (), "a false alarm"
        keys = objects_of(home)
        chance.shuffle(keys)
        keys = keys[:wanted]
        assert len(keys) == wanted
        for damaged in apart(keys):
            damage_and_look(home, ports, damaged, chance)
        assert verify_all(ports).findings == (), "a false alarm at the end"
    print(f"{wanted} of {wanted} objects with one flipped bit were found, 0 others named")


def objects_of(home: Home) -> list[str]:
    """Every object that has a byte."""
    return [key for key in home.keys_at_rest() if (home.objects / key).stat().st_size]


def apart(keys: list[str]) -> Iterator[list[str]]:
    """Some at a time. Of the log one alone: of two that should agree, the other is the witness."""
    log = [key for key in keys if key.startswith(_LOG)]
    rest = [key for key in keys if not key.startswith(_LOG)]
    for start in range(0, len(rest), _AT_ONCE):
        some = rest[start : start + _AT_ONCE]
        yield [*some, log.pop()] if log else some
    yield from ([key] for key in log)


def damage_and_look(home: Home, ports: Ports, damaged: list[str], chance: random.Random) -> None:
    bits = {key: chance.randrange(8 * (home.objects / key).stat().st_size) for key in damaged}
    for key, bit in bits.items():
        flip(home, key, bit)
    report = verify_all(ports)
    assert report.verdict is Verdict.TAMPERED
    named = {one.object for one in report.findings}
    assert named == set(damaged), (set(damaged) - named, named - set(damaged))
    for key in damaged:
        if _ORIGINAL.fullmatch(key) and f"{key}.chunks" not in damaged:
            assert_placed(report, key, bits[key])
    for key, bit in bits.items():
        flip(home, key, bit)


def assert_placed(report: CheckReport, key: str, bit: int) -> None:
    """The finding says in which chunk, and which bytes those are."""
    chunk = bit // 8 // CHUNK_SIZE
    (where,) = (one.where for one in report.findings if one.object == key)
    assert f"64 KiB chunk {chunk} (bytes {chunk * CHUNK_SIZE} to " in where, where


def test_a_flipped_bit_in_each_chunk_of_a_long_original_is_placed_there(home: Home, tmp_path: Path) -> None:
    chance = seeded("test_a_flipped_bit_in_each_chunk")
    path = track(tmp_path, "long.gpx")
    path.write_text(path.read_text() + f"<!-- {random.Random(1).randbytes(9 * CHUNK_SIZE // 2).hex()} -->")
    with open_home(home.path) as opened:
        sha256 = opened.ingest_one(path)["originals"][0]["sha256"]
    key = layout.original_key(sha256)
    with home.ports() as ports:
        for chunk in range(9):
            bit = 8 * (chunk * CHUNK_SIZE + chance.randrange(CHUNK_SIZE)) + chance.randrange(8)
            flip(home, key, bit)
            report = verify_all(ports)
            assert {one.object for one in report.findings} == {key}
            assert_placed(report, key, bit)
            flip(home, key, bit)
