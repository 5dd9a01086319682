# SPDX-License-Identifier: Apache-2.0
"""This is where it is said what a case demands: its activities, and the items of the catalog each can be of."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime

from evidence.catalog import Catalog, CatalogItem, Obligation
from evidence.coverage_terms import Activity, CoveredCase, Doubt, Paper

_STRENGTH = {obligation: place for place, obligation in enumerate(Obligation)}
_NEVER = datetime.max.replace(tzinfo=UTC)

Doubts = list[tuple[Doubt, str]]


def demands(case: CoveredCase, catalog: Catalog) -> tuple[tuple[Activity, ...], tuple[tuple[Doubt, str], ...]]:
    """What took place in a case by all that it tells, in order of time; and what of it the catalog has no item for.

    Papers that tell the same of the same time are one activity. A link, or the item of the case itself, asks for
    something of its own only when no paper speaks of it.
    """
    doubts: Doubts = []
    found = list(_of_papers(case, catalog, doubts))
    for link in sorted(set(case.links)):
        if all(link not in (activity.link, *(item.link for item in activity.items)) for activity in found):
            found += _activity(_items_of_link(case.type, link, catalog, doubts, told=link), link=link)
    if case.item is not None and all(case.item != item.id for activity in found for item in activity.items):
        found += _activity(_item(case.item, catalog, doubts, told=case.number))
    return tuple(sorted(found, key=_order)), tuple(doubts)


def _order(activity: Activity) -> tuple[datetime, datetime, tuple[str, ...]]:
    return activity.start or _NEVER, activity.end or _NEVER, tuple(item.id for item in activity.items)


def _of_papers(case: CoveredCase, catalog: Catalog, doubts: Doubts) -> Iterable[Activity]:
    merged: dict[tuple[object, ...], Activity] = {}
    for paper in sorted(case.papers, key=lambda one: one.id):
        for activity in _of_paper(case, paper, catalog, doubts):
            key = (tuple(item.id for item in activity.items), activity.start, activity.end)
            other = merged.get(key)
            merged[key] = activity if other is None else _both(other, activity)
    return merged.values()


def _both(one: Activity, other: Activity) -> Activity:
    return replace(one, papers=(*one.papers, *other.papers), officers=one.officers | other.officers)


def _of_paper(case: CoveredCase, paper: Paper, catalog: Catalog, doubts: Doubts) -> Iterator[Activity]:
    if paper.item is not None:
        items = _item(paper.item, catalog, doubts, told=paper.id)
    elif paper.link is not None:
        items = _items_of_link(case.type, paper.link, catalog, doubts, told=paper.id)
    else:
        return
    times = [moment for moment in (paper.start, paper.end) if moment is not None]
    start, end = (min(times), max(times)) if times else (None, None)
    for one in _activity(items, link=paper.link):
        yield replace(one, start=start, end=end, papers=(paper.id,), officers=frozenset(paper.officers))


def _activity(items: tuple[CatalogItem, ...], *, link: str | None = None) -> tuple[Activity, ...]:
    return (Activity(items, link),) if items else ()


def _item(item: str, catalog: Catalog, doubts: Doubts, *, told: str) -> tuple[CatalogItem, ...]:
    known = catalog.items.get(item)
    if known is None:
        doubts.append((Doubt.UNKNOWN_ITEM, told))
        return ()
    return (known,)


def _items_of_link(
    type_: str | None, link: str, catalog: Catalog, doubts: Doubts, *, told: str
) -> tuple[CatalogItem, ...]:
    """The items that the type has at a link, those that must be recorded first, else in the catalog's order."""
    found = [item for item in catalog.items.values() if (item.type, item.link) == (type_, link)]
    if not found:
        doubts.append((Doubt.NO_TYPE if type_ is None else Doubt.NO_ITEM, told))
    return tuple(sorted(found, key=lambda item: _STRENGTH[item.obligation]))
