# SPDX-License-Identifier: Apache-2.0
"""This is where tests get a wired installation in a temporary folder, files to put into it, and questions to ask it."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from app import clocks
from app.cli.ingest import ingest_files, summary
from app.foreground import drain
from app.intake import Found, Skipped, find_files, take_again, take_in
from app.settings import Settings, load_settings
from app.wiring import wired
from evidence.device import Device
from pipeline import flow
from pipeline.arrive import operator_claims
from pipeline.casework import NewCase, open_case
from pipeline.devices_register import register_device
from pipeline.leasing import Clock
from pipeline.ledger import assign_device
from pipeline.people import Officer, register_officer
from pipeline.ports import Ports
from storage import layout
from storage.register import jobs, search
from storage.register.publisher import publish
from storage.register.rebuild import Rebuilt, fact_rows, rebuild
from storage.register.register import Register, open_register

NOON = datetime(2026, 6, 19, 4, tzinfo=UTC)  # 12:00 in China
LEASE_S = 30.0


@dataclass(frozen=True, slots=True)
class Home:
    """An installation whose engines are open in this process."""

    settings: Settings
    ports: Ports

    # --- putting in -------------------------------------------------------------------------

    def ingest(self, *paths: Path, device: str | None = None, officer: str | None = None) -> dict[str, Any]:
        """As `evidock ingest`; what it prints as JSON."""
        said = operator_claims(device=device, officer=officer)
        taken = ingest_files(paths, said=said, ports=self.ports, lease_s=LEASE_S, at_once=2)
        return summary(taken, self.ports)

    def ingest_one(self, path: Path, *, device: str | None = None, officer: str | None = None) -> dict[str, Any]:
        """The one recording that a file became, taken in whole."""
        body = self.ingest(path, device=device, officer=officer)
        assert not body["quarantined"], body
        recording: dict[str, Any] = body["recordings"][0]
        return recording

    def offer(self, path: Path, *, device: str | None = None, officer: str | None = None) -> str:
        """Take a file down, or down again, without running anything; the recording's id."""
        found = next(iter(find_files(path)))
        assert isinstance(found, Found), found
        said = operator_claims(device=device, officer=officer)
        arrival = take_in(found, said=said, ports=self.ports, now=clocks.now())
        if not arrival.is_new:
            take_again(found, arrival, said=said, ports=self.ports, now=clocks.now())
        return arrival.recording

    def run(self, step: str, recording: str, *, clock: Clock | None = None, ports: Ports | None = None) -> flow.Result:
        """Run one job as a worker would."""
        job = f"{step}:{recording}"
        return flow.run(job, ports=ports or self.ports, owner=clocks.owner(), clock=clock or clocks.clock(LEASE_S))

    def drain(self, *recordings: str) -> None:
        """Run every job of these recordings until none is open."""
        drain(recordings, ports=self.ports, lease_s=LEASE_S, at_once=2)

    def with_ports(self, **changed: Any) -> "Home":
        """The same installation with other ports."""
        return replace(self, ports=replace(self.ports, **changed))

    # --- people -----------------------------------------------------------------------------

    def add_device(self, serial: str, *, offset_ms: int = 0) -> None:
        device = Device(serial, clock_offset_ms=offset_ms)
        register_device(device, ports=self.ports, now=clocks.now())

    def add_officer(self, number: str) -> None:
        register_officer(Officer(number), ports=self.ports, now=clocks.now())

    def assign(self, serial: str, number: str, *, start: datetime, end: datetime | None = None) -> None:
        assign_device(serial, number, start=start, end=end, ports=self.ports, now=clocks.now())

    def open_case(self, number: str, *officers: str, start: datetime, end: datetime, item: str | None = None) -> int:
        case = NewCase(number, "", officers, start, end, item)
        return open_case(case, ports=self.ports, now=clocks.now())

    # --- asking -----------------------------------------------------------------------------

    def recording(self, identifier: str) -> dict[str, Any]:
        with self.ports.register.view() as connection:
            return dict(search.recording(connection, identifier))

    def recordings(self) -> list[dict[str, Any]]:
        with self.ports.register.view() as connection:
            return [dict(row) for row in search.find_recordings(connection)]

    def unfiled(self) -> list[str]:
        with self.ports.register.view() as connection:
            return [row["id"] for row in search.unfiled(connection)]

    def segments(self, identifier: str) -> list[dict[str, Any]]:
        with self.ports.register.view() as connection:
            return [dict(row) for row in search.segments_of(connection, identifier)]

    def cases_of(self, identifier: str) -> set[str]:
        """Numbers of the cases that hold a segment of a recording."""
        with self.ports.register.view() as connection:
            return {link["case"] for link in search.links_of_recording(connection, identifier)}

    def events(self, stream: str) -> list[dict[str, Any]]:
        with self.ports.register.view() as connection:
            return [dict(row) for row in search.events_of(connection, stream)]

    def story(self, recording: str) -> list[str]:
        """The kinds of a recording's custody events, in order."""
        return [event["kind"] for event in self.events(f"recording/{recording}")]

    def times(self, recording: str, kind: str) -> int:
        """How often something happened to a recording."""
        return Counter(self.story(recording))[kind]

    def open_jobs(self) -> list[str]:
        with self.ports.register.view() as connection:
            return [row.id for row in jobs.open_jobs(connection)]

    def holds(self, data: bytes, sha256: str) -> bool:
        """True when the object store has these very bytes as an original, with a receipt."""
        key = layout.original_key(sha256)
        store = self.ports.store
        return (
            store.exists(key)
            and store.read(key, limit=len(data) + 1) == data
            and store.exists(layout.receipt_key(sha256))
        )

    def facts(self) -> dict[str, list[dict[str, Any]]]:
        """Every row of every table that a rebuild brings back."""
        with self.ports.register.view() as connection:
            return fact_rows(connection)

    def publish(self) -> None:
        publish(self.ports.register, self.ports.log)

    def rebuilt(self) -> tuple[Rebuilt, dict[str, list[dict[str, Any]]]]:
        """What the object store and the log alone say: a register remade beside the live one."""
        with fresh_register(self, self.settings.home / "rebuilt.db") as register:
            done = rebuild(register, store=self.ports.store, log=self.ports.log, verifiers=self.ports.verifiers)
            with register.view() as connection:
                return done, fact_rows(connection)


