# SPDX-License-Identifier: Apache-2.0
"""The register goes away between a token and the request it is for: not one byte of footage is served."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx2
import pytest

from tests.support.cinema import Cinema, cinema
from tests.support.people import signed_in
from tests.support.web_server import ServerProcess, server_process


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cinema]:
    with cinema(tmp_path_factory.mktemp("gone")) as made:
        yield made


@pytest.fixture(scope="module")
def server(place: Cinema) -> Iterator[ServerProcess]:
    with server_process(place.hall.home.settings.home) as made:
        yield made


def _take_away(register: Path, table: str) -> None:
    """As after a restore that went wrong: the file is there, and does not hold what is asked for."""
    with closing(sqlite3.connect(register)) as connection:
        connection.execute(f"ALTER TABLE {table} RENAME TO lost")
        connection.commit()


def _bring_back(register: Path, table: str) -> None:
    with closing(sqlite3.connect(register)) as connection:
        connection.execute(f"ALTER TABLE lost RENAME TO {table}")
        connection.commit()


@pytest.mark.parametrize("table", ["media_tokens", "sessions"])
def test_nothing_is_served_when_the_register_is_gone(place: Cinema, server: ServerProcess, table: str) -> None:
    home = place.hall.home
    actor = place.hall["officer"].actor
    with httpx2.Client(base_url=f"http://127.0.0.1:{server.port}", timeout=30) as client:
        officer = signed_in(home.ports, actor.name, client, actor)
        given = place.play(officer)
        before = place.fetch(officer, given["urls"][1])
        _take_away(home.settings.home / "register.db", table)
        served = [place.fetch(officer, url, method) for url in given["urls"] for method in ("GET", "HEAD")]
        refused = officer.post(f"/recordings/{place.recording}/playback", {"what": "proxy"})
        _bring_back(home.settings.home / "register.db", table)
        after = place.fetch(officer, given["urls"][1])

    assert before.status_code == after.status_code == 200
    assert {one.status_code for one in served} == {503}
    assert {one.headers["content-type"] for one in served} == {"application/problem+json"}
    assert not any(before.content[:64] in one.content for one in served)
    assert refused.status_code == 503
