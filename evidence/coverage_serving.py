# SPDX-License-Identifier: Apache-2.0
"""This is where it is said which recordings of a case serve which of its activities, and of which item each is."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from evidence.catalog import CatalogItem
from evidence.coverage_terms import Activity, Check, CoveredCase, Filmed
from evidence.errors import IntegrityError

Span = tuple[datetime, datetime]


def _codes(family: type[IntegrityError]) -> Iterable[str]:
    yield family.code
    for one in family.__subclasses__():
        yield from _codes(one)


BROKEN = frozenset(_codes(IntegrityError))
"""Problems of a recording that say its bytes, or a proof of them, do not hold."""


def touch(one: Span, other: Span) -> bool:
    """True when two spans share an instant, their ends included."""
    return one[0] <= other[1] and other[0] <= one[1]


def is_broken(filmed: Filmed, item: CatalogItem) -> bool:
    """True when the item asks that the hash holds, and it does not."""
    return Check.HASH in item.checks and filmed.problem in BROKEN


def is_valid(filmed: Filmed, item: CatalogItem) -> bool:
    """True when a recording can stand for an item: neither put aside nor broken."""
    return not filmed.is_aside and not is_broken(filmed, item)


def chosen_item(activity: Activity, case: CoveredCase, own: Sequence[Filmed]) -> CatalogItem:
    """The item an activity is held against, of those it can be of; `own` are what serves it of its own item.

    The first that a valid recording was classified to; else the item of the case; else the first.
    """
    for item in activity.items:
        if any(one.item == item.id and one.kind in item.kinds and is_valid(one, item) for one in own):
            return item
    return next((item for item in activity.items if item.id == case.item), activity.items[0])


def serving(activity: Activity, item: CatalogItem, case: CoveredCase, own: Sequence[Filmed]) -> tuple[Filmed, ...]:
    """What serves an activity as a recording of `item`, by start and id.

    It is of a kind the item asks for, and (1) classified to it and among `own`, or (2) classified to none that the
    activity can be of, and filmed while it took place.
    """
    others = {one.id for one in activity.items}
    span = activity.span
    found = [one for one in own if one.item == item.id]
    if span is not None:
        found += [
            one for one in case.filmed if one.item not in others and one.span is not None and touch(one.span, span)
        ]
    return tuple(sorted((one for one in found if one.kind in item.kinds), key=_order))


def _order(one: Filmed) -> tuple[bool, datetime, str]:
    return one.start is None, one.start or one.arrived, one.id


def own_of(activities: Sequence[Activity], case: CoveredCase) -> tuple[tuple[Filmed, ...], ...]:
    """For each activity, the recordings classified to an item it can be of, and that belong to it by time.

    Without times, of either, they do. Else they belong to every such activity they touch; one that touches none
    belongs to the nearest (of two as near, to the earlier): it is of this matter, at a time that is at odds.
    """
    found: list[list[Filmed]] = [[] for _ in activities]
    for one in case.filmed:
        can = [n for n, activity in enumerate(activities) if any(one.item == item.id for item in activity.items)]
        for n in _belongs(one, activities, can):
            found[n].append(one)
    return tuple(tuple(each) for each in found)


def _belongs(one: Filmed, activities: Sequence[Activity], can: Sequence[int]) -> list[int]:
    filmed = one.span
    if filmed is None:
        return list(can)
    spans = {n: span for n in can if (span := activities[n].span) is not None}
    touched = [n for n, span in spans.items() if touch(filmed, span)]
    if spans and not touched:
        touched = [min(spans, key=lambda n: (_apart(filmed, spans[n]), n))]
    return [n for n in can if n not in spans or n in touched]


def _apart(one: Span, other: Span) -> timedelta:
    return max(one[0] - other[1], other[0] - one[1])