@contextmanager
def fresh_register(home: Home, path: Path) -> Iterator[Register]:
    """An empty register beside a home's own, gone at the end."""
    for suffix in ("", "-wal", "-shm"):
        Path(f"{path}{suffix}").unlink(missing_ok=True)
    register = open_register(
        f"sqlite:///{path}", store=home.ports.store, signer=home.ports.signer, chance=clocks.chance
    )
    try:
        yield register
    finally:
        register.close()


@contextmanager
def open_home(folder: Path, **settings: str) -> Iterator[Home]:
    """An installation in `folder`; `settings` as in the environment, without prefix, in lower case."""
    given = {f"EVIDOCK_{name.upper()}": value for name, value in settings.items()}
    loaded = load_settings({"EVIDOCK_HOME": str(folder), **given})
    with wired(loaded, actor="test") as ports:
        yield Home(loaded, ports)


def at_tick(boot: str, seconds: float, *, now: datetime = NOON, lease_s: float = LEASE_S) -> Clock:
    """Clocks that stand still."""
    return Clock(lambda: now, lambda: jobs.Tick(boot, seconds), lease_s)


# --- files ------------------------------------------------------------------------------------


def track(folder: Path, name: str = "track.gpx", *, number: int = 0, at: datetime = NOON) -> Path:
    """A GPS track, the cheapest file there is that is a recording; another `number`, other bytes."""
    point = f'<trkpt lat="28.2{number:05d}" lon="112.9"><time>{at:%Y-%m-%dT%H:%M:%SZ}</time></trkpt>'
    text = f'<?xml version="1.0"?>\n<gpx version="1.1" creator="test"><trk><trkseg>{point}</trkseg></trk></gpx>\n'
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(text)
    return path


def dsj_name(serial: str, *, at: datetime = NOON, officer: str = "000000", ending: str = "gpx") -> str:
    """A file name as DSJ recorders make it; `at` is true time, shown by a camera clock that is right."""
    local = at + timedelta(hours=8)
    return f"DSJ_{serial}_{officer}_{local:%Y%m%d_%H%M%S}.{ending}"


def left(body: dict[str, Any]) -> list[Skipped]:
    """What an ingest left where it was."""
    return [Skipped(one["name"], one["reason"]) for one in body["skipped"]]
