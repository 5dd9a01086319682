# SPDX-License-Identifier: Apache-2.0
"""This is where tests listen to the server's stream of events, as a browser does, and never for ever."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx2

from tests.support.people import Person

PATIENCE_S = 20.0


@dataclass(frozen=True, slots=True)
class Said:
    """An event as a browser reads it."""

    kind: str
    body: Any
    id: str


@dataclass(slots=True)
class Reader:
    """What comes of one stream."""

    response: httpx2.Response
    lines: Iterator[str]

    def next(self, kind: str) -> Said:
        """The next event of a kind; others are passed over."""
        told: dict[str, str] = {}
        for line in self._lines():
            name, _, value = line.partition(": ")
            told = told | {name: value} if line else {}
            if name == "data" and told["event"] == kind:
                return Said(kind, json.loads(value), told.get("id", ""))
        raise AssertionError(f"the stream ended, and nothing of {kind}")

    def rest(self) -> list[str]:
        """All lines until the server ends the stream."""
        return list(self._lines())

    def _lines(self) -> Iterator[str]:
        ends = time.monotonic() + PATIENCE_S
        for line in self.lines:  # signs of life come each second, so that no line is waited for long
            yield line
            assert time.monotonic() < ends, "the stream goes on"


@contextmanager
def watching(person: Person, **headers: str) -> Iterator[Reader]:
    """The stream that somebody opened; names of headers are written with `_`."""
    told = {**person.headers, **{name.replace("_", "-"): value for name, value in headers.items()}}
    with _opened(person, told) as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        yield Reader(response, response.iter_lines())


@contextmanager
def _opened(person: Person, headers: dict[str, str]) -> Iterator[httpx2.Response]:
    """A stream; the server may not have noticed yet that those of the test before are gone."""
    for _ in range(50):
        with person.client.stream("GET", "/v1/events", headers=headers, timeout=15) as response:
            if response.status_code == 200:
                yield response
                return
            assert response.status_code == 429, response.read()
        time.sleep(0.1)
    raise AssertionError("the room of those who went is not free")
