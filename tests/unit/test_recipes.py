# SPDX-License-Identifier: Apache-2.0
"""This is where a recipe is written and read back, and tells two ways of making apart."""

import dataclasses
from typing import Any

import pytest

from evidence.errors import RecordMalformed
from pipeline.media.recipes import Recipe, from_json

RECIPE = Recipe("proxy-480p/v1", "ffmpeg", "5.1.9", ("-i", "{input}", "proxy.mp4"), "ab" * 32)


def test_a_recipe_reads_back_as_it_was_written() -> None:
    assert from_json(RECIPE.to_json()) == RECIPE


def test_a_recipe_has_one_spelling() -> None:
    assert RECIPE.to_json() == (
        b'{"arguments":["-i","{input}","proxy.mp4"],"id":"proxy-480p/v1","input":"' + b"ab" * 32 + b'",'
        b'"tool":"ffmpeg","version":"5.1.9"}'
    )


@pytest.mark.parametrize(
    "change",
    [
        {"id": "proxy-480p/v2"},
        {"version": "9.0"},
        {"arguments": ("-i", "{input}", "other.mp4")},
        {"input_sha256": "cd" * 32},
    ],
)
def test_any_difference_gives_another_key(change: dict[str, Any]) -> None:
    assert dataclasses.replace(RECIPE, **change).key != RECIPE.key


@pytest.mark.parametrize(
    "data",
    [
        b"{}",
        b"[]",
        RECIPE.to_json() + b" ",
        RECIPE.to_json().replace(b'"5.1.9"', b"5"),
        RECIPE.to_json().replace(b'["-i","{input}","proxy.mp4"]', b'"-i"'),
        RECIPE.to_json().replace(b'"-i"', b"1"),
        RECIPE.to_json().replace(b"proxy-480p/v1", b"proxy"),
        RECIPE.to_json().replace(b"abab", b"ABAB"),
    ],
)
def test_a_malformed_recipe_is_refused(data: bytes) -> None:
    with pytest.raises(RecordMalformed):
        from_json(data)
