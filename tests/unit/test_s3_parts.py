# SPDX-License-Identifier: Apache-2.0
"""How a large object is cut, and what an ETag can and cannot say of bytes that came back."""

import hashlib

import pytest

from storage.s3.parts import PART_SIZE, EtagCheck, composite, part_size_of
from tests.contract.object_store import some_bytes

TIB = 1 << 40


@pytest.mark.parametrize("size", [0, 1, PART_SIZE, PART_SIZE * 10_000, PART_SIZE * 10_000 + 1, TIB, 40 * TIB])
def test_no_object_has_more_parts_than_a_service_takes(size: int) -> None:
    part = part_size_of(size)
    assert -(-size // part) <= 10_000
    assert 5 << 20 <= part <= 5 << 30
    assert part % (1 << 20) == 0


def md5(data: bytes) -> bytes:
    return hashlib.md5(data, usedforsecurity=False).digest()


def check(data: bytes, etag: str, *, step: int) -> EtagCheck:
    made = EtagCheck(etag, len(data))
    for at in range(0, len(data), step):
        made.update(data[at : at + step])
    return made


@pytest.mark.parametrize("step", [1000, 1 << 20, 1 << 30])
def test_bytes_have_the_etag_they_were_put_under_and_changed_ones_have_not(step: int) -> None:
    small, large = some_bytes(20_000), some_bytes(2 * PART_SIZE + 5)
    parts = [md5(large[at : at + PART_SIZE]) for at in range(0, len(large), PART_SIZE)]
    for data, etag in ((small, md5(small).hex()), (large, composite(parts)), (b"", md5(b"").hex())):
        if len(data) < PART_SIZE or step > 1000:
            assert check(data, etag, step=step).holds()
            assert not data or not check(b"?" + data[1:], etag, step=step).holds()


def test_an_object_of_exactly_one_part_has_one_in_its_etag() -> None:
    data = some_bytes(PART_SIZE)
    assert check(data, composite([md5(data)]), step=1 << 20).holds()


@pytest.mark.parametrize("etag", ["", "abc", "0" * 32 + "-3", "g" * 32, '"' + "0" * 32 + '"'])
def test_an_etag_that_no_md5_of_ours_can_be_tells_nothing(etag: str) -> None:
    assert not EtagCheck(etag, 100).is_usable
