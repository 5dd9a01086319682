# SPDX-License-Identifier: Apache-2.0
"""This is where tests get a home with real recordings in it, sealed, stamped and published, to be damaged.

It is made once a session; each test gets a copy of its own.
"""

import atexit
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from pathlib import Path

from app import clocks, intake
from app.foreground import drain
from app.settings import load_settings
from app.wiring import Keys, open_keys, wired
from evidence.claims import Claims
from evidence.device import Device
from evidence.media_time import Span
from evidence.verdict import CheckReport
from pipeline.clip import clip
from pipeline.devices_register import register_device
from pipeline.media.packet_reader import PacketTable, open_table
from pipeline.ports import Ports
from storage import layout
from storage.register import search
from storage.register.publisher import publish
from tests.support import cameras
from tests.support.tiny_media import stairs


@dataclass(frozen=True, slots=True)
class Home:
    """An installation's folder; `recordings` by kind of footage, and a clip of `plain` with its proof."""

    path: Path
    recordings: Mapping[str, str]

    @property
    def objects(self) -> Path:
        return self.path / "objects"

    @property
    def clip(self) -> Path:
        return self.path / "served" / "out.mp4"

    @property
    def proof(self) -> Path:
        return self.path / "served" / "out.mp4.proof.json"

    @contextmanager
    def ports(self) -> Iterator[Ports]:
        with wired(load_settings({}, home=self.path), actor="test") as ports:
            yield ports

    def keys(self) -> Keys:
        return open_keys(load_settings({}, home=self.path))

    def sha256(self, kind: str) -> str:
        with self.ports() as ports, ports.register.view() as connection:
            return str(search.original(connection, self.recordings[kind])["sha256"])

    def table(self, kind: str) -> PacketTable:
        """The packet table of the recording of this kind; to be read before it is damaged."""
        with self.ports() as ports, ports.register.view() as connection:
            row = search.original(connection, self.recordings[kind])
        data = (self.objects / layout.packets_key(row["sha256"])).read_bytes()
        return open_table(lambda start, length: data[start : start + length], packet_root=row["packet_root"])

    def derivative(self, kind: str, of: str) -> str:
        """Key of a derivative."""
        with self.ports() as ports, ports.register.view() as connection:
            made = {row["kind"]: row for row in search.derivatives_of(connection, self.recordings[of])}
        return layout.derivative_key(made[kind]["sha256"])

    def keys_at_rest(self, prefix: str = "") -> list[str]:
        with self.ports() as ports:
            return sorted(ports.store.keys(prefix))

    def sql(self, statement: str, *values: object) -> None:
        """Change the register behind everybody's back; exactly one row must be met."""
        with closing(sqlite3.connect(self.path / "register.db")) as database:
            assert database.execute(statement, values).rowcount == 1
            database.commit()


def write(home: Home, key: str, data: bytes) -> None:
    """Make the object under `key` hold `data`, whatever its mode says."""
    path = home.objects / key
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists():
        path.chmod(0o644)
    path.write_bytes(data)


def flip(home: Home, key: str, bit: int) -> None:
    """Flip one bit of an object; a negative `bit` counts from its end."""
    data = bytearray((home.objects / key).read_bytes())
    data[bit // 8] ^= 1 << bit % 8
    write(home, key, bytes(data))


def found(report: CheckReport) -> list[tuple[str, str]]:
    """What each finding names: the object and the word."""
    return [(one.object, one.what) for one in report.findings]


def copy_of_home(into: Path) -> Home:
    """A copy of the session's home."""
    home = _made()
    shutil.copytree(home.path, into)
    return Home(into, home.recordings)


@cache
def _made() -> Home:
    folder = Path(tempfile.mkdtemp(prefix="evidock-home-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    transport = stairs(folder / "stairs.ts", 3)
    footage = {kind: cameras.tiny_clip(kind) for kind in ("plain", "bframes", "photo", "audio_only")}
    recordings: dict[str, str] = {}
    made = Home(folder / "home", recordings)
    with made.ports() as ports:
        register_device(Device(cameras.CAMERA.serial), ports=ports, now=clocks.now())
        for kind, path in {**footage, "transport": transport}.items():
            (offered,) = intake.find_files(path)
            assert isinstance(offered, intake.Found)
            arrival = intake.take_in(offered, said=Claims(), ports=ports, now=clocks.now())
            recordings[kind] = arrival.recording
            # One after another, so that each seal gets a checkpoint and a token of its own.
            drain([arrival.recording], ports=ports, lease_s=30, at_once=2)
        made.clip.parent.mkdir()
        span = Span(Fraction(1, 3), Fraction(5, 3))
        vkeys = (made.keys().log.verifier_key, made.keys().records.verifier_key)
        clip(recordings["plain"], span, made.clip, ports=ports, now=clocks.now(), keys=vkeys)
        publish(ports.register, ports.log)
    return made
