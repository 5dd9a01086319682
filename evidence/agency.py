# SPDX-License-Identifier: Apache-2.0
"""This is where the agency's units (单位) and officers (执法人员) are values, and where units make a tree."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from evidence.errors import BadInput, Conflict
from evidence.written import lines, one_line

_CODE = re.compile(r"[^\s、;；,，/]{1,64}")
_DEEPEST = 16
_MOST_TYPES = 20


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit by its code; `parent` is the code of the unit above, None for the agency itself.

    Raises:
        BadInput: a code has spaces or separators, the name is missing, or it is its own parent.
    """

    code: str
    name: str
    parent: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", one_line(self.name, "the name of a unit"))
        for code in (self.code, self.parent):
            if code is not None and not (_CODE.fullmatch(code) and code.isprintable()):
                raise BadInput(f"{code[:80]!r} is no code of a unit: at most 64 letters or digits, no separators")
        if self.code == self.parent:
            raise BadInput(f"unit {self.code} cannot be above itself")


@dataclass(frozen=True, slots=True)
class Officer:
    """What is registered of an officer: the six fields of an officers' list (执法人员清单), and days of validity.

    `types` are codes of enforcement types; none: all. `valid_from` and `valid_to` are days, both included.

    Raises:
        BadInput: no number, a part that is no printable line, or a certificate that ends before it begins.
    """

    number: str
    name: str = ""
    unit: str = ""
    post: str = ""
    types: tuple[str, ...] = ()
    area: str = ""
    valid_from: date | None = None
    valid_to: date | None = None

    def __post_init__(self) -> None:
        put = object.__setattr__
        put(self, "number", one_line(self.number, "a certificate number"))
        for name in ("name", "unit", "post", "area"):
            put(self, name, one_line(getattr(self, name), f"the {name} of an officer", may_be_empty=True))
        put(self, "types", lines(self.types, "an enforcement type", most=_MOST_TYPES))
        if self.valid_from is not None and self.valid_to is not None and self.valid_to < self.valid_from:
            raise BadInput(f"a certificate cannot end ({self.valid_to}) before it begins ({self.valid_from})")

    def to_detail(self) -> dict[str, object]:
        """As the detail of `officer-registered`; what is not known is left out."""
        more: Mapping[str, object] = {
            "area": self.area,
            "post": self.post,
            "types": list(self.types),
            "valid_from": None if self.valid_from is None else self.valid_from.isoformat(),
            "valid_to": None if self.valid_to is None else self.valid_to.isoformat(),
        }
        known = {name: value for name, value in more.items() if value}
        return {"name": self.name, "number": self.number, "unit": self.unit, **known}


def check_tree(parents: Mapping[str, str | None]) -> None:
    """Check that units are a tree: `parents` maps each code to the code above.

    Raises:
        BadInput: a unit above is not known, or there are more than 16 floors.
        Conflict: units are above one another in a circle.
    """
    for code in parents:
        way = [code]
        while (above := parents[way[-1]]) is not None:
            if above in way:
                raise Conflict(f"units in a circle: {' under '.join([*way, above])}", unit=code)
            if above not in parents:
                raise BadInput(f"unit {way[-1]} is under {above!r}, which is not registered", unit=code)
            way.append(above)
            if len(way) > _DEEPEST:
                raise BadInput(f"unit {code} is on floor {len(way)}: at most {_DEEPEST}", unit=code)


def tops_first(units: Iterable[Unit]) -> list[Unit]:
    """Units so that each comes after the one above it; those above may also be none of them.

    Raises:
        Conflict: units are above one another in a circle.
    """
    waiting = {unit.code: unit for unit in units}
    placed: list[Unit] = []
    while waiting:
        ready = [unit for unit in waiting.values() if unit.parent not in waiting]
        if not ready:
            raise Conflict(f"units in a circle: {', '.join(sorted(waiting)[:_DEEPEST])}")
        placed += ready
        waiting = {code: unit for code, unit in waiting.items() if unit not in ready}
    return placed


def below(code: str, parents: Mapping[str, str | None]) -> list[str]:
    """A unit and all units below it, by code, the nearer first."""
    found = [code]
    for above in found:
        found += sorted(one for one, parent in parents.items() if parent == above and one not in found)
    return found


def walk(parents: Mapping[str, str | None], *, above: str | None = None, floor: int = 0) -> Iterator[tuple[str, int]]:
    """Every unit of a tree with its floor (0: the agency), each followed by those below it, by code."""
    for code in sorted(one for one, parent in parents.items() if parent == above):
        yield code, floor
        yield from walk(parents, above=code, floor=floor + 1)


def summed(
    counts: Mapping[str, Sequence[int]], parents: Mapping[str, str | None], *, width: int
) -> dict[str, tuple[int, ...]]:
    """For each unit the sum of its own counts (`width` of them) and those of all units below it."""
    none = (0,) * width
    return {
        code: tuple(
            sum(column) for column in zip(*(counts.get(one, none) for one in below(code, parents)), strict=True)
        )
        for code in parents
    }
