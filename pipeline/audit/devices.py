# SPDX-License-Identifier: Apache-2.0
"""This is where an audit hears of docks and devices: what their lists and attachments are, and what rows should say.

A row that says that a dock may clear cards, or holds another key for it, would have footage erased by a stranger:
so these rows are held against the signed records, as far as facts tell them; names are in details.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from evidence import instant
from evidence.custody import CustodyEvent
from evidence.errors import RecordMalformed
from pipeline.audit.endings import Endings, Fate
from pipeline.audit.records import Attached, attached_of, manifest_of
from pipeline.audit.sheet import StoreSheet
from storage import layout

Key = tuple[Any, ...]
Rows = dict[Key, dict[str, Any]]

TABLES: Mapping[str, tuple[str, ...]] = {
    "assignments": ("id",),
    "attachments": ("recording", "role", "sha256"),
    "clock_readings": ("device", "at"),
    "devices": ("serial",),
    "dockings": ("id",),
    "docks": ("id",),
    "reconciliations": ("day",),
    "remarks": ("recording", "code"),
    "series_parts": ("recording",),
}
"""The tables whose rows are told here, and the key of each."""


@dataclass(slots=True)
class Devices:
    """What rows should say by table; manifests by digest, with the dockings that name each; attachments by digest.

    `settled`: dockings that finished, or of which anything may have been erased: their manifests must be there.
    `strangers`: what was measured at dockings of devices that were not registered, whose names are in details alone.
    An event that was lost from the log is heard last, from the register's copy: none here needs the one before it.
    """

    rows: dict[str, Rows] = field(default_factory=lambda: {table: {} for table in TABLES})
    manifests: dict[str, set[str]] = field(default_factory=dict)
    settled: set[str] = field(default_factory=set)
    attached: dict[str, Attached] = field(default_factory=dict)
    strangers: dict[str, Mapping[str, Any]] = field(default_factory=dict)

    def hear(self, event: CustodyEvent) -> None:
        """Take an event; called in the order of its stream.

        Raises:
            RecordMalformed: it does not say what its kind must say.
        """
        try:
            _HEARD.get(event.kind, _nothing)(self, event)
        except (KeyError, TypeError) as error:
            raise RecordMalformed(f"a {event.kind} record lacks {error}") from error

    def keys(self) -> set[str]:
        """Every key of the store of which these records speak."""
        return {layout.manifest_key(one) for one in self.manifests} | set(map(layout.attachment_key, self.attached))


def check_devices(heard: Devices, *, sheet: StoreSheet) -> None:
    """Every device list is there, byte for byte.

    A list of a docking that is open, cut off or refused may not have come yet: that it is not there is no finding.

    Raises:
        StoreUnavailable: nothing was decided.
    """
    awaited = 0
    for sha256, dockings in heard.manifests.items():
        key, what = layout.manifest_key(sha256), f"device list of docking {min(dockings)}"
        if not dockings & heard.settled and not sheet.store.exists(key):
            awaited += 1
            continue
        found = sheet.measure(key, why=what)
        if found is not None and found.hex != sha256:
            sheet.blame(key, "altered", f"{what}: its bytes have the digest {found.hex}")
    if awaited:
        sheet.remark(f"{awaited} device lists have not come: their dockings did not finish")


def check_attachments(heard: Devices, endings: Endings, *, sheet: StoreSheet) -> None:
    """Every attachment is there, byte for byte, until all recordings that it came along with were disposed of.

    Raises:
        StoreUnavailable: nothing was decided.
    """
    for sha256, one in heard.attached.items():
        key, what = layout.attachment_key(sha256), f"{one.role} of {one.recording}"
        fates = {endings.fate_of(recording) for recording, _, its in heard.rows["attachments"] if its == sha256}
        if fates <= {Fate.GONE, Fate.GOING}:
            if fates == {Fate.GONE} and key not in endings.kept and sheet.store.exists(key):
                sheet.blame(key, "not-gone", f"{what} was disposed of, and this is still there, or again")
            continue
        found = sheet.measure(key, why=what)
        if found is not None and (found.hex, found.size_bytes) != (sha256, one.size_bytes):
            sheet.blame(key, "altered", f"{what}: found {found}, recorded {one.size_bytes} bytes")


def expected_readings(heard: Devices, found: Iterable[Mapping[str, Any]]) -> Rows:
    """What the readings of clocks should say; of devices that were not registered only if there is one.

    Of these nobody but a detail says whose they are, or whether they named themselves: that a row lacks is not seen.
    """
    of_strangers = {
        (row["device"], row["at"]): dict(heard.strangers[row["docking"]])
        for row in found
        if row["docking"] in heard.strangers
    }
    return heard.rows["clock_readings"] | of_strangers


# --- hearing ------------------------------------------------------------------------------------


def _subject(event: CustodyEvent) -> str:
    return event.stream.partition("/")[2]


def _at(event: CustodyEvent) -> str:
    return instant.to_text(event.at)


def _told(event: CustodyEvent, *names: str) -> dict[str, Any]:
    return {name: event.facts[name] for name in names}


def _registered(heard: Devices, event: CustodyEvent) -> None:
    row = _told(event, "kind", "clock_offset_ms") | {"registered_at": _at(event)}
    # Older records say the status in their details alone.
    more = {"status": event.facts["status"]} if "status" in event.facts else {}
    heard.rows["devices"][_subject(event),] = row | more


def _row(heard: Devices, table: str, key: str) -> dict[str, Any]:
    return heard.rows[table].setdefault((key,), {})


def _first(heard: Devices, table: str, key: str, told: Mapping[str, Any]) -> None:
    """What a row says to begin with; what was heard of it already came later."""
    row = _row(heard, table, key)
    row |= {**told, **row}


def _assigned(heard: Devices, event: CustodyEvent) -> None:
    start, device = event.facts["start_at"], _subject(event)
    for row in heard.rows["assignments"].values():
        if row.get("device") == device and row["end_at"] is None and row["start_at"] <= start:
            row["end_at"] = start
    told = _told(event, "start_at", "end_at") | {"due_at": event.facts.get("due_at"), "issued_by": event.actor}
    _first(heard, "assignments", f"{device}.{event.seq}", {"device": device, **told})


def _returned(heard: Devices, event: CustodyEvent) -> None:
    row = _row(heard, "assignments", event.facts["assignment"])
    row |= {"end_at": event.facts["at"], "returned_to": event.actor}


def _invited(heard: Devices, event: CustodyEvent) -> None:
    facts = event.facts
    told = {"kind": facts["kind"], "code_sha256": facts["code_sha256"], "code_until": facts["until"]}
    told |= {"state": "invited", "key": None, "erases": int(facts["erases"])}
    if event.seq == 0:
        _first(heard, "docks", _subject(event), told)
    else:  # invited again: its key so far is worth nothing
        heard.rows["docks"][_subject(event),] = told


def _enrolled(heard: Devices, event: CustodyEvent) -> None:
    row = _row(heard, "docks", _subject(event))
    row |= _told(event, "key") | {"state": "enrolled", "code_sha256": None, "code_until": None}


def _switched(heard: Devices, event: CustodyEvent) -> None:
    _row(heard, "docks", _subject(event))["erases"] = int(event.facts["erases"])


def _revoked(heard: Devices, event: CustodyEvent) -> None:
    row = _row(heard, "docks", _subject(event))
    row |= {"state": "revoked", "code_sha256": None, "code_until": None}


def _docked(heard: Devices, event: CustodyEvent) -> None:
    docking, sha256 = event.facts["docking"], manifest_of(event)
    heard.manifests.setdefault(sha256, set()).add(docking)
    told = _told(event, "dock", "port", "began_at", "refusal", "names", "taken", "taken_bytes")
    later = dict.fromkeys(("erasing_at", "ended_at", "outcome", "received", "erased"))
    reading = event.facts.get("clock")
    if event.stream.startswith("device/"):
        told |= {"device": _subject(event)}
        if reading is not None:  # of two of one moment the first counts
            heard.rows["clock_readings"].setdefault((_subject(event), reading["at"]), {"docking": docking, **reading})
    elif reading is not None:
        heard.strangers[docking] = {"docking": docking, **reading}
    _first(heard, "dockings", docking, {**told, "manifest_sha256": sha256, **later})


def _erasing(heard: Devices, event: CustodyEvent) -> None:
    docking = event.facts["docking"]
    _row(heard, "dockings", docking)["erasing_at"] = _at(event)
    heard.settled.add(docking)


def _undocked(heard: Devices, event: CustodyEvent) -> None:
    docking = event.facts["docking"]
    row = _row(heard, "dockings", docking)
    row |= _told(event, "outcome", "received", "erased") | {"ended_at": _at(event)}
    if row["outcome"] == "finished":
        heard.settled.add(docking)


def _attached(heard: Devices, event: CustodyEvent) -> None:
    one = attached_of(event)
    heard.attached.setdefault(one.sha256, one)
    told = {"size_bytes": one.size_bytes, "signer": event.facts["signer"], "at": _at(event)}
    heard.rows["attachments"].setdefault((one.recording, one.role, one.sha256), told)


def _remarked(heard: Devices, event: CustodyEvent) -> None:
    heard.rows["remarks"][_subject(event), event.facts["code"]] = {"at": _at(event)}


def _stitched(heard: Devices, event: CustodyEvent) -> None:
    heard.rows["series_parts"][_subject(event),] = _told(event, "series", "position", "gap_ms", "basis")


def _reconciled(heard: Devices, event: CustodyEvent) -> None:
    heard.rows["reconciliations"][event.facts["day"],] = _told(event, "digest") | {"at": _at(event)}


def _nothing(_: Devices, __: CustodyEvent) -> None:
    """Other events say nothing of it."""


_HEARD: Mapping[str, Callable[[Devices, CustodyEvent], None]] = {
    "assigned": _assigned,
    "attached": _attached,
    "device-registered": _registered,
    "dock-enrolled": _enrolled,
    "dock-invited": _invited,
    "dock-revoked": _revoked,
    "dock-switched": _switched,
    "docked": _docked,
    "erasing": _erasing,
    "reconciled": _reconciled,
    "remarked": _remarked,
    "returned": _returned,
    "stitched": _stitched,
    "undocked": _undocked,
}
