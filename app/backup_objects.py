# SPDX-License-Identifier: Apache-2.0
"""This is where the objects of a backup go into a store: each measured on its way, the pointer to them last."""

import re
from collections.abc import Iterator
from pathlib import Path

from evidence.digest import Digest
from evidence.errors import BackupInvalid, BadInput, FixityMismatch
from pipeline.ports import Progress
from storage.durable import store_errors
from storage.enveloped.store import at_rest
from storage.layout import CHECKPOINT_KEY, ENVELOPES_PREFIX, envelope_key_of
from storage.objects import ObjectStore
from storage.reading import blocks_of_source, digest_of, opened_source

_LARGEST_NOTE = 1 << 20
# Keys that are the digest of what rests there.
_BY_DIGEST = re.compile(r"(?:originals|derivatives|details)/../../([0-9a-f]{64})", re.ASCII)


def bring_objects(root: Path, store: ObjectStore, *, progress: Progress) -> int:
    """Put every object below `root` into the store; returns how many. What is there already stays; safe to repeat.

    Raises:
        BackupInvalid: the bytes of an object are not those its key names.
        BadInput: some are in envelopes, and the key of those is not here.
        Conflict: other bytes rest under a key.
        StoreUnavailable: worth another try.
    """
    # Wrapped data keys first: an envelope is never without its own.
    keys = sorted((key for key in _keys(root) if key != CHECKPOINT_KEY), key=_wrapped_first)
    for number, key in enumerate(keys):
        with store_errors(f"cannot read {key}"), opened_source(root / key) as descriptor:
            digest = digest_of(blocks_of_source(descriptor, root / key))
        is_enveloped = _is_enveloped(root, key)
        if not is_enveloped:
            _check_name(key, digest)
        at_rest(store).put_once(key, root / key, digest=digest)
        if is_enveloped:
            _check_name(key, _opened(key, store))
        progress(number / len(keys))
    # Last: a log is not there before all that its checkpoint speaks of.
    pointer = root / CHECKPOINT_KEY
    if pointer.exists() and not store.exists(CHECKPOINT_KEY):
        store.replace(CHECKPOINT_KEY, pointer.read_bytes()[:_LARGEST_NOTE])
    return len(keys)


def _wrapped_first(key: str) -> tuple[bool, str]:
    return not key.startswith(ENVELOPES_PREFIX), key


def _is_enveloped(root: Path, key: str) -> bool:
    wrapped = envelope_key_of(key)
    return wrapped is not None and (root / wrapped).exists()


def _opened(key: str, store: ObjectStore) -> Digest:
    if at_rest(store) is store:
        raise BadInput(f"objects/{key} is in an envelope: put the key of its envelopes among the keys first", key=key)
    try:
        return store.measure(key)
    except FixityMismatch as error:
        raise BackupInvalid(f"objects/{key} is not as it was written", file=f"objects/{key}") from error


def _keys(root: Path) -> Iterator[str]:
    with store_errors(f"cannot list {root}"):
        yield from sorted(path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file())


def _check_name(key: str, digest: Digest) -> None:
    named = _BY_DIGEST.fullmatch(key)
    if named and named[1] != digest.hex:
        raise BackupInvalid(f"objects/{key} is not as it was written", file=f"objects/{key}", actual=digest.hex)
