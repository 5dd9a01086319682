# SPDX-License-Identifier: Apache-2.0
"""This is where footage goes to the archive and comes back, and where proxies go before their originals do."""

from collections.abc import Callable
from typing import Annotated, Any

import typer

from app.cli.recordings import show_time
from app.cli.session import AsJson, Home, out, print_table, progress_bar, report, session
from app.endings import steady
from app.places import open_places
from app.settings import Settings
from evidence import instant
from evidence.errors import StillLocked
from pipeline.archive import archive as archive_recording
from pipeline.archive import leave
from pipeline.archive import restore as restore_recording
from pipeline.catalogs.in_force import catalog_now
from pipeline.deciding import judge_at
from pipeline.prune import prune as prune_proxies
from pipeline.tombstone import HOT
from storage.register import ends

app = typer.Typer(no_args_is_help=True, help="The archive: a second store that costs less. And proxies that go early.")
_DAYS_UP = 7


@app.command("run")
def run(
    recordings: Annotated[
        list[str] | None, typer.Argument(help="Ids; without any, all that is appraised for it.")
    ] = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Copy what is appraised for the archive, read it back there, and take its bytes out of the object store.

    Stopped or killed, run it again: it goes on where it was.

    - `evidock archive run`
    """
    with session(home) as (ports, settings), progress_bar("archiving", quiet=as_json) as progress:
        now = steady(ports)
        door = open_places(settings)[HOT]
        with ports.register.view() as connection:
            wanted = recordings or ends.appraised(connection, "archive")
            leaving = [one for one in ends.hot_still(connection) if one not in wanted]
        locked: dict[str, StillLocked] = {}
        for number, one in enumerate(wanted, start=1):
            archive_recording(one, judge=judge_at(ports, now), ports=ports, now=now)
            progress(number / (2 * len(wanted)))
        for one in (*wanted, *leaving):
            lock = leave(one, door, ports=ports, now=now)
            if lock is not None:
                locked[one] = lock
        zone = settings.zone
    kept = {name: _until(lock) for name, lock in locked.items()}
    body = {"archived": list(wanted), "kept_by_locks": kept}

    def show() -> None:
        out.print(f"{len(wanted)} recordings are archived")
        for name, until in kept.items():
            told = "a legal hold" if until is None else show_time(until, zone)
            out.print(f"  {name} also stays in the object store, whose lock ends: {told}")

    report(body, as_json=as_json, show=show)


def _until(lock: StillLocked) -> str | None:
    until: Any = lock.values.get("until")
    return None if until is None else instant.to_text(until)


@app.command("restore")
def restore(
    recording: Annotated[str, typer.Argument(help="Id of a recording.", show_default=False)],
    why: Annotated[str, typer.Option(help="The reason, for the record.", show_default=False)],
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Bring the bytes of an archived recording back, measured anew; the archive keeps its copy.

    - `evidock archive restore rec-abcdefghij2345678901 --why "asked for by the court"`
    """
    with session(home) as (ports, settings):
        now = steady(ports)
        judge = judge_at(ports, now)
        body = dict(restore_recording(recording, why=why, recall=_recall(settings), judge=judge, ports=ports, now=now))
    report(body, as_json=as_json, show=lambda: out.print(f"{recording} is back from {body['place']}"))


def _recall(settings: Settings) -> Callable[[str], None] | None:
    """How a slow archive is asked; None where there is nothing to ask."""
    if not settings.cold_url.startswith("s3:"):
        return None
    from storage.s3.address import S3Address
    from storage.s3.store import S3Store

    store = S3Store(S3Address.parse(settings.cold_url), journal=settings.home / "uploads-cold")
    return lambda key: store.recall(key, days=_DAYS_UP)


@app.command("list")
def list_archived(home: Home = None, as_json: AsJson = False) -> None:
    """List what is, or was, archived.

    - `evidock archive list`
    """
    with session(home) as (ports, settings), ports.register.view() as connection:
        found = ends.every_archive(connection)
    columns = ("recording", "where", "since", "left the object store", "restored")
    moments = ("archived_at", "hot_removed_at", "restored_at")
    rows = [
        (one["recording"], one["place"], *(one[at] and show_time(one[at], settings.zone) for at in moments))
        for one in found
    ]
    body = {"archived": [dict(one) for one in found]}
    report(body, as_json=as_json, show=lambda: print_table(columns, rows, empty="nothing is archived"))


@app.command("prune")
def prune(home: Home = None, as_json: AsJson = False) -> None:
    """Remove proxies that are older than the catalog in force keeps them (`derivatives: {proxy: P1Y}`).

    - `evidock archive prune`
    """
    with session(home) as (ports, settings), progress_bar("removing proxies", quiet=as_json):
        now = steady(ports)
        done = prune_proxies(catalog_now(ports, now).proxy_term, open_places(settings)[HOT], ports=ports, now=now)
    body = {"removed": done.removed, "size_bytes": done.size_bytes, "locked": done.locked}
    words = f"{done.removed} proxies removed, {done.size_bytes:,} bytes; {done.locked} are locked still"
    report(body, as_json=as_json, show=lambda: out.print(words))
