# SPDX-License-Identifier: Apache-2.0
"""This is where the words of a body worn system of Axis become claims: metadata of containers and objects, tracks.

Keys are in small letters here. Times are UTC, and said by the system that docked the camera.

Source: Axis body worn integration API 1.6.10, "Clip metadata details" and the tables below it.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from evidence import instant
from evidence.claims import MAX_VALUE_CHARS, Claim, Source
from evidence.offer import showable

MAKER = "axis"
REJECTED = "RejectedContent_"
_ORIGINAL = "rejectedcontentoriginalcontainer"
_NAMED = re.compile(r"(?P<user>[^_]*)_(?P<device>[^_]+)_(?P<time>[0-9]{8}T[0-9]{6}Z)", re.ASCII)
_CLIP_TIME = re.compile(r"([0-9]{8})[_T]([0-9]{6})Z?_", re.ASCII)
_EPOCH = re.compile(r"[0-9]{1,11}(?:\.[0-9]{1,9})?", re.ASCII)
_POINT = re.compile(
    r"\s*POINT\s*\(\s*(-?[0-9]{1,3}(?:\.[0-9]{1,15})?)\s+(-?[0-9]{1,2}(?:\.[0-9]{1,15})?)\s*\)\s*", re.IGNORECASE
)
_PAIR = re.compile(r"([+-][0-9]{1,2}\.[0-9]{1,15})([+-][0-9]{1,3}\.[0-9]{1,15})")
_EPOCH_START = datetime(1970, 1, 1, tzinfo=UTC)
_LAT, _LON = 90, 180
_FOOTAGE = (".mkv", ".mp4")


@dataclass(frozen=True, slots=True)
class Bookmark:
    """A mark that was set in the camera or the manager; `at` is None when its time cannot be read."""

    at: datetime | None
    text: str


def device_of(container: str, metadata: Mapping[str, str]) -> str | None:
    """The serial of the camera; None when nobody says."""
    return metadata.get("bwcserialnumber") or _named(container, metadata, "device")


def user_of(container: str, metadata: Mapping[str, str]) -> str | None:
    """The id of the user, as in the container `Users`; None when nobody says."""
    return metadata.get("userid") or _named(container, metadata, "user")


def original_of(container: str, metadata: Mapping[str, str]) -> str | None:
    """Of a container of rejected content: the one that it should have gone to."""
    return metadata.get(_ORIGINAL) if container.startswith(REJECTED) else None


def span_of(name: str, metadata: Mapping[str, str]) -> tuple[datetime | None, datetime | None]:
    """When a clip began and ended, as the system says; the beginning also by its name."""
    start = _time(metadata, "starttime") or _time_of_name(name)
    return start, _time(metadata, "stoptime")


def clip_claims(
    name: str, metadata: Mapping[str, str], *, container: str, of_container: Mapping[str, str], track: bytes | None
) -> Iterator[Claim]:
    """What is said of a clip: camera, start, where it was made. `track`: a location file of its recording."""
    if device := device_of(container, of_container):
        yield _claim("device", device)
    if (start := _time(metadata, "starttime")) is not None:
        yield _claim("start", instant.to_text(start))
    elif (start := _time_of_name(name)) is not None:
        yield Claim("start", instant.to_text(start), Source.FILE_NAME)
    yield _claim("maker", MAKER)
    place = place_of(metadata.get("startlocation", "")) or (first_fix(track) if track else None)
    if place is not None:
        yield _claim("place", place)
    if why := of_container.get("triggeron"):
        yield _claim("note", f"trigger: {why}")


def officer_claim(number: str) -> Claim:
    """The user's own id is the certificate number of a registered officer."""
    return _claim("officer", number)


def user_claim(metadata: Mapping[str, str], identifier: str) -> Claim:
    """Who wore the camera, in words: no officer that we know."""
    named = (metadata.get("name", ""), metadata.get("userid", ""))
    return _claim("note", f"user: {' '.join(part for part in named if part) or identifier}")


def mark_claims(bookmarks: Iterable[Bookmark], start: datetime | None, stop: datetime | None) -> list[Claim]:
    """The marks that fall into a clip, or may."""
    return [_claim("mark", words_of(one)) for one in bookmarks if is_within(one, start, stop)]


