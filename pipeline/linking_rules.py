# SPDX-License-Identifier: Apache-2.0
"""This is where the rules that link footage to cases are read from their file; every fault with its line."""

import re
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

from evidence.linking import SURE, Kind, Rule, Rules
from pipeline.catalogs.faults import Fault, Mark, one_of, quoted, refuse
from pipeline.catalogs.text import Document, read_text

BUILT_IN = Path(__file__).parent / "data" / "linking-rules.yaml"

_SPANS = ("pause", "cut", "one_visit", "widest", "alike", "enough", "doubt", "old")
_SHARES = ("link_at", "suggest_at", "share")
_HEAD = ("id", *_SHARES, *_SPANS)
_RULE = ("id", "kind", "score", "before", "after", "metres")
_NEEDED = ("id", "kind", "score")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_SPAN = re.compile(r"([0-9]{1,6})([smhd])", re.ASCII)
_FARTHEST_M = 1_000_000


@cache
def built_in() -> Rules:
    """The rules that come with evidock."""
    return parse_rules(BUILT_IN.read_bytes(), name=BUILT_IN.name)


def parse_rules(data: bytes, *, name: str) -> Rules:
    """The rules that a YAML file holds.

    Raises:
        BadInput: it cannot be read, lacks something, or says something twice or out of bounds; with lines.
    """
    reader = _Reader(read_text(data, name=name))
    rules = reader.rules()
    if reader.faults:
        refuse(name, reader.faults)
    return rules


class _Reader:
    """Reads values and goes on after a fault, to tell of several."""

    def __init__(self, document: Document) -> None:
        self.faults: list[Fault] = []
        self._document = document

    def rules(self) -> Rules:
        """The rules; to be used only when there is no fault."""
        body = self._document.body
        self._keys(body, ("linking", "rules"), ("linking", "rules"))
        head = body.get("linking")
        if not isinstance(head, dict):
            refuse(self._document.name, [Fault(self._document.mark("linking"), "has no linking:", f"write {_HEAD}")])
        self._keys(head, _HEAD, _HEAD, "linking")
        shares: dict[str, Any] = {one: self._share("linking", one) for one in _SHARES}
        spans: dict[str, Any] = {one: self._span("linking", one) for one in _SPANS}
        if shares["suggest_at"] > shares["link_at"]:
            self._fault("suggest_at is above link_at", "a link is surer than a suggestion", "linking", "suggest_at")
        return Rules(str(head.get("id", "")), rules=self._each(body.get("rules")), **shares, **spans)

    def _each(self, told: Any) -> tuple[Rule, ...]:
        if not isinstance(told, list) or not told:
            self._fault("there are no rules", "list at least one under rules:", "rules")
            return ()
        rules = [rule for place, one in enumerate(told) if (rule := self._rule(place, one)) is not None]
        for field in ("id", "kind"):
            seen: set[str] = set()
            for place, one in enumerate(told):
                said = str(one.get(field)) if isinstance(one, dict) else ""
                if said and said in seen:
                    self._fault(f"two rules have the {field} {quoted(said)}", "keep one", "rules", place, field)
                seen.add(said)
        return tuple(rules)

    def _rule(self, place: int, told: Any) -> Rule | None:
        if not isinstance(told, dict):
            self._fault("a rule is a mapping of keys", f"write {one_of(_RULE)}", "rules", place)
            return None
        self._keys(told, _RULE, _NEEDED, "rules", place)
        kind = told.get("kind")
        if kind not in set(Kind):
            self._fault(f"no kind of rule {quoted(kind)}", f"known: {one_of(Kind)}", "rules", place, "kind")
            return None
        metres = told.get("metres", 0)
        if not isinstance(metres, int) or not 0 <= metres <= _FARTHEST_M:
            self._fault(f"{quoted(metres)} is no distance", "write whole metres", "rules", place, "metres")
            metres = 0
        return Rule(
            str(told.get("id")),
            Kind(kind),
            self._share("rules", place, "score"),
            before=self._span("rules", place, "before"),
            after=self._span("rules", place, "after"),
            metres=metres,
        )

    def _value(self, *path: str | int) -> Any:
        value: Any = self._document.body
        for one in path:
            value = value.get(one) if isinstance(value, dict) else value[int(one)]
        return value

    def _share(self, *path: str | int) -> int:
        value = self._value(*path)
        if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < SURE:
            return value
        if value is not None:
            self._fault(f"{quoted(value)} is no share", f"write whole permille from 0 to {SURE - 1}", *path)
        return 0

    def _span(self, *path: str | int) -> timedelta:
        value = self._value(*path)
        found = _SPAN.fullmatch(value) if isinstance(value, str) else None
        if found is not None:
            return timedelta(**{_UNITS[found[2]]: int(found[1])})
        if value is not None:
            self._fault(f"{quoted(value)} is no span of time", "write a whole number and s, m, h or d: 90m", *path)
        return timedelta(0)

    def _keys(self, told: dict[str, Any], known: tuple[str, ...], needed: tuple[str, ...], *path: str | int) -> None:
        for key in told:
            if key not in known:
                mark = self._document.key_mark(*path, key)
                self.faults.append(Fault(mark, f"no key {quoted(key)} here", f"known here: {one_of(known)}"))
        for key in needed:
            if told.get(key) is None:
                self._fault(f"{key} is missing", f"write {key}: …", *path)

    def _fault(self, reason: str, instead: str, *path: str | int) -> None:
        mark = self._document.mark(*path) if path else Mark(1)
        self.faults.append(Fault(mark, reason, instead))
