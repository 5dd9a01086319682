# SPDX-License-Identifier: Apache-2.0
"""This is where a term of keeping is counted: days, months or years on a calendar, or for good."""

import calendar
import re
from dataclasses import dataclass
from datetime import datetime, timedelta

from evidence.errors import BadInput

_PERIOD = re.compile(r"P([1-9][0-9]{0,4})([DMY])", re.ASCII)
_LONGEST_YEARS = 1000
_SHORTEST = 28


@dataclass(frozen=True, slots=True)
class Term:
    """A period that begins at an instant; permanent when it has neither months nor days."""

    months: int = 0
    days: int = 0

    @property
    def is_permanent(self) -> bool:
        """True when it never ends."""
        return not (self.months or self.days)

    def end(self, start: datetime) -> datetime | None:
        """The instant it ends, None when it does not. A day that a month lacks is that month's last one."""
        if self.is_permanent:
            return None
        months = start.year * 12 + start.month - 1 + self.months
        year, month = months // 12, months % 12 + 1
        # Every month has 28 days; asking how long one is takes longer than all the rest.
        day = start.day if start.day <= _SHORTEST else min(start.day, calendar.monthrange(year, month)[1])
        return start.replace(year=year, month=month, day=day) + timedelta(days=self.days)

    def to_text(self) -> str:
        """As a catalog writes it, in years, months or days; a term of both is written with both."""
        if self.is_permanent:
            return "permanent"
        years = f"{self.months // 12}Y" if self.months and self.months % 12 == 0 else ""
        months = f"{self.months}M" if self.months and not years else ""
        return f"P{years or months}{f'{self.days}D' if self.days else ''}"

    def order(self) -> tuple[bool, float]:
        """A key that orders terms by length, the permanent last."""
        return self.is_permanent, self.months * 30.4 + self.days


def parse_term(text: str) -> Term:
    """The term that a catalog writes as `P30D`, `P6M`, `P2Y` (ISO 8601-1 §5.5.2.2, one unit) or `permanent`.

    Raises:
        BadInput: it is none of these, or longer than a thousand years.
    """
    if text == "permanent":
        return Term()
    found = _PERIOD.fullmatch(text)
    if found is None:
        raise BadInput(f"not a term: {text[:40]!r} (write P30D, P6M, P2Y or permanent)", term=text)
    number, unit = int(found[1]), found[2]
    term = {"D": Term(days=number), "M": Term(months=number), "Y": Term(months=12 * number)}[unit]
    if term.months > 12 * _LONGEST_YEARS:
        raise BadInput(f"a term of {text} is longer than {_LONGEST_YEARS} years", term=text)
    return term
