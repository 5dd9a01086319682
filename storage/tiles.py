# SPDX-License-Identifier: Apache-2.0
"""This is where the leaves of the custody log rest: entry bundles and hash tiles, each written once.

A bundle holds up to 256 entries, each after its length in two bytes; a tile holds up to 256 hashes,
each the root of a full tile one level below. A partial one carries its width in its name, so that it
too is never written twice with different bytes; appending to it writes the next width beside it. Narrower
partials stay when a wider or the full one is there: readers fall back to the wider one, so they may be
taken away by whoever may remove objects.

Source: C2SP tlog-tiles, "Merkle Tree", "Partial Tiles", "Log entries".
"""

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache

from evidence.errors import BadInput, Conflict, LogInconsistent, NotFound
from evidence.merkle import (
    HASH_SIZE,
    CompactRange,
    SubtreeReader,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    root_of_joined,
)
from storage.layout import TILE_WIDTH, entries_key, tile_key
from storage.objects import ObjectStore

TILE_HEIGHT = 8
LARGEST_ENTRY = 0xFFFF
LARGEST_BUNDLE = TILE_WIDTH * (2 + LARGEST_ENTRY)
LARGEST_TILE = TILE_WIDTH * HASH_SIZE
_CACHED_TILES = 1024  # 8 MiB of hashes for the longest-lived reader


