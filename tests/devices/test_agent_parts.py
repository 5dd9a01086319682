# SPDX-License-Identifier: Apache-2.0
"""This is where the parts of a dock station are tried one by one: turns, ports, names, bindings, clocks, the spool."""

import hashlib
import threading
import time
import tracemalloc
from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path

import pytest

from app.dock import station_settings
from app.settings import load_settings
from devices.agent.binding import Binding, problem_of, read_binding
from devices.agent.clock_check import check_clock, measure
from devices.agent.control import Control
from devices.agent.erase import Doomed, erase
from devices.agent.identify import identify
from devices.agent.plug import look
from devices.agent.server_enrolment import Enrolment
from devices.agent.spool import PIECE_BYTES, Origin, Spool
from devices.agent.turns import TURN_BYTES, Turns
from devices.settle import Reason
from devices.simulator.dock_device import DeviceClock, DockDevice
from devices.walk import Entry
from evidence.claims import Claim, Claims, Source
from evidence.errors import FixityMismatch, SourceUnavailable, StillChanging, StoreUnavailable
from evidence.offer import Offer
from evidence.receipt import Receipt
from tests.support.dock_station import card, content

NOON = datetime(2026, 6, 19, 12, tzinfo=UTC)


def test_ports_that_copy_at_once_get_equal_shares_of_bytes_whatever_their_blocks() -> None:
    turns, spent, end = Turns(2), Counter[int](), time.monotonic() + 1.0

    def port(number: int) -> None:
        with turns.turn() as turn:
            while time.monotonic() < end:
                block = TURN_BYTES // (4 + number)
                time.sleep(block / (1 << 32))
                spent[number] += block
                turn.spend(block)

    threads = [threading.Thread(target=port, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    mean = sum(spent.values()) / len(spent)
    assert all(abs(share - mean) <= 0.2 * mean for share in spent.values()), spent


def test_priority_goes_before_all_who_wait() -> None:
    turns, order = Turns(1), list[str]()

    def port(name: str, *, is_priority: bool) -> None:
        with turns.turn(is_priority=is_priority):
            order.append(name)

    with turns.turn():
        threads = [
            threading.Thread(target=port, args=(name,), kwargs={"is_priority": name == "first"}) for name in "ab"
        ]
        threads.append(threading.Thread(target=port, args=("first",), kwargs={"is_priority": True}))
        for thread in threads:
            thread.start()
            time.sleep(0.05)
    for thread in threads:
        thread.join()
    assert order == ["first", "a", "b"]


def test_a_device_that_hangs_keeps_no_other_from_its_turn() -> None:
    turns, hangs = Turns(1), threading.Event()
    held = []

    def hanging() -> None:
        with turns.turn() as turn:
            held.append(turn)
            hangs.wait(10)

    thread = threading.Thread(target=hanging)
    thread.start()
    while not held:
        time.sleep(0.001)
    held[0].abandon()
    with turns.turn():
        hangs.set()
        thread.join()
    with turns.turn():
        assert turns._free == 0, "a turn that was abandoned is not given back twice"


def test_a_port_is_a_folder_with_content_and_nothing_else_is(tmp_path: Path) -> None:
    outside = card(tmp_path / "outside", {"a.mp4": 1})
    ports = tmp_path / "ports"
    card(ports / "p1", {"DCIM/a.mp4": 1})
    (ports / "p2").mkdir()
    (ports / "p3").symlink_to(outside)
    card(ports / ".hidden", {"a.mp4": 1})
    (ports / "p1.control").write_text("")
    assert list(look(ports)) == ["p1"]
    assert look(tmp_path / "nowhere") == {}


def test_a_device_is_named_by_itself_then_its_binding_then_its_files_then_most_names(tmp_path: Path) -> None:
    nobody = Control(tmp_path / "no.control")
    names: dict[str, bytes | int] = {
        f"DCIM/video/2026-06-19/DSJ_NAMES01_000001_20260619_10000{n}.mp4": 1 for n in range(3)
    }
    names["DCIM/video/2026-06-19/DSJ_OTHER99_000001_20260619_100009.mp4"] = 1
    root = card(tmp_path / "card", names)
    assert identify(root, nobody).serial == "NAMES01"
    (root / "ID.txt").write_text("FILES01")
    assert identify(root, nobody).serial == "FILES01"
    (root / "bind.ini").write_text(Binding("BOUND01", "u", "d", "2026-01-01", "").to_text(), "utf-8")
    assert identify(root, nobody).serial == "BOUND01"
    device = DockDevice(root, serial="SELF01")
    device.plug(tmp_path / "ports", "p1")
    found = identify(tmp_path / "ports" / "p1", Control(tmp_path / "ports" / "p1.control"))
    device.unplug()
    assert (found.serial, found.problem) == ("SELF01", "binding-altered"), "the binding of another recorder"


def test_names_that_disagree_name_nobody(tmp_path: Path) -> None:
    names: dict[str, bytes | int] = {
        f"DCIM/video/2026-06-19/DSJ_CAM{n}_000001_20260619_10000{n}.mp4": 1 for n in range(4)
    }
    assert identify(card(tmp_path / "card", names), Control(tmp_path / "no.control")).serial is None


@pytest.mark.parametrize(
    ("text", "is_problem"),
    [
        (Binding("A1", "u", "d", "t", "").to_text(), False),
        (Binding("A1", "u", "d", "t", "").to_text().replace("用户=u", "用户=v"), True),
        ("记录仪编号=A1\n用户=u\n部门=d\n绑定时间=t\n", True),
        ("DeviceId=A1\n", False),
        ("\x00\xff" * 100, False),
        ("记录仪编号=A1\nSM3=\n", True),
    ],
)
def test_a_binding_file_holds_only_with_the_digest_that_fits(text: str, is_problem: bool, tmp_path: Path) -> None:
    (tmp_path / "bind.ini").write_text(text, "utf-8")
    assert (problem_of(read_binding(tmp_path), "A1") is not None) is is_problem


def test_a_binding_file_that_is_a_link_is_altered(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_text("")
    (tmp_path / "bind.ini").symlink_to(tmp_path / "elsewhere")
    assert problem_of(read_binding(tmp_path), None) == "binding-altered"


@pytest.mark.parametrize("offset_s", [0, 0.4, 3, -3, 8 * 3600, -(56 * 365 * 86_400)])
def test_the_true_offset_lies_within_the_stated_doubt(offset_s: float, tmp_path: Path) -> None:
    clock = DeviceClock(lambda: datetime.now(UTC), timedelta(seconds=offset_s), can_be_set=False)
    device = DockDevice(card(tmp_path / "card", {"a.mp4": 1}), serial="A1", clock=clock)
    device.plug(tmp_path / "ports", "p1")
    control = Control(tmp_path / "ports" / "p1.control")
    found = measure(control, wall=lambda: datetime.now(UTC), monotonic=time.monotonic)
    device.unplug()
    assert abs(found.offset_ms - offset_s * 1000) <= found.uncertainty_ms


def test_a_clock_that_is_right_within_the_doubt_is_not_set(tmp_path: Path) -> None:
    clock = DeviceClock(lambda: datetime.now(UTC), timedelta(seconds=0.3))
    device = DockDevice(card(tmp_path / "card", {"a.mp4": 1}), serial="A1", clock=clock)
    device.plug(tmp_path / "ports", "p1")
    control = Control(tmp_path / "ports" / "p1.control")
    found = check_clock(control, wall=lambda: datetime.now(UTC), monotonic=time.monotonic)
    device.unplug()
    assert found is not None
    assert found.after_ms is None
    assert "set-clock" not in device.asked


def test_a_program_that_never_answers_costs_its_patience_and_no_more(tmp_path: Path) -> None:
    import socket

    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(tmp_path / "p1.control"))
        silent.listen()
        with pytest.raises(SourceUnavailable):
            Control(tmp_path / "p1.control", patience_s=0.1).clock()


OFFER = Offer("dock-1", "A1/DCIM/a.mp4", "a.mp4", 2 * PIECE_BYTES + 100, 5)
CLAIMS = Claims([Claim("device", "A1", Source.FILE_NAME)])


def test_a_receipt_for_other_bytes_or_for_a_file_that_is_not_whole_is_not_taken(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    spool.begin(OFFER, Origin("dkg-1", "p1", "A1"), CLAIMS)
    digest = hashlib.sha256(b"x").hexdigest()
    right = Receipt("rec-1", digest, OFFER.size_bytes, NOON, {})
    with pytest.raises(FixityMismatch):
        spool.take_receipt(OFFER.id, right)
    spool.copied(OFFER.id, digest, tail="", docking="dkg-1")
    with pytest.raises(FixityMismatch):
        spool.take_receipt(OFFER.id, Receipt("rec-1", digest, OFFER.size_bytes + 1, NOON, {}))
    spool.take_receipt(OFFER.id, right)
    assert spool.file(OFFER.id).is_receipted
    spool.close()


def test_a_file_leaves_the_spool_only_with_its_receipt_and_its_row_stays(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    spool.begin(OFFER, Origin("dkg-1", "p1", "A1"), CLAIMS)
    data = content("a", OFFER.size_bytes)
    spool.bytes_path(OFFER.id).write_bytes(data)
    digest = hashlib.sha256(data).hexdigest()
    spool.copied(OFFER.id, digest, tail="", docking="dkg-1")
    assert spool.release(needs_backup=False) == 0
    spool.take_receipt(OFFER.id, Receipt("rec-1", digest, OFFER.size_bytes, NOON, {}))
    assert spool.release(needs_backup=True) == 0
    assert spool.release(needs_backup=False) == 1
    assert not spool.bytes_path(OFFER.id).exists()
    told = spool.file(OFFER.id)
    assert (told.claims, told.sha256, told.is_resting) == (CLAIMS, digest, False)
    spool.close()


def test_pieces_of_a_file_that_grows_are_told_as_they_are_whole(tmp_path: Path) -> None:
    spool, data = Spool(tmp_path), content("a", OFFER.size_bytes)
    spool.begin(OFFER, Origin("dkg-1", "p1", "A1"), CLAIMS)
    assert spool.pieces(OFFER.id) == ()
    spool.bytes_path(OFFER.id).write_bytes(data)
    spool.grow(OFFER.id, PIECE_BYTES)
    first = hashlib.sha256(data[:PIECE_BYTES]).digest()
    assert spool.pieces(OFFER.id) == (first,)
    spool.copied(OFFER.id, hashlib.sha256(data).hexdigest(), tail="", docking=None)
    assert spool.pieces(OFFER.id)[::2] == (first, hashlib.sha256(data[2 * PIECE_BYTES :]).digest())
    assert spool.ready_bytes(OFFER.id) == OFFER.size_bytes
    spool.close()


def test_a_journal_that_is_no_journal_is_said_in_words(tmp_path: Path) -> None:
    (tmp_path / "journal.sqlite").write_bytes(b"something else" * 1000)
    with pytest.raises(StoreUnavailable, match="journal"):
        Spool(tmp_path)


def test_what_is_not_what_was_listed_is_not_erased_nor_what_comes_after_it(tmp_path: Path) -> None:
    root = card(tmp_path / "card", {"a.mp4": 1, "b.mp4": 2, "c.mp4": 3})
    at = (root / "a.mp4").stat().st_mtime_ns
    with pytest.raises(StillChanging):
        erase(root, [Doomed("a.mp4", 1, at), Doomed("b.mp4", 1, at), Doomed("c.mp4", 3, at)])
    assert sorted(path.name for path in root.iterdir()) == ["b.mp4", "c.mp4"]


def test_what_is_gone_already_counts_as_erased(tmp_path: Path) -> None:
    root = card(tmp_path / "card", {"a.mp4": 1})
    assert erase(root, [Doomed("a.mp4", 1, (root / "a.mp4").stat().st_mtime_ns), Doomed("no/such.mp4", 1, 1)]) == 2


def test_many_listed_names_take_no_more_memory_than_a_few(tmp_path: Path) -> None:
    from devices.manifest import read_manifest, write_manifest

    names = (Entry(f"A1/DCIM/{number:07}", None, Reason.UNREADABLE) for number in range(1_000_000))
    tracemalloc.start()
    with (tmp_path / "manifest").open("wb") as out:
        write_manifest("dock-1", islice(names, 20_000), out)
    with (tmp_path / "manifest").open("rb") as source:
        assert sum(1 for row in read_manifest(source) if row.ignored) == 20_000
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1 << 20


def test_the_ports_that_go_first_are_a_setting(tmp_path: Path) -> None:
    enrolment = Enrolment(
        dock="dck-aaaaaaaaaaaaaaaa", name="hall", url="http://127.0.0.1:1", fingerprint=None, server_keys=()
    )
    told = {"EVIDOCK_HOME": str(tmp_path), "EVIDOCK_DOCK_PRIORITY": "p2  p1"}
    assert station_settings(load_settings(told), enrolment).priority_ports == {"p1", "p2"}
    del told["EVIDOCK_DOCK_PRIORITY"]
    assert station_settings(load_settings(told), enrolment).priority_ports == frozenset()
