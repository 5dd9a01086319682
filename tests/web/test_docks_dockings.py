# SPDX-License-Identifier: Apache-2.0
"""This is where it is tried what a server says to a device that was plugged in, and what of it is on record."""

import hashlib
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any

import pytest

from evidence.device import Device, Status
from pipeline.devices_register import lose_device, register_device, set_allowed
from pipeline.docks import revoke
from storage import layout
from storage.register import dock_rows
from tests.support.home import Home, open_home
from tests.support.servers import until
from tests.support.station_client import Serving, Station, serving

SERIALS = (f"CAM{number:04}" for number in count())
CLOCK = {"at": "2026-06-20T04:00:00Z", "offset_ms": 1500, "uncertainty_ms": 400, "after_ms": 0}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    with open_home(tmp_path_factory.mktemp("home")) as home, serving(home) as running:
        yield running


@pytest.fixture(scope="module")
def hall(server: Serving) -> Station:
    return server.station()


@pytest.fixture
def dock(hall: Station) -> Station:
    """The dock in the hall, signed in anew: tests move the clocks."""
    hall.sign_in()
    return hall


@pytest.fixture
def camera(server: Serving) -> str:
    serial = next(SERIALS)
    server.home.add_device(serial)
    return serial


@contextmanager
def put_by_hand(dock: Station, path: str, *, length: int) -> Iterator[socket.socket]:
    """A connection on which the head of a PUT was sent, and nothing of its body."""
    head = f"PUT {path} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {dock.token}\r\nContent-Length: {length}\r\n\r\n"
    with socket.create_connection(("127.0.0.1", dock.at.port), timeout=30) as line:
        line.sendall(head.encode())
        yield line


def kinds(home: Home, stream: str) -> list[str]:
    return [one["kind"] for one in home.events(stream)]


def row(home: Home, docking: str) -> dict[str, Any]:
    with home.ports.register.view() as connection:
        found = dock_rows.docking(connection, docking)
    assert found is not None
    return dict(found)


def test_a_device_that_is_known_and_allowed_is_taken(server: Serving, dock: Station, camera: str) -> None:
    told = dock.docking(camera, clock=CLOCK)

    answer = dock.post("/v1/dockings", told)

    assert (answer.status, answer.body) == (
        200,
        {"is_taken": True, "refusal": None, "erases": False, "is_priority": False},
    )
    assert kinds(server.home, f"device/{camera}") == ["device-registered", "docked"]
    with server.home.ports.register.view() as connection:
        (reading,) = dock_rows.readings_of(connection, camera)
    assert (reading["offset_ms"], reading["uncertainty_ms"], reading["after_ms"]) == (1500, 400, 0)


def test_a_docking_told_twice_is_one_docking(server: Serving, dock: Station, camera: str) -> None:
    told = dock.docking(camera)

    first, again = dock.post("/v1/dockings", told), dock.post("/v1/dockings", told)

    assert first.body == again.body
    assert kinds(server.home, f"device/{camera}") == ["device-registered", "docked"]


def test_a_device_that_is_not_registered_is_refused_and_gets_no_stream_of_its_own(
    server: Serving, dock: Station
) -> None:
    told = dock.docking("stranger")

    answer = dock.post("/v1/dockings", told)

    assert not answer.body["is_taken"]
    assert answer.body["refusal"]["code"] == "unknown-device"
    assert "stranger" in answer.body["refusal"]["text"]
    assert kinds(server.home, "device/stranger") == []
    assert kinds(server.home, f"dock/{dock.id}")[-1] == "docked"
    assert row(server.home, told["docking"])["refusal"] == "unknown-device"


@pytest.mark.parametrize("serial", ["../x", "a\nb", "x" * 200, "\u202eMAC", "'; drop table docks; --"])
def test_a_serial_that_no_device_has_is_an_unknown_one(dock: Station, serial: str) -> None:
    assert dock.post("/v1/dockings", dock.docking(serial)).body["refusal"]["code"] == "unknown-device"


def test_a_device_that_tells_no_serial_is_refused(dock: Station) -> None:
    assert dock.post("/v1/dockings", dock.docking(None)).body["refusal"]["code"] == "unknown-device"


def test_a_device_off_the_white_list_is_refused(server: Serving, dock: Station, camera: str) -> None:
    set_allowed(camera, is_allowed=False, ports=server.home.ports, now=server.clocks.now)

    answer = dock.post("/v1/dockings", dock.docking(camera))

    assert answer.body["refusal"]["code"] == "device-refused"
    assert "white list" in answer.body["refusal"]["text"]


