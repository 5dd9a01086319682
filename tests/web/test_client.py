# SPDX-License-Identifier: Apache-2.0
"""The client that programs and our own commands ask a server with: who asks, what comes back, and servers that lie."""

import io
import json
import os
import subprocess
import sys
import tarfile
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from app import clocks
from app.cli import remote
from evidence import errors
from evidence.errors import (
    BadInput,
    EvidockError,
    NotFound,
    NotSignedIn,
    RecordMalformed,
    ServerUnavailable,
    TooLarge,
    Truncated,
)
from evidence.verdict import Verdict
from pipeline import audit, flow
from pipeline.pack.check import check_pack
from pipeline.sign_in_links import issue_link
from storage.register import jobs
from tests.support.home import LEASE_S, open_home
from tests.support.people import Hall, hall_of_people
from tests.web.test_exports import grant_export
from web.client.client import Client
from web.client.unpacking import unpack
from web.client.wire import Server
from web.server.certificate import own
from web.server.listening import bound, listening

PASSWORD = "three quiet herons at noon"
KEY = "evk_" + "s" * 43
REPOSITORY = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def hall(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hall]:
    with open_home(tmp_path_factory.mktemp("hall") / "home") as home, hall_of_people(home) as made:
        grant_export(made, made["investigator"], made.cases["own"], number=0)
        ports = replace(home.ports, actor="cli:root")
        link = issue_link("usr-investigator", lasts=timedelta(hours=1), ports=ports, now=clocks.now())
        body = {"link": link.token, "password": PASSWORD}
        answer = made.nobody.post("/v1/session/link", json=body, headers={"Origin": address(made)})
        assert answer.status_code == 201, answer.text
        made.nobody.cookies.clear()
        yield made


def address(hall: Hall) -> str:
    return str(hall.nobody.base_url).rstrip("/")


def program(hall: Hall) -> Client:
    return Client(Server.of_text(address(hall)), key=KEY)


# --- asking -----------------------------------------------------------------------------------


def test_a_program_lists_page_after_page_what_it_may_see(hall: Hall) -> None:
    with program(hall) as client:
        whole = [one["id"] for one in client.every("recordings")]
        paged = [one["id"] for one in client.every("recordings", limit=1)]
    assert whole == paged
    assert hall.recordings["own"] in whole
    assert hall.recordings["other"] not in whole


def test_a_case_is_found_by_its_number_and_by_its_id(hall: Hall) -> None:
    with program(hall) as client:
        assert client.case("A-own")["id"] == client.case(hall.cases["own"])["id"] == hall.cases["own"]
        with pytest.raises(NotFound):
            client.case("A-other")


def test_what_a_server_refuses_is_told_as_our_error(hall: Hall) -> None:
    with program(hall) as client, pytest.raises(NotFound, match="none that is yours to see"):
        client.one("recordings", hall.recordings["other"])
    with Client(Server.of_text(address(hall)), key="evk_wrong") as client, pytest.raises(NotSignedIn):
        client.page("recordings")
    with Client(Server.of_text(address(hall))) as client, pytest.raises(NotSignedIn):
        client.sign_in("investigator", "not this one")


def test_a_person_signs_in_asks_for_a_pack_and_fetches_it_whole(hall: Hall, tmp_path: Path) -> None:
    def work() -> None:
        with hall.home.ports.register.view() as connection:
            waiting = [row.id for row in jobs.open_jobs(connection) if row.step == "export"]
        for job in waiting:
            flow.run(job, ports=hall.home.ports, owner="worker", clock=clocks.clock(LEASE_S))

    (tmp_path / "pack").mkdir()
    with Client(Server.of_text(address(hall))) as client:
        client.sign_in("investigator", PASSWORD)
        told = client.wait_for_export(client.ask_for_export("A-own", "originals")["id"], pause=work)
        assert told["state"] == "made"
        client.take_export(told["id"], tmp_path / "pack", size_bytes=told["size_bytes"])
    report = check_pack(tmp_path / "pack", trust=audit.trust_of(hall.home.ports))
    assert (report.verdict, report.findings) == (Verdict.PROVEN, ())


@pytest.mark.parametrize("identifier", ["../users", "..", "", "a/b", "%2e%2e", "a?x=1", "a#b"])
def test_an_id_leads_nowhere_else(hall: Hall, identifier: str) -> None:
    with program(hall) as client, pytest.raises(EvidockError) as caught:
        client.one("recordings", identifier)
    assert caught.type in (BadInput, NotFound)


