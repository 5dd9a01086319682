# SPDX-License-Identifier: Apache-2.0
"""This is where two versions of a catalog are compared: what comes, goes and changes, and which way it goes.

Direction is judged for the recording, on the safe side: keeping is *longer* only when no case can make it shorter,
and whatever cannot be ordered is *mixed*, which a reviewer must read as shorter. Pure.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from evidence.catalog import Catalog, CatalogItem, Condition, Deadline, Effect, Obligation, RetentionClass, Starts
from evidence.term import Term

_Classes = tuple[Mapping[str, RetentionClass], Mapping[str, RetentionClass]]


class Way(StrEnum):
    """Which way a rule goes from the old version to the new one."""

    SAME = "same"
    LONGER = "longer"
    SHORTER = "shorter"
    TIGHTER = "tighter"
    LOOSER = "looser"
    MIXED = "mixed"
    """Longer or tighter in one respect, shorter or looser in another; or not to be ordered."""


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One field, in words, before and after; empty where there was none."""

    field: str
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class ItemChange:
    """What becomes of one item that both versions have. `fields` may hold only what its class or conditions became."""

    id: str
    fields: tuple[FieldChange, ...]
    keeping: Way
    deadline: Way
    obligation: Way


@dataclass(frozen=True, slots=True)
class CatalogDiff:
    """What a new version changes. Items are the enabled ones: an item that was switched off counts as removed."""

    old: str
    new: str
    added: tuple[CatalogItem, ...]
    removed: tuple[CatalogItem, ...]
    changed: tuple[ItemChange, ...]
    head: tuple[FieldChange, ...]

    @property
    def is_empty(self) -> bool:
        """True when nothing that decides anything differs."""
        return not (self.added or self.removed or self.changed or self.head)

    @property
    def shortened(self) -> tuple[str, ...]:
        """Ids of the items whose recordings may be kept for less time than before; removed items are not among them."""
        return tuple(one.id for one in self.changed if one.keeping in (Way.SHORTER, Way.MIXED))


def diff(old: Catalog, new: Catalog) -> CatalogDiff:
    """What `new` changes against `old`, in the order of the new catalog, then of the old one for what it removed."""
    changes = (_item_change(old, new, one) for one in new.items if one in old.items)
    return CatalogDiff(
        old.id,
        new.id,
        added=tuple(item for one, item in new.items.items() if one not in old.items),
        removed=tuple(item for one, item in old.items.items() if one not in new.items),
        changed=tuple(change for change in changes if change is not None),
        head=tuple(_changes(_head_of(old), _head_of(new))),
    )


def _item_change(old: Catalog, new: Catalog, one: str) -> ItemChange | None:
    before, after = old.items[one], new.items[one]
    fields = tuple(_changes(_fields_of(before, old), _fields_of(after, new)))
    if not fields:
        return None
    return ItemChange(
        one,
        fields,
        keeping=_together(
            (
                _keeping(before.retention, after.retention),
                *_conditions(_of(before, old), _of(after, new), (old.retention, new.retention)),
            )
        ),
        deadline=_haste(before.deadline, after.deadline),
        obligation=_ranked([((_DUTY[before.obligation],), (_DUTY[after.obligation],))], (Way.LOOSER, Way.TIGHTER)),
    )


def _of(item: CatalogItem, catalog: Catalog) -> dict[str, Condition]:
    return {code: catalog.conditions[code] for code in item.permanent_if}


def _changes(before: Mapping[str, str], after: Mapping[str, str]) -> Iterable[FieldChange]:
    for field in dict.fromkeys((*before, *after)):
        if before.get(field, "") != after.get(field, ""):
            yield FieldChange(field, before.get(field, ""), after.get(field, ""))


def _fields_of(item: CatalogItem, catalog: Catalog) -> dict[str, str]:
    """Everything that an item decides, its class, deadline and conditions spelled out."""
    conditions = {f"condition {code}": _condition_words(catalog, code) for code in item.permanent_if}
    return {
        "name_zh": item.name_zh,
        "name_en": item.name_en,
        "type": item.type,
        "link": item.link,
        "mode": ", ".join(f"{mode.id} ({_mode_words(mode.kinds, mode.is_continuous)})" for mode in item.modes),
        "obligation": item.obligation.value,
        "record_class": item.record_class,
        "start_zh": item.start_zh,
        "end_zh": item.end_zh,
        "capture_zh": "; ".join(item.capture_zh),
        "capture_en": item.capture_en,
        "devices": ", ".join(item.devices),
        "upload_deadline": f"{item.deadline.id} ({deadline_words(item.deadline)})",
        "retention": f"{item.retention.id} ({retention_words(item.retention)})",
        **conditions,
        "legal_review": item.legal_review,
        "disclosure": item.disclosure,
        "checks": ", ".join(item.checks),
        "basis": item.basis,
        "note_zh": item.note_zh,
    }


def _head_of(catalog: Catalog) -> dict[str, str]:
    """What a catalog decides beside its items."""
    return {
        "name_zh": catalog.name_zh,
        "profile": catalog.profile,
        "timezone": catalog.timezone,
        "proxy_term": catalog.proxy_term.to_text() if catalog.proxy_term else "",
        **{f"type {code}": name for code, name in catalog.types.items()},
        **{f"stage {code}": name for code, name in catalog.stages.items()},
        **{f"link {code}": f"{name}, {catalog.stage_of[code]}" for code, name in catalog.links.items()},
        **{f"preset {name}": ", ".join(types) for name, types in catalog.presets.items()},
        **{f"filing {key}": "" if said is None else str(said) for key, said in catalog.filing.items()},
    }


