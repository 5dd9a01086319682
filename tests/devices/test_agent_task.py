# SPDX-License-Identifier: Apache-2.0
"""This is where the task of one port is tried, from plugging in to taking out."""

import hashlib
import io
import json
import os
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from devices.agent import turns
from devices.agent.binding import Binding
from devices.agent.server_port import Answer, Refusal
from devices.agent.states import Phase
from devices.manifest import read_manifest
from devices.simulator.dock_device import DeviceClock, DockDevice
from evidence.errors import SignatureInvalid
from evidence.receipt import Receipt
from tests.support.dock_station import TAKEN, TAKEN_AND_ERASED, KindServer, card, content, files_of, station

FILES: dict[str, bytes | int] = {
    "DCIM/video/2026-06-19/DSJ_36NCC009910_000001_20260619_100324.mp4": 9 << 20,
    "DCIM/video/2026-06-19/DSJ_36NCC009910_000001_20260619_101530.mp4": 70_001,
    "DCIM/audio/2026-06-19/DSJ_36NCC009910_000001_20260619_102000.m4a": 1,
}
SERIAL = "36NCC009910"


def wall() -> datetime:
    return datetime.now(UTC)


def test_a_device_is_listed_copied_received_and_left_as_it_was_while_the_switch_is_off(tmp_path: Path) -> None:
    device = DockDevice(card(tmp_path / "card", FILES))
    before = files_of(device.card)
    with station(tmp_path / "s") as running:
        device.plug(running.ports, "p1")
        state = running.wait(Phase.REMOVABLE)
        docking = running.server.announced[0]
        told = {row.path for row in read_manifest(io.BytesIO(running.server.manifests[docking.id])) if not row.ignored}
        device.unplug()
        running.wait(Phase.IDLE)
    assert files_of(device.card) == before
    assert sorted(running.server.stored.values()) == sorted(before.values())
    assert told == {f"{SERIAL}/{path}" for path in FILES}
    assert (docking.device, docking.port, docking.clock, docking.problem) == (SERIAL, "p1", None, None)
    assert (docking.manifest.taken, state.copied_files, state.received_files) == (3, 3, 3)
    assert running.server.erasures == []
    assert [(end.outcome, end.received, end.erased) for end in running.server.endings] == [("finished", 3, 0)]


def test_the_phases_are_told_in_order(tmp_path: Path) -> None:
    device = DockDevice(card(tmp_path / "card", FILES))
    with station(tmp_path / "s", KindServer(TAKEN_AND_ERASED)) as running:
        device.plug(running.ports, "p1")
        running.wait(Phase.REMOVABLE)
        told = json.loads((running.home / "status.json").read_text("utf-8"))
    phases = list(dict.fromkeys(state.phase for state in running.states))
    assert phases == [Phase.IDENTIFYING, Phase.COPYING, Phase.UPLOADING, Phase.ERASING, Phase.REMOVABLE]
    assert told["ports"]["p1"]["phase"] == "removable"
    assert told["ports"]["p1"]["device"] == SERIAL


def test_with_the_switch_on_and_every_receipt_the_device_is_cleared_of_what_was_listed(tmp_path: Path) -> None:
    device = DockDevice(card(tmp_path / "card", FILES, serial=SERIAL))
    with station(tmp_path / "s", KindServer(TAKEN_AND_ERASED)) as running:
        device.plug(running.ports, "p1")
        state = running.wait(Phase.REMOVABLE)
        device.unplug()
    assert list(files_of(device.card)) == ["ID.txt"], "a recorder keeps the file that says whose it is"
    assert len(running.server.erasures[0][1]) == 3
    assert SERIAL.encode() not in b"".join(running.server.stored.values()), "its settings may hold passwords: they stay"
    assert state.erased_files == 3


