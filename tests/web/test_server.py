# SPDX-License-Identifier: Apache-2.0
"""This is where the server is started, killed, filled up and kept waiting."""

import errno
import hashlib
import http.client
import json
import os
import socket
import ssl
import stat
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from fastapi import APIRouter

from app import clocks
from app.operate.lines import Spoken
from app.serve import identity_of, run_server
from app.settings import load_settings
from evidence import errors
from evidence.errors import BadInput, EvidockError, InUse, NotFound, StoreUnavailable
from tests.support.command import evidock
from tests.support.home import Home, open_home
from tests.support.mounts import disk, need_disks
from tests.support.servers import until
from tests.support.web_server import BYTES, Uploader, WebServer, enrolled, server_process, web_server
from web.api.app import create_app
from web.api.problems import answer_to, status_of
from web.server import protocol
from web.server.certificate import brought, own
from web.server.listening import bound, listening

MIB = 1 << 20
DATA = bytes(range(256)) * 4096 * 4  # 4 MiB


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    with open_home(tmp_path_factory.mktemp("server")) as opened:
        yield opened


@pytest.fixture(scope="module")
def server(home: Home) -> Iterator[WebServer]:
    with web_server(home) as running:
        yield running


# --- kills --------------------------------------------------------------------------------------


def begin_patch(dock: Uploader, upload: str, *, at: int, length: int, data: bytes) -> socket.socket:
    """A PATCH that has sent some of its bytes and waits."""
    head = (
        f"PATCH /v1/uploads/{upload} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {dock.token}\r\n"
        f"Tus-Resumable: 1.0.0\r\nUpload-Offset: {at}\r\nContent-Type: {BYTES}\r\nContent-Length: {length}\r\n\r\n"
    )
    line = socket.create_connection(("127.0.0.1", dock.port), timeout=20)
    line.sendall(head.encode() + data)
    return line


def test_a_server_killed_in_the_middle_goes_on_where_it_was_and_one_that_is_stopped_ends_well(tmp_path: Path) -> None:
    folder = tmp_path / "home"
    with open_home(folder) as home, server_process(folder) as process:
        dock = enrolled(home.ports, process.port, "hall")
        dock.sign_in()
        upload = dock.create(len(DATA), filename="a.mp4")
        assert dock.patch(upload, 0, DATA[:MIB]).offset == MIB
        waiting = begin_patch(dock, upload, at=MIB, length=2 * MIB, data=DATA[MIB : 2 * MIB])
        until(lambda: (folder / "received" / upload / "bytes").stat().st_size > MIB, "bytes that are not acknowledged")

        process.kill()
        waiting.close()
        process.start()

        assert dock.look(upload).status == 401, "its tokens are gone"
        dock.sign_in()
        assert dock.look(upload).offset == MIB

        # Stopped while bytes come: what came without a checksum counts.
        waiting = begin_patch(dock, upload, at=MIB, length=2 * MIB, data=DATA[MIB : 2 * MIB])
        until(lambda: (folder / "received" / upload / "bytes").stat().st_size > MIB, "the next bytes come")
        stopping = threading.Thread(target=lambda: statuses.append(process.stop()))
        statuses: list[int] = []
        stopping.start()
        waiting.sendall(DATA[2 * MIB : 3 * MIB])
        assert waiting.recv(100).startswith(b"HTTP/1.1 204 "), "a request under way is answered"
        waiting.close()
        stopping.join()
        assert statuses == [0]

        process.start()
        dock.sign_in()
        assert dock.look(upload).offset == 3 * MIB
        assert dock.patch(upload, 3 * MIB, DATA[3 * MIB :]).offset == len(DATA)
        assert (folder / "received" / upload / "bytes").read_bytes() == DATA
        assert len(home.recordings()) == 1


