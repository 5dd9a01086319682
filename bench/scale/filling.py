# SPDX-License-Identifier: Apache-2.0
"""This is where the rows of an agency are made up: what the projection would have written, without the pipeline.

An agency of one size, whose register grows with time: 500 officers and 600 cameras film 1000 recordings a day,
so ten times the rows are ten times the days, and a question about one day has as many answers early as late.
Ids are random, as real ones are digests; rows come in the order of time, as they do in life.
"""

import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from evidence import ids, instant
from pipeline.flow import STEPS

OFFICERS, DEVICES, DOCKS, PER_DAY = 500, 600, 64, 1000
SEGMENT_S, SEGMENTS = 60, 10
BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
_BASE32 = "abcdefghijklmnopqrstuvwxyz234567"
_HEX = "0123456789abcdef"
_FILED = 0.45  # of all recordings are in a case
_OPEN = 300  # recordings on the way, at any size: what is open does not grow with what is held
_IN_A_CASE = 6
_WITHDRAWN = 0.02
Row = tuple[Any, ...]


@dataclass(slots=True)
class Recording:
    """What other tables say about a recording."""

    number: int
    id: str
    officer: str
    device: str
    start: datetime | None
    segments: int
    state: str


@dataclass(slots=True)
class Agency:
    """Rows by table, and what questions can be asked about them."""

    recordings: list[Recording] = field(default_factory=list)
    cases: list[str] = field(default_factory=list)
    tables: dict[str, tuple[tuple[str, ...], list[Row]]] = field(default_factory=dict)
    days: int = 0


def officer_number(number: int) -> str:
    """The certificate number of an officer."""
    return f"43{number:04d}"


def serial(number: int) -> str:
    """The serial of a camera."""
    return f"SIM{number:07d}"


