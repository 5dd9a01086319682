# SPDX-License-Identifier: Apache-2.0
"""This is where `evidock repair` is: a copy that plays, of a recording that its camera could not finish."""

from typing import Annotated, Any

import typer

from app import clocks
from app.cli.session import AsJson, Home, out, progress_bar, report, session
from evidence.errors import BadInput, Unacceptable
from evidence.lifecycle import State
from pipeline.ports import Ports, unheard
from pipeline.repair import DAMAGE, KIND, repair_with
from pipeline.repair import repair as repair_by_itself
from storage.register import search


def repair(
    identifier: Annotated[
        str | None, typer.Argument(metavar="ID", help="A damaged recording; all of them, if none is named.")
    ] = None,
    reference: Annotated[
        str | None, typer.Option("--with", metavar="ID", help="A whole recording of the same camera.")
    ] = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Make a copy that plays of a recording that was cut off before its index was written.

    The Original is never changed. The copy is labelled as repaired, and says how many seconds of pictures were found.
    Workers do this by themselves when a whole recording of the same device is there; name one when the device is
    not known.

    - `evidock repair rec-abcdefghijklmnopqrst --with rec-bcdefghijklmnopqrstu`
    """
    if reference is not None and identifier is None:
        raise BadInput("name the damaged recording, too: evidock repair ID --with ID")
    with session(home) as (ports, _):
        with ports.register.view() as connection:  # one that is not there is a mistake, and nothing is begun
            for named in filter(None, (identifier, reference)):
                search.recording(connection, named)
        wanted = [identifier] if identifier is not None else _damaged(ports)
        told = []
        with progress_bar("repairing") as progress:
            for number, one in enumerate(wanted, start=1):
                told.append(_repair(one, reference, ports=ports))
                progress(number / len(wanted))
    report({"repairs": told}, as_json=as_json, show=lambda: _show(told))


def _damaged(ports: Ports) -> list[str]:
    with ports.register.view() as connection:
        rows = search.every(connection, "recordings")
    return [one["id"] for one in rows if one["state"] == State.QUARANTINED and one["problem_code"] in DAMAGE]


def _repair(identifier: str, reference: str | None, *, ports: Ports) -> dict[str, Any]:
    now = clocks.now()
    try:
        if reference is None:
            happenings = repair_by_itself(identifier, ports=ports, now=now, progress=unheard).happenings
        else:
            happenings = repair_with(identifier, reference, ports=ports, progress=unheard)
    except Unacceptable as error:
        return {"recording": identifier, "repaired": False, "why": error.message, "text": None}
    rested = [ports.register.rest(one) for one in happenings]
    with ports.register.begin() as facts:
        for one in rested:
            facts.record(one, actor=ports.actor, at=now)
    with ports.register.view() as connection:
        copies = [one for one in search.derivatives_of(connection, identifier) if one["kind"] == KIND]
    why = None if copies else _reason(identifier, ports=ports)
    words = next((one.detail["text"] for one in happenings if one.kind == "remarked" and one.detail), None)
    return {"recording": identifier, "repaired": bool(copies), "why": why, "text": words}


def _reason(identifier: str, *, ports: Ports) -> str:
    with ports.register.view() as connection:
        row = search.recording(connection, identifier)
    if row["problem_code"] not in DAMAGE:
        return "it is not damaged"
    return "no whole recording of its device helps: name one with --with"


def _show(told: list[dict[str, Any]]) -> None:
    for one in told:
        state = "repaired" if one["repaired"] else "not repaired"
        words = one["text"] or one["why"]
        out.print(f"{one['recording']}: {state}" + (f": {words}" if words else ""))
    if not told:
        out.print("no recording waits for repair")
