# SPDX-License-Identifier: Apache-2.0
"""This is where a report of a unit is read back from its signed records, and the register's row is held against them.

What counts is what the records in the custody log say: whoever may write rows can change no figure that was handed
in, and accept nothing in another's name.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from evidence import canonical_json, instant
from evidence.custody import CustodyEvent, open_detail, parse_event
from evidence.errors import LogInconsistent, NotFound
from evidence.ids import stream_of
from evidence.note import open_note
from pipeline.ports import Ports
from storage import layout
from storage.register import reports, search
from storage.register.search import Connection, Row

_LARGEST_DETAIL = 256 << 20
_STATES = {
    "unit-report-submitted": reports.SUBMITTED,
    "unit-report-accepted": reports.ACCEPTED,
    "unit-report-returned": reports.RETURNED,
}


@dataclass(frozen=True, slots=True)
class UnitReport:
    """What a unit told the unit `above` of its cases of `[start, end)`, and what became of it.

    `body` is as `pipeline.unit_report_body.compose` made it, `digest` its SHA-256. `steps` is how many records there
    are: another one, and somebody has done something with it.
    """

    id: str
    unit: str
    above: str
    start: datetime
    end: datetime
    digest: str
    body: Mapping[str, Any]
    state: str
    submitted_by: str
    submitted_at: datetime
    decided_by: str | None
    decided_at: datetime | None
    why: str | None
    steps: int


def digest_of(body: Mapping[str, Any]) -> str:
    """SHA-256 (hexadecimal) of a report's body in its one spelling: what is handed in is what is accepted."""
    return hashlib.sha256(canonical_json.dumps(body)).hexdigest()


def read_report(connection: Connection, identifier: str, *, ports: Ports) -> UnitReport:
    """The report of this id, from its signed records.

    Raises:
        NotFound: there is none.
        SignatureInvalid, RecordMalformed, LogInconsistent: its records do not hold, or the register's row tells
            something else; a person must look.
    """
    row = reports.report_row(connection, identifier)
    events = search.events_of(connection, stream_of("unit-report", identifier))
    if row is None and not events:
        raise NotFound(f"no report {identifier!r} (`evidock unit report list` shows them)", report=identifier)
    told = _told(identifier, [parse_event(open_note(one["note"], ports.verifiers).text) for one in events], ports)
    _check_row(told, row)
    return told


def _told(identifier: str, events: Sequence[CustodyEvent], ports: Ports) -> UnitReport:
    _check_order(identifier, events)
    submitted, last = [e for e in events if e.kind == "unit-report-submitted"][-1], events[-1]
    if any(e.facts["digest"] != submitted.facts["digest"] for e in events[submitted.seq :]):
        raise LogInconsistent(f"what was decided of the report {identifier} is not what was handed in")
    detail, is_decided = _detail(submitted, ports), last is not submitted
    _check_body(identifier, detail, submitted)
    return UnitReport(
        id=identifier,
        unit=detail["unit"],
        above=detail["above"],
        start=instant.from_text(detail["start_at"]),
        end=instant.from_text(detail["end_at"]),
        digest=submitted.facts["digest"],
        body=detail["body"],
        state=_STATES[last.kind],
        submitted_by=submitted.actor,
        submitted_at=submitted.at,
        decided_by=last.actor if is_decided else None,
        decided_at=last.at if is_decided else None,
        why=_detail(last, ports)["why"] if last.kind == "unit-report-returned" else None,
        steps=len(events),
    )


def _check_order(identifier: str, events: Sequence[CustodyEvent]) -> None:
    if any((e.stream, e.seq) != (f"unit-report/{identifier}", n) for n, e in enumerate(events)):
        raise LogInconsistent(f"the records of the report {identifier} are not in their order")
    if not events or events[0].kind != "unit-report-submitted" or any(e.kind not in _STATES for e in events):
        raise LogInconsistent(f"the records of the report {identifier} are not those of a report")


def _check_body(identifier: str, detail: Mapping[str, Any], submitted: CustodyEvent) -> None:
    body, about = detail["body"], ("unit", "above", "start_at", "end_at")
    if digest_of(body) != submitted.facts["digest"]:
        raise LogInconsistent(f"the body of the report {identifier} is not the one whose digest was handed in")
    if any(body.get(name) != detail[name] for name in about):
        raise LogInconsistent(f"the body of the report {identifier} is of another unit or period than its record")


def _detail(event: CustodyEvent, ports: Ports) -> Mapping[str, Any]:
    sha256 = event.detail_sha256 or ""
    return open_detail(ports.store.read(layout.detail_key(sha256), limit=_LARGEST_DETAIL), sha256=sha256)


def _check_row(told: UnitReport, row: Row | None) -> None:
    if row is None:
        raise LogInconsistent(f"the register has no row for the report {told.id}, which its signed records tell of")
    stands = {
        "unit": told.unit,
        "above": told.above,
        "start_at": instant.to_text(told.start),
        "end_at": instant.to_text(told.end),
        "digest": told.digest,
        "state": told.state,
        "submitted_by": told.submitted_by,
        "decided_by": told.decided_by,
    }
    others = [name for name, value in stands.items() if row[name] != value]
    if _parsed(row["body"]) != told.body:
        others.append("body")
    if others:
        words = ", ".join(others)
        raise LogInconsistent(
            f"the register's row of the report {told.id} is not what its signed records tell: {words}", report=told.id
        )


def _parsed(text: str) -> object:
    try:
        return json.loads(text)
    except ValueError:
        return None
