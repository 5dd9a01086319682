# SPDX-License-Identifier: Apache-2.0
"""This is where tests of a dock that sends get its server, the wire between, and the dock; `home` is each module's."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.dock_sender import Sender, enrolled_at, receipt_server, sender
from tests.support.dock_wire import Wire, wire_to
from tests.support.home import Home
from tests.support.web_server import WebServer


@pytest.fixture
def server(home: Home) -> Iterator[WebServer]:
    with receipt_server(home) as made:
        yield made


@pytest.fixture
def wire(server: WebServer) -> Iterator[Wire]:
    with wire_to(server.port) as made:
        yield made


@pytest.fixture
def dock(home: Home, wire: Wire, tmp_path: Path) -> Iterator[Sender]:
    enrolled_at(home, tmp_path / "dock", f"http://127.0.0.1:{wire.port}")
    with sender(tmp_path / "dock") as made:
        yield made
