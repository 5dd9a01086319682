# SPDX-License-Identifier: Apache-2.0
"""This is where sentences for people are looked up by code, in Chinese or English.

`EVIDOCK_LANG` decides, else the terminal's locale: anything that begins with `zh` is Chinese.
"""

import json
import os
from collections.abc import Mapping
from functools import cache
from pathlib import Path

_LOCALES = Path(__file__).parent / "locales"
LANGUAGES = ("en", "zh-CN")


def language(environment: Mapping[str, str] | None = None) -> str:
    """The language of the person at this terminal: one of `LANGUAGES`."""
    told = os.environ if environment is None else environment
    wanted = next((told[name] for name in ("EVIDOCK_LANG", "LC_ALL", "LC_MESSAGES", "LANG") if told.get(name)), "")
    return "zh-CN" if wanted.lower().startswith("zh") else "en"


@cache
def sentences(wanted: str) -> Mapping[str, str]:
    """All sentences of a language, by code."""
    found: Mapping[str, str] = json.loads((_LOCALES / f"{wanted}.json").read_text("utf-8"))
    return found


def word(kind: str, code: str) -> str:
    """The sentence for `kind.code` (such as `error.not-media`, `state.sealed`); the code when there is none."""
    return word_in(language(), kind, code)


def word_in(wanted: str, kind: str, code: str) -> str:
    """As `word`, in a language that somebody else chose."""
    return sentences(wanted).get(f"{kind}.{code}", code)
