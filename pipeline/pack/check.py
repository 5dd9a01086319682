# SPDX-License-Identifier: Apache-2.0
"""This is where a pack is checked alone: with the checker's own keys, and nothing of any installation.

In order: (1) it holds folders and plain files only, by names of ours; (2) it is a bag, and its manifests name each
file and its digest; (3) a trusted records key signed that very manifest; (4) the checkpoint is the log's, and every
record is signed, in its place, and a leaf under it; (5) originals, receipts and clips are what the records say;
(6) time tokens hold over checkpoints that the log grew from, where anchors were given.

NOT checked: that the log showed others the same checkpoint (a witness would say), and what the page and the facts of
the case say in words: that they are the agency's is all that the signed manifest proves of them.
"""

import hashlib
from contextlib import suppress
from pathlib import Path
from typing import Any

from evidence import canonical_json
from evidence.errors import EvidockError, IntegrityError, NotFound, RecordMalformed, TooLarge
from evidence.verdict import CheckReport
from pipeline.audit.sheet import Sheet
from pipeline.audit.trust import Trust
from pipeline.pack import manifests, names
from pipeline.pack.check_footage import check_clips, check_originals
from pipeline.pack.check_records import Records, read_records
from pipeline.pack.check_times import check_times
from pipeline.pack.index import LARGEST, Index, parse_index
from pipeline.pack.notes import Notes
from pipeline.pack.opened import OpenedPack, open_pack
from pipeline.ports import Progress, unheard

_LARGEST_TAG = 1 << 20


def is_pack(folder: Path) -> bool:
    """True for a folder that says it is a bag; nothing of it is believed."""
    return folder.is_dir() and any((folder / name).exists() for name in (names.BAGIT, names.NOTE, names.MANIFEST))


def check_pack(folder: Path, *, trust: Trust, progress: Progress = unheard) -> CheckReport:
    """Check that the pack in `folder` is what its agency handed over, by the keys of `trust` alone.

    Proven: every file is as it was handed over, each original is the sealed one, each clip is whole packets of one,
    all records are in the log. Undecidable: all fits together, but signed by nobody of `trust`.

    Raises:
        NotFound, SourceUnavailable: it cannot be read.
    """
    sheet = Sheet(progress)
    pack = open_pack(folder)
    for one in pack.refused:
        sheet.blame(one.name, f"refused-{one.what}", "no pack holds such a thing; nothing of it was read")
    if names.FETCH in pack.files:
        sheet.blame(names.FETCH, "refused-fetch", "it would have bytes fetched from elsewhere; no pack of ours has one")
    if pack.refused or names.FETCH in pack.files:
        return sheet.report()
    if not _was_a_pack(pack):
        sheet.despair(folder.name, "no-pack", "nothing in it says that it was ever a pack of ours")
        return sheet.report()
    sheet.expect(sum(pack.files.values()))
    _check_contents(pack, trust=trust, sheet=sheet)
    return sheet.report()


def _was_a_pack(pack: OpenedPack) -> bool:
    """True when there is an index or a signed word, or a manifest that has one of them: else it is a stranger's bag."""
    if {names.NOTE, names.INDEX} & set(pack.files):
        return True
    told = b""
    for name in {names.MANIFEST, names.TAG_MANIFEST} & set(pack.files):
        with suppress(TooLarge):
            told += pack.read(name, limit=manifests.LARGEST)
    return any(f"  {name}\n".encode() in told for name in (names.NOTE, names.INDEX))


def _check_contents(pack: OpenedPack, *, trust: Trust, sheet: Sheet) -> None:
    manifest = _check_bag(pack, sheet=sheet)
    notes = Notes(trust, sheet)
    index = _index(pack, sheet=sheet)
    if index is None:
        return
    signed = _check_note(pack, index.origin, notes, sheet=sheet)
    _check_said(index, signed, sheet=sheet)
    records = read_records(pack, index, notes, sheet=sheet)
    _check_listed(pack, index, records, sheet=sheet)
    check_originals(pack, index, records, manifest, notes, sheet=sheet)
    check_clips(pack, index, records, trust=trust, sheet=sheet)
    check_times(pack, index, records, notes, trust=trust, sheet=sheet)


# --- the bag ------------------------------------------------------------------------------------


