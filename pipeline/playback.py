# SPDX-License-Identifier: Apache-2.0
"""This is where it is found what there is to play of a recording, and told in the forms that players read."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from evidence.errors import BadInput, NotFound
from evidence.lifecycle import State
from evidence.media_time import Span
from storage import layout
from storage.register import search
from storage.register.answers import Row
from storage.register.search import Connection

WHATS = ("proxy", "thumbnails", "waveform", "track", "original")
_KINDS: Mapping[str, tuple[str, ...]] = {
    "proxy": ("proxy",),
    "waveform": ("proxy",),
    "thumbnails": ("sprite", "thumbnail"),
    "track": ("track",),
}
_INDEX = "sprite-index"
_UNREADY = frozenset({State.ARRIVED, State.MEASURED, State.DISPOSING, State.DISPOSED})
_TEXT_MAX = 64 << 20
_WHOLE_ONLY = frozenset({"original", "thumbnails"})


@dataclass(frozen=True, slots=True)
class Shown:
    """An object that is shown: where it rests, its digest and size, its kind and the name to keep it by."""

    key: str
    sha256: str
    size_bytes: int
    kind: str
    name: str


def find_shown(connection: Connection, recording: Row, what: str) -> Shown:
    """The object that `what` of a recording is: one of `WHATS`.

    Raises:
        NotFound: there is none, not yet, or no longer.
    """
    if State(recording["state"]) in _UNREADY:
        raise NotFound(f"{recording['id']} has nothing to show in state {recording['state']}")
    if what == "original":
        row = search.original(connection, recording["id"])
        if row["sealed_at"] is None:
            raise NotFound(f"{recording['id']} is not sealed yet")
        return Shown(layout.original_key(row["sha256"]), row["sha256"], row["size_bytes"], what, row["name"])
    rows = {row["kind"]: row for row in search.derivatives_of(connection, recording["id"]) if row["removed_at"] is None}
    found = next((rows[kind] for kind in _KINDS[what] if kind in rows), None)
    if found is None:
        raise NotFound(f"{recording['id']} has no {what}")
    return Shown(layout.derivative_key(found["sha256"]), found["sha256"], found["size_bytes"], found["kind"], what)


def index_of_sprite(connection: Connection, recording: str) -> str:
    """The key of the index of a recording's thumbnails.

    Raises:
        NotFound: it has none.
    """
    for row in search.derivatives_of(connection, recording):
        if row["kind"] == _INDEX and row["removed_at"] is None:
            return layout.derivative_key(row["sha256"])
    raise NotFound(f"{recording} has no index of thumbnails")


def check_part(what: str, part: Span | None) -> None:
    """Return when leave for `part` of the recording can be held to for `what`.

    Raises:
        BadInput: it shows the whole or nothing.
    """
    if part is not None and what in _WHOLE_ONLY:
        raise BadInput(f"{what} is shown whole: leave out from and to")


def thumbnails_vtt(index: bytes, *, picture: str) -> str:
    """WebVTT cues that name, for each stretch of time, where in `picture` its thumbnail lies.

    Source: W3C WebVTT §4; Media Fragments URI 1.0 §4.2.2 (`xywh`).
    """
    told: Mapping[str, int] = json.loads(index)
    lines = ["WEBVTT", ""]
    for number in range(told["tiles"]):
        start, end = number * told["interval"], (number + 1) * told["interval"]
        left, top = number % told["columns"] * told["width"], number // told["columns"] * told["height"]
        place = f"{left},{top},{told['width']},{told['height']}"
        lines += [f"{_clock(start)} --> {_clock(end)}", f"{picture}#xywh={place}", ""]
    return "\n".join(lines)


def track_geojson(track: bytes, part: Span | None) -> str:
    """The way of a recording as a GeoJSON Feature: a line, with the offset and time of each of its points.

    `part`: only points within it; one without an offset is in no part. Source: RFC 7946 §3.1.4, §3.2.
    """
    told = json.loads(track)
    points = [point for point in told["points"] if part is None or _is_within(point, part)]
    names = ("offset", "at", "speed", "course", "fix")
    places = [[float(point[name]) for name in ("lon", "lat", "alt") if point[name] is not None] for point in points]
    kind = {0: None, 1: "Point"}.get(len(places), "LineString")
    shape = None if kind is None else {"type": kind, "coordinates": places if len(places) > 1 else places[0]}
    properties: dict[str, Any] = {name: [point[name] for point in points] for name in names}
    feature = {"type": "Feature", "geometry": shape, "properties": properties | {"source": told["source"]}}
    return json.dumps(feature, separators=(",", ":"))


def _is_within(point: Mapping[str, Any], part: Span) -> bool:
    return point["offset"] is not None and part.start <= Fraction(point["offset"]) < part.end


def _clock(seconds: int) -> str:
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}.000"
