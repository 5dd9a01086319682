# SPDX-License-Identifier: Apache-2.0
"""This is where `evidock device try` is: what would be read from a card, and why, without taking anything in."""

from pathlib import Path
from typing import Annotated, Any

import typer

from app.card import Trial, Tried, try_card
from app.cli.session import AsJson, out, print_table, report
from evidence.offer import showable


def try_device(
    folder: Annotated[Path, typer.Argument(help="Folder of a card, or of a dock.", show_default=False)],
    as_json: AsJson = False,
) -> None:
    """Say what would be read from a card: files, maker, each claim and its source, what is left and why.

    Nothing is taken in, copied or changed. Files that are likely one capture in several, and tracks, are named.

    - `evidock device try /media/card`
    - `evidock device try /media/card --json`
    """
    trial = try_card(folder)
    report(_told(trial), as_json=as_json, show=lambda: _show(trial))


def _told(trial: Trial) -> dict[str, Any]:
    return {
        "captures": [[showable(path) for path in one] for one in trial.captures],
        "files": [_told_file(one) for one in trial.files],
        "further": trial.further,
        "left": [{"name": showable(path), "reason": reason} for path, reason in trial.skipped],
        "left_by_reason": dict(sorted(trial.reasons.items())),
    }


def _told_file(one: Tried) -> dict[str, Any]:
    track = one.track
    return {
        "claims": one.claims.to_json(),
        "conflicts": sorted(one.claims.conflicts()),
        "container": one.container,
        "name": showable(one.path),
        "problem": one.problem,
        "size_bytes": one.size_bytes,
        "track": None if track is None else {"from": track.points[0].place, "source": track.source},
    }


def _show(trial: Trial) -> None:
    columns = ("file", "maker", "is", "device", "officer", "start", "by", "track")
    print_table(columns, [_line(one) for one in trial.files], empty="nothing on it would be taken")
    if trial.further:
        out.print(f"and {trial.further} files more")
    for one in trial.files:
        for field in sorted(one.claims.conflicts()):
            told = "; ".join(f"{claim.source.value}: {claim.value}" for claim in one.claims.of(field))
            out.print(f"{showable(one.path)}: sources disagree on the {field} ({told})", highlight=False)
    for paths in trial.captures:
        out.print(f"likely one capture in {len(paths)} files: {showable(paths[0])} to {showable(paths[-1])}")
    for path, reason in trial.skipped[:50]:
        out.print(f"left {showable(path)}: {reason}", highlight=False)
    if sum(trial.reasons.values()) > 50:
        out.print("left in all: " + ", ".join(f"{count} {reason}" for reason, count in sorted(trial.reasons.items())))


def _line(one: Tried) -> tuple[Any, ...]:
    start = one.claims.best("start")
    told = ("", "") if start is None else (start.value, start.source.value)
    track = "" if one.track is None else f"{one.track.source} {one.track.points[0].place}"
    device, officer = one.claims.value("device"), one.claims.value("officer")
    is_what = one.container or one.problem
    return (showable(one.path), one.claims.value("maker"), is_what, device, officer, *told, track)
