# SPDX-License-Identifier: Apache-2.0
"""This is where one event of every kind about docks, dockings and what comes with a recording is written."""

from datetime import UTC, datetime
from typing import Any

from evidence.custody import Happening
from storage.register.facts import Facts

AT = datetime(2026, 6, 19, 12, tzinfo=UTC)
START, END = "2026-06-19T01:00:00.000000Z", "2026-06-19T02:00:00.000000Z"
DOCK, DOCKING = "dck-a", "dkg-a"


def everything_of_devices(facts: Facts, *, device: str, video: str, photo: str) -> None:
    """One event of each kind; the newest assignment of `device` is given back, `photo` follows `video`."""

    def record(what: str, stream: str, detail: dict[str, Any] | None = None, /, **told: Any) -> None:
        facts.record(Happening(what, stream, facts=told, detail=detail), actor="cli:a", at=AT)

    listed = {"label": "No. 12", "maker": "M", "model": "D3", "status": "repair", "category": "A", "capacity_bytes": 1}
    record("device-registered", "device/Z9", listed, kind="bodycam", clock_offset_ms=0)
    record("assigned", "device/Z9", {"officer": "7", "note": ""}, start_at=START, end_at=None, due_at=END)
    record("returned", "device/Z9", {"note": "scratched"}, assignment="Z9.1", at=END)
    told = {"name": "hall", "unit": "01", "device": None}
    for dock in (DOCK, "dck-b"):
        stream = f"dock/{dock}"
        record("dock-invited", stream, told, kind="dock", code_sha256="0" * 64, until=END, erases=False)
        record("dock-enrolled", stream, key="1" * 64)
    record("dock-switched", f"dock/{DOCK}", {"why": "agency order 3"}, erases=True)
    record("dock-revoked", "dock/dck-b", {"why": "stolen"})
    clock = {"at": START, "offset_ms": 1500, "uncertainty_ms": 400, "after_ms": 0}
    shown = {"dock": DOCK, "docking": DOCKING, "port": "3", "began_at": START, "refusal": None, "clock": clock}
    listing = {"manifest_sha256": "2" * 64, "names": 3, "taken": 2, "taken_bytes": 99}
    record("docked", f"device/{device}", {"device": device}, **shown, **listing)
    record(
        "device-alarm", f"device/{device}", {"text": "its binding file was altered"}, code="binding-altered", dock=DOCK
    )
    record("erasing", f"device/{device}", {"files": ["a.mp4"]}, docking=DOCKING, count=1)
    record("undocked", f"device/{device}", {"why": ""}, docking=DOCKING, outcome="finished", received=2, erased=1)
    for position, recording in enumerate((video, photo)):
        gap = None if position == 0 else 40
        record("stitched", f"recording/{recording}", series=video, position=position, gap_ms=gap, basis="name")
    record("remarked", f"recording/{video}", {"text": "ended the day before"}, code="certificate-invalid")
    attached = {"role": "sidecar", "sha256": "3" * 64, "size_bytes": 5, "signer": DOCK}
    record("attached", f"recording/{video}", {"name": "sidecar.json"}, **attached)
    record("reconciled", "day/2026-06-19", {"body": {"dockings": 1}}, day="2026-06-19", digest="4" * 64)
