# SPDX-License-Identifier: Apache-2.0
"""This is where text from outside becomes safe to show: no terminal obeys it, and no line of a log ends in it."""

import re

# What ends a line somewhere, moves a terminal's cursor, or turns the direction of text.
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufeff]")
_FOR_TERMINAL = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufeff]"
)


def on_one_line(text: str) -> str:
    """`text` without a character that a reader of lines or a terminal would act on: each is shown by its number."""
    return _CONTROL.sub(_escaped, text)


def for_terminal(text: str) -> str:
    """The same, with its line ends and tabs."""
    return _FOR_TERMINAL.sub(_escaped, text)


def _escaped(match: re.Match[str]) -> str:
    return f"\\u{ord(match.group()):04x}"
