# SPDX-License-Identifier: Apache-2.0
"""This is where a login has its one spelling, and where two logins are found to be read as one.

Letters are those of a keyboard and Chinese characters: a login of other scripts could be made to look like another
one, and who approves or is approved must be told apart by eye.

Source: Unicode Standard Annex 15 (NFKC); Unicode Technical Standard 39 §4 (confusables), of which we need little,
because so few characters are allowed.
"""

import unicodedata
from collections.abc import Iterable

from evidence.errors import BadInput

LONGEST_LOGIN = 64
_SIGNS = frozenset("._-@")
_LETTERS = frozenset("abcdefghijklmnopqrstuvwxyz0123456789")
# In common type 0 is read as o, and 1 as l or as i.
_READINGS = tuple(str.maketrans({"0": "o", "1": letter} | dict.fromkeys("._-")) for letter in "li")


def fold_login(text: str) -> str:
    """The one spelling of a login: width, case and composition of characters make no difference.

    Raises:
        BadInput: no login can be written so.
    """
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text.strip()).casefold())
    is_fit = 1 <= len(folded) <= LONGEST_LOGIN and all(map(_is_allowed, folded))
    if not is_fit or folded[0] in _SIGNS or folded[-1] in _SIGNS:
        raise BadInput(
            f"a login has 1 to {LONGEST_LOGIN} letters (a to z), digits or Chinese characters, with . _ - @ between "
            f"them, not {text[:40]!r}"
        )
    return folded


def looks_like(login: str, others: Iterable[str]) -> str | None:
    """The first of `others` (all folded) that people read as `login`, though it is another one."""
    mine = _read(login)
    return next((one for one in others if one != login and mine & _read(one)), None)


def _read(login: str) -> set[str]:
    return {login.translate(reading) for reading in _READINGS}


def _is_allowed(letter: str) -> bool:
    return letter in _LETTERS or letter in _SIGNS or unicodedata.name(letter, "").startswith("CJK UNIFIED IDEOGRAPH")
