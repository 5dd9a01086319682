# SPDX-License-Identifier: Apache-2.0
"""This is where tests take the default catalog's text and change it, one place at a time."""

import pytest

from evidence.errors import BadInput
from pipeline.catalogs.load import DEFAULT, parse_catalog

NAME = "c.yaml"


def edited(*changes: tuple[str, str]) -> bytes:
    """The default catalog with the first occurrence of each text replaced; each must be there."""
    text = DEFAULT.read_text("utf-8")
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new, 1)
    return text.encode()


def line_of(data: bytes, words: str) -> int:
    """The number of the first line that holds these words."""
    return next(number for number, line in enumerate(data.decode().splitlines(), start=1) if words in line)


def refusal_of(data: bytes) -> BadInput:
    """The error that a catalog of this text is refused with."""
    with pytest.raises(BadInput) as refused:
        parse_catalog(data, name=NAME)
    return refused.value
