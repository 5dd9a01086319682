# SPDX-License-Identifier: Apache-2.0
"""This is where the custody log is shown, checked and published."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from app.cli.recordings import show_time
from app.cli.session import AsJson, Home, out, print_table, progress_bar, report, session
from app.settings import load_settings
from app.wiring import open_keys
from evidence.errors import BadInput
from evidence.note import Verifier
from evidence.verdict import EXIT_STATUS, CheckReport
from storage.custody_log import SignedCheckpoint, open_checkpoint
from storage.log_check import check_log
from storage.register import search
from storage.register.publisher import publish

app = typer.Typer(no_args_is_help=True, help="The custody log: append-only, signed, checkable by anyone.")


@app.command("show")
def show(
    recording: Annotated[str | None, typer.Argument(help="Id of a recording; all, if not given.")] = None,
    limit: Annotated[int, typer.Option(help="How many at most, newest first.")] = 50,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Show custody events: who did what, when.

    - `evidock log show rec-abcdefghij2345678901`
    - `evidock log show --limit 10 --json`
    """
    with session(home) as (ports, settings), ports.register.view() as connection:
        if recording is None:
            rows = search.newest_events(connection, limit)
        else:
            rows = search.events_of(connection, f"recording/{recording}")
        zone = settings.zone
    names = ("leaf_index", "stream", "seq", "kind", "at", "actor", "leaf_hash", "note")
    body = {"events": [{name: row[name] for name in names} for row in rows]}
    cells = [(row["leaf_index"], show_time(row["at"], zone), row["kind"], row["stream"], row["actor"]) for row in rows]
    columns = ("entry", "at", "what", "of", "by")
    report(body, as_json=as_json, show=lambda: print_table(columns, cells, empty="no custody events yet"))


@app.command("check")
def check(
    kept: Annotated[
        Path | None, typer.Option(help="Checkpoint printed before and kept elsewhere: the log must still hold it.")
    ] = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Recompute the whole log from its entries and compare every tile and checkpoint.

    - `evidock log check`
    - `evidock log check --kept checkpoint.txt` (finds a register and a log put back together, too)
    """
    with session(home) as (ports, settings), progress_bar("checking the log", quiet=as_json):
        verifiers = [open_keys(settings).log.verifier()]
        known = [] if kept is None else [_opened(kept, origin=ports.log.origin, verifiers=verifiers)]
        found = check_log(ports.store, verifiers, origin=ports.log.origin, known=known)
    told = CheckReport(tuple(found.findings), found.objects, found.size_bytes)
    size = 0 if found.checkpoint is None else found.checkpoint.size
    body = {
        "verdict": told.verdict.value,
        "findings": [{"object": one.object, "what": one.what, "where": one.where} for one in told.findings],
        "checked": {"objects": told.objects, "bytes": told.size_bytes},
        "size": size,
    }

    def people() -> None:
        cells = [(one.object, one.what, one.where) for one in told.findings]
        print_table(("object", "what", "where"), cells, empty=f"{told.verdict.value}: {size} entries")

    report(body, as_json=as_json, show=people)
    raise typer.Exit(EXIT_STATUS[told.verdict])


def _opened(kept: Path, *, origin: str, verifiers: Sequence[Verifier]) -> SignedCheckpoint:
    try:
        return open_checkpoint(kept.read_text("utf-8"), origin=origin, verifiers=verifiers)
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"the checkpoint {kept} cannot be read: {error}") from error


@app.command("keys")
def keys(home: Home = None, as_json: AsJson = False) -> None:
    """Print the public keys that an auditor needs, one a line: of the log, of records and receipts.

    - `evidock log keys > agency.keys`
    """
    found = open_keys(load_settings(home=home))
    told = [key.verifier_key.to_text() for key in (found.log, found.records)]
    report({"keys": told}, as_json=as_json, show=lambda: out.out("\n".join(told), highlight=False))


@app.command("checkpoint")
def checkpoint(home: Home = None, as_json: AsJson = False) -> None:
    """Publish what waits, and print the newest signed checkpoint and the key that checks it.

    - `evidock log checkpoint > checkpoint.txt`
    """
    with session(home) as (ports, settings):
        newest = publish(ports.register, ports.log)
        key = open_keys(settings).log.verifier_key.to_text()
    note = "" if newest is None else newest.note
    body = {"size": 0 if newest is None else newest.size, "checkpoint": note, "key": key}
    report(body, as_json=as_json, show=lambda: out.out(note or "the log is empty", end="", highlight=False))
