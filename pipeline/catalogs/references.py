# SPDX-License-Identifier: Apache-2.0
"""This is where the codes of a catalog are held to each other: each is defined once, and what is named is defined.

Tables that people read know words, not codes: so two types, links, modes or classes may not share one Chinese name.
"""

from collections import Counter
from collections.abc import Collection, Iterator
from difflib import get_close_matches
from typing import Any

from pipeline.catalogs.columns import BETWEEN_WORDS
from pipeline.catalogs.faults import Fault, one_of, quoted
from pipeline.catalogs.text import Document, Path, path_words

# Keys of an item that hold one code, or several, and the table that defines it.
_ONE = {
    "type": "enforcement_types",
    "link": "links",
    "record_class": "record_classes",
    "upload_deadline": "upload_deadlines",
    "retention": "retention_classes",
    "legal_review": "legal_review_rules",
    "disclosure": "disclosure_rules",
}
_SEVERAL = {"mode": "recording_modes", "permanent_if": "permanent_conditions", "checks": "consistency_checks"}
_NAMED_ONCE = ("enforcement_types", "links", "recording_modes", "retention_classes")


def reference_faults(document: Document) -> Iterator[Fault]:
    """Codes that nothing defines, that are defined twice, or stand twice in one list."""
    body = document.body
    yield from _of_items(document)
    yield from _ids(document, "items")
    yield from _ids(document, "consistency_checks")
    yield from _names(document)
    for code, link in body["links"].items():
        yield from _known(document, ("links", code, "stage"), link["stage"], "stages")
    for code, deadline in body["upload_deadlines"].items():
        if "fallback" in deadline:
            yield from _known(
                document, ("upload_deadlines", code, "fallback"), deadline["fallback"], "upload_deadlines"
            )
    for code, condition in body["permanent_conditions"].items():
        if "floor" in condition:
            yield from _known(
                document, ("permanent_conditions", code, "floor"), condition["floor"], "retention_classes"
            )
    for name, types in body["catalog"].get("scene_presets", {}).items():
        yield from _list(document, ("catalog", "scene_presets", name), types, "enforcement_types")
    yield from _list(document, ("matrix_links",), body.get("matrix_links", ()), "links")
    for number, cell in enumerate(body.get("matrix_exceptions", ())):
        yield from _known(document, ("matrix_exceptions", number, "type"), cell["type"], "enforcement_types")
        yield from _known(document, ("matrix_exceptions", number, "link"), cell["link"], "links")


def _of_items(document: Document) -> Iterator[Fault]:
    for number, item in enumerate(document.body["items"]):
        for key, table in _ONE.items():
            yield from _known(document, ("items", number, key), item[key], table)
        for key, table in _SEVERAL.items():
            yield from _list(document, ("items", number, key), item[key], table)
        yield from _list(document, ("items", number, "devices"), item.get("devices", ()), None)


def _list(document: Document, path: Path, codes: Collection[str], table: str | None) -> Iterator[Fault]:
    for place, code in enumerate(codes):
        if table:
            yield from _known(document, (*path, place), code, table)
    if len(set(codes)) != len(codes):
        twice = [code for code, count in Counter(codes).items() if count > 1]
        yield Fault(document.mark(*path), f"{path_words(path)} holds {one_of(twice)} twice", "keep one")


def _known(document: Document, path: Path, code: str, table: str) -> Iterator[Fault]:
    known = codes_of(document.body, table)
    if code not in known:
        near = get_close_matches(code, known, 1)
        advice = f"did you mean {near[0]}?" if near else f"known: {one_of(known)}"
        yield Fault(document.mark(*path), f"{path_words(path)}: {table} has no {quoted(code)}", advice)


def codes_of(body: dict[str, Any], table: str) -> Collection[str]:
    """The codes that a table of a catalog defines."""
    if table == "consistency_checks":
        return [check["id"] for check in body[table]]
    if table == "legal_review_rules":
        return [code for code in body[table] if code != "effect_zh"]
    codes: Collection[str] = body[table].keys()
    return codes


def _ids(document: Document, table: str) -> Iterator[Fault]:
    first: dict[str, int] = {}
    for number, entry in enumerate(document.body[table]):
        before = first.setdefault(entry["id"], number)
        if before != number:
            told = f"{quoted(entry['id'])} is the id of two of {table}, first in {document.mark(table, before)}"
            yield Fault(document.mark(table, number, "id"), told, "give one of them another id")


def _names(document: Document) -> Iterator[Fault]:
    for table in _NAMED_ONCE:
        first: dict[str, str] = {}
        for code, entry in document.body[table].items():
            before = first.setdefault(entry["zh"], code)
            if before != code:
                told = f"{before} and {code} of {table} are both called {quoted(entry['zh'])}"
                yield Fault(document.mark(table, code, "zh"), told, "tables could not tell them apart: rename one")
    for code, entry in document.body["recording_modes"].items():
        if BETWEEN_WORDS in entry["zh"]:
            told = f"the name of {code} holds {BETWEEN_WORDS}, which tables write between names"
            yield Fault(document.mark("recording_modes", code, "zh"), told, "write the name without it")