class TiledLog:
    """An append-only list of entries with the Merkle tree over them, as static objects.

    It signs nothing and knows no newest size: `storage/custody_log.py` does. One writer at a time,
    any number of readers. A size given to a reading method is one that was appended to, or less than
    one; all of them raise LogInconsistent when a bundle or tile it needs is missing or misshapen.
    """

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    def append(self, entries: Sequence[bytes], *, at: int) -> bytes:
        """Rest `entries` at indexes `at`, `at` + 1, … durably and return the root over all up to the last.

        Safe to repeat after a death anywhere: the same call writes the same bytes. An index whose
        entry once rested never takes another, whether or not a checkpoint covered it.

        Raises:
            LogInconsistent: another entry rests at one of the indexes, or what rests before `at` does
                not agree with itself. Objects written so far are sound and stay.
            BadInput: an entry is larger than 65,535 bytes; nothing was written.

        Source: C2SP tlog-tiles, "Log entries"; RFC 6962 §2.1.

        """
        for place, entry in enumerate(entries):
            if len(entry) > LARGEST_ENTRY:
                raise BadInput(f"entry {at + place} is {len(entry)} bytes; at most {LARGEST_ENTRY} fit")
        # (1) Entries first: a reader who finds a hash finds its entry too.
        self._append_bundles(entries, at=at)
        # (2) Then hashes from the leaves up: who finds a hash finds the whole tree below it.
        self._append_tiles(b"".join([leaf_hash(entry) for entry in entries]), at=at)
        return self.root(at + len(entries))

    def entries(self, start: int, end: int) -> Iterator[bytes]:
        """Entries `start` to `end` − 1 as they rest, in order; they are not compared with their hashes."""
        while start < end:
            number, skip = divmod(start, TILE_WIDTH)
            width = min(TILE_WIDTH, end - number * TILE_WIDTH)
            yield from split_bundle(self._bundle(number, width), width)[skip:]
            start = number * TILE_WIDTH + width

    def laid_down(self, size: int) -> int:
        """How many entries rest, of which `size` are under a checkpoint: a writer that died may have left more.

        Their places are taken for ever, as `append` says.
        """
        number, found = size // TILE_WIDTH, size
        while widest := self._widest(entries_key(number)):
            found = max(found, number * TILE_WIDTH + widest)
            if widest < TILE_WIDTH:
                break
            number += 1
        return found

    def subtree(self, size: int) -> SubtreeReader:
        """A reader of complete subtrees of the log at `size`; it remembers tiles, so use one for many proofs.

        The reader takes (level, index) and returns the hash over leaves index × 2^level to
        (index + 1) × 2^level − 1; BadInput when that is not wholly inside the log.
        """

        @lru_cache(maxsize=_CACHED_TILES)
        def tile(level: int, number: int) -> bytes:
            return self._tile(level, number, tile_width(size, level, number))

        def read(level: int, index: int) -> bytes:
            if index < 0 or level < 0 or (index + 1) << level > size:
                raise BadInput(f"a log of {size} entries has no subtree {index} of level {level}")
            tile_level, height = divmod(level, TILE_HEIGHT)
            number, offset = divmod(index << height, TILE_WIDTH)
            return root_of_joined(hashes(tile(tile_level, number), offset, offset + (1 << height)))

        return read

    def root(self, size: int) -> bytes:
        """Root over the first `size` entries, from the tiles (RFC 6962 §2.1)."""
        return root_from(self.subtree(size), size)

    def inclusion(self, index: int, size: int) -> list[bytes]:
        """Inclusion proof of entry `index` in the log at `size` (RFC 6962 §2.1.1)."""
        return inclusion_proof(index, size, self.subtree(size))

    def consistency(self, old: int, new: int) -> list[bytes]:
        """Proof that the log at `old` is a prefix of the log at `new` (RFC 6962 §2.1.2)."""
        return consistency_proof(old, new, self.subtree(new))

    def _append_bundles(self, entries: Sequence[bytes], *, at: int) -> None:
        number, width = divmod(at, TILE_WIDTH)
        data = self._edge_bundle(number, width) if entries and width else b""
        taken = 0
        while taken < len(entries):
            more = entries[taken : taken + TILE_WIDTH - width]
            data += pack_bundle(more)
            self._put_bundle(number, width + len(more), data)
            taken += len(more)
            number, width, data = number + 1, 0, b""

    def _edge_bundle(self, number: int, width: int) -> bytes:
        # The open bundle is copied into its successor: what was changed at rest must not spread.
        data = self._bundle(number, width)
        leaves = b"".join(leaf_hash(entry) for entry in split_bundle(data, width))
        if leaves != self._tile(0, number, width):
            raise LogInconsistent(
                f"{entries_key(number, width=width)} does not hash to {tile_key(0, number, width=width)}"
            )
        return data

    def _put_bundle(self, number: int, width: int, data: bytes) -> None:
        # Any width may rest already, left by a writer that died; the widest holds all others.
        widest = self._widest(entries_key(number))
        if widest:
            rests = self._store.read(entries_key(number, width=widest), limit=LARGEST_BUNDLE)
            if not (rests.startswith(data) or data.startswith(rests)):
                raise LogInconsistent(
                    f"{entries_key(number, width=widest)} holds other entries than those to append "
                    f"up to index {number * TILE_WIDTH + width - 1}"
                )
        self._put(entries_key(number, width=width), data)

    def _append_tiles(self, leaves: bytes, *, at: int) -> None:
        level, new = 0, leaves
        while new:
            number, width = divmod(at >> (TILE_HEIGHT * level), TILE_WIDTH)
            edge = self._tile(level, number, width) if width else b""
            new = self._put_tiles(level, number, edge + new)
            level += 1

    def _put_tiles(self, level: int, number: int, packed: bytes) -> bytes:
        # Returns the roots of the tiles that are full: the new hashes of the level above.
        roots = []
        for place in range(0, len(packed), LARGEST_TILE):
            tile = packed[place : place + LARGEST_TILE]
            self._put(tile_key(level, number, width=len(tile) // HASH_SIZE), tile)
            if len(tile) == LARGEST_TILE:
                roots.append(root_of_joined(tile))
            number += 1
        return b"".join(roots)

    def _put(self, key: str, data: bytes) -> None:
        try:
            self._store.put_bytes_once(key, data)
        except Conflict as conflict:
            raise LogInconsistent(f"{key} rests with other bytes", object=key) from conflict

    def _bundle(self, number: int, width: int) -> bytes:
        data, rests = self._read(lambda wide: entries_key(number, width=wide), width, LARGEST_BUNDLE)
        entries = split_bundle(data, rests)
        return data if rests == width else pack_bundle(entries[:width])

    def _tile(self, level: int, number: int, width: int) -> bytes:
        data, rests = self._read(lambda wide: tile_key(level, number, width=wide), width, LARGEST_TILE)
        if len(data) != rests * HASH_SIZE:
            key = tile_key(level, number, width=rests)
            raise LogInconsistent(f"{key} is {len(data)} bytes, not {rests} hashes", object=key)
        return hashes(data, 0, width)

    def _read(self, key: Callable[[int], str], width: int, limit: int) -> tuple[bytes, int]:
        # The width asked for, or else the widest there is, which holds it: partials may be taken away.
        try:
            return self._store.read(key(width), limit=limit), width
        except NotFound as absent:
            widest = self._widest(key(TILE_WIDTH))
            if widest < width:
                raise LogInconsistent(f"{key(width)} is missing", object=key(width)) from absent
            return self._store.read(key(widest), limit=limit), widest

    def _widest(self, full: str) -> int:
        # Greatest width that rests of the bundle or tile with this key when full; 0 when none does.
        if self._store.exists(full):
            return TILE_WIDTH
        partial = f"{full}.p/"
        widths = (key.removeprefix(partial) for key in self._store.keys(partial))
        return max((int(width) for width in widths if width.isdecimal()), default=0)


def tile_width(size: int, level: int, number: int) -> int:
    """Width of tile `number` of `level` in a log of `size` entries: 256, less at its right edge, 0 beyond.

    Bundle `number` is as wide as the tile of level 0. Source: C2SP tlog-tiles, "Partial Tiles".
    """
    return max(0, min(TILE_WIDTH, (size >> (TILE_HEIGHT * level)) - number * TILE_WIDTH))


def root_from(subtree: SubtreeReader, size: int) -> bytes:
    """Root over the first `size` leaves of the tree that `subtree` reads (RFC 6962 §2.1)."""
    levels = [level for level in reversed(range(size.bit_length())) if size >> level & 1]
    return CompactRange(size, [subtree(level, (size >> level) - 1) for level in levels]).root()


def hashes(packed: bytes, start: int, end: int) -> bytes:
    """Hashes `start` to `end` − 1 of a tile, laid end to end as the tile lays them."""
    return packed[start * HASH_SIZE : end * HASH_SIZE]


def pack_bundle(entries: Sequence[bytes]) -> bytes:
    """Entries as a bundle holds them: each after its length in two bytes, the higher first."""
    return b"".join(len(entry).to_bytes(2, "big") + entry for entry in entries)


def split_bundle(bundle: bytes, count: int) -> list[bytes]:
    """The `count` entries of a bundle.

    Raises:
        LogInconsistent: a length points past the end, or bytes are left over; its value `entry` is the
            number of entries before that place.

    """
    entries: list[bytes] = []
    place = 0
    for _ in range(count):
        length = int.from_bytes(bundle[place : place + 2], "big")
        end = place + 2 + length
        if end > len(bundle):
            raise LogInconsistent(f"a bundle ends inside entry {len(entries)} of {count}", entry=len(entries))
        entries.append(bundle[place + 2 : end])
        place = end
    if place != len(bundle):
        raise LogInconsistent(f"a bundle has {len(bundle) - place} bytes after its {count} entries", entry=count)
    return entries
