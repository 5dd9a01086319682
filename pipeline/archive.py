# SPDX-License-Identifier: Apache-2.0
"""This is where footage goes to a second store that costs less, and comes back: measured on each side, every time.

For each recording: (1) its bytes and tables are copied and (2) read back there; (3) `archived` is recorded, and the log
published; (4) then only its bytes leave the object store, when no lock keeps them. Its tables, proxy and receipt stay.
"""

from collections.abc import Callable, Mapping
from datetime import datetime

from evidence import instant
from evidence.custody import Happening
from evidence.digest import Digest
from evidence.errors import FixityMismatch, Refused, StillLocked, StoreUnavailable, WrongState
from evidence.lifecycle import State
from evidence.written import reason
from pipeline.disposal_list import DecisionOf
from pipeline.outcome import about
from pipeline.ports import Cold, Ports
from pipeline.tombstone import Taken, told_removal
from storage import layout
from storage.objects import ObjectStore
from storage.register import ends, search
from storage.register.publisher import publish
from storage.register.search import Connection, Row
from storage.removal import Remover

Recall = Callable[[str], None]
"""Asks the archive to make an object readable: some keep things where that takes hours."""


def cold_of(ports: Ports) -> Cold:
    """The archive of this installation.

    Raises:
        Refused: none is set.
    """
    if ports.cold is None:
        raise Refused("there is no archive here: set EVIDOCK_COLD_URL to a second store")
    return ports.cold


# --- there ----------------------------------------------------------------------------------------


def archive(recording: str, *, judge: DecisionOf, ports: Ports, now: datetime) -> None:
    """Copy a recording that was appraised for it to the archive, read it back there, and record that.

    Repeat: what is there already is measured again. Its bytes still rest in the object store afterwards.

    Raises:
        Refused: no archive is set. WrongState: it is not appraised for the archive, or not indexed.
        FixityMismatch: what rests, or what was read back, is not what was measured: a person must look.
        StoreUnavailable: worth another try; also when the archive cannot be read back at once.
    """
    cold = cold_of(ports)
    with ports.register.view() as connection:
        original = _archivable(connection, recording, cold)
        until = _locked_until(judge(connection, recording).until, search.recording(connection, recording))
    keys = _tables(original) | {layout.original_key(original["sha256"]): _digest(original)}
    for key, digest in keys.items():
        copy(key, digest, source=ports.store, target=cold.store)
        if until is not None:
            cold.store.protect(key, until=until)
    facts = {"place": cold.place, "sha256": original["sha256"], "storage_class": cold.storage_class}
    with ports.register.begin() as writing:
        _archivable(writing.connection, recording, cold)
        writing.record(Happening("archived", about(recording), facts=facts), actor=ports.actor, at=now)


def _locked_until(decided: datetime | None, row: Row) -> datetime | None:
    """Until when the archive locks it: as decided, and no shorter than the object store promised."""
    promised = None if row["locked_until"] is None else instant.from_text(row["locked_until"])
    return max((one for one in (decided, promised) if one is not None), default=None)


def _archivable(connection: Connection, recording: str, cold: Cold) -> Row:
    row, appraisal = search.recording(connection, recording), ends.appraisal_of(connection, recording)
    if row["state"] != State.INDEXED:
        raise WrongState(f"{recording} is {row['state']}: it cannot be archived", state=row["state"])
    if appraisal is None or appraisal["decision"] != "archive":
        raise WrongState(f"{recording} is not appraised for it: `evidock appraise archive {recording}` first")
    before = ends.archive_of(connection, recording)
    if before is not None and before["place"] != cold.place:
        # What was restored left its copy there, and the register remembers one archive: a disposal would miss it.
        raise Refused(
            f"a copy of {recording} rests at {before['place']} already: set EVIDOCK_COLD_URL to it",
            place=before["place"],
        )
    return search.original(connection, recording)


def _digest(original: Row) -> Digest:
    return Digest(bytes.fromhex(original["sha256"]), original["size_bytes"])


def _tables(original: Row) -> dict[str, Digest | None]:
    """Keys of an original's tables, whose digests are in no row of the register."""
    keys = [layout.chunks_key(original["sha256"])]
    if original["packets_sha256"] is not None:
        keys.append(layout.packets_key(original["sha256"]))
    return dict.fromkeys(keys)