def test_a_server_that_ends_does_not_wait_for_ever_and_keeps_what_came(home: Home) -> None:
    with web_server(home) as running:
        dock = running.dock()
        upload = dock.create(len(DATA), filename="a.mp4")
        line = begin_patch(dock, upload, at=0, length=len(DATA), data=DATA[:MIB])
        running.until_held(upload)
        until(lambda: running.files.path(upload).stat().st_size >= MIB // 2, "bytes come")
    running.until_free(upload)
    line.close()
    assert running.files.offset(upload) >= MIB // 2


def test_what_was_whole_when_the_server_was_killed_is_taken_down_at_the_next_start(server: WebServer) -> None:
    dock = server.dock()
    upload = dock.create(4, filename="a.mp4")
    with server.files.appending(upload, at=0) as piece:
        piece.write(b"1234")
        piece.commit()
    before = len(server.home.recordings())

    server.intake.sweep()

    assert len(server.home.recordings()) == before + 1


def test_one_file_that_is_broken_keeps_no_other_from_being_taken_down(server: WebServer) -> None:
    dock = server.dock()
    broken, whole = (dock.create(4, path=f"{name}.mp4", filename="a.mp4") for name in "ab")
    told = server.files.folder / broken / "told"
    said = told.read_text()
    told.write_text("{")
    with server.files.appending(whole, at=0) as piece:
        piece.write(b"1234")
        piece.commit()
    before = len(server.home.recordings())
    try:
        with pytest.raises(errors.RecordMalformed):
            server.intake.sweep()
        reply = dock.request("PATCH", f"/uploads/{broken}", b"1234", Upload_Offset="0", Content_Type=BYTES)
    finally:
        told.write_text(said)
    assert len(server.home.recordings()) == before + 1
    assert (reply.status, reply.code) == (500, "record-malformed")
    assert b"/" not in reply.body.replace(b"about:blank", b"")


# --- full disks ---------------------------------------------------------------------------------


def test_a_disk_that_fills_up_in_the_middle_loses_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    need_disks()
    with disk(tmp_path, "ext4") as made, open_home(made.root / "evidock") as home, web_server(home) as server:
        dock = server.dock()
        upload = dock.create(len(DATA), filename="a.mp4")
        assert dock.patch(upload, 0, DATA[:MIB]).offset == MIB
        ballast = made.root / "ballast"
        with ballast.open("wb", buffering=0) as file:
            with suppress(OSError):  # all of it: root has more than others, so no count of it is right
                while file.write(bytes(MIB)):
                    pass
            os.fsync(file.fileno())
            file.truncate(file.tell() - MIB)

        reply = dock.patch(upload, MIB, DATA[MIB:])
        assert (reply.status, reply.code, reply.headers["Retry-After"]) == (507, "store-unavailable", "10")
        assert dock.look(upload).offset == MIB

        ballast.unlink()
        assert dock.patch(upload, MIB, DATA[MIB:]).offset == len(DATA)
        assert server.files.path(upload).read_bytes() == DATA


# --- who is slow, who says too much -------------------------------------------------------------


def test_a_client_that_never_ends_its_headers_is_cut_off(server: WebServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "HEADERS_S", 0.3)
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as line:
        line.sendall(b"GET / HTTP/1.1\r\nHo")
        assert line.recv(100) == b""
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as line:
        assert line.recv(100) == b"", "nor may it say nothing at all"
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as line:
        line.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert line.recv(1000).startswith(b"HTTP/1.1 404 ")
        line.sendall(b"GET /")
        assert line.recv(1000) == b"", "nor the second time"


def test_a_connection_answers_one_request_after_another(server: WebServer) -> None:
    dock = server.dock()
    line = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    statuses = []
    for body in (None, b"x" * 300_000, None):
        told = {"Tus-Resumable": "1.0.0", "Authorization": "Bearer wrong", "Upload-Offset": "0", "Content-Type": BYTES}
        line.request("HEAD" if body is None else "PATCH", "/v1/uploads/upl-aaaaaaaaaaaaaaaa", body=body, headers=told)
        reply = line.getresponse()
        reply.read()
        statuses.append(reply.status)
    line.close()
    assert statuses == [401, 401, 401]
    assert dock.look("upl-aaaaaaaaaaaaaaaa").status == 404


def test_a_body_that_nobody_wants_is_not_heard_for_ever(server: WebServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "UNWANTED_S", 0.3)
    stranger = Uploader(server.port, "dck-a", server.dock().key, token="x")
    line = begin_patch(stranger, "upl-aaaaaaaaaaaaaaaa", at=0, length=1 << 30, data=b"1")
    assert line.recv(1000).startswith(b"HTTP/1.1 401 ")
    assert line.recv(1000) == b""
    line.close()


def test_json_of_any_length_is_not_taken(server: WebServer) -> None:
    dock = server.dock()
    long = b'{"dock": "' + b"a" * (9 << 20) + b'"}'
    reply = dock.request("POST", "/challenges", long, Content_Type="application/json")
    assert (reply.status, reply.code) == (413, "too-large")
    reply = dock.request("POST", "/challenges", iter([long]), Content_Type="application/json")
    assert (reply.status, reply.code) == (413, "too-large")


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"{}", b'{"dock": 1}', b"[" * 100_000, b"\xff", b'{"dock": "a\\u0000"}']
)
def test_json_of_any_form_is_answered(server: WebServer, body: bytes) -> None:
    reply = server.dock().request("POST", "/sessions", body, Content_Type="application/json")
    assert (reply.status, reply.code) == (400, "bad-input")