@pytest.mark.parametrize(("status", "words"), [(Status.STOPPED, "was stopped"), (Status.SCRAPPED, "was scrapped")])
def test_a_device_out_of_use_is_refused_with_words(server: Serving, dock: Station, status: Status, words: str) -> None:
    serial = next(SERIALS)
    register_device(Device(serial, status=status), ports=server.home.ports, now=server.clocks.now)

    refusal = dock.post("/v1/dockings", dock.docking(serial)).body["refusal"]

    assert refusal["code"] == "device-refused"
    assert words in refusal["text"]


def test_a_device_in_repair_is_taken(server: Serving, dock: Station) -> None:
    serial = next(SERIALS)
    register_device(Device(serial, status=Status.REPAIR), ports=server.home.ports, now=server.clocks.now)

    assert dock.post("/v1/dockings", dock.docking(serial)).body["is_taken"]


def test_a_lost_device_that_shows_up_is_refused_and_an_alarm(server: Serving, dock: Station, camera: str) -> None:
    lose_device(camera, why="left in a bus", ports=server.home.ports, now=server.clocks.now)

    refusal = dock.post("/v1/dockings", dock.docking(camera)).body["refusal"]

    assert refusal["code"] == "device-refused"
    assert kinds(server.home, f"device/{camera}")[-2:] == ["docked", "device-alarm"]


def test_a_device_whose_binding_was_altered_is_refused_and_an_alarm(
    server: Serving, dock: Station, camera: str
) -> None:
    told = dock.docking(camera, problem="binding-altered")

    first, again = dock.post("/v1/dockings", told), dock.post("/v1/dockings", told)

    assert first.body == again.body
    assert first.body["refusal"]["code"] == "binding-altered"
    assert kinds(server.home, f"device/{camera}") == ["device-registered", "docked", "device-alarm"]


def test_a_dockings_id_cannot_stand_for_another_device(server: Serving, dock: Station, camera: str) -> None:
    other = next(SERIALS)
    server.home.add_device(other)
    told = dock.docking(camera)
    assert dock.post("/v1/dockings", told).status == 200

    refused = dock.post("/v1/dockings", told | {"device": other})

    assert (refused.status, refused.code) == (409, "conflict")
    assert row(server.home, told["docking"])["device"] == camera


def test_a_dock_speaks_of_its_own_dockings_only(server: Serving, dock: Station, camera: str) -> None:
    other = server.station("attic")
    manifest, listing = dock.manifest({"a.mp4": b"1"})
    told = dock.docking(camera, listing)
    dock.post("/v1/dockings", told)

    assert other.post("/v1/dockings", told).status == 409
    assert other.put(f"/v1/dockings/{told['docking']}/manifest", manifest).status == 404
    assert other.ask_erasure(told["docking"], {}).status == 409  # its switch is off: it learns nothing more
    ended = {"outcome": "finished", "received": 1, "erased": 0, "why": ""}
    assert other.post(f"/v1/dockings/{told['docking']}/end", ended).status == 404
    assert row(server.home, told["docking"])["ended_at"] is None


@pytest.mark.parametrize("kind", ["terminal", "axis"])
def test_what_is_no_dock_station_docks_nothing(server: Serving, camera: str, kind: str) -> None:
    station = server.station("street", kind=kind, device=camera if kind == "terminal" else None)

    refused = station.post("/v1/dockings", station.docking(camera))

    assert (refused.status, refused.code) == (409, "refused")


def test_a_revoked_dock_tells_nothing(server: Serving, camera: str) -> None:
    station = server.station()
    revoke(station.id, why="stolen", ports=server.home.ports, now=server.clocks.now)

    assert station.post("/v1/dockings", station.docking(camera)).status == 401
    assert kinds(server.home, f"device/{camera}") == ["device-registered"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"docking": "dkg-1"},
        {"docking": "../../etc"},
        {"began_at": "2026-06-20T04:00:00"},
        {"began_at": "0001-01-01T00:00:00Z"},
        {"port": ""},
        {"device": ""},
        {"problem": "NO CODE"},
        {"clock": CLOCK | {"uncertainty_ms": -1}},
        {"clock": CLOCK | {"offset_ms": 10**18}},
        {"clock": CLOCK | {"offset_ms": 1.5}},
        {"manifest": {"sha256": "x" * 64, "names": 1, "taken": 1, "taken_bytes": 1}},
        {"manifest": {"sha256": "0" * 64, "names": -1, "taken": 1, "taken_bytes": 1}},
        {"manifest": None},
    ],
    ids=str,
)
def test_a_docking_that_is_malformed_is_refused(dock: Station, camera: str, wrong: dict[str, Any]) -> None:
    assert dock.post("/v1/dockings", dock.docking(camera) | wrong).code == "bad-input"


# --- the manifest -----------------------------------------------------------------------------


