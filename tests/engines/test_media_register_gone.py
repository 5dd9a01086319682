# SPDX-License-Identifier: Apache-2.0
"""PostgreSQL is killed between a token and the request it is for: not one byte of footage is served."""

from collections.abc import Iterator

import pytest

from tests.support.cinema import Cinema, cinema
from tests.support.postgres import Postgres, private_postgres


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    with private_postgres() as made:
        yield made


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, postgres: Postgres) -> Iterator[Cinema]:
    url = postgres.url(postgres.new_database())
    with cinema(tmp_path_factory.mktemp("gone"), settings={"register_url": url}) as made:
        yield made


def test_nothing_is_served_while_the_database_is_dead(place: Cinema, postgres: Postgres) -> None:
    officer = place.hall["officer"]
    given = place.play(officer)
    before = place.fetch(officer, given["urls"][1])
    postgres.kill()
    served = [place.fetch(officer, url, method) for url in given["urls"] for method in ("GET", "HEAD")]
    refused = officer.post(f"/recordings/{place.recording}/playback", {"what": "proxy"})
    postgres.start()
    after = place.fetch(officer, given["urls"][1])

    assert {one.status_code for one in [*served, refused]} == {503}
    assert not any(before.content[:64] in one.content for one in served)
    assert after.content == before.content
