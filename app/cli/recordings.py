# SPDX-License-Identifier: Apache-2.0
"""This is where recordings are listed and looked at."""

from collections.abc import Mapping
from datetime import UTC, datetime, tzinfo
from fractions import Fraction
from typing import Annotated, Any

import typer
from rich.text import Text

from app.cli.pages import After, Limit, following, place, print_page
from app.cli.session import AsJson, Home, out, print_table, report, session
from app.words import word
from evidence import instant, media_time
from pipeline.tell import tell_whole
from pipeline.tell_series import tell_entries, tell_parts
from storage.register import search
from storage.register.listing import Wanted, recordings_page

CaseNumber = Annotated[str | None, typer.Option("--case", help="Number of a case.")]


def recordings(
    case: CaseNumber = None,
    officer: Annotated[str | None, typer.Option(help="Certificate number of an officer.")] = None,
    device: Annotated[str | None, typer.Option(help="Serial of a camera.")] = None,
    start: Annotated[str | None, typer.Option("--from", help="RFC 3339 time.")] = None,
    end: Annotated[str | None, typer.Option("--to", help="RFC 3339 time.")] = None,
    unfiled: Annotated[bool, typer.Option("--unfiled", help="Only those that no case holds.")] = False,
    limit: Limit = None,
    after: After = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """List recordings, by start: all of them, or page by page. A capture in several files is one entry.

    - `evidock recordings --case 2026-017`
    - `evidock recordings --unfiled --limit 50`
    - `evidock recordings --officer 430407 --from 2026-06-19T00:00:00+08:00 --json`
    """
    moments = [None if text is None else instant.to_text(instant.from_text(text)) for text in (start, end)]
    with session(home) as (ports, settings), ports.register.view() as connection:
        wanted = Wanted(case=case, officer=officer, device=device, start=moments[0], end=moments[1], is_unfiled=unfiled)
        page = recordings_page(connection, wanted, limit=limit, after=place(after))
        body: dict[str, Any] = {"recordings": tell_entries(connection, page.rows)} | following(page)
        zone = settings.zone
    columns = ("recording", "state", "start", "device", "officer", "kind", "segments", "problem")
    rows = [
        (
            *(one["id"], word("state", one["state"]), show_time(one["start"], zone), one["device"], one["officer"]),
            *(one["kind"], one["segments"], one["problem"]),
        )
        for one in body["recordings"]
    ]
    report(body, as_json=as_json, show=lambda: print_page(columns, rows, body, empty="no recordings"))


def show(
    recording: Annotated[str, typer.Argument(help="Id of a recording.", show_default=False)],
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Show all that is known of a recording: claims, segments, cases, custody.

    - `evidock show rec-abcdefghij2345678901`
    """
    with session(home) as (ports, settings), ports.register.view() as connection:
        body = tell_whole(connection, search.recording(connection, recording))
        body["parts"] = tell_parts(connection, recording)
        zone = settings.zone
    report(body, as_json=as_json, show=lambda: _show(body, zone))


def _made(made: dict[str, Any], zone: tzinfo) -> str:
    gone = f"  removed at {show_time(made['removed_at'], zone)}" if made["removed_at"] else ""
    return f"sha256:{made['sha256']}{gone}"


def _told_part(part: dict[str, Any], zone: tzinfo) -> str:
    """One file of a capture in several: its id, its start, and what lies between it and the one before."""
    gap = part["gap_ms"]
    seam = "" if gap is None else f"  {abs(gap)} ms {'missing before it' if gap >= 0 else 'twice: they overlap'}"
    return f"{part['id']}  {show_time(part['start'], zone, grain='milliseconds')}{seam}"


def _fate(body: dict[str, Any], zone: tzinfo) -> list[tuple[str, str]]:
    """How its life ends, as far as that is decided."""
    told = []
    if body["appraisal"] is not None:
        until = f" until {show_time(body['appraisal']['until'], zone)}" if body["appraisal"]["until"] else ""
        told.append(("appraised", f"{body['appraisal']['decision']}{until}: {body['appraisal']['why']}"))
    if body["disposal"] is not None:
        told.append(("disposal list", body["disposal"]))
    if body["archive"] is not None:
        left = "restored" if body["archive"]["restored_at"] else "`evidock archive restore` brings it back"
        told.append(
            ("archived", f"{show_time(body['archive']['archived_at'], zone)} at {body['archive']['place']}; {left}")
        )
    stone = body["tombstone"]
    if stone is not None:
        people = f"{stone['told'].get('proposed_by')} and {stone['told'].get('approved_by')}"
        gone = f"{show_time(stone['disposed_at'], zone)}, agreed by {people}"
        when = gone if stone["disposed_at"] else "under way"
        told.append(("disposed of", f"{when}, list {stone['disposal']}"))
    return told


def show_time(text: str | None, zone: tzinfo, *, grain: str = "seconds") -> str:
    """An instant for people: in the agency's zone, with its offset, cut to `grain` (as `isoformat` names it)."""
    if text is None:
        return "unknown"
    moment: datetime = instant.from_text(text).astimezone(UTC).astimezone(zone)
    return moment.isoformat(sep=" ", timespec=grain)


def _truly(clock: Mapping[str, Any]) -> str:
    """How far the true start may be from the stated one, and why; nothing where no dock measured the clock."""
    if clock["early_ms"] is None and clock["late_ms"] is None:
        return ""
    earlier, later = (
        "any time" if clock[name] is None else f"up to {clock[name] / 1000:.1f} s" for name in ("early_ms", "late_ms")
    )
    return f"{earlier} earlier or {later} later: {word('clock', clock['basis']['kind'])}"


def link_words(reason: Mapping[str, Any]) -> str:
    """The reason of a link in words: a person's own, else what its rule says."""
    return str(reason.get("why") or word("linking", reason["rule"]))


def _show(body: dict[str, Any], zone: tzinfo) -> None:
    out.print(Text.assemble((body["id"], "bold"), f" {word('state', body['state'])}  {body['kind'] or ''}"))
    duration = "–" if body["duration"] is None else media_time.show(Fraction(body["duration"]))
    facts = [
        ("start", show_time(body["start"], zone, grain="milliseconds")),
        ("truly", _truly(body["clock"])),
        ("length", duration),
        ("device", body["device"]),
        ("officer", body["officer"]),
        ("catalog item", body["item"]),
        ("problem", body["problem_text"]),
        *((word("remark", one["code"]), one["text"]) for one in body["remarks"]),
        *((one["role"], f"{one['name']}  sha256:{one['sha256']}") for one in body["attachments"]),
        *((f"original {one['position']}", f"{one['name']}  sha256:{one['sha256']}") for one in body["originals"]),
        *((f"part {number}", _told_part(part, zone)) for number, part in enumerate(body["parts"], start=1)),
        *((made["kind"], _made(made, zone)) for made in body["derivatives"]),
        *_fate(body, zone),
    ]
    print_table(("", ""), [fact for fact in facts if fact[1]], empty="")
    for field in body["conflicts"]:
        out.print(Text.assemble((f"sources disagree on the {field}", "yellow"), " (see --json, claims)"))
    waiting = [
        (job["step"], job["state"], f"{job['progress_permille'] / 10:.0f} %", job["error_text"])
        for job in body["jobs"]
        if job["state"] != "done"
    ]
    print_table(("step", "", "", ""), waiting, empty="")
    segments = [
        (one["id"], media_time.show(Fraction(one["start"])), media_time.show(Fraction(one["end"])))
        for one in body["segment_list"]
    ]
    print_table(("segment", "from", "to"), segments, empty="no segments")
    links = [(one["case"], one["segment"], link_words(one["reason"])) for one in body["cases"]]
    print_table(("case", "segment", "why"), links, empty="unfiled")
    custody = [(e["seq"], show_time(e["at"], zone), e["kind"], e["actor"], e["leaf_index"]) for e in body["custody"]]
    print_table(("", "custody", "", "by", "log entry"), custody, empty="")