def test_a_file_that_appears_after_the_manifest_is_never_erased(tmp_path: Path) -> None:
    device = DockDevice(card(tmp_path / "card", FILES))
    server = KindServer(TAKEN_AND_ERASED, takes_files=False)
    with station(tmp_path / "s", server) as running:
        root = device.plug(running.ports, "p1")
        running.wait(Phase.UPLOADING)
        (root / "DCIM" / "new.mp4").write_bytes(b"recorded while it was in the dock")
        server.takes_files = True
        running.wait(Phase.REMOVABLE)
        device.unplug()
    assert list(files_of(device.card)) == ["DCIM/new.mp4"]


def test_a_file_that_grows_after_it_was_copied_is_not_erased(tmp_path: Path) -> None:
    device = DockDevice(card(tmp_path / "card", FILES))
    server = KindServer(TAKEN_AND_ERASED, takes_files=False)
    grown = "DCIM/video/2026-06-19/DSJ_36NCC009910_000001_20260619_101530.mp4"
    with station(tmp_path / "s", server) as running:
        root = device.plug(running.ports, "p1")
        running.wait(Phase.UPLOADING)
        with (root / grown).open("ab") as file:
            file.write(b"more")
        server.takes_files = True
        running.wait(Phase.FAULT)
        device.unplug()
    assert sorted(files_of(device.card)) == sorted(FILES), "one that fails keeps all"
    assert server.erasures == []


@pytest.mark.parametrize("how", ["grew", "was written anew"])
def test_a_file_that_changes_between_the_list_and_its_copy_is_a_fault_and_nothing_is_erased(
    how: str, tmp_path: Path
) -> None:
    device = DockDevice(card(tmp_path / "card", FILES))
    server = KindServer(TAKEN_AND_ERASED, is_down=True)
    with station(tmp_path / "s", server) as running:
        root = device.plug(running.ports, "p1")
        running.wait(Phase.WAITING_NETWORK)
        with (root / next(iter(FILES))).open("ab" if how == "grew" else "r+b") as file:
            file.write(b"more")
        server.is_down = False
        state = running.wait(Phase.FAULT)
        device.unplug()
    assert state.code == "file-changed"
    assert "file-changed" in server.codes()
    assert server.outcomes() == ["failed"]
    assert len(files_of(device.card)) == 3
    assert server.erasures == []


@pytest.mark.parametrize("how", ["missing", "another sha", "another size"])
def test_nothing_is_erased_when_a_receipt_is_not_for_the_bytes_that_were_read(how: str, tmp_path: Path) -> None:
    def forged(receipt: Receipt) -> Receipt | None:
        if how == "missing":
            return None
        if how == "another sha":
            return replace(receipt, sha256=hashlib.sha256(b"other").hexdigest())
        return replace(receipt, size_bytes=receipt.size_bytes + 1)

    device = DockDevice(card(tmp_path / "card", FILES))
    server = KindServer(TAKEN_AND_ERASED, forges=lambda receipt: forged(receipt) if receipt.size_bytes > 1 else receipt)
    with station(tmp_path / "s", server) as running:
        device.plug(running.ports, "p1")
        running.wait(Phase.UPLOADING)
        running.until(lambda: len(server.stored) == 3 and running.state().received_files == 1)
        time.sleep(0.2)
        assert running.state().phase is Phase.UPLOADING
        device.unplug()
    assert server.mismatches > 0 or how == "missing"
    assert len(files_of(device.card)) == 3
    assert server.erasures == []


def test_nothing_is_erased_when_the_server_does_not_allow_it(tmp_path: Path) -> None:
    device = DockDevice(card(tmp_path / "card", FILES))
    with station(tmp_path / "s", KindServer(TAKEN_AND_ERASED, erasure_refused=True)) as running:
        device.plug(running.ports, "p1")
        assert running.wait(Phase.FAULT).code == "conflict"
        device.unplug()
    assert len(files_of(device.card)) == 3


