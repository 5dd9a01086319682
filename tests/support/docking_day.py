# SPDX-License-Identifier: Apache-2.0
"""This is where tests have a dock of ours tell of dockings and hand in files, by the steps that a server takes."""

import hashlib
import io
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from evidence.claims import Claim, Claims, Source
from pipeline import dockings, docks
from pipeline.dock_manifest import Row, Summary, write_rows
from pipeline.docking_manifest import keep_manifest
from pipeline.docking_told import Clock, Docking, Listing
from pipeline.docks import Invitation
from pipeline.receive import finish
from pipeline.received import ReceivedFiles
from pipeline.received_told import Told
from tests.support.home import Home

MTIME_NS = 1_781_841_600 * 10**9  # 2026-06-19 12:00 in China


@dataclass(frozen=True, slots=True)
class File:
    """A file on a card: its path, its bytes, and when its camera wrote it."""

    path: str
    data: bytes
    mtime_ns: int = MTIME_NS

    @property
    def name(self) -> str:
        return self.path.rpartition("/")[2]

    def row(self) -> Row:
        return Row("file", self.path, len(self.data), self.mtime_ns, None)


def gpx(number: int, path: str = "") -> File:
    """A track, the cheapest file there is that is a recording; another number, other bytes."""
    point = f'<trkpt lat="28.2{number:05d}" lon="112.9"><time>2026-06-19T04:00:00Z</time></trkpt>'
    text = f'<?xml version="1.0"?>\n<gpx version="1.1" creator="test"><trk><trkseg>{point}</trkseg></trk></gpx>\n'
    mtime_ns = MTIME_NS + number * 10**9
    return File(path or f"DCIM/FILE{number:04d}.gpx", text.encode(), mtime_ns)


@dataclass(frozen=True, slots=True)
class Dock:
    """An enrolled dock station of a home."""

    home: Home
    id: str

    def plug_in(
        self,
        number: int,
        files: Sequence[File],
        *,
        device: str | None,
        at: datetime,
        keeps: bool = True,
        problem: str | None = None,
        offset_ms: int | None = None,
    ) -> str:
        """Tell of a docking with a list of these files; the docking's id. `keeps`: the list comes too."""
        identifier = f"dkg-{'abcdefghijklmnopqrstuvwxyz234567'[number] * 16}"
        text = io.BytesIO()
        told = write_rows(self.id, [file.row() for file in files], text)
        clock = None if offset_ms is None else Clock(at, offset_ms, 400, 0)
        docking = Docking(identifier, "3", device, at, _listing(told), clock, problem)
        dockings.begin(docking, dock=self.id, ports=self.home.ports, now=at)
        if keeps:
            path = self.home.settings.home / f"{identifier}.manifest"
            path.write_bytes(text.getvalue())
            keep_manifest(identifier, path, dock=self.id, ports=self.home.ports)
        return identifier

    def end(self, docking: str, *, at: datetime, outcome: str = "finished", received: int = 0) -> None:
        """Tell what became of a docking."""
        told = {"outcome": outcome, "received": received, "erased": 0, "why": ""}
        dockings.end(docking, dock=self.id, ports=self.home.ports, now=at, **told)  # type: ignore[arg-type]

    def hand_in(self, *files: File, device: str, at: datetime, runs: bool = True) -> list[str]:
        """Send files whole; the recordings that they became."""
        made = [self._sent(file, device, at) for file in files]
        if runs:
            self.home.drain(*made)
        return made

    def _sent(self, file: File, device: str, at: datetime) -> str:
        ports = self.home.ports
        received = ReceivedFiles(ports.received)
        start = datetime.fromtimestamp(file.mtime_ns // 10**9, UTC) + timedelta(hours=8)
        said = Claim("start", f"{start:%Y-%m-%dT%H:%M:%S}", Source.FILE_NAME)
        claims = Claims([Claim("device", device, Source.DEVICE_INFO), said])
        told = Told(self.id, file.path, file.name, file.mtime_ns, len(file.data), claims)
        identifier = received.create(told, chance=ports.chance(10))
        with received.appending(identifier, at=0, limit=len(file.data)) as piece:
            piece.write(file.data)
            piece.commit(hashlib.sha256(file.data).digest())
        return finish(identifier, ports=ports, now=at).recording


def enrolled_dock(home: Home, *, at: datetime, name: str = "hall") -> Dock:
    """A dock station that was invited and came in."""
    invited = docks.invite(Invitation(name), ports=home.ports, now=at)
    key = Ed25519PrivateKey.generate().public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    docks.enrol(invited.code, key, ports=home.ports, now=at)
    return Dock(home, invited.dock)


def at_rest(home: Home, key: str) -> Path:
    """The file in which an object of a home's directory store rests."""
    return home.settings.home / "objects" / key


def _listing(told: Summary) -> Listing:
    assert told.digest is not None
    return Listing(told.digest.hex, told.names, told.taken, told.taken_bytes)
