# SPDX-License-Identifier: Apache-2.0
"""This is where a catalog that is well formed is asked whether it makes sense: floors, deadlines, profiles, cells.

A cell is an enforcement type at a link. Every type must have an enabled item at every link of the matrix, or the
catalog says why not (`matrix_exceptions`). The links of the matrix are those that `matrix_links` names; without it,
those that more than half of the types have an item or an exception for.
"""

from collections.abc import Iterator
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

from evidence.errors import BadInput
from evidence.term import Term, parse_term
from pipeline.catalogs.faults import Fault, quoted
from pipeline.catalogs.text import Document, Path

_SPANS = ("hours", "working_days", "target_minutes")


def meaning_faults(document: Document) -> Iterator[Fault]:
    """What contradicts itself in a catalog whose structure and codes hold."""
    yield from _head(document)
    for code, entry in document.body["retention_classes"].items():
        yield from _retention(document, code, entry)
    for code, entry in document.body["upload_deadlines"].items():
        yield from _deadline(document, code, entry)
    for code, entry in document.body["permanent_conditions"].items():
        yield from _condition(document, code, entry)
    yield from _proxies(document)
    yield from _twins(document)
    yield from _holes(document)


def _head(document: Document) -> Iterator[Fault]:
    head = document.body["catalog"]
    try:
        ZoneInfo(head["timezone"])
    except (KeyError, ValueError, OSError):
        told = f"there is no time zone {quoted(head['timezone'])}"
        yield Fault(document.mark("catalog", "timezone"), told, "write a name such as Asia/Shanghai")
    for path, day in (
        (("catalog", "effective_from"), head.get("effective_from")),
        (("catalog", "filing", "filed_on"), head.get("filing", {}).get("filed_on")),
    ):
        if day is not None and not _is_day(day):
            yield Fault(document.mark(*path), f"{quoted(day)} is no day of the calendar", "write 2026-07-01")
    if not any(item.get("enabled", True) for item in document.body["items"]):
        yield Fault(document.mark("items"), "no item is enabled", "write enabled: true for what is recorded")


