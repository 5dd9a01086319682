# SPDX-License-Identifier: Apache-2.0
"""This is where `evidock doctor` is: settings with their origins, what is wrong in words, and the rebuild."""

from typing import Annotated

import typer
from rich.text import Text

from app.cli.session import AsJson, Home, out, print_table, report
from app.examination import Check, examine_installation, origins
from app.rebuild import rebuild_register
from app.settings import Settings, load_settings


def doctor(
    rebuild: Annotated[
        bool, typer.Option("--rebuild-register", help="Remake the register from the object store and the log.")
    ] = False,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Look an installation over: every setting and where it came from, every need and what is wrong.

    - `evidock doctor`
    - `evidock doctor --rebuild-register` (stop watchers and workers first)
    """
    settings = load_settings(home=home)
    if rebuild:
        _rebuild(settings, as_json=as_json)
        return
    checks = examine_installation(settings)
    told = [{"setting": name, "value": value, "origin": origin} for name, value, origin in origins(settings)]
    body = {
        "settings": told,
        "checks": [{"name": one.name, "found": one.found, "advice": one.advice} for one in checks],
        "healthy": all(one.advice is None for one in checks),
    }
    report(body, as_json=as_json, show=lambda: _show(settings, checks))
    if not body["healthy"]:
        raise typer.Exit(75)


def _rebuild(settings: Settings, *, as_json: bool) -> None:
    done = rebuild_register(settings)
    body = {
        "register": done.register,
        "old": done.old,
        "events_from_log": done.rebuilt.from_log,
        "events_from_receipts": done.rebuilt.from_receipts,
        "jobs_opened": done.jobs,
    }
    sources = f"{done.rebuilt.from_log} events from the log and {done.rebuilt.from_receipts} from receipts"
    words = f"{sources} make {done.register}"
    kept = "" if done.old is None else f"; the old register is {done.old}"
    report(body, as_json=as_json, show=lambda: out.print(words + kept))


def _show(settings: Settings, checks: list[Check]) -> None:
    print_table(("setting", "value", "from"), list(origins(settings)), empty="")
    out.print()
    rows = [
        (Text.assemble(("ok ", "green") if one.advice is None else ("no ", "red"), one.name), one.advice or one.found)
        for one in checks
    ]
    print_table(("", ""), rows, empty="")
