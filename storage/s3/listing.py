# SPDX-License-Identifier: Apache-2.0
"""This is where listings are turned page by page, and not believed: they end, go on, and name what was asked for.

A service that does not know `prefix` lists the whole bucket, where others have their objects; one that repeats
itself would be read for ever, and name an object twice.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from evidence.errors import StoreUnavailable
from storage.s3.client import S3Client

_ENTRIES = ("Contents", "Versions", "DeleteMarkers", "Uploads", "Parts")
_MOST_EMPTY = 1000


def pages(client: S3Client, operation: str, marks: Mapping[str, str], **asked: Any) -> Iterator[dict[str, Any]]:
    """Each page of a listing. `marks`: what says from where to go on, and where the page before tells it.

    Raises Said.

    Raises:
        StoreUnavailable: the listing does not end, or does not say how to go on.

    """
    seen: set[tuple[Any, ...]] = set()
    empty, at = 0, dict[str, Any]()
    while True:
        answer = client.call(operation, **asked, **at)
        yield answer
        if not answer.get("IsTruncated"):
            return
        empty = 0 if any(answer.get(name) for name in _ENTRIES) else empty + 1
        at = {mark: answer.get(told) or "" for mark, told in marks.items()}
        place = tuple(at.values())
        if not place[0] or place in seen or empty > _MOST_EMPTY:
            raise StoreUnavailable(f"{operation} at {client.address}: the service's list does not go on, nor end")
        seen.add(place)


def ours(client: S3Client, entries: Iterable[dict[str, Any]], prefix: str | None = None) -> Iterator[dict[str, Any]]:
    """Those entries whose names begin with `prefix`, by default that of the address."""
    begins = client.address.prefix if prefix is None else prefix
    return (one for one in entries if one["Key"].startswith(begins))


def in_order(names: Iterable[str]) -> Iterator[str]:
    """The names, each after the one before it.

    Raises:
        StoreUnavailable: one is listed twice, or out of order: then nobody knows what else is not.

    """
    last: str | None = None
    for name in names:
        if last is not None and name <= last:
            raise StoreUnavailable(f"the service lists {name!r} after {last!r}: its list cannot be relied on")
        last = name
        yield name
