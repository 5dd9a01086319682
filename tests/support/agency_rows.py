# SPDX-License-Identifier: Apache-2.0
"""This is where a made-up year of an agency becomes rows of a register: what the projection would have written."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from itertools import islice
from typing import Any

from sqlalchemy import Connection, Table, insert

from evidence import ids, instant
from storage.register import schema
from tests.support.agency_year import Agency, SimCase, SimPaper, SimRecording

Row = dict[str, Any]
_BATCH = 2000
_AT = "2025-01-01T00:00:00.000000Z"


def fill(connection: Connection, agency: Agency, *, catalog: str) -> None:
    """Write the rows of an agency; every recording is pinned to the catalog version `catalog`."""
    for table, rows in _tables(agency, catalog).items():
        _insert(connection, schema.metadata.tables[table], rows)


def _insert(connection: Connection, table: Table, rows: Iterator[Row]) -> None:
    while batch := list(islice(rows, _BATCH)):
        connection.execute(insert(table), batch)


def _tables(agency: Agency, catalog: str) -> Mapping[str, Iterator[Row]]:
    cases, filmed = agency.cases, agency.recordings
    return {
        "units": (_unit(code) for code in agency.units),
        "officers": (_officer(one) for one in agency.officers),
        "recordings": (_recording(one, catalog) for one in filmed),
        "originals": (_original(one) for one in filmed),
        "segments": (_segment(one) for one in filmed),
        "cases": (_case(one) for one in cases),
        "case_officers": ({"case_id": case.id, "officer": one} for case in cases for one in case.officers),
        "case_documents": (_paper(case, one) for case in cases for one in case.papers),
        "case_links": (_link(one, case) for one in filmed for case in one.cases),
        "gaps": (_gap(case, n) for case in cases for n in range(len(case.gaps))),
        "conditions": (_condition(*one) for one in _conditions(agency)),
        "holds": (_hold(*one) for one in _holds(agency)),
    }


def _text(moment: datetime | None) -> str | None:
    return None if moment is None else instant.to_text(moment)


def _unit(code: str) -> Row:
    parent = None if code == "U00" else "U00"
    return {"code": code, "id": f"uni-{code.lower()}", "name": code, "parent": parent, "registered_at": _AT}


def _officer(one: Any) -> Row:
    return {
        "id": f"off-{one.number}",
        "number": one.number,
        "name": "",
        "unit": one.unit,
        "types": json.dumps(one.types),
        "valid_from": one.valid_from,
        "valid_to": one.valid_to,
        "registered_at": _AT,
    }


def _recording(one: SimRecording, catalog: str) -> Row:
    seconds = None if one.start is None or one.end is None else str(int((one.end - one.start).total_seconds()))
    claims = [{"field": "important", "source": "file-name", "value": "yes"}] if one.is_marked else []
    if one.start is not None:
        claims.append({"field": "start", "source": "file-name", "value": one.start.isoformat()})
    return {
        "id": one.id,
        "state": one.state,
        "kind": one.kind,
        "name": f"DSJ_{one.device}.mp4",
        "dock": "dock-01",
        "device": one.device,
        "officer": one.officer,
        "start_at": _text(one.start),
        "end_at": _text(one.end),
        "duration": seconds,
        "claims": json.dumps(claims),
        "problem_code": one.problem,
        "item": one.item,
        "item_reason": '{"rule": "default"}',
        "catalog": catalog,
        "arrived_at": _text(one.arrived),
        "end_latest": _text(one.latest),
        "reviewed_at": _text(one.arrived) if one.is_reviewed else None,
    }


def _original(one: SimRecording) -> Row:
    digest = hashlib.sha256(one.id.encode()).hexdigest()
    return {
        "recording": one.id,
        "position": 0,
        "name": "a.mp4",
        "sha256": digest,
        "size_bytes": 1 << 24,
        "container": "mp4",
        "chunk_root": digest,
        "packet_root": digest,
        "packets_sha256": digest,
        "facts": "null",
        "receipt_sha256": digest,
        "sealed_at": _text(one.arrived),
    }


def _segment(one: SimRecording) -> Row:
    length = "0" if one.start is None or one.end is None else str(int((one.end - one.start).total_seconds()))
    return {
        "id": ids.segment_id(one.id, 0),
        "recording": one.id,
        "number": 0,
        "start": "0",
        "end": length,
        "start_at": _text(one.start),
        "end_at": _text(one.end),
    }


def _case(one: SimCase) -> Row:
    return {
        "id": one.id,
        "number": one.number,
        "title": "",
        "item": None,
        "start_at": _text(one.start),
        "end_at": _text(one.end),
        "opened_at": _text(one.start),
        "closed_at": _text(one.closed),
        "kind": one.kind,
        "type": one.type,
        "unit": one.unit,
        "file_term": one.file_term,
        "told": "{}",
    }


def _paper(case: SimCase, one: SimPaper) -> Row:
    return {
        "id": one.id,
        "case_id": case.id,
        "name": "笔录",
        "number": one.id[-3:],
        "link": one.link,
        "item": one.item,
        "start_at": _text(one.start),
        "end_at": _text(one.end),
        "officers": json.dumps(one.officers),
    }


def _link(one: SimRecording, case: str) -> Row:
    return {
        "segment": ids.segment_id(one.id, 0),
        "case_id": case,
        "recording": one.id,
        "reason": '{"rule": "officer-window"}',
        "linked_by": "worker",
        "linked_at": _text(one.arrived),
    }


def _gap(case: SimCase, n: int) -> Row:
    one = case.gaps[n]
    told = {"how": one.how, "why": "换电池", "start_at": _text(one.start), "end_at": _text(one.end)}
    return {"id": f"{case.id}.g{n}", "case_id": case.id, **told}


def _conditions(agency: Agency) -> Iterator[tuple[str, str, str]]:
    for case in agency.cases:
        yield from (("case", case.id, code) for code in case.conditions)
    for one in agency.recordings:
        yield from (("recording", one.id, code) for code in one.conditions)


def _condition(noun: str, subject: str, code: str) -> Row:
    return {"noun": noun, "subject": subject, "code": code, "why": "", "set_by": "cli:a", "set_at": _AT}


def _holds(agency: Agency) -> Iterator[tuple[str, str]]:
    yield from (("case", case.id) for case in agency.cases if case.is_held)
    yield from (("recording", one.id) for one in agency.recordings if one.is_held)


def _hold(noun: str, subject: str) -> Row:
    told = {"why": "复议", "placed_by": "cli:a", "placed_at": _AT}
    return {"id": f"hol-{subject}", "noun": noun, "subject": subject, **told}