def test_a_switch_that_is_turned_off_while_files_are_copied_keeps_them_on_the_device(tmp_path: Path) -> None:
    device = DockDevice(card(tmp_path / "card", FILES))
    server = KindServer(TAKEN_AND_ERASED, takes_files=False)
    with station(tmp_path / "s", server) as running:
        device.plug(running.ports, "p1")
        running.wait(Phase.UPLOADING)
        server.answer, server.takes_files = TAKEN, True
        running.wait(Phase.REMOVABLE)
        device.unplug()
    assert len(files_of(device.card)) == 3


def test_an_unknown_device_is_refused_and_nothing_of_it_is_read_or_erased(tmp_path: Path) -> None:
    refused = Answer(is_taken=False, refusal=Refusal("unknown-device", "nobody knows it"), erases=True)
    device = DockDevice(card(tmp_path / "card", FILES))
    with station(tmp_path / "s", KindServer(refused)) as running:
        device.plug(running.ports, "p1")
        state = running.wait(Phase.REFUSED)
        device.unplug()
        running.wait(Phase.IDLE)
        assert running.spool.waiting() == []
    assert (state.code, state.why) == ("unknown-device", "nobody knows it")
    assert running.server.outcomes() == ["refused"]
    assert len(files_of(device.card)) == 3


def test_an_altered_binding_is_told_to_the_server(tmp_path: Path) -> None:
    root = card(tmp_path / "card", FILES)
    whole = Binding(SERIAL, "000001", "一大队", "2026-06-01 08:00:00", "").to_text()
    (root / "bind.ini").write_text(whole.replace("000001", "000002"), "utf-8")
    device = DockDevice(root, serial=SERIAL, clock=DeviceClock(wall, timedelta(hours=1)))
    with station(tmp_path / "s") as running:
        device.plug(running.ports, "p1")
        running.wait(Phase.REMOVABLE)
        device.unplug()
    assert running.server.announced[0].problem == "binding-altered"
    assert "set-clock" not in device.asked, "a device that will be refused is not touched"


def test_a_binding_that_is_whole_is_no_problem(tmp_path: Path) -> None:
    root = card(tmp_path / "card", FILES)
    (root / "bind.ini").write_text(Binding(SERIAL, "000001", "一大队", "2026-06-01", "").to_text(), "gb18030")
    device = DockDevice(root, serial=SERIAL)
    with station(tmp_path / "s") as running:
        device.plug(running.ports, "p1")
        running.wait(Phase.REMOVABLE)
        device.unplug()
    assert running.server.announced[0].problem is None


def test_the_clock_is_measured_set_and_measured_again(tmp_path: Path) -> None:
    clock = DeviceClock(wall, timedelta(seconds=-4321.5))
    device = DockDevice(card(tmp_path / "card", FILES), serial=SERIAL, clock=clock)
    with station(tmp_path / "s") as running:
        device.plug(running.ports, "p1")
        running.wait(Phase.REMOVABLE)
        device.unplug()
    measured = running.server.announced[0].clock
    assert measured is not None
    assert abs(measured.offset_ms + 4_321_500) <= measured.uncertainty_ms < 1_500
    assert measured.after_ms is not None
    assert abs(measured.after_ms) <= measured.uncertainty_ms
    assert abs(clock.offset) < timedelta(seconds=1)


def test_a_clock_that_cannot_be_set_keeps_its_measurement(tmp_path: Path) -> None:
    clock = DeviceClock(wall, timedelta(days=-20_000), grain_ms=0, can_be_set=False)
    device = DockDevice(card(tmp_path / "card", FILES), serial=SERIAL, clock=clock)
    with station(tmp_path / "s") as running:
        device.plug(running.ports, "p1")
        running.wait(Phase.REMOVABLE)
        device.unplug()
    measured = running.server.announced[0].clock
    assert measured is not None
    assert measured.after_ms is None
    assert abs(measured.offset_ms + 20_000 * 86_400_000) <= measured.uncertainty_ms


