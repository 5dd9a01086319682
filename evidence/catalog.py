# SPDX-License-Identifier: Apache-2.0
"""This is where a recording catalog (音像记录事项清单) is a value: which matters, how recorded, how long kept.

Not one number here is of law: all of them are read from the catalog that an agency adopted. Keys and codes are the
catalog's own. Words of it are kept as it writes them, Chinese first.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from evidence.term import Term


class Starts(StrEnum):
    """From what a term of keeping is counted."""

    RECORDING_END = "recording_end"
    CASE_CLOSED = "case_closed"
    NEVER = "never"
    """Of what is kept for good."""


class Effect(StrEnum):
    """What a condition (永久保存情形) does to how long a recording is kept."""

    PERMANENT = "permanent"
    CASE_FILE = "case_file"
    """At least as long as the case file."""
    HOLD = "hold"
    """Not disposed of while the condition stands."""
    FLOOR = "floor"
    """At least as long as another retention class says."""


class Obligation(StrEnum):
    """How far a matter must be recorded: 应当, 原则上应当, 可以."""

    MUST = "must"
    SHOULD = "should"
    MAY = "may"


@dataclass(frozen=True, slots=True)
class Mode:
    """A way to record (记录方式): the kinds of media it takes, and whether it must run from start to end."""

    id: str
    name_zh: str
    kinds: frozenset[str]
    """Of `video`, `audio`, `photo`."""
    is_continuous: bool = False


@dataclass(frozen=True, slots=True)
class Deadline:
    """How soon a recording must be handed in: within `within` of the activity's end, or so many working days.

    Exactly one of `within` and `working_days` is set. `longer` is the span that counts from the return to the unit
    when a reason is given, None where none is granted.
    """

    id: str
    name_zh: str
    within: timedelta | None
    working_days: int | None
    longer: timedelta | None = None


@dataclass(frozen=True, slots=True)
class RetentionClass:
    """How long (保管期限): `term` from `starts`; `term` None is the case file's own term (同案卷), or `fallback`.

    Whatever rule is set, nothing is disposed of before `floor` has passed since the recording ended.
    """

    id: str
    name_zh: str
    term: Term | None
    starts: Starts
    floor: Term
    fallback: Term | None = None


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition that lengthens keeping, with its effect in the catalog's profile; `floor` names a retention class."""

    id: str
    name_zh: str
    effect: Effect
    floor: str | None = None


@dataclass(frozen=True, slots=True)
class CatalogItem:
    """One matter to be recorded (事项), all codes resolved; texts in Chinese as published."""

    id: str
    name_zh: str
    name_en: str
    type: str
    link: str
    modes: tuple[Mode, ...]
    obligation: Obligation
    record_class: str
    start_zh: str
    end_zh: str
    capture_zh: tuple[str, ...]
    capture_en: str
    devices: tuple[str, ...]
    deadline: Deadline
    retention: RetentionClass
    permanent_if: tuple[str, ...]
    legal_review: str
    disclosure: str
    checks: tuple[str, ...]
    basis: str = ""
    note_zh: str = ""
    is_enabled: bool = True

    @property
    def kinds(self) -> frozenset[str]:
        """Every kind of media that one of its modes takes."""
        return frozenset(kind for mode in self.modes for kind in mode.kinds)

    @property
    def is_full_process(self) -> bool:
        """True when it must be recorded from its start event to its end event (全过程音像记录)."""
        return any(mode.is_continuous for mode in self.modes)

    @property
    def floor(self) -> Term:
        """How long no one may dispose of such a recording, whatever rule is set."""
        return self.retention.floor


@dataclass(frozen=True, slots=True)
class Catalog:
    """One version of a catalog in one profile. `id` is `<name>@<version>#<first 12 digits of its text's SHA-256>`.

    `items` holds the enabled matters in the catalog's order; `disabled` the rest. Mappings keep the catalog's order:
    `types`, `stages` and `links` map code to Chinese name; `stage_of` maps a link to its stage. `presets` maps an
    agency kind to the types it exercises.
    """

    id: str
    name_zh: str
    version: str
    profile: str
    timezone: str
    items: Mapping[str, CatalogItem]
    disabled: Mapping[str, CatalogItem]
    types: Mapping[str, str]
    stages: Mapping[str, str]
    links: Mapping[str, str]
    stage_of: Mapping[str, str]
    modes: Mapping[str, Mode]
    deadlines: Mapping[str, Deadline]
    retention: Mapping[str, RetentionClass]
    conditions: Mapping[str, Condition]
    presets: Mapping[str, tuple[str, ...]]
    filing: Mapping[str, str | bool | None]
    proxy_term: Term | None = None
    """How long proxies (they can be made again) are kept since the recording ended; None: as the original."""

    @property
    def shortest_floor(self) -> Term:
        """The floor that holds for every recording, before its item is known."""
        return min((item.floor for item in self.items.values()), key=Term.order)
