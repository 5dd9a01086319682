# SPDX-License-Identifier: Apache-2.0
"""This is where tests bring recordings to the end of their life: due, appraised, listed, approved, past the grace."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from app.places import open_places
from evidence.errors import NotFound
from evidence.retention import Decision
from pipeline import agree, dispose
from pipeline.appraise import Wish, appraise
from pipeline.disposal_list import DecisionOf, DisposalList
from pipeline.ports import Ports
from pipeline.retain import decision_of, decision_within
from storage import layout
from storage.register import ends, search
from storage.removal import Remover
from tests.support.home import Home, open_home, track

# Long after every term of the default catalog that ends at all.
LATER = datetime(2040, 1, 1, tzinfo=UTC)
GRACE = timedelta(days=30)
PAST_GRACE = LATER + GRACE + timedelta(seconds=1)
ONE, OTHER = "cli:zhang", "cli:li"
MOST = 1000


@dataclass(frozen=True, slots=True)
class Ending:
    """An installation, and the steps of its people."""

    home: Home

    def by(self, actor: str) -> Ports:
        """The ports as another person has them."""
        return self.home.with_ports(actor=actor).ports

    def judge(self, now: datetime = LATER) -> DecisionOf:
        return lambda connection, one: decision_within(connection, one, ports=self.home.ports, now=now)[1]

    def decision(self, recording: str, now: datetime = LATER) -> Decision:
        return decision_of(recording, ports=self.home.ports, now=now)

    @property
    def places(self) -> Mapping[str, Remover]:
        return open_places(self.home.settings)

    def appraise(self, *recordings: str, wish: Wish = Wish.DISPOSE, why: str = "over", **more: Any) -> None:
        appraise(recordings, wish, why=why, judge=self.judge(), ports=self.by(ONE), now=LATER, **more)

    def propose(self, *recordings: str, by: str = ONE, now: datetime = LATER) -> str:
        ports = self.by(by)
        judge = self.judge(now)
        return agree.propose(recordings, why="over", judge=judge, most=MOST, grace=GRACE, ports=ports, now=now)

    def approve(self, listed: str, *, by: str = OTHER, now: datetime = LATER) -> DisposalList:
        return agree.approve(listed, judge=self.judge(now), grace=GRACE, ports=self.by(by), now=now)

    def undo(self, listed: str, recordings: Sequence[str] | None = None, *, now: datetime = LATER) -> DisposalList:
        return agree.undo(listed, recordings, why="needed", ports=self.by(ONE), now=now)

    def run(
        self, listed: str, *, now: datetime = PAST_GRACE, places: Mapping[str, Remover] | None = None
    ) -> dispose.Ran:
        places = self.places if places is None else places
        return dispose.run(listed, places=places, judge=self.judge(now), ports=self.by(ONE), now=now)

    def approved(self, *recordings: str) -> str:
        """A list of these recordings that only has its grace to wait for."""
        self.appraise(*recordings)
        listed = self.propose(*recordings)
        self.approve(listed)
        return listed

    # --- asking -----------------------------------------------------------------------------

    def state(self, recording: str) -> str:
        return str(self.home.recording(recording)["state"])

    def keys(self, recording: str) -> list[str]:
        """Keys of all that the register knows of a recording's bytes."""
        with self.home.ports.register.view() as connection:
            sha256 = search.original(connection, recording)["sha256"]
            made = [row["sha256"] for row in search.derivatives_of(connection, recording)]
        original = layout.original_key(sha256)
        return [original, f"{original}.chunks", f"{original}.packets", *map(layout.derivative_key, made)]

    def standing(self, recording: str) -> list[str]:
        """Those of them that anything is left of."""
        return [key for key in self.keys(recording) for door in self.places.values() if door.traces(key)]

    def tombstone(self, recording: str) -> Mapping[str, Any]:
        with self.home.ports.register.view() as connection:
            row = ends.tombstone_of(connection, recording)
        if row is None:
            raise NotFound(f"{recording} has no tombstone")
        return row

    def told(self, recording: str) -> Mapping[str, Any]:
        """What the Tombstone of a recording tells."""
        told: Mapping[str, Any] = json.loads(self.tombstone(recording)["told"])
        return told


@contextmanager
def ending(folder: Path, **settings: str) -> Iterator[Ending]:
    """An installation at the end of its recordings' lives."""
    with open_home(folder / "home", **settings) as home:
        yield Ending(home)


def tracks(at: Ending, folder: Path, count: int) -> list[str]:
    """So many small recordings, indexed."""
    paths = [track(folder / "card", f"{number}.gpx", number=number) for number in range(count)]
    body = at.home.ingest(*paths)
    return [one["id"] for one in body["recordings"]]
