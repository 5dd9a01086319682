# SPDX-License-Identifier: Apache-2.0
"""This is where the custody log is audited: offline, read-only, with nothing but its objects and the keys.

Everything under `log/` is looked at (time tokens excepted: they are checked with the step that stamps):
every entry, every tile at every level, every checkpoint ever kept, every narrower partial object that a
wider one has outgrown, every name. It walks with the memory of a few tiles (and one number a checkpoint).
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from evidence.errors import BadInput, IntegrityError
from evidence.merkle import HASH_SIZE
from evidence.note import Verifier
from evidence.verdict import Finding, Verdict
from storage.custody_log import LARGEST_NOTE, SignedCheckpoint, open_checkpoint
from storage.layout import (
    CHECKPOINT_KEY,
    CHECKPOINTS_PREFIX,
    TILE_WIDTH,
    TOKENS_PREFIX,
    checkpoint_key,
    entries_key,
    tile_key,
)
from storage.log_walk import LogWalk, Shelf, Visit
from storage.objects import ObjectStore
from storage.tiles import LARGEST_BUNDLE, split_bundle, tile_width

_TILE = re.compile(r"log/tile/(entries|[0-9]{1,2})/((?:x[0-9]{3}/)*[0-9]{3})(?:\.p/([0-9]{1,3}))?", re.ASCII)
_Named = tuple[str, SignedCheckpoint]
_KEPT_BY_AUDITOR = "checkpoint kept by the auditor"


@dataclass(frozen=True, slots=True)
class LogReport:
    """What an audit of the log found, and against which checkpoint; no findings means that all of it holds.

    `checkpoint` is the newest that its log signed (None: no log). `entries` were read and hold.
    `unlisted` findings came after the thousandth, where the walk ends. `objects` and `size_bytes`
    count what was read. `uncovered` objects are beyond the checkpoint: a publication that has not
    finished, or was killed, leaves some; they are no evidence yet.
    """

    checkpoint: SignedCheckpoint | None
    findings: tuple[Finding, ...]
    unlisted: int
    entries: int
    objects: int
    size_bytes: int
    uncovered: int


def check_log(
    store: ObjectStore,
    verifiers: Sequence[Verifier],
    *,
    origin: str,
    known: Sequence[SignedCheckpoint] = (),
    visit: Visit | None = None,
) -> LogReport:
    """Audit the log `origin` in `store`; tampering is reported, never raised.

    `verifiers` are keys of the log (a witness' signature alone would pass for the log's). `known` are
    checkpoints the auditor kept from before: without them, a store that was rolled back as a whole
    looks like the younger log it was. `visit` is called with (index, entry) in order, for entries that
    hold in their bundle; act on them only when the report has no findings.

    Raises:
        StoreUnavailable: the store cannot be read now, so nothing was decided.

    """
    return _Audit(store, verifiers, origin, visit).run(known)


class _Audit:
    def __init__(self, store: ObjectStore, verifiers: Sequence[Verifier], origin: str, visit: Visit | None) -> None:
        self._shelf = Shelf(store)
        self._verifiers = verifiers
        self._origin = origin
        self._onward = visit
        self._entries = 0
        self._uncovered = 0
        self._wide: tuple[str, bytes | None] = ("", None)

    def run(self, known: Sequence[SignedCheckpoint]) -> LogReport:
        # (1) Kept checkpoints are listed before the pointer is read: one that is published meanwhile
        #     moves the pointer first, so it cannot look like a pointer put back.
        kept = sorted(self._kept_sizes())
        pointer = self._pointer(kept)
        # (2) The largest that the log signed decides how far the log goes.
        head = self._head(pointer, kept)
        if head:
            self._walk(head, set(kept), self._loose(head, pointer, known))
        # (3) What the tree does not need must agree with what it does.
        self._look_at_names(head.size if head else 0)
        if head is None and self._uncovered and not self._shelf.findings:
            unsigned = Finding("log/tile", "unsigned", "no checkpoint covers what rests", Verdict.UNDECIDABLE)
            self._shelf.findings.append(unsigned)
        return LogReport(
            checkpoint=head,
            findings=tuple(self._shelf.findings),
            unlisted=self._shelf.unlisted,
            entries=self._entries,
            objects=self._shelf.objects,
            size_bytes=self._shelf.size_bytes,
            uncovered=self._uncovered,
        )

    # --- checkpoints ------------------------------------------------------------------------

    def _kept_sizes(self) -> Iterator[int]:
        for key in self._shelf.store.keys(CHECKPOINTS_PREFIX):
            digits = re.sub("[x/]", "", key.removeprefix(CHECKPOINTS_PREFIX))
            if digits.isdecimal() and len(digits) < 20 and checkpoint_key(int(digits)) == key:
                yield int(digits)
            else:
                self._shelf.blame(key, "unexpected", "no checkpoint has this name")

    def _pointer(self, kept: Sequence[int]) -> SignedCheckpoint | None:
        if not kept and not self._shelf.store.exists(CHECKPOINT_KEY):
            return None  # nothing was published yet
        return self._open(CHECKPOINT_KEY, where="the newest checkpoint")

    def _open(self, key: str, *, where: str) -> SignedCheckpoint | None:
        note = self._shelf.take(key, LARGEST_NOTE, where=where)
        if note is None:
            return None
        try:
            return open_checkpoint(note, origin=self._origin, verifiers=self._verifiers)
        except IntegrityError as error:
            self._shelf.blame(key, error.code, error.message)
            return None

    def _open_kept(self, size: int) -> SignedCheckpoint | None:
        key = checkpoint_key(size)
        signed = self._open(key, where=f"the checkpoint of size {size}")
        if signed and signed.size != size:
            self._shelf.blame(key, "misplaced", f"it is the checkpoint of size {signed.size}")
            return None
        return signed

    def _head(self, pointer: SignedCheckpoint | None, kept: list[int]) -> SignedCheckpoint | None:
        # What lies beyond the head is taken off `kept`; it was opened here, and blamed if it does not hold.
        while kept and (pointer is None or kept[-1] > pointer.size):
            larger = self._open_kept(kept.pop())
            if larger:
                if pointer:
                    where = f"size {pointer.size}, though {checkpoint_key(larger.size)} was signed"
                    self._shelf.blame(CHECKPOINT_KEY, "rolled-back", where)
                return larger
        return pointer

    def _loose(
        self, head: SignedCheckpoint, pointer: SignedCheckpoint | None, known: Sequence[SignedCheckpoint]
    ) -> dict[int, list[_Named]]:
        # Checkpoints that are open already, by size.
        named = [(_KEPT_BY_AUDITOR, signed) for signed in known]
        if pointer:
            named.append((CHECKPOINT_KEY, pointer))
        if head is not pointer:
            named.append((checkpoint_key(head.size), head))
        loose: dict[int, list[_Named]] = {}
        for name, signed in named:
            loose.setdefault(signed.size, []).append((name, signed))
        lost = max(loose)
        if lost > head.size:
            where = f"size {head.size}, though the auditor keeps a checkpoint of size {lost}"
            self._shelf.blame(CHECKPOINT_KEY, "rolled-back", where)
        return loose

    # --- tree -------------------------------------------------------------------------------

    def _walk(self, head: SignedCheckpoint, kept: set[int], loose: dict[int, list[_Named]]) -> None:
        walk = LogWalk(self._shelf, head.size, head.root, self._visit)
        agreed = 0
        for size, root in walk.roots_at(iter(sorted(size for size in kept | set(loose) if size < head.size))):
            named = loose.get(size, [])
            if size in kept and (signed := self._open_kept(size)):
                named = [*named, (checkpoint_key(size), signed)]
            wrong = [name for name, signed in named if signed.root != root]
            # Damage before this size is noted where it is, not again as another root; but a walk that
            # ends at a wrong root never ends without a word.
            is_noted = walk.is_guessing and (size < head.size or bool(self._shelf.findings))
            for name in wrong if not is_noted else ():
                where = f"at size {size} the entries lead to {root.hex()}; the log agrees up to size {agreed}"
                self._shelf.blame(name, "another-root", where)
            agreed = agreed if wrong else size

    def _visit(self, index: int, entry: bytes) -> None:
        self._entries += 1
        if self._onward:
            self._onward(index, entry)

    # --- names and outgrown objects -----------------------------------------------------------

    def _look_at_names(self, size: int) -> None:
        for key in self._shelf.store.keys("log/"):
            if key == CHECKPOINT_KEY or key.startswith((CHECKPOINTS_PREFIX, TOKENS_PREFIX)):
                continue
            place = _place_of(key)
            if place is None:
                self._shelf.blame(key, "unexpected", "no object of the log has this name")
                continue
            needed = tile_width(size, place.level, place.number)
            self._uncovered += place.width > needed
            if needed and place.width != needed:
                self._compare(key, place, place.key(needed))

    def _compare(self, key: str, place: "_Place", other: str) -> None:
        # Bundles and tiles are written so that the narrower is the beginning of the wider.
        if self._shelf.is_blamed(other):
            return
        here = self._shelf.take(key, LARGEST_BUNDLE, where="an outgrown or unfinished object")
        if self._wide[0] != other:
            self._wide = (other, self._shelf.take(other, LARGEST_BUNDLE, where=f"beside {key}"))
        there = self._wide[1]
        if here is None or there is None:
            return
        if not place.fits(here):
            self._shelf.blame(key, "misshapen", f"it is not {place.width} wide")
        elif not (there.startswith(here) or here.startswith(there)):
            self._shelf.blame(key, "altered", f"it does not agree with {other}")


@dataclass(frozen=True, slots=True)
class _Place:
    """What the key of a tile or bundle says; a bundle is as wide as the tile of level 0."""

    level: int
    number: int
    width: int
    is_bundle: bool

    def key(self, width: int) -> str:
        if self.is_bundle:
            return entries_key(self.number, width=width)
        return tile_key(self.level, self.number, width=width)

    def fits(self, data: bytes) -> bool:
        """True when `data` holds as many entries or hashes as the key says."""
        if not self.is_bundle:
            return len(data) == self.width * HASH_SIZE
        try:
            return len(split_bundle(data, self.width)) == self.width
        except IntegrityError:
            return False


def _place_of(key: str) -> _Place | None:
    match = _TILE.fullmatch(key)
    if not match:
        return None
    level, digits, width = match.groups()
    is_bundle = level == "entries"
    number = int(re.sub("[x/]", "", digits))
    place = _Place(0 if is_bundle else int(level), number, int(width or TILE_WIDTH), is_bundle)
    try:
        # One spelling each: no leading zeros, and no width of 256.
        return place if place.key(place.width) == key else None
    except BadInput:
        return None