def test_a_manifest_is_kept_byte_for_byte_under_its_digest(server: Serving, dock: Station, camera: str) -> None:
    manifest, listing = dock.manifest({"a.mp4": b"1", "b/c.mp4": b"22"}, ignored=["link"])
    told = dock.docking(camera, listing)
    dock.post("/v1/dockings", told)

    statuses = [dock.put(f"/v1/dockings/{told['docking']}/manifest", manifest).status for _ in range(2)]

    assert statuses == [204, 204]
    assert server.home.ports.store.read(layout.manifest_key(listing["sha256"]), limit=9999) == manifest


def test_a_manifest_with_another_digest_is_refused(server: Serving, dock: Station, camera: str) -> None:
    _, listing = dock.manifest({"a.mp4": b"1"})
    other, others = dock.manifest({"b.mp4": b"2"})  # amounts to the same
    told = dock.docking(camera, listing)
    dock.post("/v1/dockings", told)

    refused = dock.put(f"/v1/dockings/{told['docking']}/manifest", other)

    assert (refused.status, refused.code) == (400, "bad-input")
    assert not server.home.ports.store.exists(layout.manifest_key(others["sha256"]))


def test_a_manifest_that_amounts_to_less_than_was_announced_is_refused(dock: Station, camera: str) -> None:
    manifest, listing = dock.manifest({"a.mp4": b"1"})
    told = dock.docking(camera, listing | {"taken": 2})
    dock.post("/v1/dockings", told)

    assert dock.put(f"/v1/dockings/{told['docking']}/manifest", manifest).code == "bad-input"


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"not a manifest\n",
        b"evidock-manifest-v1\tdock\nfile\ttaken\t-\t-\ta.mp4\nend\t1\t" + b"0" * 64 + b"\n",
        b"evidock-manifest-v1\tdock\nfile\ttaken\t1\t1\t../a.mp4\n",
        b"evidock-manifest-v1\tdock\n" + b"x" * 200_000,
    ],
    ids=["empty", "other", "no size", "leaves the device", "endless line"],
)
def test_what_is_no_manifest_is_refused_though_its_digest_was_announced(
    dock: Station, camera: str, text: bytes
) -> None:
    listing = {"sha256": hashlib.sha256(text).hexdigest(), "names": 1, "taken": 1, "taken_bytes": 1}
    told = dock.docking(camera, listing)
    dock.post("/v1/dockings", told)

    assert dock.put(f"/v1/dockings/{told['docking']}/manifest", text).code == "bad-input"


def test_a_manifest_that_breaks_off_leaves_nothing_and_is_sent_again(
    server: Serving, dock: Station, camera: str
) -> None:
    manifest, listing = dock.manifest({f"{number}.mp4": b"1" for number in range(1000)})
    told = dock.docking(camera, listing)
    dock.post("/v1/dockings", told)
    path = f"/v1/dockings/{told['docking']}/manifest"
    with put_by_hand(dock, path, length=len(manifest)) as line:
        line.sendall(manifest[:-1])
    scratch = server.home.ports.spool / "scratch"

    until(lambda: not list(scratch.glob("*")), "the torn manifest is gone")
    assert not server.home.ports.store.exists(layout.manifest_key(listing["sha256"]))
    assert dock.put(path, manifest).status == 204


def test_a_manifest_longer_than_any_is_refused_before_it_is_sent(dock: Station, camera: str) -> None:
    told = dock.docking(camera)
    dock.post("/v1/dockings", told)

    with put_by_hand(dock, f"/v1/dockings/{told['docking']}/manifest", length=(1 << 30) + 1) as line:
        assert line.recv(100).startswith(b"HTTP/1.1 413 ")


def test_a_manifest_of_no_docking_is_refused(dock: Station) -> None:
    assert dock.put("/v1/dockings/dkg-aaaaaaaaaaaaaaaa/manifest", b"").code == "not-found"


# --- the end ----------------------------------------------------------------------------------


def test_what_became_of_a_docking_is_on_record_once(server: Serving, dock: Station, camera: str) -> None:
    told = dock.docking(camera)
    dock.post("/v1/dockings", told)
    ended = {"outcome": "interrupted", "received": 3, "erased": 0, "why": "pulled out at a\nb"}

    statuses = [dock.post(f"/v1/dockings/{told['docking']}/end", ended).status for _ in range(2)]

    assert statuses == [204, 204]
    assert kinds(server.home, f"device/{camera}")[-2:] == ["docked", "undocked"]
    assert row(server.home, told["docking"])["outcome"] == "interrupted"
    other = ended | {"outcome": "finished"}
    assert dock.post(f"/v1/dockings/{told['docking']}/end", other).code == "conflict"


