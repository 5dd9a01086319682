# SPDX-License-Identifier: Apache-2.0
"""A dock enrols, signs in, tells of dockings and takes receipts, with the server as it is shipped."""

import json
import stat
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from app import clocks
from devices.agent.server import HttpServer
from devices.agent.server_enrolment import Enrolment, enrol
from devices.agent.server_outbox import Outbox
from devices.agent.server_port import Alarm, Docking, Ending, ErasureFile
from devices.agent.server_wire import Wire
from devices.agent.signing import opened_receipt, verifiers
from evidence.errors import (
    BadInput,
    Conflict,
    NotSignedIn,
    RecordMalformed,
    ServerUnavailable,
    SignatureInvalid,
)
from pipeline.dock_manifest import Row, write_rows
from pipeline.docks import Invitation, invite, revoke, switch_erasing
from storage.register import dock_rows
from storage.signing import KeyFile
from tests.support.dock_sender import Sender, enrolled_at, noise, receipt_server, sender
from tests.support.dock_wire import Wire as Cable
from tests.support.home import Home, open_home
from tests.support.servers import until
from tests.support.web_server import WebServer
from web.api.app import create_app
from web.server.certificate import own
from web.server.listening import bound, listening

NOW = datetime(2026, 6, 20, 4, tzinfo=UTC)


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    with open_home(tmp_path / "home") as made:
        made.add_device("36NCC000001")
        yield made


def docking(dock: Sender, manifest: Path, number: int = 0) -> Docking:
    with manifest.open("wb") as out:
        summary = write_rows(dock.enrolment.dock, [Row("file", "36NCC000001/a.mp4", 1, 1, None)], out)
    return Docking(f"dkg-{'a' * 15}{'abcdef'[number]}", "p1", "36NCC000001", NOW, None, None, summary)


# --- enrolment ----------------------------------------------------------------------------------


def test_a_dock_keeps_its_key_and_what_was_pinned_to_itself(dock: Sender, tmp_path: Path) -> None:
    for name in ("key.pem", "enrolment.json"):
        assert stat.S_IMODE((tmp_path / "dock" / name).stat().st_mode) == 0o600
    assert Enrolment.load(tmp_path / "dock") == dock.enrolment
    assert len(dock.enrolment.server_keys) == 1


def test_a_dock_that_is_enrolled_is_not_enrolled_over(home: Home, server: WebServer, dock: Sender) -> None:
    code = invite(Invitation("other"), ports=home.ports, now=clocks.now()).code
    with pytest.raises(Conflict):
        enrol(dock.folder, url=f"http://127.0.0.1:{server.port}", code=code, name="x")


def test_a_wrong_code_enrols_nobody(server: WebServer, tmp_path: Path) -> None:
    with pytest.raises(NotSignedIn):
        enrol(tmp_path / "dock", url=f"http://127.0.0.1:{server.port}", code="AAAA-BBBB-CCCC-DDDD", name="x")
    assert not (tmp_path / "dock" / "enrolment.json").exists()


@pytest.mark.parametrize("url", ["http://192.0.2.7:9443", "ftp://127.0.0.1/", "https://", "https://a:b@h/", "h:1"])
def test_a_dock_speaks_plain_http_with_its_own_machine_only(url: str, tmp_path: Path) -> None:
    with pytest.raises(BadInput):
        enrol(tmp_path / "dock", url=url, code="x", name="x")