def copy(key: str, digest: Digest | None, *, source: ObjectStore, target: ObjectStore) -> None:
    """Copy an object between stores and read it back; `digest` None: as it rests in the source.

    Raises:
        FixityMismatch: it does not rest as it was measured, there or here.
    """
    expected = digest or source.measure(key)
    with source.local_file(key) as path:
        target.put_once(key, path, digest=expected)
    actual = target.measure(key)
    if actual != expected:
        raise FixityMismatch(f"{key} arrived as {actual}, not {expected}", expected=str(expected), actual=str(actual))


def leave(recording: str, remover: Remover, *, ports: Ports, now: datetime) -> StillLocked | None:
    """Take the bytes of an archived recording out of the object store; what kept them there, or None.

    Repeat: what is gone already is asked for again. The log must hold that it is archived: `publish` comes first.

    Raises:
        WrongState: it is not archived. StoreUnavailable: worth another try.
    """
    publish(ports.register, ports.log)
    with ports.register.view() as connection:
        key = layout.original_key(_leaving(connection, recording)["sha256"])
    try:
        removed = remover.remove(key, now=now)
    except StillLocked as error:
        return error
    detail = {"removed": [told_removal(Taken("objects", removed))]}
    with ports.register.begin() as writing:
        row = ends.archive_of(writing.connection, recording)
        if row is not None and row["hot_removed_at"] is None:
            writing.record(Happening("hot-removed", about(recording), detail=detail), actor=ports.actor, at=now)
    return None


def _leaving(connection: Connection, recording: str) -> Row:
    state, row = search.recording(connection, recording)["state"], ends.archive_of(connection, recording)
    if state != State.ARCHIVED or row is None or row["restored_at"] is not None:
        raise WrongState(f"{recording} is {state}, not archived: its bytes stay", state=state)
    return search.original(connection, recording)


# --- and back -------------------------------------------------------------------------------------


def restore(
    recording: str, *, why: str, recall: Recall | None, judge: DecisionOf, ports: Ports, now: datetime
) -> Mapping[str, str]:
    """Bring the bytes of an archived recording back under their own key, measured anew; the archive keeps its copy.

    Raises:
        WrongState: it is not archived. Refused: it rests in another archive than is set here.
        FixityMismatch: the archive's bytes are not what was measured: a person must look.
        StoreUnavailable: worth another try; of a slow archive, when it has brought them up.
    """
    cold, told = cold_of(ports), reason(why)
    with ports.register.view() as connection:
        original = _restorable(connection, recording, cold)
        until = judge(connection, recording).until
    key = layout.original_key(original["sha256"])
    try:
        copy(key, _digest(original), source=cold.store, target=ports.store)
    except StoreUnavailable as error:
        _recalled(error, key, recall)
        raise
    if until is not None and until > now:
        ports.store.protect(key, until=until)
    with ports.register.begin() as writing:
        _restorable(writing.connection, recording, cold)
        happening = Happening("restored", about(recording), facts={"sha256": original["sha256"]}, detail={"why": told})
        writing.record(happening, actor=ports.actor, at=now)
    return {"recording": recording, "sha256": original["sha256"], "place": cold.place}


def _restorable(connection: Connection, recording: str, cold: Cold) -> Row:
    state, row = search.recording(connection, recording)["state"], ends.archive_of(connection, recording)
    if state != State.ARCHIVED or row is None:
        raise WrongState(f"{recording} is {state}, not archived", state=state)
    if row["place"] != cold.place:
        raise Refused(f"{recording} is archived at {row['place']}: set EVIDOCK_COLD_URL to it", place=row["place"])
    return search.original(connection, recording)


def _recalled(error: StoreUnavailable, key: str, recall: Recall | None) -> None:
    """Ask a slow archive for the object, and say so instead."""
    if error.values.get("s3_code") != "InvalidObjectState" or recall is None:
        return
    recall(key)
    raise StoreUnavailable(
        f"the archive was asked to bring {key} up: that may take hours; run this again then"
    ) from error
