# SPDX-License-Identifier: Apache-2.0
"""This is where the store is walked the other way: from every name at rest to the record that speaks of it."""

from collections.abc import Sequence, Set

from evidence.errors import IntegrityError
from pipeline.audit.endings import Fate
from pipeline.audit.ledger import Told
from pipeline.audit.sheet import StoreSheet
from storage import layout

_DETAILS = "details/"
_LARGEST_DETAIL = 256 << 20


def recorded_keys(told: Told) -> set[str]:
    """Every key outside the log of which a record speaks, details left out."""
    keys: set[str] = set()
    for sha256, measured in told.measured.items():
        keys |= {layout.original_key(sha256), layout.chunks_key(sha256), layout.receipt_key(sha256)}
        if measured.packets_sha256 is not None:
            keys.add(layout.packets_key(sha256))
    keys |= {layout.derivative_key(sha256) for sha256 in told.derived}
    keys |= told.devices.keys()
    return keys | {layout.token_key(one.size, one.authority, one.sha256) for one in told.stamped.values()}


def names_at_rest(sheet: StoreSheet) -> list[str]:
    """Every key of the store, in order; to be asked for before the records are read, so that none is news.

    Raises:
        StoreUnavailable: nothing was decided.
    """
    try:
        return sorted(sheet.store.keys())
    except IntegrityError as error:
        # A link or a pipe where a folder should be.
        sheet.blame("store", error.code, error.message)
        return []


def check_names(told: Told, keys: Sequence[str], *, spare: Set[str], sheet: StoreSheet) -> None:
    """Note every object of `keys` that no record speaks of, those left out that are known to be `spare`.

    A detail without an event is normal: it is laid down before its transaction, which may not have
    been committed. Its bytes must be what its name says all the same.

    Raises:
        StoreUnavailable: nothing was decided.
    """
    recorded, orphans = recorded_keys(told) | spare, 0
    for key in keys:
        if key.startswith(_DETAILS):
            sha256 = key.rpartition("/")[2]
            if sha256 not in told.details:
                orphans += 1
                _check_orphan(key, sha256, sheet=sheet)
        elif key not in recorded and not _is_of_the_log(key):
            sheet.doubt(key, "untracked", "no record speaks of it")
    if orphans:
        sheet.remark(f"{orphans} details belong to no event: their transaction was not committed")


def _is_of_the_log(key: str) -> bool:
    """True for what the log's own audit has looked at."""
    return key.startswith("log/") and not key.startswith(layout.TOKENS_PREFIX)


def _check_orphan(key: str, sha256: str, *, sheet: StoreSheet) -> None:
    found = sheet.measure(key, why="a detail")
    if found is not None and found.hex != sha256:
        sheet.doubt(key, "untracked", f"no record speaks of it, and its bytes have the digest {found.hex}")


def check_details(told: Told, *, sheet: StoreSheet) -> None:
    """Every detail that an event names is there, byte for byte.

    Raises:
        StoreUnavailable: nothing was decided.
    """
    for sha256, name in told.details.items():
        key = layout.detail_key(sha256)
        found = sheet.measure(key, why=f"detail of {name}")
        if found is not None and found.hex != sha256:
            sheet.blame(key, "altered", f"detail of {name}: its bytes have the digest {found.hex}")


def check_derivatives(told: Told, *, sheet: StoreSheet) -> None:
    """Everything that was made from an original is there, byte for byte, until a record says that it was removed.

    Raises:
        StoreUnavailable: nothing was decided.
    """
    for sha256, derived in told.derived.items():
        key, fate = layout.derivative_key(sha256), told.endings.fate_of_derivative(sha256)
        if fate is not Fate.HERE:
            if fate is Fate.GONE and key not in told.endings.kept and sheet.store.exists(key):
                where = f"{derived.kind} of {derived.recording} was removed, and this is still there, or again"
                sheet.blame(key, "not-gone", where)
            continue
        found = sheet.measure(key, why=f"{derived.kind} of {derived.recording}")
        if found is not None and (found.hex, found.size_bytes) != (sha256, derived.size_bytes):
            where = f"{derived.kind} of {derived.recording}: found {found}, recorded {derived.size_bytes} bytes"
            sheet.blame(key, "altered", where)
