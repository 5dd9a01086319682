# SPDX-License-Identifier: Apache-2.0
"""Devices that only know RTMP or SRT: the ffmpeg program sends on loopback, and what came is a Recording."""

import io
import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import av
import pytest
from av.container import InputContainer

from app import clocks
from devices.simulator import counter
from evidence.errors import BadInput, NotMedia, TooLarge
from pipeline.live import Sender, live_ids
from pipeline.live_listen import Place, _Taker, listen, place
from pipeline.media.tools import find_ffmpeg
from pipeline.received import ReceivedFiles
from storage import layout
from storage.register import dock_rows, search
from tests.support.cameras import luma_of, tiny_clip
from tests.support.chaos import is_long
from tests.support.home import Home, open_home
from tests.support.live_footage import SERIAL, footage
from tests.support.servers import until


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    with open_home(tmp_path / "home") as made:
        made.add_device(SERIAL)
        yield made


def free_port(kind: socket.SocketKind = socket.SOCK_STREAM) -> int:
    with socket.socket(type=kind) as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def send(url: str, *words: str) -> "subprocess.Popen[bytes]":
    """A device that films a known clip, as fast as it was filmed."""
    command = [
        str(find_ffmpeg().program),
        "-nostdin",
        "-v",
        "error",
        "-re",
        "-i",
        str(tiny_clip("plain")),
        "-c",
        "copy",
    ]
    return subprocess.Popen([*command, *words, url], stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)


class Listening:
    """`evidock terminal listen` for one sender, in a thread."""

    def __init__(self, home: Home, where: Place) -> None:
        self.lives: list[str] = []
        self.made: list[str | None] = []
        given = {"device": SERIAL, "program": find_ffmpeg().program, "ports": home.ports, "now": clocks.now}
        self._thread = threading.Thread(
            target=lambda: self.made.append(listen(where, heard=self.lives.append, **given))  # type: ignore[arg-type]
        )
        self._thread.start()

    def join(self) -> str:
        self._thread.join(30)
        [recording] = self.made
        assert recording is not None
        return recording


def sent_to(home: Home, url: str, *words: str) -> str:
    listening = Listening(home, place(url))
    for _ in range(50):  # until the program listens
        with send(url, *words) as sender:
            sender.communicate(timeout=30)
        if sender.returncode == 0:
            break
    return listening.join()


def numbers(media: bytes) -> list[int | None]:
    with av.open(io.BytesIO(media)) as box:
        assert isinstance(box, InputContainer)
        return [counter.read(luma_of(frame)) for frame in box.decode(video=0)]


def original(home: Home, recording: str) -> bytes:
    with home.ports.register.view() as connection:
        row = search.original(connection, recording)
    return home.ports.store.read(layout.original_key(row["sha256"]), limit=row["size_bytes"])


@pytest.mark.parametrize("protocol", ["rtmp", "srt"] if is_long() else ["rtmp"])
def test_what_a_device_sends_is_a_recording_picture_for_picture(home: Home, protocol: str) -> None:
    if protocol == "rtmp":
        recording = sent_to(home, f"rtmp://127.0.0.1:{free_port()}/live/door", "-f", "flv")
    else:
        url = f"srt://127.0.0.1:{free_port(socket.SOCK_DGRAM)}?passphrase=of-a-street-corner"
        recording = sent_to(home, url, "-f", "mpegts")
    home.drain(recording)

    row = home.recording(recording)
    assert (row["state"], row["device"]) == ("indexed", SERIAL)
    shown = numbers(original(home, recording))
    # SRT has a latency: what is still on its way when a sender leaves, it drops.
    assert shown == list(range(60 if protocol == "rtmp" else max(30, len(shown))))


def test_a_sender_that_is_killed_leaves_what_it_sent(home: Home) -> None:
    url = f"rtmp://127.0.0.1:{free_port()}/live/door"
    listening = Listening(home, place(url))
    while not listening.lives:  # the program does not listen yet
        with send(url, "-f", "flv") as sender:
            until(lambda: listening.lives or sender.poll() is not None, "it is heard, or not")
            if listening.lives:
                until(lambda: ReceivedFiles(home.ports.received).offset(listening.lives[0]) > 5000, "a fragment came")
            sender.kill()
    recording = listening.join()
    home.drain(recording)

    assert home.recording(recording)["state"] == "indexed"
    assert numbers(original(home, recording))[0] == 0


# --- what the program writes, without the program ----------------------------------------------------


def taker(home: Home) -> _Taker:
    return _Taker("RTMP", Sender("encoder", SERIAL), home.ports, clocks.now, lambda _: None)


def test_fragments_are_found_however_the_bytes_come(home: Home) -> None:
    made, data = taker(home), b"".join(footage())
    for at in range(0, len(data), 777):
        made.take(data[at : at + 777])
    recording = made.finish()
    assert recording is not None
    home.drain(recording)

    assert original(home, recording) == data


def test_stopped_in_the_middle_what_came_whole_is_a_recording_that_was_cut_off(home: Home) -> None:
    made = taker(home)
    made.take(b"".join(footage()[:3]) + footage()[3][:900])
    made.break_off()
    [recording] = [row["id"] for row in home.recordings()]
    home.drain(recording)

    assert original(home, recording) == b"".join(footage()[:3])
    with home.ports.register.view() as connection:
        assert [row["code"] for row in dock_rows.remarks_of(connection, recording)] == ["cut-off"]


def test_stopped_before_anything_came_leaves_nothing(home: Home) -> None:
    made = taker(home)
    made.break_off()
    assert made.finish() is None
    assert live_ids(ReceivedFiles(home.ports.received)) == []


@pytest.mark.parametrize(
    ("data", "error"), [(bytes(8), NotMedia), (b"\xff\xff\xff\xffmdat", TooLarge)], ids=["no box", "endless box"]
)
def test_a_program_that_writes_what_is_no_fragment_is_stopped(home: Home, data: bytes, error: type[Exception]) -> None:
    with pytest.raises(error):
        taker(home).take(data)


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:1/a",
        "rtmp://127.0.0.1/live/door",
        "rtmp://127.0.0.1:99999/a",
        "rtmp://u:p@127.0.0.1:1/a",
        "rtmp://127.0.0.1:1/a?listen=0",
        "srt://127.0.0.1:1?mode=caller",
        "srt://:9000",
        "file:///etc/passwd",
        "-i",
        "",
    ],
)
def test_an_address_that_is_no_place_to_listen_at_is_refused(url: str) -> None:
    with pytest.raises(BadInput):
        place(url)