def test_two_cameras_with_the_same_names_sizes_and_times_are_two(tmp_path: Path) -> None:
    names: dict[str, bytes | int] = {"DCIM/100MEDIA/FILE0001.MP4": b"first camera"}
    others: dict[str, bytes | int] = {"DCIM/100MEDIA/FILE0001.MP4": b"other camera"}
    first = DockDevice(card(tmp_path / "one", names), serial="CAM001")
    second = DockDevice(card(tmp_path / "two", others), serial="CAM002")
    with station(tmp_path / "s", KindServer(TAKEN_AND_ERASED)) as running:
        first.plug(running.ports, "p1")
        second.plug(running.ports, "p2")
        running.wait(Phase.REMOVABLE, port="p1")
        running.wait(Phase.REMOVABLE, port="p2")
        first.unplug()
        second.unplug()
    assert sorted(running.server.stored.values()) == [b"first camera", b"other camera"]


def test_the_same_card_in_another_port_is_not_copied_again(tmp_path: Path) -> None:
    device = DockDevice(card(tmp_path / "card", FILES))
    with station(tmp_path / "s") as running:
        device.plug(running.ports, "p1")
        running.wait(Phase.REMOVABLE, port="p1")
        device.unplug()
        device.plug(running.ports, "p2")
        assert running.wait(Phase.REMOVABLE, port="p2").received_files == 3
        device.unplug()
    assert len(running.server.order) == 3
    assert running.server.outcomes() == ["finished", "finished"]


def test_other_bytes_under_a_name_that_was_received_before_are_never_erased(tmp_path: Path) -> None:
    name = "DCIM/100MEDIA/FILE0001.MP4"
    device = DockDevice(card(tmp_path / "card", {name: 3 << 20}), serial="CAM001")
    with station(tmp_path / "s") as running:
        device.plug(running.ports, "p1")
        running.wait(Phase.REMOVABLE)
        device.unplug()
        running.wait(Phase.IDLE)
        other = bytearray(content(name, 3 << 20))
        other[5] ^= 1  # far from the end, where a look at the end does not see it
        card(device.card, {name: bytes(other)})
        running.server.answer = TAKEN_AND_ERASED
        device.plug(running.ports, "p1")
        running.wait(Phase.FAULT)
        device.unplug()
    assert files_of(device.card) == {name: bytes(other)}
    assert "file-clashes" in running.server.codes()


def test_a_device_that_was_copied_before_is_read_again_before_it_is_erased(tmp_path: Path) -> None:
    device = DockDevice(card(tmp_path / "card", FILES))
    with station(tmp_path / "s") as running:
        device.plug(running.ports, "p1")
        running.wait(Phase.REMOVABLE)
        device.unplug()
        running.wait(Phase.IDLE)
        running.server.answer = TAKEN_AND_ERASED
        device.plug(running.ports, "p1")
        running.wait(Phase.REMOVABLE)
        device.unplug()
    assert files_of(device.card) == {}
    assert Phase.VERIFYING in {state.phase for state in running.states}