def _is_day(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def _term(document: Document, path: Path, text: str, faults: list[Fault]) -> Term | None:
    try:
        return parse_term(text)
    except BadInput as error:
        faults.append(Fault(document.mark(*path), error.message))
        return None


def _retention(document: Document, code: str, entry: dict[str, Any]) -> Iterator[Fault]:
    here: Path = ("retention_classes", code)
    faults: list[Fault] = []
    is_case_file = entry["period"] == "case_file"
    if is_case_file and "fallback" not in entry:
        yield Fault(
            document.key_mark(*here), f"{code} follows the case file and has no fallback", "write fallback: P10Y"
        )
        return
    if not is_case_file and "fallback" in entry:
        yield Fault(document.mark(*here, "fallback"), f"{code} has a term and a fallback", "remove fallback")
    kept = "fallback" if is_case_file else "period"
    term = _term(document, (*here, kept), entry[kept], faults)
    floor = _term(document, (*here, "hard_floor"), entry["hard_floor"], faults)
    yield from faults
    if term and floor and term.order() < floor.order():
        told = f"{code}: {kept} {entry[kept]} is shorter than its own hard floor {entry['hard_floor']}"
        yield Fault(document.mark(*here, kept), told, "lengthen it, or lower hard_floor where that is lawful")
    if (entry["period"] == "permanent") != (entry["starts"] is None):
        advice = "write starts: null" if entry["period"] == "permanent" else "write recording_end or case_closed"
        yield Fault(document.mark(*here, "starts"), f"{code}: only what is permanent starts never", advice)


def _deadline(document: Document, code: str, entry: dict[str, Any]) -> Iterator[Fault]:
    here: Path = ("upload_deadlines", code)
    said = [span for span in _SPANS if span in entry]
    if len(said) != 1:
        told = f"{code} says {' and '.join(said) or 'no span'}"
        yield Fault(document.key_mark(*here), told, "write exactly one of hours, working_days, target_minutes")
    fallback = entry.get("fallback")
    after = document.body["upload_deadlines"].get(fallback, {"hours": 0})
    if fallback is not None and "hours" not in after:
        told = f"{code} falls back to {fallback}, which is not in hours"
        yield Fault(document.mark(*here, "fallback"), told, "name a deadline in hours")
    if fallback is not None and "extension" in entry:
        yield Fault(document.mark(*here, "extension"), f"{code} has a fallback and an extension", "keep one")


def _condition(document: Document, code: str, entry: dict[str, Any]) -> Iterator[Fault]:
    here: Path = ("permanent_conditions", code)
    profiles = document.body["catalog"]["profiles"]
    of_profile = {key.removeprefix("effect_"): said for key, said in entry.items() if key.startswith("effect_")}
    for profile in of_profile.keys() - profiles.keys():
        told = f"{code} has an effect for the profile {quoted(profile)}, which there is not"
        yield Fault(document.mark(*here, f"effect_{profile}"), told, f"known: {', '.join(profiles)}")
    lacking = profiles.keys() - of_profile.keys()
    if "effect" not in entry and lacking:
        told = f"{code} has no effect in {', '.join(sorted(lacking))}"
        yield Fault(document.key_mark(*here), told, "write effect: permanent, case_file, hold or floor")
    for profile, said in of_profile.items():
        asked = profiles.get(profile, {}).get("evid_effect", said)
        if asked != said:
            told = f"{code}: effect_{profile} is {said}, but profile {profile} says evid_effect: {asked}"
            yield Fault(document.mark(*here, f"effect_{profile}"), told, "write the same in both")
    says_floor = "floor" in {entry.get("effect"), *of_profile.values()}
    if says_floor != ("floor" in entry):
        advice = "write floor: with a retention class" if says_floor else "remove floor, or write effect: floor"
        yield Fault(document.key_mark(*here), f"{code}: an effect of floor goes with a class as floor", advice)


def _proxies(document: Document) -> Iterator[Fault]:
    term = document.body.get("derivatives", {}).get("proxy")
    faults: list[Fault] = []
    if term is not None:
        _term(document, ("derivatives", "proxy"), term, faults)
    yield from faults


def _enabled(document: Document) -> Iterator[tuple[int, dict[str, Any]]]:
    return ((number, item) for number, item in enumerate(document.body["items"]) if item.get("enabled", True))


def _twins(document: Document) -> Iterator[Fault]:
    first: dict[tuple[str, str, str], str] = {}
    for number, item in _enabled(document):
        cell = (item["type"], item["link"], item["name"]["zh"])
        before = first.setdefault(cell, item["id"])
        if before != item["id"]:
            told = f"{before} and {item['id']} are one matter: {item['type']} at {item['link']}, {quoted(cell[2])}"
            yield Fault(document.mark("items", number), told, "rename one, or write enabled: false")


def matrix_links(body: dict[str, Any]) -> list[str]:
    """The links that every type must have an item for, in the catalog's order."""
    asked = body.get("matrix_links")
    if asked is not None:
        return [link for link in body["links"] if link in asked]
    had = {(item["type"], item["link"]) for item in body["items"] if item.get("enabled", True)} | excepted(body)
    types = body["enforcement_types"]
    return [link for link in body["links"] if 2 * sum((kind, link) in had for kind in types) > len(types)]


def excepted(body: dict[str, Any]) -> set[tuple[str, str]]:
    """The cells that need no item, by the catalog's own word."""
    return {(cell["type"], cell["link"]) for cell in body.get("matrix_exceptions", ())}


def holes(body: dict[str, Any]) -> list[tuple[str, str]]:
    """The cells of the matrix, as (type, link), that have neither an enabled item nor an exception."""
    had = {(item["type"], item["link"]) for item in body["items"] if item.get("enabled", True)} | excepted(body)
    links = matrix_links(body)
    return [(kind, link) for kind in body["enforcement_types"] for link in links if (kind, link) not in had]


def _holes(document: Document) -> Iterator[Fault]:
    body = document.body
    for kind, link in holes(body):
        names = f"{body['enforcement_types'][kind]['zh']} × {body['links'][link]['zh']}"
        told = f"no item for {kind} at {link} ({names})"
        advice = f"add an item, or to matrix_exceptions: {{type: {kind}, link: {link}, reason_zh: …}}"
        yield Fault(document.mark("enforcement_types", kind), told, advice)
