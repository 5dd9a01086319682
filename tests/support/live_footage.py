# SPDX-License-Identifier: Apache-2.0
"""This is where tests get footage in fragments, a terminal with a key, and the words that it signs."""

import hashlib
import io
import json
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from devices.simulator.filming import Quality
from devices.terminal.client import fragments
from evidence.claims import Claims
from pipeline import live
from pipeline.live import Announced, Sender
from pipeline.live_closing import Ended
from pipeline.live_sidecar import Sidecar, read_sidecar
from pipeline.media.tools import find_ffmpeg
from pipeline.ports import Ports
from tests.support.cameras import CAMERA

BEGAN = datetime(2026, 6, 19, 4, tzinfo=UTC)
SERIAL = "36NCC009910"
TERMINAL = Sender("dck-abcdefghij234567", SERIAL)
FLAGS = "frag_keyframe+empty_moov+default_base_moof+skip_trailer"
_FILMED = Quality(width=320, height=180, crf=26, gop=10)
KEY = Ed25519PrivateKey.from_private_bytes(bytes(32))


@cache
def footage() -> tuple[bytes, ...]:
    """Two seconds in 60 frames, each with its number: the init segment, and six fragments that stand alone."""
    with tempfile.TemporaryDirectory() as folder:
        whole = CAMERA.record(Path(folder), at=BEGAN, seconds=2, quality=_FILMED).path
        program = str(find_ffmpeg().program)
        command = [program, "-v", "error", "-i", str(whole), "-c", "copy", "-f", "mp4", "-movflags", FLAGS, "pipe:1"]
        made = subprocess.run(command, check=True, capture_output=True, stdin=subprocess.DEVNULL).stdout
    parts = tuple(fragments(io.BytesIO(made)))
    assert len(parts) == 7
    return parts


def announced(*, path: str = "live/one.mp4", continues: str | None = None, began: datetime = BEGAN) -> Announced:
    return Announced("one.mp4", path, "video", began, Claims(), continues)


def put(identifier: str, number: int, data: bytes, *, ports: Ports, sender: Sender = TERMINAL) -> None:
    """A fragment as an honest sender puts it."""
    live.take(identifier, number, data, sha256=hashlib.sha256(data).digest(), sender=sender, ports=ports)


def begin(ports: Ports, parts: Sequence[bytes] = (), **said: Any) -> str:
    """A live recording with these fragments."""
    identifier = live.announce(announced(**said), sender=TERMINAL, ports=ports)
    for number, data in enumerate(parts):
        put(identifier, number, data, ports=ports)
    return identifier


@dataclass(frozen=True, slots=True)
class Word:
    """A terminal's signed word, as it goes over the wire."""

    text: str
    signature: bytes

    def read(self) -> Sidecar:
        """As the server reads it."""
        return read_sidecar(self.text, self.signature, key=KEY.public_key().public_bytes_raw())


def word(parts: Sequence[bytes], *, key: Ed25519PrivateKey = KEY, **told: Any) -> Word:
    """A word on the media that consists of these parts."""
    text = json.dumps({"sha256": sha256_of(parts), **told}, ensure_ascii=False)
    return Word(text, key.sign(b"evidock-sidecar-v1\n" + text.encode()))


def ended(parts: Sequence[bytes], **told: Any) -> Ended:
    """The end of a recording of these parts."""
    return Ended(len(parts), sha256_of(parts), word(parts, **told).read() if told else None)


def sha256_of(parts: Sequence[bytes]) -> str:
    return hashlib.sha256(b"".join(parts)).hexdigest()
