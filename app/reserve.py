# SPDX-License-Identifier: Apache-2.0
"""This is where it is said how much of a disk stays free: a number of bytes, a share of it, or the smaller of both."""

import re
from dataclasses import dataclass
from fractions import Fraction
from typing import Self

_UNITS = {"": 1, "B": 1, "KIB": 1 << 10, "MIB": 1 << 20, "GIB": 1 << 30, "TIB": 1 << 40}


@dataclass(frozen=True, slots=True)
class Reserve:
    """Space that stays free: the smaller of a number of bytes and a share between 0 and 1, where both are given."""

    size_bytes: int | None = None
    share: Fraction | None = None

    @classmethod
    def of_text(cls, text: str) -> Self:
        """The reserve as a setting says it: `2 GiB`, `512MiB`, `1048576`, `5 %`, `2 GiB or 5 %`.

        Raises:
            ValueError: it cannot be read; the words say what to write.
        """
        parts = [_read(part) for part in text.split(" or ")]
        sizes = [part for part in parts if isinstance(part, int)]
        shares = [part for part in parts if isinstance(part, Fraction)]
        return cls(min(sizes, default=None), min(shares, default=None))

    def of(self, total_bytes: int) -> int:
        """The bytes that must stay free of a disk of `total_bytes`."""
        given = [] if self.size_bytes is None else [self.size_bytes]
        return min([*given, int(self.share * total_bytes)] if self.share is not None else given, default=0)


def _read(text: str) -> int | Fraction:
    found = re.fullmatch(r"\s*([0-9]{1,15}(?:\.[0-9]{1,6})?)\s*(%|[A-Za-z]*)\s*", text)
    if found is None:
        raise ValueError("write a number of bytes with B, KiB, MiB, GiB or TiB, or a share such as 5 %")
    number, unit = Fraction(found[1]), found[2]
    if unit == "%":
        if number >= 100:
            raise ValueError("a share must be below 100 %")
        return number / 100
    if unit.upper() not in _UNITS:
        raise ValueError(f"no unit is called {unit}; write B, KiB, MiB, GiB, TiB or %")
    return int(number * _UNITS[unit.upper()])
