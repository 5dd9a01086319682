# SPDX-License-Identifier: Apache-2.0
"""This is where clients that others wrote upload through a wire that is cut, and every byte arrives once."""

import hashlib
import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tusclient.client import TusClient

from tests.support.chaos import times
from tests.support.cutting_proxy import cutting_proxy
from tests.support.footage import missing
from tests.support.home import open_home
from tests.support.nursery import ROOT
from tests.support.web_server import Uploader, WebServer, web_server

MIB = 1 << 20
SIZE = times(48, 1024) * MIB
CUTS = times(5, 20)
_JS = ROOT / "tests" / "web" / "tus_js"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebServer]:
    with open_home(tmp_path_factory.mktemp("tus")) as home, web_server(home) as running:
        yield running


@pytest.fixture(scope="module")
def dock(server: WebServer) -> Uploader:
    return server.dock()


@pytest.fixture(scope="module")
def footage(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("footage") / "video.mp4"
    with path.open("wb") as out:
        for _ in range(SIZE // MIB):
            out.write(os.urandom(MIB))
    return path


def digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def assert_came_whole(server: WebServer, url: str, footage: Path) -> None:
    upload = url.rpartition("/")[2]
    assert digest(server.files.path(upload)) == digest(footage)
    assert len(server.weather.hints) == 1, "one recording"


def told(name: str, began: float, cuts: int) -> None:
    print(f"\n{name}: {SIZE // MIB} MiB, {cuts} cuts, {SIZE / (time.monotonic() - began) / 1e6:.0f} MB/s")


def by_tuspy(dock: Uploader, port: int, footage: Path) -> str:
    """Upload as a program would that uses tuspy; the address of the upload."""
    client: Any = TusClient(f"http://127.0.0.1:{port}/v1/uploads", headers={"Authorization": f"Bearer {dock.token}"})
    with footage.open("rb") as stream:
        uploader = client.uploader(
            file_stream=stream,
            chunk_size=4 * MIB,
            retries=10,
            retry_delay=0.05,
            metadata={"filename": "video.mp4"},
            upload_checksum=True,
        )
        uploader.upload()
    return str(uploader.url)


def test_tuspy_uploads_through_cuts(server: WebServer, dock: Uploader, footage: Path) -> None:
    server.weather.hints.clear()
    began = time.monotonic()
    with cutting_proxy(server.port, size_bytes=SIZE, cuts=CUTS) as wire:
        url = by_tuspy(dock, wire.port, footage)
    told("tuspy", began, wire.cuts)
    assert wire.cuts == CUTS
    assert_came_whole(server, url, footage)


def test_what_changed_on_the_wire_is_noticed_and_sent_again(server: WebServer, dock: Uploader, footage: Path) -> None:
    server.weather.hints.clear()
    with cutting_proxy(server.port, size_bytes=SIZE, flips=3) as wire:
        url = by_tuspy(dock, wire.port, footage)
    assert wire.flips == 3
    assert_came_whole(server, url, footage)


@pytest.fixture(scope="session")
def tus_js(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The script beside an installed tus-js-client."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        missing("node and npm", remedy="apt-get install nodejs npm")
    lock = hashlib.sha256((_JS / "package-lock.json").read_bytes()).hexdigest()[:16]
    folder = ROOT / ".venv" / "tus-js" / lock
    if not (folder / "done").exists():
        draft = tmp_path_factory.mktemp("npm") / lock
        shutil.copytree(_JS, draft)
        command = ["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"]
        subprocess.run(command, cwd=draft, check=True, capture_output=True, timeout=120)
        (draft / "done").touch()
        folder.parent.mkdir(parents=True, exist_ok=True)
        shutil.copytree(draft, folder, dirs_exist_ok=True)
    shutil.copy(_JS / "upload.mjs", folder)
    return folder / "upload.mjs"


@pytest.mark.parametrize("chunk", [None, 4 * MIB], ids=["in-one-request", "in-chunks"])
def test_tus_js_client_uploads_through_cuts(
    server: WebServer, dock: Uploader, footage: Path, tus_js: Path, chunk: int | None
) -> None:
    server.weather.hints.clear()
    with cutting_proxy(server.port, size_bytes=SIZE, cuts=CUTS) as wire:
        command = ["node", str(tus_js), f"http://127.0.0.1:{wire.port}/v1/uploads", dock.token, str(footage)]
        began = time.monotonic()
        done = subprocess.run(
            command + ([] if chunk is None else [str(chunk)]),
            capture_output=True,
            text=True,
            check=False,
            timeout=times(60, 600),
        )
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    told(f"tus-js-client, chunks of {chunk}", began, wire.cuts)
    assert wire.cuts == CUTS
    assert_came_whole(server, said["url"], footage)
