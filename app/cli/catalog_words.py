# SPDX-License-Identifier: Apache-2.0
"""This is where a catalog and a comparison of two are put into JSON and into words at a terminal."""

from typing import Any

from app.cli.session import out, print_table
from evidence.catalog import Catalog, CatalogItem
from pipeline.catalogs.diff import CatalogDiff, ItemChange, Way, deadline_words, retention_words


def item_body(item: CatalogItem) -> dict[str, Any]:
    """One matter as JSON, its class and deadline with their terms."""
    kept, soon = item.retention, item.deadline
    return {
        "id": item.id,
        "name": item.name_zh,
        "name_en": item.name_en,
        "type": item.type,
        "link": item.link,
        "mode": [mode.id for mode in item.modes],
        "obligation": item.obligation.value,
        "record_class": item.record_class,
        "start": item.start_zh,
        "end": item.end_zh,
        "capture": list(item.capture_zh),
        "devices": list(item.devices),
        "upload_deadline": {"id": soon.id, "name": soon.name_zh, "words": deadline_words(soon)},
        "retention": {"id": kept.id, "name": kept.name_zh, "words": retention_words(kept)},
        "permanent_if": list(item.permanent_if),
        "legal_review": item.legal_review,
        "disclosure": item.disclosure,
        "checks": list(item.checks),
        "basis": item.basis,
        "note": item.note_zh,
        "enabled": item.is_enabled,
    }


def show_list(catalog: Catalog) -> None:
    """The catalog and a line for each of its matters."""
    out.print(f"{catalog.name_zh}\n{catalog.id}, profile {catalog.profile}: {len(catalog.items)} items", end="")
    out.print(f", {len(catalog.disabled)} disabled" if catalog.disabled else "")
    rows = [
        (
            *(item.id, catalog.types.get(item.type, item.type), catalog.links[item.link], item.name_zh),
            *("、".join(mode.name_zh for mode in item.modes), item.obligation.value),
            *(item.deadline.id, item.retention.name_zh),
        )
        for item in catalog.items.values()
    ]
    columns = ("item", "type", "link", "matter", "mode", "must", "hand in", "keep")
    print_table(columns, rows, empty="")


def show_item(catalog: Catalog, item: CatalogItem) -> None:
    """Everything of one matter, a line each."""
    conditions = [f"{code} {catalog.conditions[code].name_zh}" for code in item.permanent_if]
    rows = [
        ("item", f"{item.id} {item.name_zh}{'' if item.is_enabled else ' (disabled)'}"),
        ("in English", item.name_en),
        ("type, link", f"{catalog.types.get(item.type, item.type)}, {catalog.links[item.link]}"),
        ("mode", "、".join(mode.name_zh for mode in item.modes)),
        ("obligation", item.obligation.value),
        ("from", item.start_zh),
        ("to", item.end_zh),
        ("capture", "；".join(item.capture_zh)),
        ("hand in", f"{item.deadline.name_zh} ({deadline_words(item.deadline)})"),
        ("keep", f"{item.retention.name_zh} ({retention_words(item.retention)})"),
        ("keep longer if", "; ".join(conditions)),
        ("legal review", item.legal_review),
        ("disclosure", item.disclosure),
        ("checks", ", ".join(item.checks)),
        ("basis", item.basis),
        ("note", item.note_zh),
    ]
    print_table(("", catalog.id), rows, empty="")


def diff_body(found: CatalogDiff) -> dict[str, Any]:
    """A comparison as JSON."""
    return {
        "old": found.old,
        "new": found.new,
        "added": [item_body(item) for item in found.added],
        "removed": [item_body(item) for item in found.removed],
        "changed": [_change_body(change) for change in found.changed],
        "head": [{"field": one.field, "old": one.old, "new": one.new} for one in found.head],
        "shortened": list(found.shortened),
    }


def _change_body(change: ItemChange) -> dict[str, Any]:
    return {
        "id": change.id,
        "keeping": change.keeping.value,
        "deadline": change.deadline.value,
        "obligation": change.obligation.value,
        "fields": [{"field": one.field, "old": one.old, "new": one.new} for one in change.fields],
    }


def show_diff(found: CatalogDiff) -> None:
    """A comparison, a line for each field that differs."""
    out.print(f"old {found.old}\nnew {found.new}")
    if found.is_empty:
        out.print("nothing that decides anything differs")
        return
    rows = [("catalog", one.field, one.old, one.new) for one in found.head]
    rows += [(item.id, "added", "", item.name_zh) for item in found.added]
    rows += [(item.id, "removed", item.name_zh, "") for item in found.removed]
    rows += [(change.id, one.field, one.old, one.new) for change in found.changed for one in change.fields]
    print_table(("item", "what", "old", "new"), rows, empty="")
    for way in (Way.SHORTER, Way.MIXED, Way.LONGER):
        told = [change.id for change in found.changed if change.keeping is way]
        if told:
            out.print(f"kept {_WAYS[way]}: {' '.join(told)}")


_WAYS = {Way.SHORTER: "shorter", Way.LONGER: "longer", Way.MIXED: "shorter or longer, as the case may be"}
