# SPDX-License-Identifier: Apache-2.0
"""This is where everything is shown at work: simulated cameras are docked, and the real processes do the rest.

Nothing here is staged: the watcher and the worker are the processes production runs, the
footage is coded by the simulator, and every figure of the summary is read back from the register.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any

from app import clocks
from app.demo_cast import DEVICES, OFFICERS, film, first_case, late_case
from app.processes import running
from app.settings import Settings, load_settings
from app.wiring import open_keys, wired
from devices.simulator.card import dock_card
from evidence.errors import Unavailable
from evidence.media_time import Span
from evidence.verdict import Verdict
from pipeline import audit, casework
from pipeline.clip import clip
from pipeline.devices_register import register_device
from pipeline.ledger import assign_device
from pipeline.people import register_officer
from pipeline.ports import Ports
from storage.register import jobs, search
from storage.register.publisher import publish

_PATIENCE_S = 150
Tell = Callable[[str], None]
Stay = Callable[["Demonstration"], None]


@dataclass(slots=True)
class Demonstration:
    """What a demonstration did: the summary that `evidock demo --once` prints."""

    home: Path
    cards: Path
    dock: Path
    tell: Tell
    seconds: dict[str, float] = field(default_factory=dict)
    clips: list[Path] = field(default_factory=list)
    proofs_verified: int = 0

    @contextmanager
    def timed(self, step: str) -> Iterator[None]:
        """Say what is done now, and keep how long it took."""
        self.tell(step)
        began = time.monotonic()
        yield
        self.seconds[step] = round(time.monotonic() - began, 2)


def demonstrate(home: Path, *, tell: Tell, stay: Stay | None = None) -> dict[str, Any]:
    """Run through the whole job once in `home`; with `stay`, hold everything running while it lasts.

    Raises:
        Unavailable: the steps did not end in time; the log of the processes says why.
    """
    settings = load_settings(home=home)
    shown = Demonstration(settings.home, settings.home / "cards", settings.home / "docks" / "dock-1", tell)
    for folder in (shown.cards, shown.dock):
        folder.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    with wired(settings, actor="demo") as ports:
        today = clocks.now().replace(minute=0, second=0, microsecond=0) - timedelta(hours=3)
        _register(ports, today)
        log = settings.home / "processes.log"
        with running((["watch", str(shown.dock)], ["worker"]), home=settings.home, log=log):
            _film_and_dock(shown, today)
            with shown.timed("take in"):
                _wait(ports, _count_files(shown.dock), log)
            with shown.timed("case opened afterwards"):
                casework.open_case(late_case(today), ports=ports, now=clocks.now())
            with shown.timed("clip"):
                _clip(shown, ports, settings)
            with shown.timed("verify"):
                _verify(shown, ports)
            if stay is not None:
                stay(shown)
        shown.seconds["total"] = round(time.monotonic() - began, 2)
        return _summary(shown, ports)


def _register(ports: Ports, today: datetime) -> None:
    now = clocks.now()
    for officer in OFFICERS:
        register_officer(officer, ports=ports, now=now)
    for device, holder in DEVICES:
        register_device(device, ports=ports, now=now)
        assign_device(device.serial, holder, start=today - timedelta(days=1), ports=ports, now=now)
    casework.open_case(first_case(today), ports=ports, now=now)


def _film_and_dock(shown: Demonstration, today: datetime) -> None:
    with shown.timed("film"):
        cards = film(shown.cards, today)
    with shown.timed("dock"):
        for card in cards:
            dock_card(card, shown.dock / card.name)


def _count_files(dock: Path) -> int:
    return sum(1 for path in dock.rglob("*") if path.is_file() and path.suffix != ".cson")


def _wait(ports: Ports, expected: int, log: Path) -> None:
    """Until every docked file is a recording (or the second offer of one) and no job is open."""
    ends = time.monotonic() + _PATIENCE_S
    while time.monotonic() < ends:
        with ports.register.view() as connection:
            offered = len(search.every(connection, "offers"))
            is_idle = not jobs.open_jobs(connection)
        if offered >= expected and is_idle:
            publish(ports.register, ports.log)
            return
        time.sleep(0.2)
    raise Unavailable(f"{offered} of {expected} files were taken in after {_PATIENCE_S} s; see {log}")


def _clip(shown: Demonstration, ports: Ports, settings: Settings) -> None:
    """Two seconds, off every key frame, out of each recording of the first case."""
    folder = settings.home / "clips"
    folder.mkdir(exist_ok=True)
    keys = open_keys(settings)
    known = (keys.log.verifier_key, keys.records.verifier_key)
    with ports.register.view() as connection:
        linked = search.find_recordings(connection, case=first_case(clocks.now()).number)
    for row in linked:
        if row["kind"] != "video":
            continue
        out = folder / f"{row['id']}.mp4"
        span = Span(Fraction(37, 30), Fraction(97, 30))
        clip(row["id"], span, out, ports=ports, now=clocks.now(), keys=known)
        shown.clips.append(out)


def _verify(shown: Demonstration, ports: Ports) -> None:
    for path in shown.clips:
        report = audit.verify_file(path, ports)
        shown.proofs_verified += report.verdict is Verdict.PROVEN
    whole = audit.verify_all(ports)
    if whole.verdict is not Verdict.PROVEN:
        told = "; ".join(f"{one.object}: {one.what}" for one in whole.findings[:3])
        raise Unavailable(f"the demonstration does not verify: {told}")


def _summary(shown: Demonstration, ports: Ports) -> dict[str, Any]:
    with ports.register.view() as connection:
        rows = search.find_recordings(connection)
        return {
            "home": str(shown.home),
            "recordings": sum(row["state"] == "indexed" for row in rows),
            "segments": len(search.every(connection, "segments")),
            "cases": len(search.every(connection, "cases")),
            "unfiled": len(search.unfiled(connection)),
            "clips": len(shown.clips),
            "proofs_verified": shown.proofs_verified,
            "quarantined": sum(row["state"] == "quarantined" for row in rows),
            "seconds": shown.seconds,
        }
