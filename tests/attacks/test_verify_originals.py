# SPDX-License-Identifier: Apache-2.0
"""This is where originals at rest are damaged, and the audit must say which chunk and which packet (attack 1)."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from evidence.chunk_tree import CHUNK_SIZE
from evidence.media_time import show
from evidence.verdict import Finding, Verdict
from pipeline import audit
from pipeline.media.packet_reader import PacketTable
from pipeline.media.packet_table import TableStream
from pipeline.ports import Ports
from storage import layout
from tests.support.homes import Home, copy_of_home, flip, found, write


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """One copy for the whole file: every test here puts back what it damaged."""
    return copy_of_home(tmp_path_factory.mktemp("home") / "home")


@pytest.fixture(scope="module")
def ports(home: Home) -> Iterator[Ports]:
    with home.ports() as opened:
        yield opened


class Original:
    """An original that a test damages; what it was is kept."""

    def __init__(self, home: Home, kind: str, ports: Ports) -> None:
        self.home, self.kind, self.ports = home, kind, ports
        self.key = layout.original_key(home.sha256(kind))
        self.path = home.objects / self.key
        self.data = self.path.read_bytes()

    @property
    def table(self) -> PacketTable:
        return self.home.table(self.kind)

    def offset(self, stream: TableStream, packet: int) -> int:
        return int(self.table.records(stream, packet + 1, packet + 2)[0]["offset"])

    def becomes(self, data: bytes) -> Finding:
        """The one finding of this recording's audit once the original has these bytes."""
        write(self.home, self.key, data)
        report = audit.verify_recording(self.ports, self.home.recordings[self.kind])
        assert report.verdict is Verdict.TAMPERED
        (finding,) = report.findings
        assert finding.object == self.key
        return finding

    def flipped(self, *offsets: int) -> Finding:
        data = bytearray(self.data)
        for offset in offsets:
            data[offset] ^= 4
        return self.becomes(bytes(data))


@pytest.fixture
def original(home: Home, ports: Ports, request: pytest.FixtureRequest) -> Iterator[Original]:
    kept = Original(home, getattr(request, "param", "plain"), ports)
    yield kept
    if kept.path.is_symlink() or not kept.path.exists():
        kept.path.unlink(missing_ok=True)
    write(home, kept.key, kept.data)


def test_a_home_that_nobody_touched_is_proven_with_all_its_objects_counted(home: Home, ports: Ports) -> None:
    report = audit.verify_all(ports)
    assert found(report) == []
    assert report.verdict is Verdict.PROVEN
    assert report.objects >= len(home.keys_at_rest())
    assert report.size_bytes >= sum((home.objects / key).stat().st_size for key in home.keys_at_rest("originals"))