def test_a_server_whose_certificate_is_not_the_pinned_one_hears_nothing(server: WebServer, tmp_path: Path) -> None:
    mine = own(tmp_path / "tls", host="127.0.0.1", now=clocks.now())
    other = own(tmp_path / "other", host="127.0.0.1", now=clocks.now())
    with bound("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]
        with listening(create_app(server.intake.context), listener, identity=mine, grace_s=1.0):
            url = f"https://127.0.0.1:{port}"
            pinned, wrong = (Wire(url, fingerprint=one.fingerprint) for one in (mine, other))
            unknown = Wire(url)
            assert pinned.send("POST", "/v1/challenges", body=b"{}").status == 400
            with pytest.raises(ServerUnavailable, match="another certificate"):
                wrong.send("POST", "/v1/challenges", body=b"{}")
            with pytest.raises(ServerUnavailable, match="vouches"):
                unknown.send("POST", "/v1/challenges", body=b"{}")
            for one in (pinned, wrong, unknown):
                one.close()


# --- sessions -----------------------------------------------------------------------------------


def test_a_server_that_was_started_anew_is_signed_in_to_again(server: WebServer, dock: Sender) -> None:
    assert dock.server.known(["ofr-x"]) == {}
    server.intake.context.sessions.end(dock.enrolment.dock)  # what a restart does to all

    assert dock.server.known(["ofr-x"]) == {}


def test_a_dock_that_was_revoked_is_told_so_and_keeps_all_it_has(home: Home, dock: Sender) -> None:
    offer = dock.put("36NCC000001/a.mp4", noise(1000))
    revoke(dock.enrolment.dock, why="stolen", ports=home.ports, now=clocks.now())

    with pytest.raises(NotSignedIn):
        dock.server.known([offer.id])
    dock.start()
    until(lambda: dock.troubles, "it is told")

    assert {code for _, code in dock.troubles} == {"not-signed-in"}
    assert dock.spool.bytes_path(offer.id).exists()
    assert not dock.file(offer).is_receipted


# --- receipts -----------------------------------------------------------------------------------


def test_a_receipt_by_another_key_than_the_pinned_one_is_none(home: Home, dock: Sender, tmp_path: Path) -> None:
    data = noise(1000)
    offer = dock.put("36NCC000001/a.mp4", data)
    with open_home(tmp_path / "stranger") as stranger, receipt_server(stranger) as other:
        foreign = enrolled_at(stranger, tmp_path / "there", f"http://127.0.0.1:{other.port}").server_keys
    dock.server._trusted = verifiers(foreign)
    dock.start()
    until(lambda: dock.is_uploaded(offer), "the file is uploaded")
    home.drain(home.recordings()[0]["id"])

    until(lambda: dock.troubles, "it is told")

    assert dock.troubles[0] == (offer.id, "signature-invalid")
    assert not dock.file(offer).is_receipted
    assert dock.spool.release(needs_backup=False) == 0


def test_a_receipt_for_other_bytes_lets_nothing_go(home: Home, dock: Sender) -> None:
    offer = dock.put("36NCC000001/a.mp4", noise(1000))
    dock.start()
    until(lambda: dock.is_uploaded(offer), "the file is uploaded")
    dock.spool.journal.write("UPDATE files SET sha256 = ?", ("0" * 64,))
    home.drain(home.recordings()[0]["id"])

    until(lambda: dock.troubles, "it is told")

    assert dock.troubles[0] == (offer.id, "fixity-mismatch")
    assert not dock.file(offer).is_receipted


@pytest.mark.parametrize("note", ["", "hello\n", "a\n\n\N{EM DASH} x AAAA\n", "\N{EM DASH}" * 10])
def test_what_is_no_signed_note_is_no_receipt(tmp_path: Path, note: str) -> None:
    trusted = verifiers([KeyFile.create_or_load(tmp_path / "key", "log/records").verifier_key.to_text()])
    with pytest.raises((RecordMalformed, SignatureInvalid)):
        opened_receipt(note, trusted)


# --- what is told later -------------------------------------------------------------------------


def test_what_was_told_without_a_network_arrives_in_order_after_a_restart(
    home: Home, dock: Sender, wire: Cable, tmp_path: Path
) -> None:
    wire.shut()
    told = docking(dock, tmp_path / "manifest")
    dock.server.announce_later(told, tmp_path / "manifest")
    dock.server.tell_alarm(Alarm("36NCC000001", "binding-altered", "words", NOW))
    dock.server.tell_end(Ending(told.id, "interrupted", 0, 0, "taken out"))
    with pytest.raises(ServerUnavailable):
        dock.server.tell_waiting()
    assert dock.server.count_waiting() == 3

    wire.is_open = True
    with sender(dock.folder) as again:
        assert again.server.tell_waiting() == 3
        assert again.server.count_waiting() == 0
    kinds = [event["kind"] for event in home.events("device/36NCC000001")]
    assert [kind for kind in kinds if kind in ("docked", "device-alarm", "undocked")] == [
        "docked",
        "device-alarm",
        "undocked",
    ]
    with home.ports.register.view() as connection:
        row = dock_rows.docking(connection, told.id)
    assert row is not None
    assert row["outcome"] == "interrupted"


def test_what_the_server_will_not_hear_is_put_aside_and_the_rest_is_told(home: Home, dock: Sender) -> None:
    dock.server.tell_end(Ending("dkg-bbbbbbbbbbbbbbbb", "finished", 1, 1))  # a docking that nobody was told of
    dock.server.tell_alarm(Alarm(None, "spool-full", "words", NOW))

    assert dock.server.tell_waiting() == 2
    assert dock.server.count_waiting() == 0
    refused = list((dock.folder / "outbox" / "refused").iterdir())
    assert [json.loads(one.read_text())["path"] for one in refused] == ["/v1/dockings/dkg-bbbbbbbbbbbbbbbb/end"]


def test_leave_to_erase_is_asked_only_after_what_was_told_before_is_known(dock: Sender, tmp_path: Path) -> None:
    told = docking(dock, tmp_path / "manifest")
    dock.server.announce_later(told, tmp_path / "manifest")

    with pytest.raises(Conflict):  # the switch is off; had it not been told of, there would be no such docking
        dock.server.ask_erasure(told.id, [ErasureFile("ofr-x", "0" * 64)])

    assert dock.server.count_waiting() == 0


def test_leave_for_many_files_is_asked_part_by_part_and_nothing_is_allowed_before_the_last_is(
    home: Home, dock: Sender, tmp_path: Path
) -> None:
    switch_erasing(dock.enrolment.dock, erases=True, why="order", ports=home.ports, now=clocks.now())
    paths = [f"36NCC000001/{number}.gpx" for number in range(5)]
    offers = [dock.put(path, f"<gpx>{path}</gpx>".encode()) for path in paths]
    dock.start()
    until(lambda: len(home.recordings()) == 5, "all files came")
    with (tmp_path / "manifest").open("wb") as out:
        rows = [Row("file", offer.path, offer.size_bytes, offer.mtime_ns, None) for offer in offers]
        summary = write_rows(dock.enrolment.dock, rows, out)
    told = Docking("dkg-aaaaaaaaaaaaaaaa", "p1", "36NCC000001", NOW, None, None, summary)
    assert dock.server.announce(told, tmp_path / "manifest").is_taken
    speaker = HttpServer(dock.session, dock.outbox, dock.enrolment.trusted(), leave_files=2)
    named = [ErasureFile(offer.id, str(dock.file(offer).sha256)) for offer in offers]

    home.drain(*(row["id"] for row in home.recordings() if row["name"] != "4.gpx"))
    with pytest.raises(Conflict):
        speaker.ask_erasure(told.id, named)
    home.drain(*(row["id"] for row in home.recordings()))
    speaker.ask_erasure(told.id, named)

    kinds = [one["kind"] for one in home.events("device/36NCC000001")]
    assert kinds.count("erasing") == 3, "each part once: the repeat of the first two is none"


def test_a_manifest_that_is_gone_stops_nothing_else(dock: Sender, tmp_path: Path) -> None:
    dock.server.announce_later(docking(dock, tmp_path / "manifest"), tmp_path / "manifest")
    (tmp_path / "manifest").unlink()
    dock.server.tell_alarm(Alarm(None, "spool-full", "words", NOW))

    assert dock.server.tell_waiting() == 2
    assert dock.server.count_waiting() == 0


def test_an_entry_that_was_half_written_when_the_power_went_is_none(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path)
    outbox.put("POST", "/v1/alarms", {"code": "a"})
    (tmp_path / ".000000000002.json").write_bytes(b'{"meth')

    again = Outbox(tmp_path)
    again.put("POST", "/v1/alarms", {"code": "b"})

    first = again.first()
    assert first is not None
    assert first.body == {"code": "a"}
    again.remove(first.number)
    second = again.first()
    assert second is not None
    assert second.body == {"code": "b"}


def test_an_enrolment_that_was_changed_is_not_believed(dock: Sender) -> None:
    path = dock.folder / "enrolment.json"
    path.write_text(json.dumps({"form": "evidock/enrolment/v1", "dock": "dck-x"}))
    with pytest.raises(RecordMalformed):
        Enrolment.load(dock.folder)
