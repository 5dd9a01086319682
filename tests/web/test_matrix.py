# SPDX-License-Identifier: Apache-2.0
"""Every route, for each of seven people and three cases: who is let in, and what is hidden, is as it is declared."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.support.home import open_home
from tests.support.matrix import Cell, Pristine, Requests, cells, nameless, routes, seen
from tests.support.people import CASES, Hall, hall_of_people
from web.api.context import Rates
from web.api.rates import Rate


@dataclass(slots=True)
class Seen:
    """What came of all cells."""

    answered: int = 0
    differ: list[str] = field(default_factory=list)
    leaks: list[str] = field(default_factory=list)
    by_status: Counter[int] = field(default_factory=Counter)


@pytest.fixture(scope="module")
def hall(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hall]:
    folder: Path = tmp_path_factory.mktemp("matrix")
    rates = Rates(keys=Rate(100_000, 60))
    with open_home(folder / "home") as home, hall_of_people(home, rates=rates) as hall:
        yield hall


@pytest.fixture(scope="module")
def found(hall: Hall, tmp_path_factory: pytest.TempPathFactory) -> Seen:
    """Every cell, asked once."""
    requests, found = Requests(hall), Seen()
    pristine = Pristine(hall, tmp_path_factory.mktemp("pristine"))
    for cell in cells(hall):
        answer, body = ask(cell, requests)
        found.answered += 1
        found.by_status[answer.status] += 1
        if not cell.is_equal(answer.status, answer.problem):
            found.differ.append(f"{cell}: {answer.status} {body[:200]}")
        found.leaks += [f"{cell}: tells of {kind}" for kind in leaks(hall, cell, body)]
        if cell.route.method != "GET":
            pristine.restore()
    return found


def leaks(hall: Hall, cell: Cell, body: str) -> set[str]:
    """The kinds that are hidden from somebody and told them all the same; what they named themselves is no news."""
    hidden = set(CASES) - seen(cell.person.role, cell.reach)
    if cell.route.act == "access.own":
        return set()  # of what they asked for and were refused
    if cell.route.method != "GET" or cell.is_seen is False:
        hidden -= {cell.kind}
    named = {kind: (hall.recordings[kind], hall.cases[kind], f'"A-{kind}"', f"{kind}.gpx") for kind in hidden}
    return {kind for kind, names in named.items() if any(name in body for name in names)}


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back, without what a stream would go on to say."""

    status: int
    problem: Mapping[str, Any]


def ask(cell: Cell, requests: Requests) -> tuple[Answer, str]:
    made: dict[str, Any] = {} if cell.route.method == "GET" else {"json": requests.body(cell)}
    # Each on a connection of its own: what lies between two of them may take longer than a server keeps one open.
    headers = dict(cell.person.headers) | {"Connection": "close"}
    if cell.route.method != "GET":
        headers["Idempotency-Key"] = str(cell)[:60].replace("/", "-").replace(" ", "-")
    client = cell.person.client
    with client.stream(cell.route.method, requests.path(cell), headers=headers, **made) as response:
        kind = response.headers.get("content-type", "")
        body = response.read().decode() if "json" in kind else ""
        problem = response.json() if kind.startswith("application/problem") else {}
    return Answer(response.status_code, problem), body


def test_every_name_in_an_address_stands_for_something() -> None:
    assert nameless() == set(), "teach THINGS of tests/support/matrix.py what these names stand for"


def test_every_cell_equals_the_declared_table(found: Seen, capsys: pytest.CaptureFixture[str]) -> None:
    with capsys.disabled():
        print(f"\n{found.answered} cells of {len(routes())} routes; answers {dict(sorted(found.by_status.items()))}")
    assert found.answered == len(routes()) * 7 * len(CASES)
    assert found.differ == []


def test_no_answer_tells_of_what_is_hidden(found: Seen) -> None:
    assert found.leaks == []