@pytest.mark.parametrize("original", ["plain", "bframes", "audio_only"], indirect=True)
def test_1_one_flipped_bit_names_the_chunk_the_packet_and_its_time(original: Original) -> None:
    table = original.table
    for stream in table.header.streams:
        for packet in (0, stream.count // 2, stream.count - 1):
            row = table.records(stream, packet + 1, packet + 2)[0]
            offset = int(row["offset"]) + int(row["size"]) - 1
            finding = original.flipped(offset)
            assert finding.what == "altered"
            assert f"64 KiB chunk {offset // CHUNK_SIZE} (bytes " in finding.where
            time = show(int(row["pts"]) * stream.time_base + stream.shift)
            words = f"stream {stream.index} ({stream.media_type} {stream.codec}) packet {packet} (at {time})"
            assert finding.where.endswith(words)


@pytest.mark.parametrize("original", ["plain", "photo", "audio_only", "transport"], indirect=True)
def test_1_a_flipped_bit_in_the_first_middle_or_last_byte_of_any_chunk_is_placed(original: Original) -> None:
    size = len(original.data)
    for chunk in range(-(-size // CHUNK_SIZE)):
        start, end = chunk * CHUNK_SIZE, min((chunk + 1) * CHUNK_SIZE, size)
        for offset in {start, (start + end) // 2, end - 1}:
            where = original.flipped(offset).where
            assert where.startswith(f"64 KiB chunk {chunk} (bytes {start} to {end - 1})")


def test_two_damaged_packets_of_two_streams_are_both_named(original: Original) -> None:
    picture, sound = original.table.header.streams
    where = original.flipped(original.offset(picture, 7), original.offset(sound, 50)).where
    assert re.search(r"stream 0 \(video h264\) packet 7 \(.*; stream 1 \(audio aac\) packet 50 \(", where)


def test_a_change_between_the_packets_is_the_containers(original: Original) -> None:
    assert "no coded packet is changed" in original.flipped(5).where


def test_2_a_payload_overwritten_by_another_of_equal_length_names_that_packet(original: Original) -> None:
    stream = original.table.main
    rows = original.table.records(stream, 1, stream.leaf_count)
    at, size = int(rows[20]["offset"]), int(rows[20]["size"])
    changed = original.data[:at] + bytes(size) + original.data[at + size :]
    assert "packet 20 (at 00:00:00.667)" in original.becomes(changed).where


def test_3_two_packets_in_each_others_place_are_both_named(original: Original) -> None:
    stream = original.table.main
    rows = original.table.records(stream, 1, stream.leaf_count)
    (at, size), (at_2, size_2) = ((int(rows[n]["offset"]), int(rows[n]["size"])) for n in (10, 11))
    one, gap, other = (original.data[a:b] for a, b in ((at, at + size), (at + size, at_2), (at_2, at_2 + size_2)))
    swapped = original.data[:at] + other + gap + one + original.data[at_2 + size_2 :]
    assert re.search("packets? 10", original.becomes(swapped).where)


def test_6_a_file_cut_at_its_tail_is_truncated_and_the_lost_chunk_is_named(original: Original) -> None:
    finding = original.becomes(original.data[:-3000])
    assert finding.what == "truncated"
    assert finding.where.startswith(f"3000 of {len(original.data)} bytes are missing; 64 KiB chunk")


def test_9_bytes_after_the_end_are_found_and_belong_to_no_packet(original: Original) -> None:
    finding = original.becomes(original.data + b"\0\0\0\x08free")
    assert finding.what == "lengthened"
    assert finding.where.startswith(f"8 bytes more than the {len(original.data)} measured; 64 KiB chunk")
    assert finding.where.endswith("no coded packet is changed: it is the container around them")


def test_8_bytes_put_in_between_name_the_one_packet_they_were_put_into(original: Original) -> None:
    stream = original.table.main
    at = original.offset(stream, 33) + 20
    finding = original.becomes(original.data[:at] + b"inserted" + original.data[at:])
    assert finding.what == "lengthened"
    assert finding.where.endswith("stream 0 (video h264) packet 33 (at 00:00:01.100)")


def test_5_bytes_taken_out_name_the_packets_they_were_taken_from(original: Original) -> None:
    stream = original.table.main
    at, end = original.offset(stream, 33) + 5, original.offset(stream, 35) + 5
    finding = original.becomes(original.data[:at] + original.data[end:])
    assert finding.what == "truncated"
    assert "stream 0 (video h264) packets 33 to 35 (at 00:00:01.100 to 00:00:01.167)" in finding.where


@pytest.mark.parametrize("original", ["transport"], indirect=True)
def test_a_packet_that_its_container_scatters_is_named_by_demuxing(original: Original) -> None:
    # The start codes and type of the slices of a key picture, which make up packets 0 and 10, 20 and so on.
    at = [match.start() for match in re.finditer(b"\0\0\1\x65", original.data)]
    assert "stream 0 (video h264) packet 0 (at 00:00:00.000)" in original.flipped(at[0] + 6).where


@pytest.mark.parametrize("original", ["transport"], indirect=True)
def test_a_scattered_original_that_no_longer_demuxes_still_names_what_begins_there(original: Original) -> None:
    where = original.becomes(b"\0" * len(original.data)).where
    assert "stream 0 (video h264) packets 0 to 29" in where


def test_an_original_that_is_gone_is_missing(original: Original) -> None:
    original.path.unlink()
    report = audit.verify_all(original.ports)
    assert found(report) == [(original.key, "missing")]
    assert report.verdict is Verdict.TAMPERED


def test_a_link_in_the_place_of_an_original_is_not_followed(original: Original, tmp_path: Path) -> None:
    elsewhere = tmp_path / "same bytes"
    elsewhere.write_bytes(original.data)
    original.path.unlink()
    original.path.symlink_to(elsewhere)
    report = audit.verify_all(original.ports)
    assert found(report) == [(original.key, "unreadable")]
    assert report.verdict is Verdict.TAMPERED


# --- what rests beside it ---------------------------------------------------------------------------


def beside(home: Home, ports: Ports, key: str, data: bytes) -> list[Finding]:
    """Findings of the whole audit while the object under `key` holds `data`."""
    kept = (home.objects / key).read_bytes()
    write(home, key, data)
    report = audit.verify_all(ports)
    write(home, key, kept)
    assert report.verdict is Verdict.TAMPERED
    return list(report.findings)


def test_a_changed_chunk_list_names_the_hash_and_leaves_the_original_alone(home: Home, ports: Ports) -> None:
    key = layout.chunks_key(home.sha256("plain"))
    data = bytearray((home.objects / key).read_bytes())
    data[5] ^= 1
    (finding,) = beside(home, ports, key, bytes(data))
    assert (finding.object, finding.what) == (key, "altered")
    assert finding.where == "hash of 64 KiB chunk 0"


@pytest.mark.parametrize("change", [lambda data: data[:-1], lambda data: data + bytes(32), lambda data: b""])
def test_a_chunk_list_of_another_length_is_altered(home: Home, ports: Ports, change: object) -> None:
    assert callable(change)
    key = layout.chunks_key(home.sha256("plain"))
    (finding,) = beside(home, ports, key, change((home.objects / key).read_bytes()))
    assert (finding.object, finding.what) == (key, "altered")


def test_every_part_of_a_packet_table_is_watched(home: Home, ports: Ports) -> None:
    key = layout.packets_key(home.sha256("plain"))
    data = (home.objects / key).read_bytes()
    for at in (0, 9, 20, 100, len(data) // 2, len(data) - 1):
        changed = bytearray(data)
        changed[at] ^= 1
        (finding,) = beside(home, ports, key, bytes(changed))
        assert (finding.object, finding.what) == (key, "altered")


def test_a_packet_table_of_another_recording_is_altered(home: Home, ports: Ports) -> None:
    key, other = (layout.packets_key(home.sha256(kind)) for kind in ("plain", "bframes"))
    (finding,) = beside(home, ports, key, (home.objects / other).read_bytes())
    assert (finding.object, finding.what) == (key, "altered")


def test_a_changed_packet_table_does_not_hide_in_which_chunk_the_original_was_changed(original: Original) -> None:
    key = layout.packets_key(original.home.sha256("plain"))
    data = bytearray((original.home.objects / key).read_bytes())
    at = original.offset(original.table.main, 30)
    flip(original.home, original.key, 8 * at)
    data[-1] ^= 1
    told = {finding.object: finding.where for finding in beside(original.home, original.ports, key, bytes(data))}
    assert set(told) == {key, original.key}
    assert f"64 KiB chunk {at // CHUNK_SIZE} " in told[original.key]


def test_a_changed_chunk_list_does_not_hide_which_packet_of_the_original_was_changed(original: Original) -> None:
    key = layout.chunks_key(original.home.sha256("plain"))
    data = bytearray((original.home.objects / key).read_bytes())
    flip(original.home, original.key, 8 * original.offset(original.table.main, 30))
    data[0] ^= 1
    told = {finding.object: finding.where for finding in beside(original.home, original.ports, key, bytes(data))}
    assert set(told) == {key, original.key}
    assert told[original.key].endswith("stream 0 (video h264) packet 30 (at 00:00:01.000)")


def test_a_receipt_is_watched_in_every_byte(home: Home, ports: Ports) -> None:
    key = layout.receipt_key(home.sha256("photo"))
    data = (home.objects / key).read_bytes()
    for at in (0, 30, len(data) // 2, len(data) - 30, len(data) - 1):
        changed = bytearray(data)
        changed[at] ^= 1
        (finding,) = beside(home, ports, key, bytes(changed))
        assert (finding.object, finding.what) == (key, "altered")


def test_a_true_receipt_of_another_original_is_found_in_this_ones_place(home: Home, ports: Ports) -> None:
    key, other = (layout.receipt_key(home.sha256(kind)) for kind in ("photo", "plain"))
    told = {(one.object, one.what) for one in beside(home, ports, key, (home.objects / other).read_bytes())}
    assert told == {(key, "altered"), (key, "contradictory")}


def test_a_chunk_list_a_table_and_a_receipt_that_are_gone_are_missing(home: Home, ports: Ports) -> None:
    sha256 = home.sha256("bframes")
    keys = [layout.chunks_key(sha256), layout.packets_key(sha256), layout.receipt_key(sha256)]
    kept = {key: (home.objects / key).read_bytes() for key in keys}
    for key in keys:
        (home.objects / key).unlink()
    report = audit.verify_all(ports)
    for key, data in kept.items():
        write(home, key, data)
    assert found(report) == [(key, "missing") for key in keys]
