# SPDX-License-Identifier: Apache-2.0
"""This is where canonical JSON is held against the `rfc8785` package and against hostile spellings."""

import contextlib
from typing import Any

import pytest
import rfc8785
from hypothesis import given, settings
from hypothesis import strategies as st

from evidence.canonical_json import MAX_DEPTH, MAX_INT, dumps, loads
from evidence.errors import RecordMalformed

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-MAX_INT, MAX_INT) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=200, deadline=None)
@given(VALUES)
def test_every_value_is_spelt_as_the_rfc8785_package_spells_it(value: Any) -> None:
    assert dumps(value) == rfc8785.dumps(value)


@settings(max_examples=100, deadline=None)
@given(VALUES)
def test_what_was_written_is_read_back(value: Any) -> None:
    assert loads(dumps(value)) == value


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=40))
def test_any_bytes_are_read_canonically_or_refused_as_malformed(data: bytes) -> None:
    with contextlib.suppress(RecordMalformed):
        assert dumps(loads(data)) == data


def test_keys_are_ordered_by_utf16_units_so_an_emoji_comes_before_a_high_bmp_letter() -> None:
    assert dumps({"\ufb33": 1, "\U0001f600": 2}) == '{"\U0001f600":2,"\ufb33":1}'.encode()


def test_escapes_are_the_shortest_and_hexadecimal_is_lower_case() -> None:
    assert dumps('\x00\x1f\x7f"\\/\b\f\n\r\t€') == b'"\\u0000\\u001f\x7f\\"\\\\/\\b\\f\\n\\r\\t\xe2\x82\xac"'


@pytest.mark.parametrize("value", [0.5, 1.0, float("nan"), b"x", {1: 2}, {None: 1}, object(), {1, 2}])
def test_a_value_without_a_canonical_form_is_refused(value: object) -> None:
    with pytest.raises(RecordMalformed):
        dumps({"nested": [value]})


@pytest.mark.parametrize("number", [MAX_INT + 1, -MAX_INT - 1, 10**400])
def test_an_integer_beyond_two_to_the_53_is_refused(number: int) -> None:
    with pytest.raises(RecordMalformed, match="2\\*\\*53"):
        dumps(number)


@pytest.mark.parametrize("value", ["\ud800", {"\udfff": 1}, ["a\udc80"]])
def test_a_lone_surrogate_is_refused(value: object) -> None:
    with pytest.raises(RecordMalformed, match="surrogate"):
        dumps(value)


def test_nesting_is_allowed_to_the_limit_and_no_deeper() -> None:
    deepest = b"[" * MAX_DEPTH + b"1" + b"]" * MAX_DEPTH
    assert dumps(loads(deepest)) == deepest
    with pytest.raises(RecordMalformed, match="deeper"):
        loads(b"[" + deepest + b"]")


def test_a_million_brackets_are_refused_without_exhausting_the_stack() -> None:
    with pytest.raises(RecordMalformed, match="deeper"):
        loads(b"[" * 1_000_000)


def test_a_value_that_contains_itself_is_refused() -> None:
    loop: list[object] = []
    loop.append(loop)
    with pytest.raises(RecordMalformed, match="deeper"):
        dumps(loop)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b'{"a":1,"a":2}', "a key twice"),
        (b'{"a":1,"\\u0061":1}', "a key twice, once escaped"),
        (b"NaN", "NaN"),
        (b"-Infinity", "infinity"),
        (b"1.5", "a float"),
        (b"1.0", "a whole float"),
        (b"1e3", "an exponent"),
        (b"-0", "minus zero"),
        (b"01", "a leading zero"),
        (b"9007199254740993", "2**53 + 1"),
        (b"1" * 5000, "five thousand digits"),
        (b' {"a":1}', "a space before"),
        (b'{"a": 1}', "a space inside"),
        (b'{"a":1}\n', "a newline after"),
        (b'{"b":1,"a":2}', "keys out of order"),
        (b'"\\u0061"', "a needless escape"),
        (b'"\\/"', "an escaped slash"),
        (b'"\\u000A"', "a long escape where a short one exists"),
        (b'"\\ud800"', "a lone surrogate, escaped"),
        (b'"\xed\xa0\x80"', "a surrogate in UTF-8"),
        (b'"\xff"', "not UTF-8"),
        (b"\xef\xbb\xbf1", "a byte-order mark"),
        (b'"\x01"', "a bare control character"),
        (b'{"a":1}{}', "two values"),
        (b"", "nothing"),
        (b"{", "an unfinished object"),
        (b"nul", "an unfinished word"),
    ],
)
def test_another_spelling_is_refused(data: bytes, why: str) -> None:
    with pytest.raises(RecordMalformed):
        loads(data)


@pytest.mark.parametrize(
    ("data", "reason"),
    [(b'{"a":1,"a":2}', "a key twice"), (b"1.5", "not an integer: 1.5"), (b"NaN", "not an integer: NaN")],
)
def test_the_reason_for_a_refusal_is_told(data: bytes, reason: str) -> None:
    with pytest.raises(RecordMalformed, match=reason):
        loads(data)
