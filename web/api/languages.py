# SPDX-License-Identifier: Apache-2.0
"""This is where it is found in which language a client wants to be told: English, or Chinese where it prefers that.

Source: RFC 9110 §12.5.4 (Accept-Language).
"""

ENGLISH, CHINESE = "en", "zh-CN"
_LONGEST = 200


def language_of(accepted: str | None) -> str:
    """The language for an `Accept-Language` header: the one of ours with the greatest weight, the first of equals."""
    best, weight = ENGLISH, 0.0
    for part in (accepted or "")[:_LONGEST].split(","):
        tag, _, told = part.partition(";")
        wanted = _ours(tag.strip().lower())
        if wanted is not None and _weight(told) > weight:
            best, weight = wanted, _weight(told)
    return best


def _ours(tag: str) -> str | None:
    primary = tag.partition("-")[0]
    return {"zh": CHINESE, "en": ENGLISH, "*": ENGLISH}.get(primary)


def _weight(told: str) -> float:
    name, _, value = told.strip().partition("=")
    if name.strip() != "q":
        return 1.0
    value = value.strip()
    return float(value) if value.replace(".", "", 1).isdecimal() and value.isascii() else 0.0
