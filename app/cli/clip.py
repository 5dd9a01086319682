# SPDX-License-Identifier: Apache-2.0
"""This is where `evidock clip` is: an exact clip of a recording, or of all that a case has of a time, with proof."""

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any

import typer

from app import clocks
from app.cli.session import AsJson, Home, out, report, session
from app.settings import Settings
from app.wiring import open_keys
from evidence import media_time
from evidence.errors import BadInput
from evidence.media_time import Span
from pipeline import clip_wanted
from pipeline.clip import Clip
from pipeline.clip import clip as cut_clip
from pipeline.ports import Ports
from storage.register import search


@dataclass(frozen=True, slots=True)
class _Wanted:
    """One clip to cut."""

    recording: str
    span: Span
    file: Path


def clip(
    start: Annotated[str, typer.Option("--from", help="Offset (00:31.5) or RFC 3339 time.", show_default=False)],
    end: Annotated[str, typer.Option("--to", help="Offset or RFC 3339 time; not shown.", show_default=False)],
    file: Annotated[Path, typer.Option("-o", "--out", help="The clip to write (MP4).", show_default=False)],
    recording: Annotated[str | None, typer.Argument(help="Id of a recording.", show_default=False)] = None,
    case: Annotated[str | None, typer.Option("--case", help="Clip what this case has of the time.")] = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Cut a clip, exact to the frame, without re-encoding, with FILE.proof.json beside it.

    The first shown frame is the first at or after --from, the last is the last before --to. With
    --case, every linked recording that covers the time gives one clip: FILE, FILE-2, … So does each
    file of a capture in several; offsets count from the file that is named, and run on into the next.

    - `evidock clip rec-abcdefghij2345678901 --from 00:31.5 --to 00:45.2 -o out.mp4`
    - `evidock clip --case 2026-017 --from 2026-06-19T10:05:00+08:00 --to 2026-06-19T10:05:30+08:00 -o c.mp4`
    """
    if (recording is None) == (case is None):
        raise BadInput("give either the id of a recording or --case NUMBER")
    with session(home) as (ports, settings):
        wanted = _of_recording(recording, start, end, file, ports) if recording else []
        if case is not None:
            wanted = _of_case(case, start, end, file, ports)
        told = [_told(_serve(one, ports, settings)) for one in wanted]
    body = {**told[0], "clips": told}
    report(body, as_json=as_json, show=lambda: _show(told))


def _serve(wanted: _Wanted, ports: Ports, settings: Settings) -> Clip:
    keys = open_keys(settings)
    return cut_clip(
        wanted.recording,
        wanted.span,
        wanted.file,
        ports=ports,
        now=clocks.now(),
        keys=(keys.log.verifier_key, keys.records.verifier_key),
    )


def _of_recording(recording: str, start: str, end: str, file: Path, ports: Ports) -> list[_Wanted]:
    """The clip that is asked for; several, when the time runs over the seams of a capture in several files."""
    with ports.register.view() as connection:
        return _numbered(clip_wanted.of_recording(connection, recording, start, end), file)


def _numbered(covering: list[tuple[str, Span]], file: Path) -> list[_Wanted]:
    """One file for each, the first by the name that was asked for."""
    return [
        _Wanted(identifier, span, file if number == 1 else file.with_name(f"{file.stem}-{number}{file.suffix}"))
        for number, (identifier, span) in enumerate(covering, start=1)
    ]


def _of_case(case: str, start: str, end: str, file: Path, ports: Ports) -> list[_Wanted]:
    if "T" not in start or "T" not in end:
        raise BadInput("with --case give instants such as 2026-06-19T10:05:00+08:00, not offsets")
    with ports.register.view() as connection:
        linked = search.links_of_case(connection, search.case(connection, case)["id"])
        rows = [search.recording(connection, one) for one in sorted({link["recording"] for link in linked})]
    return _numbered(clip_wanted.of_case(case, rows, start, end), file)


def _told(made: Clip) -> dict[str, Any]:
    delivered = made.cut.delivered
    return {
        "file": str(made.file),
        "proof": str(made.proof),
        "recording": made.recording,
        "asked": {"from": media_time.to_text(made.asked.start), "to": media_time.to_text(made.asked.end)},
        "delivered": {
            "from": media_time.to_text(delivered.start),
            "to": media_time.to_text(delivered.end),
            "frames": made.cut.frames,
        },
        "bytes_read": made.cut.bytes_read,
        "hidden": media_time.to_text(made.cut.hidden),
        "left_out": list(made.cut.left_out),
    }


def _show(told: list[dict[str, Any]]) -> None:
    for one in told:
        shown = one["delivered"]
        start, end = (media_time.show(Fraction(shown[name])) for name in ("from", "to"))
        out.print(
            f"{one['file']}: {shown['frames']} frames of {one['recording']}, {start} to {end}",
            highlight=False,
        )
        out.print(f"  proof: {one['proof']}; check it with `evidock verify {one['file']}`")
        for stream in one["left_out"]:
            out.print(f"  not in the clip: {stream}")
