# SPDX-License-Identifier: Apache-2.0
"""This is where a checked catalog becomes values: every code looked up, every effect that of one profile."""

from collections.abc import Mapping
from datetime import timedelta
from types import MappingProxyType
from typing import Any, TypeVar

from evidence.catalog import (
    Catalog,
    CatalogItem,
    Condition,
    Deadline,
    Effect,
    Mode,
    Obligation,
    RetentionClass,
    Starts,
)
from evidence.errors import BadInput
from evidence.term import parse_term

# The catalog's words for media, and ours.
_KINDS = {"video": "video", "audio": "audio", "image": "photo"}

Body = Mapping[str, Any]
Value = TypeVar("Value")


def resolved(body: Body, *, digest: str, profile: str | None) -> Catalog:
    """The catalog that `body`, which passed every check, says in one profile; None: the first that it names.

    `digest` is the SHA-256 of the catalog's text in hexadecimal.

    Raises:
        BadInput: the catalog has no such profile.
    """
    head = body["catalog"]
    chosen = _profile(head, profile)
    modes = {code: _mode(code, entry) for code, entry in body["recording_modes"].items()}
    deadlines = {code: _deadline(code, body["upload_deadlines"]) for code in body["upload_deadlines"]}
    retention = {code: _retention(code, entry) for code, entry in body["retention_classes"].items()}
    items = [_item(entry, modes, deadlines, retention) for entry in body["items"]]
    proxy = body.get("derivatives", {}).get("proxy")
    return Catalog(
        id=f"{head['id']}@{head['version']}#{digest[:12]}",
        name_zh=head["name_zh"],
        version=head["version"],
        profile=chosen,
        timezone=head["timezone"],
        items=_kept({item.id: item for item in items if item.is_enabled}),
        disabled=_kept({item.id: item for item in items if not item.is_enabled}),
        types=_names(body["enforcement_types"]),
        stages=_names(body["stages"]),
        links=_names(body["links"]),
        stage_of=_kept({code: link["stage"] for code, link in body["links"].items()}),
        modes=_kept(modes),
        deadlines=_kept(deadlines),
        retention=_kept(retention),
        conditions=_kept({c: _condition(c, entry, chosen) for c, entry in body["permanent_conditions"].items()}),
        presets=_kept({name: tuple(types) for name, types in head.get("scene_presets", {}).items()}),
        filing=_kept(head.get("filing", {})),
        proxy_term=parse_term(proxy) if proxy else None,
    )


def _kept(entries: Mapping[str, Value]) -> Mapping[str, Value]:
    return MappingProxyType(dict(entries))


def _names(table: Mapping[str, Body]) -> Mapping[str, str]:
    return _kept({code: entry["zh"] for code, entry in table.items()})


def _profile(head: Body, profile: str | None) -> str:
    known = list(head["profiles"])
    if profile is None:
        return str(known[0])
    if profile not in known:
        raise BadInput(f"the catalog {head['id']} has no profile {profile!r}; known: {', '.join(known)}")
    return profile


def _mode(code: str, entry: Body) -> Mode:
    kinds = frozenset(_KINDS[medium] for medium in entry["media"])
    return Mode(code, entry["zh"], kinds, is_continuous=entry.get("continuous", False))


def _deadline(code: str, table: Mapping[str, Body]) -> Deadline:
    """A deadline; the longer span is its extension's, or the deadline in hours that it falls back to."""
    entry = table[code]
    longer = entry.get("extension", {}).get("hours") or table.get(entry.get("fallback", ""), {}).get("hours")
    within = (
        timedelta(hours=entry["hours"])
        if "hours" in entry
        else timedelta(minutes=entry["target_minutes"])
        if "target_minutes" in entry
        else None
    )
    granted = timedelta(hours=longer) if longer else None
    return Deadline(code, entry["zh"], within, entry.get("working_days"), granted)


def _retention(code: str, entry: Body) -> RetentionClass:
    is_case_file = entry["period"] == "case_file"
    return RetentionClass(
        code,
        entry["zh"],
        None if is_case_file else parse_term(entry["period"]),
        Starts(entry["starts"]) if entry["starts"] else Starts.NEVER,
        parse_term(entry["hard_floor"]),
        parse_term(entry["fallback"]) if is_case_file else None,
    )


def _condition(code: str, entry: Body, profile: str) -> Condition:
    effect = Effect(entry.get(f"effect_{profile}") or entry["effect"])
    return Condition(code, entry["zh"], effect, entry["floor"] if effect is Effect.FLOOR else None)


def _item(
    entry: Body,
    modes: Mapping[str, Mode],
    deadlines: Mapping[str, Deadline],
    retention: Mapping[str, RetentionClass],
) -> CatalogItem:
    name = entry["name"]
    return CatalogItem(
        id=entry["id"],
        name_zh=name["zh"],
        name_en=name.get("en", ""),
        type=entry["type"],
        link=entry["link"],
        modes=tuple(modes[code] for code in entry["mode"]),
        obligation=Obligation(entry["obligation"]),
        record_class=entry["record_class"],
        start_zh=entry["start_zh"],
        end_zh=entry["end_zh"],
        capture_zh=tuple(entry["capture_zh"]),
        capture_en=entry.get("capture_en", ""),
        devices=tuple(entry.get("devices", ())),
        deadline=deadlines[entry["upload_deadline"]],
        retention=retention[entry["retention"]],
        permanent_if=tuple(entry["permanent_if"]),
        legal_review=entry["legal_review"],
        disclosure=entry["disclosure"],
        checks=tuple(entry["checks"]),
        basis=entry.get("basis", ""),
        note_zh=entry.get("note_zh", ""),
        is_enabled=entry.get("enabled", True),
    )