def test_a_refused_docking_of_a_stranger_ends_in_its_docks_stream(server: Serving, dock: Station) -> None:
    told = dock.docking("stranger")
    dock.post("/v1/dockings", told)
    server.home.add_device("stranger")  # registered meanwhile: the docking stays where it began

    dock.post(f"/v1/dockings/{told['docking']}/end", {"outcome": "refused", "received": 0, "erased": 0})

    assert kinds(server.home, f"dock/{dock.id}")[-1] == "undocked"
    assert kinds(server.home, "device/stranger") == ["device-registered"]


def test_a_dock_that_says_it_erased_without_leave_is_an_alarm(server: Serving, dock: Station, camera: str) -> None:
    told = dock.docking(camera)
    dock.post("/v1/dockings", told)

    dock.post(f"/v1/dockings/{told['docking']}/end", {"outcome": "finished", "received": 3, "erased": 3})

    assert kinds(server.home, f"device/{camera}")[-2:] == ["undocked", "device-alarm"]


@pytest.mark.parametrize(
    "wrong", [{"outcome": "lost"}, {"received": -1}, {"erased": "all"}, {"received": 10**20}], ids=str
)
def test_an_end_that_is_malformed_is_refused(dock: Station, camera: str, wrong: dict[str, Any]) -> None:
    told = dock.docking(camera)
    dock.post("/v1/dockings", told)
    ended = {"outcome": "finished", "received": 0, "erased": 0, "why": ""} | wrong

    assert dock.post(f"/v1/dockings/{told['docking']}/end", ended).code == "bad-input"


# --- alarms -----------------------------------------------------------------------------------


def test_an_alarm_is_an_event_of_its_device_or_of_the_dock(server: Serving, dock: Station, camera: str) -> None:
    told = {"device": camera, "code": "clock-jumped", "text": "by a year"}

    assert dock.post("/v1/alarms", told).status == 204
    assert dock.post("/v1/alarms", told | {"device": None, "code": "disk-low"}).status == 204

    assert kinds(server.home, f"device/{camera}") == ["device-registered", "device-alarm"]
    assert kinds(server.home, f"dock/{dock.id}")[-1] == "device-alarm"


def test_an_alarm_of_a_device_that_nobody_knows_is_the_docks(server: Serving, dock: Station) -> None:
    told = {"device": "a/../b", "code": "unreadable", "text": "I/O error"}

    assert dock.post("/v1/alarms", told).status == 204
    assert kinds(server.home, f"dock/{dock.id}")[-1] == "device-alarm"


def test_an_alarm_told_again_is_one_alarm(server: Serving, dock: Station, camera: str) -> None:
    told = {"device": camera, "code": "disk-low", "text": "3 GB left", "at": "2026-06-20T04:00:00Z"}
    for _ in range(2):
        assert dock.post("/v1/alarms", told).status == 204
    server.clocks.move(86400)
    dock.sign_in()
    assert dock.post("/v1/alarms", told).status == 204  # an outbox that waited for a day
    assert kinds(server.home, f"device/{camera}").count("device-alarm") == 1

    dock.post("/v1/alarms", told | {"at": "2026-06-20T05:00:00Z"})
    assert kinds(server.home, f"device/{camera}").count("device-alarm") == 2


def test_an_alarm_without_a_time_told_again_soon_is_a_repeat_and_later_is_not(
    server: Serving, dock: Station, camera: str
) -> None:
    told = {"device": camera, "code": "disk-low", "text": "3 GB left"}
    dock.post("/v1/alarms", told)
    server.clocks.move(599)
    dock.post("/v1/alarms", told)
    assert kinds(server.home, f"device/{camera}").count("device-alarm") == 1

    server.clocks.move(1)
    dock.post("/v1/alarms", told)
    assert kinds(server.home, f"device/{camera}").count("device-alarm") == 2


def test_a_dock_that_cries_all_the_time_is_told_to_wait(server: Serving, dock: Station) -> None:
    server.clocks.move(61)
    told = {"device": None, "code": "disk-low", "text": "3 GB left"}
    other = server.station("calm")

    statuses = [dock.post("/v1/alarms", told).status for _ in range(61)]

    assert statuses == [204] * 60 + [429]
    assert other.post("/v1/alarms", told).status == 204
    server.clocks.move(61)


@pytest.mark.parametrize("wrong", [{"code": "No Code"}, {"code": ""}, {"at": "yesterday"}, {"text": "x" * 20_001}])
def test_an_alarm_that_is_malformed_is_refused(dock: Station, wrong: dict[str, str]) -> None:
    told = {"device": None, "code": "disk-low", "text": "3 GB left"} | wrong

    assert dock.post("/v1/alarms", told).code == "bad-input"
