# SPDX-License-Identifier: Apache-2.0
"""This is where media time is exact: rational seconds, never floats.

Position 0 of a recording is the first instant a player shows (source edit lists applied).
"""

import re
from dataclasses import dataclass
from fractions import Fraction

from evidence.errors import BadInput

_OFFSET = re.compile(r"(?:(?:(\d+):)?(\d{1,2}):)?(\d+)(?:\.(\d+))?")
_RATIONAL = re.compile(r"-?[0-9]{1,300}(?:/[0-9]{1,300})?", re.ASCII)


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """Half-open span `[start, end)` of media time, in exact seconds; `end` is never before `start`."""

    start: Fraction
    end: Fraction

    def __post_init__(self) -> None:
        if self.end < self.start:
            raise BadInput(f"a span cannot end before it starts: {self.start} … {self.end}")

    @property
    def length(self) -> Fraction:
        """Seconds from start to end."""
        return self.end - self.start

    def overlaps(self, other: "Span") -> bool:
        """True when the two spans share an instant."""
        return self.start < other.end and other.start < self.end


def to_text(seconds: Fraction) -> str:
    """Exact text of `seconds`: an integer, or numerator/denominator in lowest terms."""
    return str(seconds)


def from_text(text: str) -> Fraction:
    """The rational that `to_text` wrote.

    Raises:
        BadInput: the text is not an integer or a fraction.

    """
    # Fraction takes more than that: an exponent of nine digits would keep it busy until memory is gone.
    if not _RATIONAL.fullmatch(text):
        raise BadInput(f"not a rational number of seconds: {text[:80]!r}")
    try:
        return Fraction(text)
    except ZeroDivisionError as error:
        raise BadInput(f"not a rational number of seconds: {text!r}") from error


def parse_offset(text: str) -> Fraction:
    """Seconds for an offset into a recording, written `31.5`, `00:31.5` or `1:02:03.25`.

    Raises:
        BadInput: the text is of another form.

    """
    match = _OFFSET.fullmatch(text.strip())
    if match is None:
        raise BadInput(f"not an offset into a recording: {text!r} (write 31.5, 00:31.5 or 1:02:03.25)")
    hours, minutes, seconds, decimals = match.groups()
    whole = int(hours or 0) * 3600 + int(minutes or 0) * 60 + int(seconds)
    return Fraction(whole) + (Fraction(int(decimals), 10 ** len(decimals)) if decimals else 0)


def show(seconds: Fraction) -> str:
    """`seconds` for people, to the millisecond: `01:02:03.250`."""
    sign = "-" if seconds < 0 else ""
    milliseconds = round(abs(seconds) * 1000)
    whole, rest = divmod(milliseconds, 1000)
    return f"{sign}{whole // 3600:02d}:{whole // 60 % 60:02d}:{whole % 60:02d}.{rest:03d}"