def is_within(bookmark: Bookmark, start: datetime | None, stop: datetime | None) -> bool:
    """True when a mark falls into a clip, or nothing says otherwise."""
    if bookmark.at is None:
        return True
    return (start is None or bookmark.at >= start) and (stop is None or bookmark.at <= stop)


def words_of(bookmark: Bookmark) -> str:
    """A mark in one line."""
    at = "" if bookmark.at is None else instant.to_text(bookmark.at)
    return _cut(f"{at} {bookmark.text}".strip()) or "bookmark"


def bookmark_of(metadata: Mapping[str, str], data: bytes) -> Bookmark:
    """The bookmark that an object is: a category, tags, and free text as its content."""
    text = data[: 4 * MAX_VALUE_CHARS].decode("utf-8", "replace")
    parts = (metadata.get("categoryname", ""), " ".join(text.split()), metadata.get("tags", ""))
    return Bookmark(_time(metadata, "starttime"), "; ".join(part for part in parts if part))


def place_of(text: str) -> str | None:
    """`lat,lon` of a location in metadata; None when it is not of the form that we know."""
    found = _PAIR.match(text)
    return None if found is None else _place(found[1], found[2])


def first_fix(data: bytes) -> str | None:
    """`lat,lon` of the first point of a location file; None when it has none that can be read."""
    try:
        told = json.loads(data)
    except (ValueError, RecursionError):
        return None
    entries = told.get("CoordinateEntries") if isinstance(told, dict) else None
    for entry in entries if isinstance(entries, list) else ():
        point = entry.get("LocationWKT") if isinstance(entry, dict) else None
        found = _POINT.fullmatch(point) if isinstance(point, str) else None
        if found is not None and (place := _place(found[2], found[1])) is not None:
            return place
    return None


def role_of(name: str, metadata: Mapping[str, str]) -> str | None:
    """What an object is beside footage: `bookmark`, `track`, `key`; None: it is taken for footage."""
    if name.lower().endswith(_FOOTAGE):
        return None
    kind = metadata.get("filetype", "").lower()
    if name.startswith("bookmark_"):
        return "bookmark"
    if kind == "key" or name.endswith(".key"):
        return "key"
    if kind == "json" or name.endswith("_gpstrail.json"):
        return "track"
    return None


def stem_of(name: str) -> str:
    """What a clip and its key file have in common."""
    return name.rpartition(".")[0] or name


def _named(container: str, metadata: Mapping[str, str], part: str) -> str | None:
    found = _NAMED.fullmatch(original_of(container, metadata) or container)
    return (found[part] or None) if found else None


def _time(metadata: Mapping[str, str], key: str) -> datetime | None:
    for text in (metadata.get(f"{key}iso", ""), metadata.get(key, "")):
        moment = _moment(text)
        if moment is not None:
            return moment
    return None


def _moment(text: str) -> datetime | None:
    try:
        if _EPOCH.fullmatch(text):
            whole, _, part = text.partition(".")
            return _EPOCH_START + timedelta(seconds=int(whole), microseconds=int(part[:6].ljust(6, "0")))
        told = datetime.fromisoformat(text)
        return (told if told.tzinfo is not None else told.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _time_of_name(name: str) -> datetime | None:
    found = _CLIP_TIME.match(name)
    return None if found is None else _moment(f"{found[1]}T{found[2]}Z")


def _place(lat: str, lon: str) -> str | None:
    if abs(float(lat)) > _LAT or abs(float(lon)) > _LON:
        return None
    return f"{lat.lstrip('+')},{lon.lstrip('+')}"


def _claim(field: str, value: str) -> Claim:
    return Claim(field, _cut(value), Source.DEVICE_INFO)


def _cut(text: str) -> str:
    return showable(text)[:MAX_VALUE_CHARS]


def manifest_of(container: str, metadata: Mapping[str, str], things: Iterable[Mapping[str, Any]]) -> bytes:
    """All that was said of a container, as it is kept with its footage."""
    told = {"container": container, "metadata": dict(metadata), "objects": [dict(one) for one in things]}
    return json.dumps(told, ensure_ascii=False, indent=1, sort_keys=True).encode("utf-8", "backslashreplace")