def test_ports_that_copy_together_get_equal_shares(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "TURN_BYTES", 1 << 20)  # many turns in a small card: shares are equal to within one
    size, devices = 48 << 20, list[DockDevice]()
    for number in range(4):
        count = (1, 2, 2, 3)[number]
        names: dict[str, bytes | int] = {f"DCIM/{name:03}.mp4": size // count for name in range(count)}
        devices.append(DockDevice(card(tmp_path / f"card{number}", names), serial=f"CAM{number}"))
    server = KindServer(TAKEN, is_down=True, takes_files=False)
    with station(tmp_path / "s", server, copies_at_once=2) as running:
        for number, device in enumerate(devices):
            device.plug(running.ports, f"p{number}")
        for number in range(4):
            running.wait(Phase.WAITING_NETWORK, port=f"p{number}")
        server.is_down = False
        ports = [f"p{number}" for number in range(4)]
        running.until(lambda: all(running.state(port).copied_bytes > 0 for port in ports))
        begun = [
            running.state(port).copied_bytes for port in ports
        ]  # each sees in its own time that the server is back
        running.until(lambda: any(running.state(port).copied_bytes >= size for port in ports))
        shares = [running.state(port).copied_bytes - was for port, was in zip(ports, begun, strict=True)]
        for device in devices:
            device.unplug()
    mean = sum(shares) / len(shares)
    assert all(abs(share - mean) <= 0.2 * mean for share in shares), (shares, begun)


def test_a_hostile_tree_is_listed_and_only_its_plain_files_are_taken_and_erased(tmp_path: Path) -> None:
    outside = tmp_path / "outside.mp4"
    outside.write_bytes(b"not on the card")
    root = card(tmp_path / "card", {"DCIM/a.mp4": 100, "DCIM/..evil/b.mp4": 10})
    (root / "DCIM" / "link.mp4").symlink_to(outside)
    (root / "folder").symlink_to(tmp_path)
    os.mkfifo(root / "DCIM" / "pipe.mp4")
    device = DockDevice(root, serial="CAM001")
    with station(tmp_path / "s", KindServer(TAKEN_AND_ERASED)) as running:
        device.plug(running.ports, "p1")
        running.wait(Phase.REMOVABLE)
        device.unplug()
    assert list(running.server.stored.values()) == [content("DCIM/a.mp4", 100)]
    assert outside.read_bytes() == b"not on the card"
    assert (root / "DCIM" / "link.mp4").is_symlink()
    assert not (root / "DCIM" / "a.mp4").exists()


def test_a_folder_swapped_for_a_link_before_erasing_leads_nowhere(tmp_path: Path) -> None:
    root = card(tmp_path / "card", {"DCIM/a.mp4": 100})
    twin = card(tmp_path / "twin", {"a.mp4": b""})
    (twin / "a.mp4").write_bytes(content("DCIM/a.mp4", 100))
    os.utime(twin / "a.mp4", ns=(1_760_000_000 * 10**9, 1_760_000_000 * 10**9))
    device = DockDevice(root, serial="CAM001")
    server = KindServer(TAKEN_AND_ERASED, takes_files=False)
    with station(tmp_path / "s", server) as running:
        place = device.plug(running.ports, "p1")
        running.wait(Phase.UPLOADING)
        (place / "DCIM").rename(place / "was")
        (place / "DCIM").symlink_to(twin)
        server.takes_files = True
        running.wait(Phase.FAULT)
        device.unplug()
    assert (twin / "a.mp4").exists()


def test_a_program_that_speaks_nonsense_leaves_a_plain_card(tmp_path: Path) -> None:
    class Mad(DockDevice):
        def answer(self, question: dict[str, str]) -> dict[str, object]:
            return {"serial": "../../etc", "at": "never", "grain_ms": -1}

    device = Mad(card(tmp_path / "card", FILES), serial="x")
    with station(tmp_path / "s") as running:
        device.plug(running.ports, "p1")
        running.wait(Phase.REMOVABLE)
        device.unplug()
    docking = running.server.announced[0]
    assert (docking.device, docking.clock) == (SERIAL, None)


def test_a_signature_that_does_not_hold_is_a_fault_of_the_port(tmp_path: Path) -> None:
    class Liar(KindServer):
        def announce(self, *told: object) -> Answer:
            raise SignatureInvalid("not our server")

    device = DockDevice(card(tmp_path / "card", FILES))
    with station(tmp_path / "s", Liar(TAKEN_AND_ERASED)) as running:
        device.plug(running.ports, "p1")
        assert running.wait(Phase.FAULT).code == "signature-invalid"
        device.unplug()
    assert len(files_of(device.card)) == 3
