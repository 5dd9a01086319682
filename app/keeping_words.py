# SPDX-License-Identifier: Apache-2.0
"""This is where the reasons of a decision about keeping become sentences, in the language of the person who asks."""

import re
from collections.abc import Mapping
from datetime import tzinfo
from typing import Any

from app.words import word
from evidence import instant

_PERIOD = re.compile(r"(\d+)([DMY])", re.ASCII)


def reason_words(reason: Mapping[str, Any], *, zone: tzinfo, cases: Mapping[str, str]) -> str:
    """One reason as a sentence; `cases` maps ids of cases to their numbers."""
    facts = {name: reason.get(name) for name in ("hold", "condition", "class")}
    what, case = reason.get("what"), reason.get("case")
    return word("reason", reason["code"]).format(
        **facts,
        what=word("awaits", what) if what is not None else "",
        case=cases.get(case, case) if case is not None else "",
        of=_of(reason),
        term=term_words(reason["term"]) if reason.get("term") else "",
        since=moment_words(reason.get("from"), zone),
        until=moment_words(reason.get("until"), zone),
    )


def term_words(text: str) -> str:
    """A term of keeping, as a catalog writes it, in words."""
    if text == "permanent":
        return word("term", "permanent")
    return " ".join(word("term", unit).format(count=count) for count, unit in _PERIOD.findall(text))


def moment_words(text: str | None, zone: tzinfo) -> str:
    """A day and a time in the agency's zone; for good, when there is none."""
    if text is None:
        return word("term", "permanent")
    return instant.from_text(text).astimezone(zone).isoformat(sep=" ", timespec="minutes")


def _of(reason: Mapping[str, Any]) -> str:
    """What says so: an item of a catalog version, or a condition."""
    item, catalog = reason.get("item"), reason.get("catalog")
    return f"{item} ({catalog})" if catalog else str(item or "")
