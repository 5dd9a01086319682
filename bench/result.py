# SPDX-License-Identifier: Apache-2.0
"""This is where what was measured is one value: rows for people, figures for machines, goals met or missed."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any


@dataclass(frozen=True, slots=True)
class Goal:
    """One goal and what was reached; `figure` is in words, with its unit."""

    name: str
    wanted: str
    figure: str
    is_met: bool

    def to_dict(self) -> dict[str, Any]:
        """A form that JSON can hold."""
        return {"name": self.name, "wanted": self.wanted, "figure": self.figure, "met": self.is_met}


@dataclass(frozen=True, slots=True)
class Result:
    """One benchmark: a table, what was compared with what in sentences, and every single measurement in `figures`."""

    name: str
    title: str
    compared: tuple[str, ...]
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    figures: dict[str, Any]
    goals: tuple[Goal, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """A form that JSON can hold; the rows are left out, for the figures say more."""
        return {
            "title": self.title,
            "compared": list(self.compared),
            "figures": self.figures,
            "goals": [goal.to_dict() for goal in self.goals],
        }


def paragraphs(text: str) -> tuple[str, ...]:
    """The paragraphs of a text, which blank lines part, each in one line."""
    return tuple(" ".join(part.split()) for part in text.strip().split("\n\n"))


def at_least(name: str, wanted: float, figure: float) -> Goal:
    """A goal for a ratio that must reach `wanted`."""
    return Goal(name, f"≥ {wanted:g}", f"{figure:.2f}", figure >= wanted)


def at_most(name: str, wanted: float, figure: float) -> Goal:
    """A goal for a ratio that must stay within `wanted`."""
    return Goal(name, f"≤ {wanted:g}", f"{figure:.2f}", figure <= wanted)


def figures_of(values: Sequence[float], *, digits: int = 4) -> dict[str, Any]:
    """Median, least, most, and all `values` in the order they were measured."""
    return {
        "median": round(median(values), digits),
        "least": round(min(values), digits),
        "most": round(max(values), digits),
        "all": [round(value, digits) for value in values],
    }


def seconds(values: Sequence[float]) -> tuple[str, str]:
    """Median, and the range from least to most, of seconds."""
    return f"{median(values):.2f} s", f"{min(values):.2f} to {max(values):.2f}"


def milliseconds(values: Sequence[float]) -> tuple[str, str]:
    """Median, and the range from least to most, of seconds told in milliseconds."""
    low, mid, high = (1000 * value for value in (min(values), median(values), max(values)))
    return f"{mid:.0f} ms", f"{low:.0f} to {high:.0f}"


def mib(size_bytes: float) -> str:
    """A size in MiB."""
    return f"{size_bytes / (1 << 20):.1f} MiB"