def _check_bag(pack: OpenedPack, *, sheet: Sheet) -> dict[str, str]:
    """Hold every file against the manifests; the digests that files of the payload have."""
    _check_declaration(pack, sheet=sheet)
    found: dict[str, str] = {}
    listed: dict[str, str] = {}
    for name, of_payload in ((names.TAG_MANIFEST, False), (names.MANIFEST, True)):
        try:
            data = pack.read(name, limit=manifests.LARGEST)
            listed |= manifests.parse_manifest(data, of_payload=of_payload)
        except NotFound:
            sheet.blame(name, "missing", "every bag of ours has one")
        except (IntegrityError, TooLarge) as error:
            sheet.blame(name, error.code, error.message)
    for name in sorted({*pack.files, *listed} - {names.TAG_MANIFEST}):
        _check_file(pack, name, listed.get(name), found, sheet=sheet)
    return found


def _check_declaration(pack: OpenedPack, *, sheet: Sheet) -> None:
    try:
        if pack.read(names.BAGIT, limit=_LARGEST_TAG) != names.DECLARATION:
            sheet.blame(names.BAGIT, "altered", "it declares another form than BagIt 1.0 in UTF-8")
    except (NotFound, TooLarge) as error:
        sheet.blame(names.BAGIT, error.code, error.message)


def _check_file(pack: OpenedPack, name: str, listed: str | None, found: dict[str, str], *, sheet: Sheet) -> None:
    if name not in pack.files:
        sheet.blame(name, "missing", f"the manifest has it with sha256 {listed}")
        return
    sha256 = pack.sha256(name, count=lambda size: sheet.count(size, objects=0))
    sheet.count(0)
    found[name] = sha256
    if listed is None:
        sheet.blame(name, "added", "no manifest names it")
    elif listed != sha256:
        sheet.blame(name, "altered", f"sha256 {sha256}; the manifest has {listed}")


# --- who signed the manifest --------------------------------------------------------------------


def _check_note(pack: OpenedPack, origin: str, notes: Notes, *, sheet: Sheet) -> dict[str, Any] | None:
    """What the signed word says, once the manifest is the one it names."""
    try:
        note = pack.read(names.NOTE, limit=_LARGEST_TAG)
    except (NotFound, TooLarge) as error:
        sheet.blame(names.NOTE, error.code, error.message)
        return None
    text = notes.text_of(note, lambda trust: trust.record_keys(origin), name=names.NOTE)
    if text is None:
        return None
    form, _, rest = text.partition("\n")
    try:
        body = canonical_json.loads(rest.removesuffix("\n").encode())
        if form != names.FORM or not isinstance(body, dict):
            raise RecordMalformed(f"not the word of a pack of form {names.FORM}")
    except EvidockError as error:
        sheet.blame(names.NOTE, error.code, error.message)
        return None
    if names.MANIFEST in pack.files:
        sha256 = hashlib.sha256(pack.read(names.MANIFEST, limit=manifests.LARGEST)).hexdigest()
        if body.get("manifest_sha256") != sha256:
            told = f"sha256 {sha256}; signed was {body.get('manifest_sha256')}"
            sheet.blame(names.MANIFEST, "not-signed", told)
    return body


def _check_said(index: Index, signed: dict[str, Any] | None, *, sheet: Sheet) -> None:
    """What the index says of itself is what was signed."""
    if signed is None:
        return
    place = {"root": index.root, "size": index.size}
    for field, said in (("case", index.case), ("export", index.export), ("checkpoint", place)):
        if signed.get(field) != said:
            sheet.blame(names.INDEX, "contradicts-record", f"{field} is {said}; signed was {signed.get(field)}")


def _index(pack: OpenedPack, *, sheet: Sheet) -> Index | None:
    try:
        return parse_index(pack.read(names.INDEX, limit=LARGEST))
    except EvidockError as error:
        sheet.blame(names.INDEX, "missing" if isinstance(error, NotFound) else error.code, error.message)
        return None


def _check_listed(pack: OpenedPack, index: Index, records: Records, *, sheet: Sheet) -> None:
    """Nothing is in the pack that neither its form nor its index speaks of."""
    known = {*names.TAGS, *names.READMES, names.INDEX, names.CASE, names.COVERAGE, names.REPORT, names.CHECKPOINT}
    known |= {names.CONSISTENCY, names.KEYS, names.ANCHORS, *records.names}
    known |= {one for told in index.originals for one in (told.file, told.receipt) if one is not None}
    known |= {one for clip in index.clips for one in (clip.file, clip.proof)}
    known |= {names.checkpoint_name(size) for size in index.checkpoints} | {token[3] for token in index.tokens}
    for name in sorted(set(pack.files) - known):
        sheet.blame(name, "unlisted", "the index of the pack does not speak of it")
