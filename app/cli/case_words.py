# SPDX-License-Identifier: Apache-2.0
"""This is where what is told of a case becomes lines for people: a word, and what it says, in the agency's time."""

from collections.abc import Iterator, Mapping
from datetime import tzinfo
from typing import Any

from app.cli.recordings import show_time
from app.words import word
from evidence.case_told import Place

Line = tuple[str, str]


def lines_of(body: Mapping[str, Any], zone: tzinfo) -> list[Line]:
    """What `case show --json` tells of a case, without its links to footage; times in `zone`."""
    return [(word("case", name), said) for name, said in _lines(body, zone) if said]


def _lines(body: Mapping[str, Any], zone: tzinfo) -> Iterator[Line]:
    yield body["kind"], " ".join(filter(None, (body["number"], body["title"])))
    yield "state", _closed(body, zone)
    yield "type", " ".join(body[name] for name in ("type", "item") if body[name])
    yield "unit", body["unit"] or ""
    yield "officers", " ".join(body["officers"])
    yield "window", _span(body["from"], body["to"], zone)
    yield "file-term", body["file_term"] or ""
    yield "source", " ".join(filter(None, (body["source"], body["source_key"])))
    yield from _told(body["told"], zone)
    yield from _papers(body, zone)


def _closed(body: Mapping[str, Any], zone: tzinfo) -> str:
    return word("case", "closed") + f" {show_time(body['closed_at'], zone)}" if body["closed"] else word("case", "open")


def _told(told: Mapping[str, Any], zone: tzinfo) -> Iterator[Line]:
    yield "links", " ".join(told.get("links", ()))
    for party in told.get("parties", ()):
        yield "party", " ".join(party[name] for name in ("name", "id_no", "role") if party.get(name))
    if "place" in told:
        yield "place", _place(Place.of_json(told["place"]))
    for late in told.get("delays", ()):
        of = " ".join(late[name] for name in ("item", "link") if late.get(name))
        back = f" ({word('case', 'returned')} {show_time(late['returned_at'], zone)})" if "returned_at" in late else ""
        yield "delay", f"{of}{': ' if of else ''}{late['why']}{back}"


def _place(place: Place) -> str:
    where = f"{place.lat}, {place.lon}, {place.radius_m} m" if place.lat is not None else ""
    return " ".join(filter(None, (place.name, where)))


def _papers(body: Mapping[str, Any], zone: tzinfo) -> Iterator[Line]:
    for one in body["documents"]:
        of = " ".join(one[name] for name in ("item", "link") if one[name])
        head = " ".join(filter(None, (one["number"] or one["id"], one["name"], of)))
        yield "paper", f"{head}: {_span(one['start_at'], one['end_at'], zone)}"
    for one in body["gaps"]:
        how = word("coverage", f"gap-{one['how']}")
        yield "gap", f"{_span(one['start_at'], one['end_at'], zone)}, {how}: {one['why']}"
    for one in body["conditions"]:
        yield "condition", f"{one['code']}, {one['set_by']}: {one['why']}"


def _span(start: str | None, end: str | None, zone: tzinfo) -> str:
    """From when to when, `–` between; `…` for what is not told; nothing when neither is."""
    if start is None and end is None:
        return "…"
    return " – ".join("…" if one is None else show_time(one, zone) for one in (start, end))
