# SPDX-License-Identifier: Apache-2.0
"""This is where every list of the API is asked on both engines: PostgreSQL, with its own wall, shows what SQLite does.

Two installations are filled alike. Ids are drawn by chance and moments are read from a clock: neither is compared.
"""

import json
import re
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from fastapi.routing import APIRoute

from evidence.access import Role
from storage.register.roles import prepare_register
from tests.support.home import open_home
from tests.support.people import ROLES, Hall, hall_of_people
from tests.support.postgres import SERVICE, shared_postgres
from web.access.declared import declared
from web.api.app import ROUTERS

MOMENT = re.compile(r"\d{4}-\d\d-\d\dT[0-9:.]+Z?")
NAMED = re.compile(r"\b[a-z]{3}-[0-9a-z]{16,20}\b")
DIGEST = re.compile(r"\b[0-9a-f]{64}\b")
SIGNED = "/v1/log/"
"""What is told there is signed by each installation's own key."""
BY_CHANCE = frozenset({"place"})
"""Names that an installation gave itself."""


def lists() -> list[str]:
    """Addresses that are asked for by nothing but a GET, and answered by JSON."""
    plain = [one for one in declared(ROUTERS) if one.method == "GET" and one.act and "{" not in one.path]
    return sorted(one.path for one in plain if is_json(one.route) and not one.path.startswith(SIGNED))


def is_json(route: APIRoute) -> bool:
    """False for what goes on for ever, and for files."""
    return route.response_model is not None


@pytest.fixture(scope="module")
def halls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Hall, Hall]]:
    """The same people, cases and recordings: on SQLite, and on PostgreSQL as a role behind row-level security."""
    server = shared_postgres()
    server.have_role(SERVICE)
    database = server.new_database()
    prepare_register(server.url(database), service=SERVICE)
    folder, url = tmp_path_factory.mktemp("engines"), server.url(database, user=SERVICE)
    with ExitStack() as both:
        one = both.enter_context(hall_of_people(both.enter_context(open_home(folder / "sqlite"))))
        home = both.enter_context(open_home(folder / "postgres", register_url=url))
        yield one, both.enter_context(hall_of_people(home))


def told(hall: Hall, role: Role, path: str) -> tuple[int, Any]:
    """The answer without what chance and the clock put into it."""
    response = hall[role].get(path.removeprefix("/v1"))
    text = response.text.replace(str(hall.home.settings.home), "<home>")
    for name, identifier in {**hall.recordings, **{f"case {name}": one for name, one in hall.cases.items()}}.items():
        text = text.replace(identifier, f"<{name}>")
    for made in (MOMENT, NAMED, DIGEST):
        text = made.sub("…", text)
    return response.status_code, shape(json.loads(text))


def shape(body: Any) -> Any:
    """An answer whose lists are in an order that no id decides."""
    if isinstance(body, dict):
        return {name: shape(value) for name, value in body.items() if name not in BY_CHANCE}
    if isinstance(body, list):
        return sorted((shape(one) for one in body), key=lambda one: json.dumps(one, sort_keys=True))
    return body


@pytest.mark.parametrize("role", ROLES)
def test_each_list_shows_a_person_the_same_on_both_engines(halls: tuple[Hall, Hall], role: Role) -> None:
    sqlite, postgres = halls
    paths = lists()
    assert len(paths) > 20
    answers = {path: (told(sqlite, role, path), told(postgres, role, path)) for path in paths}
    differ = [f"{path}: {one} / {two}" for path, (one, two) in answers.items() if one != two]
    assert not differ, "\n\n".join(differ)
    assert not [path for path, (one, _) in answers.items() if one[0] >= 500]
    assert [path for path, (one, _) in answers.items() if one[0] == 200]
