# SPDX-License-Identifier: Apache-2.0
"""This is where tests get an installation with footage that can be played, and people who may see it or not."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2

from app import clocks
from evidence import instant
from evidence.custody import Happening
from tests.support.home import open_home
from tests.support.people import OFFICER, Hall, Person, hall_of_people
from tests.support.tiny_media import make

SECONDS = 14
HOSTILE_NAME = 'a"; filename=evil.html; x="名.mp4'


@dataclass(slots=True)
class Cinema:
    """A hall, and one recording of our officer: `SECONDS` of picture and sound."""

    hall: Hall
    recording: str
    film: Path

    def play(self, person: Person, what: str = "proxy", **part: str) -> dict[str, Any]:
        """Leave for somebody to fetch."""
        reply = person.post(f"/recordings/{self.recording}/playback", {"what": what, **part})
        assert reply.status_code == 201, reply.text
        return dict(reply.json())

    def take(self, person: Person) -> dict[str, Any]:
        """Leave for somebody to fetch the original."""
        reply = person.post(f"/recordings/{self.recording}/original")
        assert reply.status_code == 201, reply.text
        return dict(reply.json())

    def fetch(self, person: Person, url: str, method: str = "GET", **headers: str) -> httpx2.Response:
        """A file that leave opens; names of headers are written with `_`."""
        return person.ask(method, url.removeprefix("/v1"), headers=headers)

    def grant(self, person: Person, what: str, *, watermark: bool = False, minutes: int = 60) -> str:
        """Leave of two people for somebody; its id."""
        now, grant = clocks.now(), f"gra-{clocks.chance(6).hex()}"
        approval = grant.replace("gra", "apv")
        ends = instant.to_text(now + timedelta(minutes=minutes))
        told = {"noun": "recording", "subject": self.recording}
        with self.hall.home.ports.register.begin() as facts:

            def record(kind: str, stream: str, detail: dict[str, Any], actor: str, **more: Any) -> None:
                facts.record(Happening(kind, stream, more, detail), actor=actor, at=now)

            asked = {**told, "act": "grant", "digest": "0" * 64, "expires_at": ends}
            record("approval-requested", f"approval/{approval}", {"params": {}, "why": "w"}, "user:usr-legal", **asked)
            decided = {"decision": "approved", "digest": "0" * 64}
            record("approval-decided", f"approval/{approval}", {"why": ""}, "user:usr-approver", **decided)
            more = {"user": person.actor.name, "what": what, "watermark": watermark, "approval": approval}
            times = {"from_at": instant.to_text(now - timedelta(minutes=1)), "until_at": ends}
            record("granted", f"grant/{grant}", {"why": "w"}, "user:usr-approver", **told, **more, **times)
        return grant

    def revoke(self, grant: str) -> None:
        """It ends now."""
        with self.hall.home.ports.register.begin() as facts:
            gone = Happening("grant-revoked", f"grant/{grant}", {}, {"why": "w"})
            facts.record(gone, actor="user:usr-approver", at=clocks.now())


def film(path: Path, *, seconds: int = SECONDS) -> Path:
    """Picture and sound that change all the time."""
    picture = ("-f", "lavfi", "-i", f"testsrc2=s=160x120:r=15:d={seconds}")
    sound = ("-f", "lavfi", "-i", f"sine=f=440:r=48000:d={seconds}")
    return make(path, *picture, *sound, "-c:v", "libx264", "-preset", "ultrafast", "-c:a", "aac", "-shortest")


@contextmanager
def cinema(folder: Path, *, settings: Mapping[str, str] | None = None, **changed: Any) -> Iterator[Cinema]:
    """A running one, gone at the end; `settings` as of `open_home`; `changed`: other values of the server's context."""
    with open_home(folder / "home", **(settings or {})) as home, hall_of_people(home, **changed) as hall:
        path = folder / "card" / HOSTILE_NAME
        path.parent.mkdir()
        recording = home.ingest_one(film(path), officer=OFFICER)["id"]
        yield Cinema(hall, recording, path)