def made_up(recordings: int, *, seed: int = 2026) -> Agency:
    """An agency that holds so many recordings and ten times as many segments; the same for the same seed."""
    chance = random.Random(seed)
    agency = Agency(days=-(-recordings // PER_DAY))
    agency.recordings = list(_recordings(recordings, chance))
    agency.tables = {
        "devices": (
            ("serial", "kind", "label", "clock_offset_ms", "registered_at"),
            [(serial(n), "bodycam", f"No. {n}", 0, _text(BEGAN)) for n in range(DEVICES)],
        ),
        "officers": (
            ("id", "number", "name", "unit", "registered_at"),
            [(f"off-{n:04d}", officer_number(n), "", f"unit {n % 20}", _text(BEGAN)) for n in range(OFFICERS)],
        ),
        "recordings": (_RECORDING, [_recording_row(one) for one in agency.recordings]),
        "originals": (_ORIGINAL, [_original_row(one, chance) for one in agency.recordings]),
        "segments": (_SEGMENT, [row for one in agency.recordings for row in _segment_rows(one)]),
        "derivatives": (_DERIVATIVE, [row for one in agency.recordings for row in _derivative_rows(one, chance)]),
        "jobs": (_JOB, [row for one in agency.recordings for row in _job_rows(one)]),
    }
    _file(agency, chance)
    return agency


def _text(moment: datetime | None) -> str | None:
    return None if moment is None else instant.to_text(moment)


def _hex(chance: random.Random) -> str:
    return "".join(chance.choices(_HEX, k=64))


def _recordings(number: int, chance: random.Random) -> Iterator[Recording]:
    """By time; shifts begin at 0 h and 12 h UTC, so that some are filmed over midnight."""
    starts = sorted(
        BEGAN + timedelta(days=n // PER_DAY, microseconds=chance.randrange(86_400_000_000)) for n in range(number)
    )
    for n, start in enumerate(starts):
        officer = chance.randrange(OFFICERS)
        yield Recording(
            number=n,
            id="rec-" + "".join(chance.choices(_BASE32, k=20)),
            officer=officer_number(officer),
            device=serial(officer),
            start=None if chance.random() < 0.005 else start,
            segments=min(1 + int(chance.expovariate(1 / (SEGMENTS - 0.5))), 60),
            state=_state(n, number, chance),
        )


def _state(n: int, number: int, chance: random.Random) -> str:
    if n >= number - _OPEN:
        return chance.choice(("arrived", "measured", "sealed"))
    return "quarantined" if chance.random() < 0.01 else "indexed"


_RECORDING = (
    *("id", "state", "kind", "name", "dock", "device", "officer", "start_at", "end_at", "duration", "claims"),
    *("item", "item_reason", "catalog", "arrived_at", "stamped_size"),
)


def _recording_row(one: Recording) -> Row:
    seconds = one.segments * SEGMENT_S
    began = one.start or BEGAN + timedelta(days=one.number // PER_DAY)
    end = None if one.start is None else one.start + timedelta(seconds=seconds)
    name = f"DSJ_{one.device}_{one.officer}_{began:%Y%m%d_%H%M%S}.mp4"
    return (
        *(one.id, one.state, "video", name, _dock(one), one.device, one.officer),
        *(_text(one.start), _text(end), str(seconds), _claims(one, name)),
        *("JC-01", '{"rule": "default"}', "avcat-cn-default@0.1-draft", _text(began + timedelta(hours=6)), one.number),
    )


def _dock(one: Recording) -> str:
    return f"dock-{int(one.officer) % DOCKS:02d}"


def _claims(one: Recording, name: str) -> str:
    """As long as real ones are: what name, folder, container and sidecar say of device, officer and start."""
    told = [
        {"field": what, "source": source, "value": value, "text": name}
        for source in ("name", "folder", "container", "side", "mtime")
        for what, value in (("device", one.device), ("officer", one.officer), ("start", _text(one.start)))
    ]
    return json.dumps({"claims": told})


_ORIGINAL = (
    *("recording", "position", "name", "sha256", "size_bytes", "container", "chunk_root", "packet_root"),
    *("packets_sha256", "facts", "receipt_sha256", "sealed_at"),
)


def _original_row(one: Recording, chance: random.Random) -> Row:
    digest = _hex(chance)
    facts = json.dumps({"streams": [{"kind": "video", "codec": "h264", "packets": 18_000, "root": digest}] * 2})
    size = one.segments * SEGMENT_S * 500_000
    return (one.id, 0, "a.mp4", digest, size, "mp4", digest, digest, digest, facts, digest, _text(BEGAN))


_SEGMENT = ("id", "recording", "number", "start", "end", "start_at", "end_at")


def _segment_rows(one: Recording) -> Iterator[Row]:
    for n in range(one.segments):
        since, until = n * SEGMENT_S, (n + 1) * SEGMENT_S
        moments = [None if one.start is None else _text(one.start + timedelta(seconds=s)) for s in (since, until)]
        yield (ids.segment_id(one.id, n), one.id, n, str(since), str(until), *moments)


_DERIVATIVE = ("recording", "kind", "sha256", "size_bytes", "recipe", "made_at")


def _derivative_rows(one: Recording, chance: random.Random) -> Iterator[Row]:
    if one.state == "indexed":
        for kind in ("proxy", "sprite", "sprite-index", "fingerprint"):
            yield (one.id, kind, _hex(chance), 1_000_000, '{"tool": "ffmpeg", "arguments": ["-i", "…"]}', _text(BEGAN))


_JOB = (
    *("id", "step", "subject", "dock", "state", "attempts", "failures", "fence", "due_at"),
    *("progress_permille", "created_at"),
)


def _job_rows(one: Recording) -> Iterator[Row]:
    made = _text(BEGAN + timedelta(seconds=one.number))
    is_open = one.state in ("arrived", "measured", "sealed")
    state = "runnable" if is_open else "done"
    for step in STEPS:
        yield (ids.job_id(step, one.id), step, one.id, _dock(one), state, 0 if is_open else 1, 0, 1, made, 0, made)


def _file(agency: Agency, chance: random.Random) -> None:
    """Cases until the share of filed recordings is reached: each of a few recordings of a few neighbouring days."""
    rows: dict[str, list[Row]] = {"cases": [], "case_officers": [], "case_links": []}
    filed: set[int] = set()
    last = len(agency.recordings) - _OPEN
    while len(filed) < _FILED * len(agency.recordings):
        size = min(1 + int(chance.lognormvariate(1.5, 0.9)), 60)
        first = chance.randrange(max(1, last - 2000))
        chosen = sorted(chance.sample(range(first, min(last, first + 2000)), size))
        filed.update(chosen)
        _case_rows(len(rows["cases"]), [agency.recordings[n] for n in chosen], rows, chance)
    agency.cases = [row[1] for row in rows["cases"]]
    columns = {
        "cases": ("id", "number", "title", "item", "start_at", "end_at", "opened_at"),
        "case_officers": ("case_id", "officer"),
        "case_links": ("segment", "case_id", "recording", "reason", "linked_by", "linked_at", "withdrawn_at"),
    }
    agency.tables |= {name: (columns[name], rows[name]) for name in rows}


def _case_rows(n: int, held: Sequence[Recording], rows: dict[str, list[Row]], chance: random.Random) -> None:
    case, now = f"case-{n:08d}", _text(BEGAN)
    rows["cases"].append((case, f"2026-{n:06d}", "inspection", "JC-01", now, now, now))
    rows["case_officers"] += [(case, officer) for officer in sorted({one.officer for one in held})]
    for one in held:
        withdrawn = now if chance.random() < _WITHDRAWN else None
        reason = json.dumps({"officer": one.officer, "rule": "officer-window", "window": [now, now]})
        for number in range(one.segments):
            rows["case_links"].append((ids.segment_id(one.id, number), case, one.id, reason, "bench", now, withdrawn))
