# SPDX-License-Identifier: Apache-2.0
"""This is where `evidock backup` and `evidock restore` are."""

import time
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.text import Text

from app.backup import Made, make_backup
from app.backup_drill import Drilled, drill
from app.backup_restore import Restored, restore_backup
from app.cli.session import AsJson, Home, err, out, progress_bar, report, session
from app.settings import load_settings
from app.wiring import wired
from app.words import word
from evidence.errors import BadInput
from evidence.verdict import EXIT_STATUS, CheckReport
from pipeline.audit import to_json, verify_all

_NAMED = 10


def backup(
    target: Annotated[Path, typer.Option("-o", "--output", help="Folder to make; nothing may be there yet.")],
    objects: Annotated[
        bool, typer.Option("--objects", help="Copy the objects too, when they are in a folder.")
    ] = False,
    without_keys: Annotated[bool, typer.Option("--without-keys", help="Leave the signing keys out.")] = False,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Make a backup of the installation, while it runs: register, keys, settings, and a list of the objects.

    - `evidock backup -o /backup/2026-06-19`
    - `evidock backup -o /backup/whole --objects --without-keys`
    """
    with session(home) as (ports, settings), progress_bar("backing up", quiet=as_json) as progress:
        made = make_backup(
            target, ports=ports, settings=settings, with_keys=not without_keys, with_objects=objects, progress=progress
        )
    told = made.manifest
    body = {
        "backup": str(made.folder),
        "events": told.events,
        "entries": told.checkpoint,
        "objects": told.objects,
        "objects_copied": told.objects - made.linked if told.has_objects else 0,
        "objects_linked": made.linked,
        "keys": told.has_keys,
    }
    report(body, as_json=as_json, show=lambda: _show_made(made))


def _show_made(made: Made) -> None:
    told = made.manifest
    out.print(f"{made.folder}: {told.events} custody events, {told.objects} objects listed")
    if not told.has_objects:
        out.print("  the objects themselves are not in it: the store needs a copy of its own")
    elif made.linked:
        out.print(f"  {made.linked} objects share their bytes with the store's files: move the backup to another disk")
    if not told.has_keys:
        out.print("  the signing keys are not in it: without them nothing can be added to the log")
    elif told.has_objects:
        out.print("  keys and objects lie together: whoever has both can rewrite history")
    else:
        out.print("  the signing keys are in it, and names of people: keep it private")


def restore(
    source: Annotated[Path, typer.Argument(help="Folder that `evidock backup` made.", show_default=False)],
    into: Annotated[
        Path | None, typer.Option("--into", help="Home to restore into (else EVIDOCK_HOME, else ./var).")
    ] = None,
    is_drill: Annotated[
        bool, typer.Option("--drill", help="Only try: restore beside, verify all, report, take it away.")
    ] = False,
    no_verify: Annotated[bool, typer.Option("--no-verify", help="Do not read every object afterwards.")] = False,
    as_json: AsJson = False,
) -> None:
    """Restore a backup into an empty installation, bring back what the store got since, and verify all of it.

    The settings name the engines, whatever those of the backup were. Exit status as of `evidock verify`.

    - `evidock restore /backup/2026-06-19 --into /srv/evidock`
    - `evidock restore --drill /backup/2026-06-19`
    """
    settings = load_settings(home=into)
    if is_drill:
        if no_verify:
            raise BadInput("a drill verifies: leave out --no-verify")
        with progress_bar("drill", quiet=as_json) as progress:
            tried = drill(source, settings, progress=progress)
        _tell_drill(tried, as_json=as_json)
        raise typer.Exit(EXIT_STATUS[tried.report.verdict])
    began, found = time.monotonic(), None
    with progress_bar("restoring", quiet=as_json) as progress:
        done = restore_backup(source, settings, progress=progress)
    if not no_verify:
        with wired(settings, actor="restore") as ports, progress_bar("verifying", quiet=as_json) as progress:
            found = verify_all(ports, progress=progress)
    body = _body(done) | {
        "seconds": round(time.monotonic() - began, 3),
        "verify": None if found is None else to_json(found),
    }
    report(body, as_json=as_json, show=lambda: _show_restored(done, found))
    if found is not None:
        raise typer.Exit(EXIT_STATUS[found.verdict])


def _body(done: Restored) -> dict[str, Any]:
    return {
        "made_at": done.manifest.made_at.isoformat(),
        "rows": done.rows,
        "events_from_log": done.since.from_log,
        "events_from_receipts": done.since.from_receipts,
        "jobs_opened": done.jobs,
        "objects_missing": len(done.missing),
        "signature": "installed key" if done.is_vouched else "its own key",
    }


def _show_restored(done: Restored, found: CheckReport | None) -> None:
    since = f"{done.since.from_log} from the log and {done.since.from_receipts} from receipts"
    out.print(f"{done.rows} rows are restored; events since the backup: {since}; {done.jobs} jobs are open")
    if not done.is_vouched:
        out.print(
            "  its signature was checked with the key it carries: compare `evidock log keys` with what you gave out"
        )
    if done.missing:
        err.print(Text(f"  {len(done.missing)} objects of that day are not in the store:", "red"))
        for key in done.missing[:_NAMED]:
            err.print(f"    {key}")
    if found is None:
        out.print("  nothing was verified: run `evidock verify --all`")
    else:
        _show_verdict(found)


def _tell_drill(tried: Drilled, *, as_json: bool) -> None:
    body = _body(tried.restored) | {
        "counts": dict(tried.rows),
        "restore_seconds": round(tried.restore_s, 3),
        "verify_seconds": round(tried.verify_s, 3),
        "verify": to_json(tried.report),
    }
    report(body, as_json=as_json, show=lambda: _show_drill(tried))


def _show_drill(tried: Drilled) -> None:
    rows = tried.rows
    out.print(
        f"restored in {tried.restore_s:.1f} s: {rows['recordings']} recordings, {rows['segments']} segments, "
        f"{rows['custody_events']} custody events; verified in {tried.verify_s:.1f} s"
    )
    _show_verdict(tried.report)


def _show_verdict(found: CheckReport) -> None:
    out.print(f"{word('verdict', found.verdict)}: {found.objects} objects, {found.size_bytes:,} bytes checked")
    for finding in found.findings:
        out.print(f"  {word('verdict', finding.verdict)}: {finding.object}: {finding.what} {finding.where}")