def _mode_words(kinds: Iterable[str], is_continuous: bool) -> str:
    return "+".join(sorted(kinds)) + (", from start to end" if is_continuous else "")


def retention_words(kept: RetentionClass) -> str:
    """A retention class in words and terms: how long, from what, and its floor."""
    term = kept.term.to_text() if kept.term else f"case file, else {kept.fallback.to_text() if kept.fallback else '?'}"
    start = "" if kept.starts is Starts.NEVER else f" from {kept.starts.replace('_', ' ')}"
    return f"{term}{start}, floor {kept.floor.to_text()}"


def deadline_words(deadline: Deadline) -> str:
    """A deadline in words: its span, and the longer one where there is one."""
    span = span_words(deadline.within) if deadline.within is not None else f"{deadline.working_days} working days"
    return f"{span}, with a reason {span_words(deadline.longer)}" if deadline.longer is not None else span


def span_words(span: timedelta) -> str:
    """A span as `24 h` or `90 min`."""
    minutes = int(span.total_seconds()) // 60
    return f"{minutes // 60} h" if minutes % 60 == 0 else f"{minutes} min"


def _condition_words(catalog: Catalog, code: str) -> str:
    condition = catalog.conditions[code]
    floor = f" {retention_words(catalog.retention[condition.floor])}" if condition.floor else ""
    return f"{condition.effect}{floor}"


# --- which way ----------------------------------------------------------------------------------

_Rank = tuple[float, ...]
_FOR_GOOD: _Rank = Term().order()
_STARTS = {Starts.RECORDING_END: 0.0, Starts.CASE_CLOSED: 1.0, Starts.NEVER: 2.0}
_DUTY = {Obligation.MAY: 0.0, Obligation.SHOULD: 1.0, Obligation.MUST: 2.0}


def _way(*, down: bool, up: bool, ways: tuple[Way, Way]) -> Way:
    """The way of what may go down, up, both or neither; `ways` says what down and up are called."""
    if down and up:
        return Way.MIXED
    return ways[0] if down else ways[1] if up else Way.SAME


def _ranked(pairs: Iterable[tuple[_Rank, _Rank]], ways: tuple[Way, Way]) -> Way:
    both = list(pairs)
    return _way(down=any(new < old for old, new in both), up=any(new > old for old, new in both), ways=ways)


def _together(parts: Iterable[Way]) -> Way:
    """Several ways of one thing taken together."""
    ways = set(parts) - {Way.SAME}
    return Way.MIXED if len(ways) > 1 else next(iter(ways), Way.SAME)


def _keeping(old: RetentionClass, new: RetentionClass) -> Way:
    """Which way keeping goes when one class takes the place of another."""
    steps: list[tuple[_Rank, _Rank]] = [
        (old.floor.order(), new.floor.order()),
        ((_STARTS[old.starts],), (_STARTS[new.starts],)),
    ]
    if old.term is None and new.term is None:
        # The case file's own term is the same one before and after.
        steps.append(((old.fallback or old.floor).order(), (new.fallback or new.floor).order()))
        return _ranked(steps, (Way.SHORTER, Way.LONGER))
    (old_least, old_most), (new_least, new_most) = _span(old), _span(new)
    term = _way(down=new_least < old_most, up=new_most > old_least, ways=(Way.SHORTER, Way.LONGER))
    return _together((term, _ranked(steps, (Way.SHORTER, Way.LONGER))))


def _span(kept: RetentionClass) -> tuple[_Rank, _Rank]:
    """The least and the most that a class may keep: a case file's own term is not known here, and may be for good."""
    if kept.term is None:
        return kept.floor.order(), _FOR_GOOD
    term = max(kept.term.order(), kept.floor.order())
    return term, term


def _conditions(old: Mapping[str, Condition], new: Mapping[str, Condition], classes: _Classes) -> Iterator[Way]:
    """Which way each condition of an item goes; one that comes lengthens, one that goes shortens."""
    for code in dict.fromkeys((*old, *new)):
        if code not in new:
            yield Way.SHORTER
        elif code not in old:
            yield Way.LONGER
        else:
            yield _condition(old[code], new[code], classes)


def _condition(old: Condition, new: Condition, classes: _Classes) -> Way:
    if old.effect is Effect.FLOOR and new.effect is Effect.FLOOR:
        return _keeping(classes[0][str(old.floor)], classes[1][str(new.floor)])
    if old.effect is new.effect:
        return Way.SAME
    if Effect.PERMANENT in (old.effect, new.effect):
        return Way.LONGER if new.effect is Effect.PERMANENT else Way.SHORTER
    return Way.MIXED


def _haste(old: Deadline, new: Deadline) -> Way:
    """Which way a deadline goes: hours and working days cannot be ordered without a calendar."""
    if (old.within is None) != (new.within is None):
        return Way.MIXED
    spans = [(_length(kept), _longer(kept)) for kept in (old, new)]
    return _ranked(zip(*spans, strict=True), (Way.TIGHTER, Way.LOOSER))


def _length(deadline: Deadline) -> _Rank:
    return (deadline.within.total_seconds() if deadline.within is not None else float(deadline.working_days or 0),)


def _longer(deadline: Deadline) -> _Rank:
    return (deadline.longer.total_seconds() if deadline.longer is not None else 0.0,)
