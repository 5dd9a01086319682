# SPDX-License-Identifier: Apache-2.0
"""This is where a JSON value has exactly one spelling in bytes, so that it can be hashed and signed.

The form is RFC 8785 without floating point: media time is exact text elsewhere, so no float is ever needed.
"""

import json
from collections.abc import Mapping

from evidence.errors import RecordMalformed

MAX_DEPTH = 64
MAX_INT = 2**53 - 1  # what every JSON reader holds exactly (RFC 8785 §3.1, RFC 7493 §2.2)
_MAX_INT_CHARS = len(str(-MAX_INT))


def dumps(value: object) -> bytes:
    """The one canonical spelling of `value`: sorted keys, no spaces, shortest escapes, UTF-8.

    Takes mappings (str keys), list, tuple, str, int, bool and None, nested at most `MAX_DEPTH` deep.

    Raises:
        RecordMalformed: a float, an integer beyond 2**53 - 1, another type, a lone surrogate, or too deep.

    Source: RFC 8785 §3.2 (escapes §3.2.2.2, order of keys by UTF-16 code units §3.2.3).
    """
    try:
        text = json.dumps(_ordered(value, 0), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        return text.encode()
    except UnicodeEncodeError as error:
        raise RecordMalformed("a lone surrogate is not text") from error


def loads(data: bytes) -> object:
    """The value whose canonical spelling is exactly `data`; dict, list, str, int, bool or None.

    Raises:
        RecordMalformed: not JSON, not UTF-8, a key twice, a float, NaN, an integer out of range, too deep,
            or a spelling other than the canonical one.

    Source: RFC 8785 §3; duplicate keys RFC 7493 §2.3.
    """
    try:
        value: object = json.loads(
            data.decode(),
            object_pairs_hook=_object,
            parse_int=_integer,
            parse_float=_refused_number,
            parse_constant=_refused_number,
        )
    except UnicodeDecodeError as error:
        raise RecordMalformed("JSON is not UTF-8") from error
    except RecursionError as error:
        raise RecordMalformed(f"JSON is nested deeper than {MAX_DEPTH}") from error
    except json.JSONDecodeError as error:
        raise RecordMalformed(f"not JSON: {error}") from error
    # A parser forgives spaces, escapes and order; only writing it again shows them.
    if dumps(value) != data:
        raise RecordMalformed("JSON is not in its canonical form")
    return value


def _ordered(value: object, depth: int) -> object:
    """`value` with every object's keys in order, once each part of it is known to be allowed."""
    if depth > MAX_DEPTH:
        raise RecordMalformed(f"JSON is nested deeper than {MAX_DEPTH}")
    if isinstance(value, Mapping):
        keys = sorted(value, key=_utf16)
        return {key: _ordered(value[key], depth + 1) for key in keys}
    if isinstance(value, list | tuple):
        return [_ordered(item, depth + 1) for item in value]
    if isinstance(value, int):
        _check_range(value)
    elif value is not None and not isinstance(value, str):
        raise RecordMalformed(f"{type(value).__name__} has no canonical JSON form")
    return value


def _utf16(key: object) -> bytes:
    if not isinstance(key, str):
        raise RecordMalformed(f"an object's key must be text, not {type(key).__name__}")
    return key.encode("utf-16-be")


def _check_range(number: int) -> None:
    if abs(number) > MAX_INT:
        raise RecordMalformed(f"an integer beyond 2**53 - 1 ({number.bit_length()} bits)")


def _integer(text: str) -> int:
    # Measured before converting: Python itself refuses very long digits with an error of its own.
    if len(text) > _MAX_INT_CHARS:
        raise RecordMalformed(f"an integer beyond 2**53 - 1 ({len(text)} characters)")
    return int(text)


def _refused_number(text: str) -> object:
    raise RecordMalformed(f"not an integer: {text[:40]}")


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise RecordMalformed("an object names a key twice")
    return found
