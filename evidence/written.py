# SPDX-License-Identifier: Apache-2.0
"""This is where what people and their systems write is checked before it is taken down: short, printable, in range."""

import re
from collections.abc import Iterable
from datetime import datetime

from evidence import instant
from evidence.errors import BadInput

LONGEST_LINE = 200
LONGEST_REASON = 2000
_FIRST_YEAR, _LAST_YEAR = 1900, 9000
_DECIMAL = re.compile(r"-?[0-9]{1,3}(\.[0-9]{1,9})?", re.ASCII)


def one_line(text: str, what: str, *, may_be_empty: bool = False) -> str:
    """`text` without outer spaces: one line of at most 200 characters, all printable.

    Raises:
        BadInput: it is not; the message says `what` it would have been.
    """
    line = text.strip()
    if not line and may_be_empty:
        return line
    if not 1 <= len(line) <= LONGEST_LINE or not line.isprintable():
        raise BadInput(f"{what} has 1 to {LONGEST_LINE} characters that can be printed, not {line[:40]!r}")
    return line


def reason(text: str, what: str = "the reason") -> str:
    """`text` without outer spaces: a reason in words, of one line or more, at most 2000 characters.

    Raises:
        BadInput: there is none, it is too long, or it holds what cannot be printed.
    """
    told = text.strip()
    if not told:
        raise BadInput(f"{what} is missing: say why")
    if len(told) > LONGEST_REASON or not all(line.isprintable() for line in told.split("\n")):
        raise BadInput(f"{what} has at most {LONGEST_REASON} characters that can be printed")
    return told


def lines(texts: Iterable[str], what: str, *, most: int) -> tuple[str, ...]:
    """Lines as `one_line` takes them, each once, in their order.

    Raises:
        BadInput: one is no line, or there are more than `most`.
    """
    found = tuple(dict.fromkeys(one_line(text, what) for text in texts))
    if len(found) > most:
        raise BadInput(f"{len(found)} of {what}: at most {most}")
    return found


def moment(told: datetime, what: str) -> datetime:
    """`told`, when it is an instant of this age: a year of three digits is a slip of the pen.

    Raises:
        BadInput: no zone, or a year before 1900 or after 9000.
    """
    if told.tzinfo is None:
        raise BadInput(f"{what} has no zone (write 2026-06-19T10:03:24+08:00)")
    if not _FIRST_YEAR <= told.year <= _LAST_YEAR:
        raise BadInput(f"{what} cannot be in the year {told.year}")
    return told


def span(start: datetime, end: datetime, what: str, *, may_be_empty: bool = False) -> None:
    """Check a window of time.

    Raises:
        BadInput: an end is no instant of this age, or the window ends before it starts (or at its start,
            unless it `may_be_empty`).
    """
    moment(start, f"the start of {what}")
    moment(end, f"the end of {what}")
    if end < start or (end == start and not may_be_empty):
        told = f"{instant.to_text(start)} to {instant.to_text(end)}"
        raise BadInput(f"{what} must end after it starts: {told}", field="end")


def degrees(text: str, what: str, *, limit: int) -> str:
    """Decimal degrees as they are written, such as `28.2282`; text, because a float is never exact.

    Raises:
        BadInput: not decimal degrees with at most nine places, or beyond `limit` on either side.
    """
    told = text.strip()
    # Beyond the limit by the whole number, or by the places after exactly the limit.
    whole, _, places = told.lstrip("-").partition(".")
    if not _DECIMAL.fullmatch(told) or int(whole) > limit or (int(whole) == limit and places.strip("0")):
        raise BadInput(f"{what} is written in decimal degrees from -{limit} to {limit}, not {told[:40]!r}")
    return told
