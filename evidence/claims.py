# SPDX-License-Identifier: Apache-2.0
"""This is where all that a file says of itself is kept: every source, and where two disagree.

No source is trusted alone. A claim is never overwritten by a better one: both are kept, and a contradiction
is a fact to show.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from evidence.errors import BadInput
from evidence.offer import is_showable

MAX_VALUE_CHARS = 256


class Source(StrEnum):
    """Who says so, in order of weight: the first that speaks is believed."""

    OPERATOR = "operator"  # a person at the dock, who answers for it in the custody log
    SIDECAR = "sidecar"  # an ini or a settings file of the recorder itself
    DEVICE_INFO = "device-info"  # read from the device while docked
    FILE_NAME = "file-name"
    FOLDER = "folder"  # names of the folders above the file
    CONTAINER = "container"  # the container's own facts, or EXIF
    MTIME = "mtime"


_WEIGHT = {source: place for place, source in enumerate(Source)}

# Fields whose values are times as text, compared as times.
TIMES = frozenset({"start", "end"})
# Fields that may well have several values at once: more of them is no contradiction.
MANIFOLD = frozenset({"mark", "note"})

# Two clocks of one camera, each cut to its own grain (FAT counts in twos), differ by this much at most.
CLOCK_GRAIN = timedelta(seconds=5)
# Local text and UTC differ by the zone (at most 14 h), and a file is last written when a recording ends.
ZONE_AND_LENGTH = timedelta(hours=26)


@dataclass(frozen=True, slots=True)
class Claim:
    """One source says one thing of one field.

    A time is ISO 8601 text: without zone when it is the camera's local clock, with one when the source
    gives it. Fields in use: device officer officer_unbound start start_date clock_zone kind mark important
    encrypted maker import_date note case item place (number and item from a terminal; `lat,lon` in decimal degrees)
    sequence (the maker's running number) part (which file of one capture, from 1) timecode (`hh:mm:ss:ff@rate`)
    playable (`no`: kept, and of a form that we cannot show) gnss_start (by the clock of a satellite receiver).

    Raises:
        BadInput: the value is empty, too long, or holds what cannot be shown as it is.
    """

    field: str
    value: str
    source: Source

    def __post_init__(self) -> None:
        if not 0 < len(self.value) <= MAX_VALUE_CHARS or not is_showable(self.value):
            raise BadInput(f"not a value to claim for {self.field}: {self.value[:80]!r}")


def _order(claim: Claim) -> tuple[str, int, str]:
    return claim.field, _WEIGHT[claim.source], claim.value


@dataclass(frozen=True, slots=True, init=False)
class Claims:
    """Everything that was said of one file, each thing once, in canonical order."""

    all: tuple[Claim, ...]

    def __init__(self, claims: Iterable[Claim] = ()) -> None:
        object.__setattr__(self, "all", tuple(sorted(set(claims), key=_order)))

    def __iter__(self) -> Iterator[Claim]:
        return iter(self.all)

    def __or__(self, other: Iterable[Claim]) -> "Claims":
        return Claims((*self.all, *other))

    def of(self, field: str) -> tuple[Claim, ...]:
        """What was said of `field`, the weightiest source first."""
        return tuple(claim for claim in self.all if claim.field == field)

    def best(self, field: str) -> Claim | None:
        """What the weightiest source says of `field`; None when nobody speaks.

        When one source says two things, the first in order of text: the same choice every time, and
        `conflicts` names it.
        """
        return next(iter(self.of(field)), None)

    def value(self, field: str) -> str | None:
        """The value of `best`, or None."""
        claim = self.best(field)
        return None if claim is None else claim.value

    def conflicts(self, *, grain: timedelta = CLOCK_GRAIN) -> dict[str, tuple[Claim, ...]]:
        """Fields on which sources disagree, each with all that was said of it.

        Times disagree when further apart than `grain`. A local time and one in UTC, or a start and the
        last write of a file, cannot be compared so finely before the zone and the length are known: they
        disagree only when further apart than `ZONE_AND_LENGTH`.
        """
        fields = dict.fromkeys(claim.field for claim in self.all if claim.field not in MANIFOLD)
        said = {field: self.of(field) for field in fields}
        return {field: claims for field, claims in said.items() if _disagree(field, claims, grain)}

    def to_json(self) -> list[dict[str, str]]:
        """The claims as a list for canonical JSON, in an order that depends on the claims alone."""
        return [{"field": c.field, "source": str(c.source), "value": c.value} for c in self.all]

    @classmethod
    def from_json(cls, told: Sequence[dict[str, str]]) -> "Claims":
        """The claims that `to_json` wrote.

        Raises:
            BadInput: a field is missing, or a source is not one of ours.
        """
        try:
            return cls(Claim(one["field"], one["value"], Source(one["source"])) for one in told)
        except (KeyError, TypeError, ValueError) as error:
            raise BadInput(f"not claims as we write them: {error}") from error


def _disagree(field: str, claims: tuple[Claim, ...], grain: timedelta) -> bool:
    if field not in TIMES:
        return len({claim.value for claim in claims}) > 1
    return any(_apart(one, other, grain) for place, one in enumerate(claims) for other in claims[place + 1 :])


def _apart(one: Claim, other: Claim, grain: timedelta) -> bool:
    try:
        first, second = datetime.fromisoformat(one.value), datetime.fromisoformat(other.value)
    except ValueError:
        return one.value != other.value
    same_clock = (first.utcoffset() is None) == (second.utcoffset() is None)
    fine = same_clock and Source.MTIME not in (one.source, other.source)
    if not same_clock:
        first, second = first.replace(tzinfo=None), second.replace(tzinfo=None)
    return abs(first - second) > (grain if fine else ZONE_AND_LENGTH)