# --- problems -----------------------------------------------------------------------------------


def test_a_defect_is_told_to_us_and_not_to_the_client(home: Home, caplog: pytest.LogCaptureFixture) -> None:
    router = APIRouter()

    @router.get("/v1/broken")
    def broken() -> None:
        raise ValueError("the password is 1234")

    with web_server(home) as around:
        context = around.intake.context
        app = create_app(context, routers=[router])
        with bound("127.0.0.1", 0) as listener, listening(app, listener, identity=None, grace_s=1.0):
            dock = Uploader(listener.getsockname()[1], "dck-a", around.dock().key)
            reply = dock.request("GET", "/broken")
        assert (reply.status, reply.code) == (500, "defect")
        assert b"1234" not in reply.body
        assert b"Traceback" not in reply.body
        assert "request-failed" in around.weather.notes
    assert "the password is 1234" in caplog.text


def test_each_family_of_errors_has_its_status() -> None:
    told = {
        errors.NotFound: 404,
        errors.ChecksumMismatch: 460,
        errors.TooLarge: 413,
        errors.BadInput: 400,
        errors.StillChanging: 422,
        errors.NotSignedIn: 401,
        errors.DeviceRefused: 403,
        errors.InUse: 423,
        errors.OffsetConflict: 409,
        errors.Conflict: 409,
        errors.DiskLow: 429,
        errors.Overloaded: 429,
        errors.RegisterUnavailable: 503,
        errors.FixityMismatch: 500,
    }
    assert {kind: status_of(kind("")) for kind in told} == told
    assert status_of(StoreUnavailable("", errno=errno.ENOSPC)) == 507


@pytest.mark.parametrize(
    "error", [errors.RegisterUnavailable("at postgresql://u:pw@host"), errors.FixityMismatch("in /srv")]
)
def test_where_our_engines_are_is_told_to_nobody(server: WebServer, error: EvidockError) -> None:
    answer = answer_to(error, server.intake.context)
    assert error.message not in bytes(answer.body).decode()
    assert json.loads(bytes(answer.body))["code"] == error.code
    assert ("Retry-After" in answer.headers) is (answer.status_code == 503)


def test_an_address_that_is_none_is_told_as_a_problem(server: WebServer) -> None:
    reply = server.dock().request("GET", "/nowhere")
    assert (reply.status, reply.code) == (404, NotFound.code)
    assert server.dock().request("PUT", "/challenges").status == 405


