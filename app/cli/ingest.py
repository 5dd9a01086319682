# SPDX-License-Identifier: Apache-2.0
"""This is where `evidock ingest` is: files taken in as if docked, all steps in the foreground."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.text import Text

from app import clocks, walls
from app.admission import Admission
from app.cli.session import AsJson, Home, err, out, print_table, report, session
from app.foreground import Step, drain
from app.intake import Found, Skipped, find_files, take_again, take_in
from app.words import word
from evidence.claims import Claims
from evidence.errors import DiskLow, EvidockError, Overloaded
from evidence.offer import showable
from pipeline import flow
from pipeline.arrive import operator_claims
from pipeline.ports import Ports
from pipeline.reconcile import clear_leftovers
from pipeline.tell_series import tell_entries
from storage.register import search
from storage.register.keeping import GONE
from storage.register.publisher import publish

_STEPS = len(flow.STEPS)
# Others may be making room meanwhile; a person who waits longer wants to be told.
_PATIENCE_S, _LOOK_S = 5.0, 0.25


@dataclass(slots=True)
class _Intake:
    """What one call of `ingest` took: recordings by id with the file each came from, and what it left."""

    recordings: dict[str, Found] = field(default_factory=dict)
    skipped: list[dict[str, str]] = field(default_factory=list)
    done: list[Step] = field(default_factory=list)


def ingest(
    paths: Annotated[list[Path], typer.Argument(help="Files or folders to take in.", show_default=False)],
    device: Annotated[str | None, typer.Option(help="Serial of the camera they come from.")] = None,
    officer: Annotated[str | None, typer.Option(help="Certificate number of the officer.")] = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Take files in, as if docked: measure, seal, stamp, make proxies, segment, index.

    Bytes are kept whatever they are; what cannot be used is put aside with the reason. Running it again
    goes on where it was interrupted, and never makes a second copy.

    - `evidock ingest /media/card --device DSJ0001 --officer 430407`
    - `evidock ingest meeting.mp4 --json`
    """
    said = operator_claims(device=device, officer=officer)
    with session(home) as (ports, settings):
        if told := walls.notice(settings):
            err.print(told, style="red")
        taken = ingest_files(
            paths,
            said=said,
            ports=ports,
            lease_s=settings.lease_s,
            at_once=settings.workers,
            admission=Admission(settings, ports),
        )
        body = summary(taken, ports)
    report(body, as_json=as_json, show=lambda: _show(body))
    if body["quarantined"] and not body["recordings"]:
        raise typer.Exit(3)


def ingest_files(
    paths: Sequence[Path],
    *,
    said: Claims,
    ports: Ports,
    lease_s: float,
    at_once: int,
    admission: Admission | None = None,
) -> _Intake:
    """Offer every file at or beneath `paths`, and run all steps of what was taken.

    Raises:
        DiskLow, Overloaded: `admission` refused a file for longer than we wait; what was taken before is done.
    """
    clear_leftovers(ports=ports)
    taken = _Intake()

    def work() -> None:
        _run(taken, ports=ports, lease_s=lease_s, at_once=at_once)
        publish(ports.register, ports.log)

    for path in paths:
        for found in find_files(path):
            if isinstance(found, Skipped):
                taken.skipped.append({"name": found.name, "reason": found.reason})
            else:
                if admission is not None:
                    _await_room(found, admission, work)
                _offer(found, taken, said=said, ports=ports)
    work()
    return taken


def _await_room(found: Found, admission: Admission, work: Callable[[], None]) -> None:
    """Return when the file may be taken in; what was taken before is done first, for that makes room."""
    ends: float | None = None
    while True:
        try:
            admission.check(found.offer)
        except (DiskLow, Overloaded):
            if ends is None:
                work()
                ends = time.monotonic() + _PATIENCE_S
            elif time.monotonic() >= ends:
                raise
            time.sleep(_LOOK_S)
        else:
            return


def _offer(found: Found, taken: _Intake, *, said: Claims, ports: Ports) -> None:
    now = clocks.now()
    arrival = take_in(found, said=said, ports=ports, now=now)
    name = showable(found.offer.path)
    taken.recordings.setdefault(arrival.recording, found)
    if arrival.is_new:
        return
    try:
        is_held = take_again(found, arrival, said=said, ports=ports, now=now)
    except EvidockError as error:
        taken.skipped.append({"name": name, "reason": error.message})
        return
    if is_held:
        with ports.register.view() as connection:
            reason = _told_again(connection, arrival.recording)
        taken.skipped.append({"name": name, "reason": reason})


def _told_again(connection: search.Connection, holder: str) -> str:
    """What became of the bytes that a file has too; of what was disposed of nothing is held."""
    state = search.recording(connection, holder)["state"]
    if state in GONE:
        return f"byte-identical to {holder}, which was disposed of: noted there, NOT kept (`evidock show {holder}`)"
    return f"byte-identical to {holder}, held already"


def _run(taken: _Intake, *, ports: Ports, lease_s: float, at_once: int) -> None:
    subjects = list(taken.recordings)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as bar:
        task = bar.add_task("taking in", total=max(1, len(subjects) * _STEPS))

        def on_step(step: Step) -> None:
            taken.done.append(step)
            file = showable(taken.recordings[step.subject].offer.name)
            bar.update(task, advance=1, description=f"{step.name} {file}"[:50])

        drain(subjects, ports=ports, lease_s=lease_s, at_once=at_once, on_step=on_step)


def summary(taken: _Intake, ports: Ports) -> dict[str, Any]:
    """The JSON of `ingest`: recordings, quarantined, skipped."""
    body: dict[str, Any] = {"recordings": [], "quarantined": [], "skipped": list(taken.skipped)}
    told: set[str] = set()
    rows: list[search.Row] = []
    with ports.register.view() as connection:
        for identifier, found in taken.recordings.items():
            name, offer = showable(found.offer.path), search.offer(connection, found.offer.id)
            holder = None if offer is None or offer["outcome"] == "withdrawn" else offer["recording"]
            if holder != identifier:
                why = _told_again(connection, holder) if holder else "it changed or went away before it was read"
                body["skipped"].append({"name": name, "reason": why})
            if holder is None or holder in told:
                continue
            told.add(holder)
            row = search.recording(connection, holder)
            if row["state"] == "quarantined":
                aside = {"name": name, "code": row["problem_code"], "reason": row["problem_text"]}
                body["quarantined"].append({**aside, "id": row["id"]})
            else:
                rows.append(row)
        body["recordings"] = tell_entries(connection, rows)
    return body


def _show(body: dict[str, Any]) -> None:
    rows = [
        (
            one["id"],
            word("state", one["state"]),
            ", ".join(original["name"] for original in one["originals"]),
            one["segments"],
        )
        for one in body["recordings"]
    ]
    print_table(("recording", "state", "file", "segments"), rows, empty="no recording was taken in")
    for one in body["quarantined"]:
        told = f" {one['name']} ({one['code']}): {one['reason']}"
        out.print(Text.assemble((word("error", one["code"]), "yellow"), told))
    for one in body["skipped"]:
        out.print(Text.assemble(("left ", "dim"), f"{one['name']}: {one['reason']}"))
