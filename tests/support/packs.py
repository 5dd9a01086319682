# SPDX-License-Identifier: Apache-2.0
"""This is where tests get an installation with a case, and packs of it to copy and to forge."""

import hashlib
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from app import clocks
from evidence import canonical_json
from evidence.note import sign_note
from evidence.verdict import CheckReport, Verdict
from pipeline import audit
from pipeline.casework import NewCase, link, open_case
from pipeline.export import export_case
from pipeline.pack import names
from pipeline.pack.check import check_pack
from pipeline.pack.plan import What
from storage.signing import KeyFile
from tests.support.homes import Home, copy_of_home

CASE = "2026-017"


@dataclass(frozen=True, slots=True)
class Pack:
    """A pack in a folder of its own, and the keys of whoever made it."""

    folder: Path
    trust: audit.Trust
    records: KeyFile

    # --- looking ------------------------------------------------------------------------------

    def check(self, trust: audit.Trust | None = None) -> CheckReport:
        return check_pack(self.folder, trust=self.trust if trust is None else trust)

    def tampered(self) -> str:
        """All that was found, a line each; the verdict must be tampered."""
        report = self.check()
        told = "\n".join(f"{one.object}: {one.what}: {one.where}" for one in report.findings)
        assert report.verdict is Verdict.TAMPERED, told
        return told

    def some(self, pattern: str) -> str:
        """The first file of a pattern, by its name in the pack."""
        return min(str(path.relative_to(self.folder)) for path in self.folder.glob(pattern) if path.is_file())

    def all_files(self) -> list[str]:
        return sorted(str(path.relative_to(self.folder)) for path in self.folder.rglob("*") if path.is_file())

    def index(self) -> dict[str, Any]:
        told: dict[str, Any] = json.loads((self.folder / names.INDEX).read_bytes())
        return told

    # --- forging ------------------------------------------------------------------------------

    def flip(self, name: str, at: int = -2) -> "Pack":
        path = self.folder / name
        data = bytearray(path.read_bytes())
        data[at] ^= 1
        path.write_bytes(bytes(data))
        return self

    def change_index(self, by: Callable[[dict[str, Any]], object]) -> "Pack":
        body = self.index()
        by(body)
        (self.folder / names.INDEX).write_bytes(canonical_json.dumps(body))
        return self

    def rewrite_manifests(self) -> "Pack":
        """As a forger does who knows BagIt: every digest made anew."""
        files = self.all_files()
        payload = [name for name in files if name.startswith(names.PAYLOAD)]
        (self.folder / names.MANIFEST).write_text("".join(f"{self._sha256(name)}  {name}\n" for name in payload))
        tags = [name for name in files if not name.startswith(names.PAYLOAD) and name != names.TAG_MANIFEST]
        (self.folder / names.TAG_MANIFEST).write_text("".join(f"{self._sha256(name)}  {name}\n" for name in tags))
        return self

    def sign_again(self, key: KeyFile | None = None) -> "Pack":
        """As whoever has a key of records can: the manifest, and the word over it, made anew."""
        self.rewrite_manifests()
        told = json.loads((self.folder / names.NOTE).read_text().split("\n")[1])
        told["manifest_sha256"] = self._sha256(names.MANIFEST)
        text = f"{names.FORM}\n{canonical_json.dumps(told).decode()}\n"
        (self.folder / names.NOTE).write_text(sign_note(text, [(key or self.records).signer()]))
        return self.rewrite_manifests()

    def _sha256(self, name: str) -> str:
        return hashlib.sha256((self.folder / name).read_bytes()).hexdigest()


@dataclass(frozen=True, slots=True)
class Hall:
    """An installation with one case of three recordings, and two packs of it."""

    home: Home
    trust: audit.Trust
    folders: dict[What, Path] = field(default_factory=dict)

    def copy(self, into: Path, what: What = What.ORIGINALS) -> Pack:
        """A copy of a pack, to do with as one likes."""
        shutil.copytree(self.folders[what], into, symlinks=True)
        return Pack(into, self.trust, self.home.keys().records)


def make_hall(folder: Path) -> Hall:
    """Made once a module: exports are read-only to all but their copies."""
    home = copy_of_home(folder / "home")
    with home.ports() as ports:
        now = clocks.now()
        case = NewCase(CASE, "卫生检查 <script>alert(1)</script>", (), now - timedelta(days=1), now, None)
        open_case(case, ports=ports, now=now)
        kinds = [home.recordings[kind] for kind in ("plain", "bframes", "photo")]
        link(CASE, kinds, why="现场 & 取证", withdraw=False, ports=ports, now=now)
        hall = Hall(home, audit.trust_of(ports))
        for what in What:
            out = folder / what.value
            export_case(CASE, what, out, ports=ports, now=clocks.now)
            hall.folders[what] = out
    return hall