# --- TLS ----------------------------------------------------------------------------------------


def test_a_certificate_is_made_once_and_docks_can_pin_it(home: Home, tmp_path: Path) -> None:
    identity = own(tmp_path / "tls", host="10.0.0.7", now=clocks.now())
    assert own(tmp_path / "tls", host="other", now=clocks.now()) == identity
    assert stat.S_IMODE(identity.key.stat().st_mode) == 0o600

    with web_server(home, identity=identity) as running:
        context = ssl.create_default_context(cafile=str(identity.certificate))
        with (
            socket.create_connection(("127.0.0.1", running.port), timeout=10) as line,
            context.wrap_socket(line, server_hostname="127.0.0.1") as secure,
        ):
            shown = secure.getpeercert(binary_form=True)
            assert shown is not None
            assert hashlib.sha256(shown).hexdigest() == identity.fingerprint
            assert secure.version() in ("TLSv1.2", "TLSv1.3")
            secure.sendall(b"OPTIONS /v1/uploads HTTP/1.1\r\nHost: x\r\n\r\n")
            assert secure.recv(1000).startswith(b"HTTP/1.1 204 ")


def test_a_key_that_others_can_read_is_not_used(tmp_path: Path) -> None:
    identity = own(tmp_path / "tls", host="localhost", now=clocks.now())
    identity.key.chmod(0o644)
    with pytest.raises(BadInput):
        own(tmp_path / "tls", host="localhost", now=clocks.now())


def test_what_is_no_certificate_is_told_as_that(tmp_path: Path) -> None:
    (tmp_path / "x.pem").write_text("no certificate")
    for certificate in (tmp_path / "x.pem", tmp_path / "nothing.pem"):
        with pytest.raises(BadInput):
            brought(certificate, tmp_path / "x.pem")


def test_without_tls_it_answers_on_loopback_only(tmp_path: Path) -> None:
    said = evidock("serve", "--plain", "--listen", "0.0.0.0:0", home=tmp_path)
    assert (said.status, "loopback" in said.err) == (77, True)


def test_a_second_server_on_the_same_home_is_refused_with_words_and_the_first_goes_on(tmp_path: Path) -> None:
    stop = threading.Event()
    stop.set()  # were it not refused, it would end at once, and well
    with server_process(tmp_path) as first:
        settings = load_settings({"EVIDOCK_HOME": str(tmp_path), "EVIDOCK_SERVE": "127.0.0.1:0"})
        with pytest.raises(InUse, match="another `evidock serve`"):
            run_server(settings, stop=stop, notes=Spoken(print), is_plain=True)
        socket.create_connection(("127.0.0.1", first.port), timeout=5).close()
        first.kill()
        first.start()  # what was killed holds nothing
        assert first.stop() == 0


def test_the_fingerprint_to_pin_is_told_with_the_code(tmp_path: Path) -> None:
    before = evidock("dock", "invite", "hall", "--json", home=tmp_path).json
    made = own(tmp_path / "tls", host="127.0.0.1", now=clocks.now())
    after = evidock("dock", "invite", "hall 2", home=tmp_path)
    assert before["fingerprint"] is None
    assert made.fingerprint in after.out
    assert evidock("dock", "invite", "hall 3", "--json", home=tmp_path).json["fingerprint"] == made.fingerprint


def test_half_of_an_identity_is_refused(tmp_path: Path) -> None:
    settings = load_settings({"EVIDOCK_HOME": str(tmp_path), "EVIDOCK_TLS_CERT": str(tmp_path / "cert.pem")})
    with pytest.raises(BadInput):
        identity_of(settings)


def test_an_address_that_is_taken_is_told_as_that() -> None:
    with bound("127.0.0.1", 0) as first:
        first.listen()
        port = first.getsockname()[1]
        with pytest.raises(BadInput):
            bound("127.0.0.1", port)
