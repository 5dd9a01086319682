# SPDX-License-Identifier: Apache-2.0
"""Keys are spelt in one place: exact spellings, and nothing odd gets into one."""

from collections.abc import Callable

import pytest

from evidence.errors import BadInput
from storage import layout
from storage.objects import KEY_LIMIT, check_key, check_prefix

SHA = "abcd" + "0123456789" * 6
BY_DIGEST: list[Callable[[str], str]] = [
    layout.original_key,
    layout.chunks_key,
    layout.packets_key,
    layout.receipt_key,
    layout.derivative_key,
    layout.detail_key,
]
LARGEST = 2**63 - 1


def test_the_keys_are_spelt_as_the_table_says() -> None:
    assert layout.original_key(SHA) == f"originals/ab/cd/{SHA}"
    assert layout.chunks_key(SHA) == f"originals/ab/cd/{SHA}.chunks"
    assert layout.packets_key(SHA) == f"originals/ab/cd/{SHA}.packets"
    assert layout.receipt_key(SHA) == f"originals/ab/cd/{SHA}.receipt"
    assert layout.derivative_key(SHA) == f"derivatives/ab/cd/{SHA}"
    assert layout.detail_key(SHA) == f"details/ab/cd/{SHA}"
    assert layout.checkpoint_key(70_000) == "log/checkpoints/x070/000"
    assert layout.token_key(5, "local", SHA) == f"log/tokens/005/local/{SHA}.tsr"


def test_tiles_are_spelt_as_tlog_tiles_spells_them() -> None:
    assert layout.tile_key(0, 1_234_067) == "log/tile/0/x001/x234/067"
    assert layout.tile_key(1, 0) == "log/tile/1/000"
    assert layout.tile_key(0, 999) == "log/tile/0/999"
    assert layout.tile_key(0, 1_000) == "log/tile/0/x001/000"
    assert layout.tile_key(0, 273, width=112) == "log/tile/0/273.p/112"
    assert layout.entries_key(1_000, width=1) == "log/tile/entries/x001/000.p/1"
    assert layout.entries_key(7) == "log/tile/entries/007"


def test_every_key_is_one_that_every_engine_can_hold() -> None:
    keys = [spell(SHA) for spell in BY_DIGEST]
    keys += [
        layout.CHECKPOINT_KEY,
        layout.tile_key(63, LARGEST, width=255),
        layout.entries_key(LARGEST, width=255),
        layout.checkpoint_key(LARGEST),
        layout.token_key(LARGEST, "a" * 40, SHA),
    ]
    for key in keys:
        assert check_key(key) == key
        assert key == key.lower()
        assert len(key.encode()) <= KEY_LIMIT
    assert len(set(keys)) == len(keys)


def test_no_key_is_the_folder_of_another() -> None:
    keys = {layout.checkpoint_key(n) for n in range(0, 3_000_000, 997)}
    keys |= {layout.tile_key(0, n, width=w) for n in range(0, 2_000, 7) for w in (1, 255, 256)}
    keys |= {layout.token_key(n, "local", SHA) for n in range(0, 3_000_000, 99_991)}
    folders = {key.rpartition("/")[0] for key in keys}
    while folders:
        assert not keys & folders
        folders = {folder.rpartition("/")[0] for folder in folders if "/" in folder}


def test_the_prefixes_begin_their_keys() -> None:
    assert layout.original_key(SHA).startswith(check_prefix(layout.ORIGINALS_PREFIX))
    assert layout.checkpoint_key(5).startswith(check_prefix(layout.CHECKPOINTS_PREFIX))
    assert layout.token_key(5, "local", SHA).startswith(check_prefix(layout.token_prefix(5)))
    assert layout.token_key(5, "local", SHA).startswith(check_prefix(layout.TOKENS_PREFIX))


def test_only_the_newest_checkpoint_is_a_pointer() -> None:
    assert layout.is_pointer(layout.CHECKPOINT_KEY)
    assert not any(layout.is_pointer(spell(SHA)) for spell in BY_DIGEST)
    assert not layout.is_pointer(layout.checkpoint_key(1))


def test_the_original_is_read_back_from_its_key_and_from_no_other() -> None:
    assert layout.original_of(layout.original_key(SHA)) == SHA
    for key in (layout.chunks_key(SHA), layout.derivative_key(SHA), f"originals/ab/ce/{SHA}", f"x/{SHA}"):
        assert layout.original_of(key) is None


@pytest.mark.parametrize("spell", BY_DIGEST)
@pytest.mark.parametrize("text", ["", SHA[:-1], SHA + "0", SHA.upper(), "../" + SHA[3:], SHA[:-1] + "\n", "１" * 64])
def test_what_is_no_digest_becomes_no_key(spell: Callable[[str], str], text: str) -> None:
    with pytest.raises(BadInput):
        spell(text)


@pytest.mark.parametrize("name", ["", "A", "a/b", "..", "-a", "a-", "a.b", "a" * 41, "ä"])
def test_what_is_no_short_name_of_an_authority_becomes_no_key(name: str) -> None:
    with pytest.raises(BadInput):
        layout.token_key(1, name, SHA)


@pytest.mark.parametrize("index", [-1, 2**63])
def test_what_is_no_index_becomes_no_key(index: int) -> None:
    for call in (layout.entries_key, layout.checkpoint_key, layout.token_prefix):
        with pytest.raises(BadInput):
            call(index)
    with pytest.raises(BadInput):
        layout.tile_key(0, index)


def test_what_is_no_level_or_width_becomes_no_key() -> None:
    for level in (-1, 64):
        with pytest.raises(BadInput):
            layout.tile_key(level, 0)
    for width in (-1, 0, 257):
        with pytest.raises(BadInput):
            layout.tile_key(0, 0, width=width)
