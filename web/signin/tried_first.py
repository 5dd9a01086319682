# SPDX-License-Identifier: Apache-2.0
"""This is where passwords are refused that others try first: common words, rows of a keyboard, what is known of one.

A list of the thousands of most common passwords is a few hundred words in dress: digits before and after, letters
written as digits, a word twice. We undress, and keep the words.

Source: NIST SP 800-63B §3.1.1.2; OWASP ASVS 5.0 V6.2.4, V6.2.11.
"""

import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from string import punctuation

import yaml

_DATA = Path(__file__).parents[1] / "data" / "tried_first.yaml"
_AS_LETTERS = tuple(
    str.maketrans({"0": "o", "1": one, "3": "e", "4": "a", "5": "s", "7": "t", "@": "a", "$": "s", "!": one})
    for one in "il"
)
_ROWS = ("1234567890", "qwertyuiop", "asdfghjkl", "zxcvbnm", "abcdefghijklmnopqrstuvwxyz", "1qaz2wsx3edc4rfv5tgb6yhn")
_DRESS = "0123456789" + punctuation + " "
_EDGE = 2  # so many digits at either end may be letters
_SHORTEST_KNOWN = 3
_FEW = 4  # so few different characters are no secret, however long


@cache
def _words() -> frozenset[str]:
    return frozenset(yaml.safe_load(_DATA.read_text("utf-8"))["words"].split())


def is_tried_first(password: str, *, known: Iterable[str] = ()) -> bool:
    """True for a password that is tried first. `known`: what others know of the person, such as the login."""
    folded = password.casefold()
    if len(set(folded)) <= _FEW or _is_row(folded):
        return True
    words = _words() | {one.casefold() for one in known if len(one) >= _SHORTEST_KNOWN}
    return any(_is_made_of(bare, words) for bare in _undressed(folded))


def _is_row(text: str) -> bool:
    """True for a stretch of a row of keys, forwards, backwards, or again and again; digits alone are a date."""
    if text.isdecimal():
        return True
    rows = [row * 4 for row in _ROWS]
    return any(text in row or text in row[::-1] for row in rows)


def _undressed(text: str) -> set[str]:
    """What a text may be a dress of: less of what stands around its letters, with letters for what is read as one."""
    first = len(text) - len(text.lstrip(_DRESS))
    last = len(text.rstrip(_DRESS))
    # A digit at the edge may be dress, or the last letter of the word: both are tried.
    starts, ends = range(max(0, first - _EDGE), first + 1), range(last, min(len(text), last + _EDGE) + 1)
    bare = {text} | {text[start:end] for start in starts for end in ends if start < end}
    return bare | {one.translate(letters) for one in bare for letters in _AS_LETTERS}


def _is_made_of(text: str, words: frozenset[str]) -> bool:
    """True for a word, or a few of them one after the other with nothing but digits and signs between them."""
    return any(_is_split(part, words) for part in [re.sub(r"[\W\d_]+", "", text)] if part)


def _is_split(text: str, words: frozenset[str], *, most: int = 2) -> bool:
    if text in words:
        return True
    return most > 1 and any(
        text.startswith(one) and _is_split(text[len(one) :], words, most=most - 1)
        for one in words
        if len(one) < len(text)
    )