# --- which server -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        "",
        "evidence.example.org",
        "ftp://x",
        "http://evidence.example.org",
        "https://u:p@x",
        "https://x/y",
        "https://x?y",
    ],
)
def test_an_address_that_is_none_or_would_give_the_key_away_is_refused(url: str) -> None:
    with pytest.raises(BadInput):
        Server.of_text(url)


def test_a_server_is_known_by_its_certificate_and_another_is_sent_nothing(hall: Hall, tmp_path: Path) -> None:
    identity = own(tmp_path, host="127.0.0.1", now=clocks.now())
    before = len(hall.accesses(hall["service"]))
    with (
        bound("127.0.0.1", 0) as listener,
        listening(hall.app, listener, identity=identity, grace_s=1.0) as server,
    ):
        with Client(Server.of_text(server.address, identity.fingerprint.upper()), key=KEY) as client:
            assert client.page("cases")["items"]
        seen = len(hall.accesses(hall["service"]))
        for pin in ("0" * 64, None):
            with Client(Server.of_text(server.address, pin), key=KEY) as client, pytest.raises(ServerUnavailable):
                client.page("cases")
    assert seen == before + 1
    assert len(hall.accesses(hall["service"])) == seen


def test_a_server_that_is_not_there_is_told_as_that() -> None:
    with bound("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]
    with Client(Server.of_text(f"http://127.0.0.1:{port}"), key=KEY) as client, pytest.raises(ServerUnavailable):
        client.page("cases")


# --- servers that lie -------------------------------------------------------------------------


class Liar(BaseHTTPRequestHandler):
    """Answers whatever it is told to."""

    answer: tuple[int, bytes] = (200, b"")

    def do_GET(self) -> None:
        status, body = self.answer
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        if status == 302:
            self.send_header("Location", "http://127.0.0.1:1/")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Nothing."""


@pytest.fixture
def liar() -> Iterator[Client]:
    server = HTTPServer(("127.0.0.1", 0), Liar)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    with Client(Server.of_text(f"http://127.0.0.1:{server.server_port}"), key=KEY) as client:
        yield client
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ((200, b"<html>"), ServerUnavailable),
        ((200, b"[1]"), ServerUnavailable),
        ((302, b""), errors.Unacceptable),
        ((500, b"{}"), ServerUnavailable),
        ((503, b"\xff"), ServerUnavailable),
        ((403, b'{"code":"not-allowed","detail":"no"}'), errors.NotAllowed),
        ((409, b'{"code":"of-a-later-version","detail":"no"}'), errors.Refused),
        ((400, b'{"code":["x"],"detail":7}'), errors.Unacceptable),
    ],
)
def test_an_answer_of_another_form_is_told_as_our_error(
    liar: Client, answer: tuple[int, bytes], error: type[EvidockError]
) -> None:
    Liar.answer = answer
    with pytest.raises(EvidockError) as caught:
        liar.page("cases")
    assert issubclass(caught.type, error)


def test_a_list_without_an_end_is_refused(liar: Client) -> None:
    Liar.answer = (200, b'{"items":[],"next":"again"}')
    with pytest.raises(RecordMalformed, match="for ever"):
        list(liar.every("cases"))


# --- packs that lie ---------------------------------------------------------------------------


def tar(*members: tarfile.TarInfo, data: bytes = b"") -> bytes:
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode="w", format=tarfile.PAX_FORMAT) as made:
        for member in members:
            member.size = len(data) if member.isreg() else 0
            made.addfile(member, io.BytesIO(data))
    return held.getvalue()


def member(name: str, kind: bytes = tarfile.REGTYPE, **told: Any) -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.type = kind
    for key, value in told.items():
        setattr(made, key, value)
    return made


def unpacked(data: bytes, folder: Path, *, size_bytes: int = 1000) -> int:
    folder.mkdir(exist_ok=True)
    return unpack(iter([data]), folder, top="exp-a", size_bytes=size_bytes, progress=lambda _: None)


HOSTILE = [
    member("../x"), member("/etc/x"), member("exp-a/../x"), member("exp-a/data/../../x"), member("exp-b/x"),
    member("exp-a"), member("exp-a/"), member("exp-a//x"), member("exp-a/.x"), member("exp-a/a\\b"),
    member("exp-a/a\nb"),
    member("exp-a/caf\u00e9"), member("exp-a/" + "x" * 300), member("exp-a/x", tarfile.SYMTYPE, linkname="/etc/passwd"),
    member("exp-a/x", tarfile.LNKTYPE, linkname="exp-a/y"), member("exp-a/x", tarfile.FIFOTYPE),
    member("exp-a/x", tarfile.CHRTYPE), member("exp-a/x", tarfile.BLKTYPE), member("exp-a/x", tarfile.DIRTYPE),
    member("exp-a/x", tarfile.GNUTYPE_SPARSE), member("exp-a/x", pax_headers={"path": "../x"}),
    member("exp-a/x", pax_headers={"GNU.sparse.major": "1"}), member("exp-a/x", pax_headers={"linkpath": "/etc"}),
]  # fmt: skip


@pytest.mark.parametrize("hostile", HOSTILE, ids=lambda one: f"{one.name[:20]!r}-{one.type!r}-{one.pax_headers}")
def test_a_stream_that_leads_out_of_its_folder_or_holds_no_plain_file_writes_nothing(
    hostile: tarfile.TarInfo, tmp_path: Path
) -> None:
    with pytest.raises(RecordMalformed):
        unpacked(tar(hostile), tmp_path / "into")
    assert [path.name for path in tmp_path.rglob("*")] == ["into"]


def test_a_file_twice_also_by_other_letters_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RecordMalformed, match="a second time"):
        unpacked(tar(member("exp-a/data/x"), member("exp-a/data/X")), tmp_path / "into")


def test_more_bytes_than_the_pack_is_said_to_have_are_refused_before_they_are_written(tmp_path: Path) -> None:
    with pytest.raises(TooLarge):
        unpacked(tar(member("exp-a/x"), data=b"x" * 2000), tmp_path / "into")
    assert list((tmp_path / "into").iterdir()) == []


def test_a_header_that_promises_terabytes_writes_nothing(tmp_path: Path) -> None:
    head = member("exp-a/x", size=1 << 45).tobuf(tarfile.GNU_FORMAT)
    with pytest.raises(TooLarge):
        unpacked(head, tmp_path / "into")


def test_a_header_of_a_size_that_runs_backwards_is_refused(tmp_path: Path) -> None:
    head = member("exp-a/x", size=-5).tobuf(tarfile.GNU_FORMAT)
    with pytest.raises(RecordMalformed):
        unpacked(head, tmp_path / "into")


@pytest.mark.parametrize("length", [0, 100, 512, 600, 1030])
def test_a_stream_that_ends_early_is_told(length: int, tmp_path: Path) -> None:
    with pytest.raises(Truncated):
        unpacked(tar(member("exp-a/x"), data=b"x" * 700)[:length], tmp_path / "into")


def test_noise_is_no_stream_of_a_pack(tmp_path: Path) -> None:
    with pytest.raises(RecordMalformed):
        unpacked(b"noise" * 1000, tmp_path / "into")


# --- the command line -------------------------------------------------------------------------


def evidock(*typed: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "app", *typed], cwd=REPOSITORY, capture_output=True, text=True, timeout=60, check=False,
        env={**os.environ, **environment},
    )  # fmt: skip


def test_a_command_asks_the_server_that_is_named_with_the_key_of_a_private_file(hall: Hall, tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text(KEY + "\n")
    key.chmod(0o600)
    asked = evidock("recordings", "--json", "--server", address(hall), "--key-file", str(key))
    assert asked.returncode == 0, asked.stderr
    assert hall.recordings["own"] in [one["id"] for one in json.loads(asked.stdout)["recordings"]]
    told = evidock("case", "show", "A-own", "--json", EVIDOCK_SERVER=address(hall), EVIDOCK_KEY_FILE=str(key))
    assert json.loads(told.stdout)["number"] == "A-own"


def test_a_command_of_the_machine_itself_is_not_taken_for_one_of_the_server(hall: Hall) -> None:
    asked = evidock("ingest", "x", "--server", address(hall))
    assert asked.returncode == BadInput.exit_status
    assert "works at the machine itself alone" in asked.stderr


def test_nobody_is_asked_for_when_nobody_was_named(hall: Hall) -> None:
    asked = evidock("recordings", "--server", address(hall), EVIDOCK_KEY_FILE="")
    assert asked.returncode == BadInput.exit_status
    assert "say who asks" in asked.stderr


@pytest.mark.parametrize(
    ("typed", "hoisted"),
    [
        (["show", "x", "--server", "u"], ["--server", "u", "show", "x"]),
        (["--server=u", "show", "x"], ["--server", "u", "show", "x"]),
        (["export", "--pin", "p", "-o", "d", "--login=li"], ["--pin", "p", "--login", "li", "export", "-o", "d"]),
    ],
)
def test_the_server_may_be_named_anywhere(typed: list[str], hoisted: list[str]) -> None:
    assert remote.hoisted(typed) == hoisted


def test_files_that_lie_here_are_verified_here_whatever_server_is_named(tmp_path: Path) -> None:
    assert not remote.names_a_server(["verify", str(tmp_path), "--server", "https://x"])
    assert remote.names_a_server(["verify", "rec-a", "--server", "https://x"])
