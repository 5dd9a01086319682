# SPDX-License-Identifier: Apache-2.0
"""This is where what is due is appraised (到期鉴定): dispose of it, archive it, or keep it longer."""

from typing import Annotated, Any

import typer

from app.cli.pages import Limit
from app.cli.recordings import show_time
from app.cli.session import AsJson, Home, out, print_table, report, session
from app.endings import steady
from app.words import word
from evidence import instant
from pipeline.appraise import Wish
from pipeline.appraise import appraise as appraise_recordings
from pipeline.deciding import judge_at
from storage.register import ends

app = typer.Typer(no_args_is_help=True, help="Appraise what is due: dispose of it, archive it, or keep it longer.")
Recordings = Annotated[list[str], typer.Argument(help="Ids of recordings.", show_default=False)]
Why = Annotated[str, typer.Option(help="The reason, for the record.", show_default=False)]
Until = Annotated[str | None, typer.Option(help="RFC 3339 time; asked about again from then on.", show_default=False)]


@app.command("list")
def list_due(limit: Limit = None, home: Home = None, as_json: AsJson = False) -> None:
    """List what is due and waits for a person, the longest due first; `evidock retention sweep` finds it.

    - `evidock appraise list --limit 50`
    """
    with session(home) as (ports, settings):
        now = instant.to_text(steady(ports))
        with ports.register.view() as connection:
            found = ends.to_appraise(connection, at=now, limit=limit)
        zone = settings.zone
    rows = [
        (one["id"], show_time(one["until"], zone), one["item"], one["kind"], word("state", one["state"]))
        for one in found
    ]
    columns = ("recording", "kept until", "item", "kind", "state")
    body = {"due": [dict(one) for one in found]}
    report(body, as_json=as_json, show=lambda: print_table(columns, rows, empty="nothing is due"))


@app.command("dispose")
def dispose(recordings: Recordings, why: Why, home: Home = None, as_json: AsJson = False) -> None:
    """Appraise recordings for disposal: what a disposal list can be made of. Nothing is removed by this.

    - `evidock appraise dispose rec-abcdefghij2345678901 --why "no longer of use"`
    """
    _appraise(recordings, Wish.DISPOSE, why=why, until=None, home=home, as_json=as_json)


@app.command("archive")
def archive(recordings: Recordings, why: Why, until: Until = None, home: Home = None, as_json: AsJson = False) -> None:
    """Appraise recordings for the archive; `evidock archive run` takes them there.

    - `evidock appraise archive rec-abcdefghij2345678901 --why "kept for good, seldom seen"`
    """
    _appraise(recordings, Wish.ARCHIVE, why=why, until=until, home=home, as_json=as_json)


@app.command("keep")
def keep(
    recordings: Recordings,
    why: Why,
    until: Annotated[str, typer.Option(help="RFC 3339 time; asked about again from then on.", show_default=False)],
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Keep recordings longer than their term asks.

    - `evidock appraise keep rec-abcdefghij2345678901 --until 2031-01-01T00:00:00+08:00 --why "training"`
    """
    _appraise(recordings, Wish.KEEP, why=why, until=until, home=home, as_json=as_json)


def _appraise(recordings: list[str], wish: Wish, *, why: str, until: str | None, home: Any, as_json: bool) -> None:
    moment = None if until is None else instant.from_text(until)
    with session(home) as (ports, _):
        now = steady(ports)
        appraise_recordings(recordings, wish, why=why, until=moment, judge=judge_at(ports, now), ports=ports, now=now)
    body = {"decision": wish.value, "recordings": sorted(set(recordings))}
    report(
        body, as_json=as_json, show=lambda: out.print(f"{len(body['recordings'])} appraised: {word('appraised', wish)}")
    )
