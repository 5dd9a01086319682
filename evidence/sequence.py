# SPDX-License-Identifier: Apache-2.0
"""This is where numbers that are missing among a camera's files are found, by the numbers in their names.

A number counts only beside its like: names that are the same but for their digits (`DSC_0001`, `DSC_0002`), in the
order in which they were written. A jump back, or a very great one, is a new count, not a gap.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise

_NUMBER = re.compile(r"(?P<head>.*?)(?P<number>[0-9]{3,7})", re.ASCII)
_CLOCK = re.compile(r"(?:[01][0-9]|2[0-3])[0-5][0-9][0-5][0-9]", re.ASCII)
_AFTER_DIGITS = re.compile(r"[0-9][-_T@ ]\Z", re.ASCII)
_DIGITS = re.compile(r"[0-9]+", re.ASCII)


@dataclass(frozen=True, slots=True)
class Numbered:
    """A file with a number: `series` is whose numbers it is among, `order` when it was written, of one clock."""

    series: str
    number: int
    order: int
    name: str


@dataclass(frozen=True, slots=True)
class SequenceGap:
    """Numbers that no file has: from `first` to `last`, between the files of these names."""

    first: int
    last: int
    before: str
    after: str

    @property
    def count(self) -> int:
        """How many are missing."""
        return self.last - self.first + 1


def numbered(name: str, *, order: int, number: int | None = None) -> Numbered | None:
    """A file by its name; `number` is its maker's word for it. None for a name that ends in a time, or in no number.

    Of `2023_0615_093012_001.MP4` the number is 1, of `FILE0042.JPG` 42; `DSJ_…_20260619_100324.mp4` has none.
    """
    stem = name.rpartition(".")[0] or name
    if number is not None:
        return Numbered("", number, order, name)
    found = _NUMBER.fullmatch(stem)
    if found is None or found["head"][-1:].isdigit() or _is_time(found["head"], found["number"]):
        return None  # a longer run of digits is a time, or a serial
    series = _DIGITS.sub("#", found["head"])
    return Numbered(f"{series}{len(found['number'])}", int(found["number"]), order, name)


def gaps(files: Iterable[Numbered], *, widest: int) -> Iterator[SequenceGap]:
    """Where numbers are missing, series by series; a jump of more than `widest` is a new count."""
    ordered = sorted(files, key=lambda one: (one.series, one.order, one.number))
    for before, after in pairwise(ordered):
        missing = after.number - before.number - 1
        if before.series == after.series and 1 <= missing <= widest:
            yield SequenceGap(before.number + 1, after.number - 1, before.name, after.name)


def _is_time(head: str, number: str) -> bool:
    """True for `145036` of a day's folder, and for what follows a date: hours, minutes and seconds, no count."""
    reads_as_time = bool(_CLOCK.fullmatch(number))
    return reads_as_time and (head == "" or bool(_AFTER_DIGITS.search(head)))
