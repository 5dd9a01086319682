# SPDX-License-Identifier: Apache-2.0
"""This is where it is said once what a text may be that comes with a request: its length, and no control characters.

A zero character is no text that every register can hold, and others would move the cursor of whoever reads them.
"""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, StringConstraints

_LINE_MOST, _WORDS_MOST, _ID_MOST = 200, 4000, 80
_LINES = "\n\t"


class Asking(BaseModel):
    """The body of a request: what it does not name is refused, so that a misspelt field is not taken for an absence."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def _in_one_line(text: str) -> str:
    if not text.isprintable():
        raise ValueError("no control characters, no line breaks")
    return text


def _in_lines(text: str) -> str:
    if not all(letter.isprintable() or letter in _LINES for letter in text):
        raise ValueError("no control characters but line breaks")
    return text


Line = Annotated[str, StringConstraints(min_length=1, max_length=_LINE_MOST), AfterValidator(_in_one_line)]
"""A name, number or code: one line."""
Words = Annotated[str, StringConstraints(min_length=1, max_length=_WORDS_MOST), AfterValidator(_in_lines)]
"""A reason or a description, in several lines perhaps."""
Id = Annotated[str, StringConstraints(min_length=1, max_length=_ID_MOST, pattern=r"^[A-Za-z0-9._-]+$")]
"""An id of ours, such as `rec-…` or `cas-…`."""
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
"""A digest: 64 hexadecimal digits."""
