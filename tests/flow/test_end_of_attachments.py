# SPDX-License-Identifier: Apache-2.0
"""What came along with footage, and the copy it came in as, end with it, and not before."""

from pathlib import Path

from app import clocks
from evidence.claims import Claims
from evidence.verdict import Verdict
from pipeline import receive
from pipeline.attach import Attachment, attach
from pipeline.audit.whole import verify_all
from pipeline.received import ReceivedFiles
from pipeline.received_told import Told
from storage import layout
from tests.support.ending import Ending, ending, tracks
from tests.support.home import track

SIDECAR = b'{"case": "2026-7", "officer": "430401"}'


def keep(at: Ending, recording: str, data: bytes = SIDECAR) -> str:
    """An attachment of a recording; its key."""
    one = Attachment("sidecar", "sidecar.json", data)
    attach(recording, one, ports=at.home.ports, now=clocks.now())
    return layout.attachment_key(one.sha256)


def dispose_of(at: Ending, recording: str) -> None:
    assert at.run(at.approved(recording)).disposed == (recording,)


def findings(at: Ending) -> set[str]:
    return {one.object for one in verify_all(at.home.ports).findings}


def test_an_attachment_goes_with_its_recording_and_the_tombstone_says_so(tmp_path: Path) -> None:
    with ending(tmp_path) as at:
        [recording] = tracks(at, tmp_path, 1)
        key = keep(at, recording)
        assert at.home.ports.store.exists(key)
        dispose_of(at, recording)
        assert not at.home.ports.store.exists(key)
        assert key in {one["key"] for one in at.told(recording)["removed"]}
        assert verify_all(at.home.ports).verdict is Verdict.PROVEN


def test_an_attachment_of_two_recordings_stays_until_the_second_one_goes(tmp_path: Path) -> None:
    with ending(tmp_path) as at:
        one, other = tracks(at, tmp_path, 2)
        key = keep(at, one)
        assert keep(at, other) == key
        dispose_of(at, one)
        assert at.home.ports.store.exists(key)
        assert list(at.told(one)["kept_for_others"][key]) == [other]
        assert verify_all(at.home.ports).verdict is Verdict.PROVEN
        dispose_of(at, other)
        assert not at.home.ports.store.exists(key)
        assert verify_all(at.home.ports).verdict is Verdict.PROVEN


def test_an_attachment_that_comes_back_after_disposal_is_a_finding(tmp_path: Path) -> None:
    with ending(tmp_path) as at:
        [recording] = tracks(at, tmp_path, 1)
        key = keep(at, recording)
        dispose_of(at, recording)
        at.home.ports.store.put_bytes_once(key, SIDECAR)
        assert key in findings(at)


def test_an_attachment_that_is_lost_while_its_recording_rests_is_a_finding(tmp_path: Path) -> None:
    with ending(tmp_path) as at:
        [recording] = tracks(at, tmp_path, 1)
        key = keep(at, recording)
        at.places["objects"].remove(key, now=clocks.now())
        assert key in findings(at)


def test_the_copy_that_footage_came_in_as_goes_with_it_though_no_server_runs(tmp_path: Path) -> None:
    with ending(tmp_path) as at:
        ports, path = at.home.ports, track(tmp_path / "card")
        data = path.read_bytes()
        told = Told("dck-a", "A1/track.gpx", "track.gpx", 1_750_000_000_000_000_000, len(data), Claims())
        files = ReceivedFiles(ports.received)
        identifier = files.create(told, chance=ports.chance(10))
        with files.appending(identifier, at=0) as piece:
            piece.write(data)
            piece.commit()
        recording = receive.finish(identifier, ports=ports, now=clocks.now()).recording
        at.home.drain(recording)
        assert files.ids() == [identifier]
        dispose_of(at, recording)
        assert files.ids() == []
