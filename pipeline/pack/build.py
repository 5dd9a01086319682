# SPDX-License-Identifier: Apache-2.0
"""This is where a pack is made: footage, proofs, records, facts and a page, in an order that makes equal packs equal.

(1) Clips are cut first: each serving is an event, and the pack holds it. (2) The log is published, so that all events
of the pack are under one checkpoint. (3) Files are written, each digest taken as it is written and held against what
was sealed. (4) The manifest is signed: a pack whose manifest was made anew by somebody else has no such word.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from evidence import canonical_json, instant
from evidence.errors import NotFound
from evidence.note import sign_note
from pipeline.clip import clip
from pipeline.outcome import about
from pipeline.pack import names
from pipeline.pack.bag import Bag
from pipeline.pack.custody import Records, write_records
from pipeline.pack.facts import case_facts, coverage_facts
from pipeline.pack.plan import Item
from pipeline.pack.report import report_page
from pipeline.ports import Ports, Progress
from pipeline.tsa.port import TrustAnchors
from storage import layout
from storage.custody_log import SignedCheckpoint
from storage.register.publisher import publish
from storage.register.search import Connection, Row

_DATA = Path(__file__).parents[1] / "data"
_LARGEST_RECEIPT = 1 << 20


@dataclass(frozen=True, slots=True)
class Made:
    """A pack that is whole. `manifest_sha256` is what was handed over, in one word."""

    manifest_sha256: str
    size_bytes: int
    files: int


def build(
    export: Row, case: Row, items: tuple[Item, ...], folder: Path, *, ports: Ports, now: datetime, progress: Progress
) -> Made:
    """Make the pack of an export in an empty `folder`.

    Raises:
        FixityMismatch: what rests is not what was sealed. WrongState: a recording's bytes went meanwhile.
        StoreUnavailable, RegisterUnavailable: worth another try; a full disk is told as such.
    """
    bag, told = Bag(folder), _Told(sum(item.size_bytes for item in items), progress)
    recordings = [_write_footage(item, bag=bag, ports=ports, now=now, told=told) for item in items]
    newest = publish(ports.register, ports.log)
    if newest is None:
        raise NotFound("the custody log has no checkpoint")
    with ports.register.view(is_long=True) as connection:
        _write_rest(connection, export, case, items, recordings, newest=newest, bag=bag, ports=ports, now=now)
    manifest = bag.seal_payload(_info(export, ports, now))
    told_all = {"case": case["id"], "export": export["id"], "manifest_sha256": manifest, "at": instant.to_text(now)}
    place = {"checkpoint": {"root": newest.root.hex(), "size": newest.size}}
    text = f"{names.FORM}\n{canonical_json.dumps(told_all | place).decode()}\n"
    bag.add(names.NOTE, sign_note(text, [ports.signer]).encode())
    bag.finish()
    progress(1.0)
    return Made(manifest, bag.size_bytes, len(bag.files))


class _Told:
    """How far the footage is, by bytes; the rest is quick."""

    def __init__(self, expected: int, progress: Progress) -> None:
        self._expected, self._done, self._progress = max(expected, 1), 0, progress

    def add(self, size_bytes: int) -> None:
        self._done += size_bytes
        self._progress(min(0.95, self._done / self._expected * 0.95))


# --- footage ------------------------------------------------------------------------------------


def _write_footage(item: Item, *, bag: Bag, ports: Ports, now: datetime, told: _Told) -> dict[str, Any]:
    originals = [_write_original(item, row, bag=bag, ports=ports, told=told) for row in item.originals]
    clips = [_write_clip(item, number, bag=bag, ports=ports, now=now) for number in range(1, len(item.spans) + 1)]
    if clips:
        told.add(item.size_bytes)
    return {
        "clips": clips,
        "is_gone": item.is_gone,
        "kind": item.row["kind"],
        "originals": originals,
        "recording": item.recording,
        "segments": list(item.segments),
        "start_at": item.row["start_at"],
        "state": item.row["state"],
    }


def _write_original(item: Item, row: Row, *, bag: Bag, ports: Ports, told: _Told) -> dict[str, Any]:
    """The original, unless it is gone or clips of it are given; its receipt in any case, when there is one."""
    sha256, position = row["sha256"], row["position"]
    name = None
    if not item.is_gone and not item.spans:
        name = names.original_name(item.recording, position, row["container"])
        blocks = _counted(ports, layout.original_key(sha256), told.add)
        bag.add_blocks(name, blocks, expected=sha256)
    receipt: str | None = names.receipt_name(item.recording, position)
    try:
        data = ports.store.read(layout.receipt_key(sha256), limit=_LARGEST_RECEIPT)
    except NotFound:
        receipt = None  # what was put aside before it was sealed has none
    else:
        bag.add(names.receipt_name(item.recording, position), data)
    return {"file": name, "receipt": receipt, "sha256": sha256, "size_bytes": row["size_bytes"]}


def _counted(ports: Ports, key: str, count: Callable[[int], None]) -> Any:
    for block in ports.store.blocks(key):
        yield block
        count(len(block))


def _write_clip(item: Item, number: int, *, bag: Bag, ports: Ports, now: datetime) -> dict[str, str]:
    name = names.clip_name(item.recording, number)
    clip(item.recording, item.spans[number - 1], bag.path(name), ports=ports, now=now, keys=ports.keys)
    proof = names.proof_name(name)
    bag.adopt(name)
    bag.adopt(proof)
    return {"file": name, "proof": proof}


# --- the rest -----------------------------------------------------------------------------------


def _write_rest(
    connection: Connection, export: Row, case: Row, items: tuple[Item, ...], recordings: list[dict[str, Any]], *,
    newest: SignedCheckpoint, bag: Bag, ports: Ports, now: datetime,
) -> None:  # fmt: skip
    stamped = {item.row["stamped_size"] for item in items} - {None}
    records = write_records(connection, _streams(export, case, items), stamped, newest=newest, bag=bag, ports=ports)
    _write_keys(bag, ports)
    told_case = case_facts(connection, case)
    covered = coverage_facts(connection, case, ports=ports, now=now)
    index = _index(export, case, recordings, records, newest=newest, now=now)
    bag.add(names.CASE, canonical_json.dumps(told_case))
    bag.add(names.COVERAGE, canonical_json.dumps(covered))
    bag.add(names.INDEX, canonical_json.dumps(index))
    bag.add(names.REPORT, report_page(index, told_case, covered, records.events))
    for name in names.READMES:
        bag.add(name, (_DATA / f"pack-readme.{name.split('.', 1)[1]}").read_bytes())


def _streams(export: Row, case: Row, items: tuple[Item, ...]) -> list[str]:
    """The nouns whose records go along: the case, this export, the agreement behind it, and each recording."""
    agreed = [] if export["approval"] is None else [f"approval/{export['approval']}"]
    return [f"case/{case['id']}", f"export/{export['id']}", *agreed, *(about(item.recording) for item in items)]


def _write_keys(bag: Bag, ports: Ports) -> None:
    bag.add(names.KEYS, "".join(f"{key.to_text()}\n" for key in ports.keys).encode())
    if ports.authorities:
        bag.add(names.ANCHORS, TrustAnchors.all_of(one.anchors for one in ports.authorities).to_pem())


def _index(
    export: Row, case: Row, recordings: list[dict[str, Any]], records: Records, *, newest: SignedCheckpoint,
    now: datetime,
) -> dict[str, Any]:  # fmt: skip
    return {
        "approval": export["approval"],
        "asked_at": export["asked_at"],
        "asked_by": export["asked_by"],
        "case": {"id": case["id"], "number": case["number"]},
        "checkpoint": {"root": newest.root.hex(), "size": newest.size},
        "checkpoints": list(records.checkpoints),
        "export": export["id"],
        "format": names.FORM,
        "log": newest.origin,
        "made_at": instant.to_text(now),
        "recordings": recordings,
        "streams": list(records.streams),
        "tokens": list(records.tokens),
        "withheld": list(records.withheld),
    }


def _info(export: Row, ports: Ports, now: datetime) -> dict[str, str]:
    return {
        "Source-Organization": ports.log.origin,
        "Bagging-Date": instant.to_text(now)[:10],
        "External-Identifier": str(export["id"]),
        "Bag-Software-Agent": "evidock",
    }
