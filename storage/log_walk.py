# SPDX-License-Identifier: Apache-2.0
"""This is where the tree of the custody log is computed anew from its entries, beside the tiles at rest.

Where the two differ, the level above decides which of them was changed: the hashes that lead to what
rests there (at the right edge: to the signed root) are the true ones, and the walk goes on with those, so
that one change is reported once, where it was made. Memory: one tile a level and one bundle.
"""

from collections.abc import Callable, Iterator

from evidence.errors import IntegrityError, LogInconsistent, NotFound
from evidence.merkle import EMPTY_ROOT, HASH_SIZE, CompactRange, leaf_hash, root_of_joined
from evidence.verdict import Finding
from storage.layout import TILE_WIDTH, entries_key, tile_key
from storage.objects import ObjectStore
from storage.tiles import LARGEST_BUNDLE, LARGEST_TILE, TILE_HEIGHT, hashes, split_bundle, tile_width

MOST_FINDINGS = 1000
Visit = Callable[[int, bytes], None]
_UNKNOWN = bytes(HASH_SIZE)


class Shelf:
    """The store as a checker reads it: everything counted, what does not hold noted instead of raised."""

    def __init__(self, store: ObjectStore) -> None:
        self.store = store
        self.findings: list[Finding] = []
        self.unlisted = 0
        self.objects = 0
        self.size_bytes = 0

    def blame(self, key: str, what: str, where: str) -> None:
        """Note that the object at `key` does not hold; from the thousandth on only the number is kept."""
        if len(self.findings) < MOST_FINDINGS:
            self.findings.append(Finding(key, what, where))
        else:
            self.unlisted += 1

    def is_blamed(self, key: str) -> bool:
        """True when something was noted about the object at `key`."""
        return any(finding.object == key for finding in self.findings)

    def take(self, key: str, limit: int, *, where: str) -> bytes | None:
        """The bytes at rest under `key`; None, and noted, when they are missing or no plain object.

        Raises:
            StoreUnavailable: nothing can be said.

        """
        try:
            data = self.store.read(key, limit=limit)
        except NotFound:
            self.blame(key, "missing", where)
            return None
        except IntegrityError as error:
            self.blame(key, "unreadable", f"{where}: {error.message}")
            return None
        self.objects += 1
        self.size_bytes += len(data)
        return data


class LogWalk:
    """One pass over a log of `size` entries whose signed root is `root`, bundle by bundle.

    `visit` is called with (index, entry) in order, only for entries that hold in their bundle and tile.
    Whether all of it leads to the root is known when the walk is over.
    """

    def __init__(self, shelf: Shelf, size: int, root: bytes, visit: Visit) -> None:
        self.is_guessing = False
        self._shelf, self._size, self._root, self._visit = shelf, size, root, visit
        self._above: list[bytearray] = []  # [i]: hashes of level i + 1 that await their full tile
        self._held: dict[int, tuple[int, bytes | None]] = {}
        self._done = CompactRange()  # of full bundles

    def roots_at(self, sizes: Iterator[int]) -> Iterator[tuple[int, bytes]]:
        """Walk, and give the root at each of `sizes` (ascending, all below the log's) and last at its own.

        After more findings than the shelf lists, the walk ends early, without the last root.
        A root is worth nothing once `is_guessing`: some hash before it could not be decided, and
        the shelf's findings say which (or will, when the walk is over).
        """
        wanted = next(sizes, None)
        leaves = b""
        for number in range(-(-self._size // TILE_WIDTH)):
            if self._shelf.unlisted:
                return  # a stolen key can sign any size: what is not there is not looked for without end
            start, width = number * TILE_WIDTH, tile_width(self._size, 0, number)
            leaves, part = self._leaves(number, width), CompactRange()
            while wanted is not None and wanted < start + width:
                for place in range(part.size, wanted - start):
                    part.append(hashes(leaves, place, place + 1))
                yield wanted, CompactRange(wanted, [*self._done.edge, *part.edge]).root()
                wanted = next(sizes, None)
            if width == TILE_WIDTH:
                self._close(number, root_of_joined(leaves))
                leaves = b""
        yield self._size, self._finish(leaves)

    def _leaves(self, number: int, width: int) -> bytes:
        entries = self._entries(number, width)
        stored = self._stored(0, number)
        computed = None if entries is None else b"".join([leaf_hash(entry) for entry in entries])
        leaves = self._agreed(0, number, computed, stored, b"")
        if leaves is None:
            self.is_guessing = True
            leaves = stored or _UNKNOWN * width
        if width == TILE_WIDTH and self._parent(0, number) not in (None, root_of_joined(leaves)):
            self.is_guessing = True  # which of the two is wrong is settled when the level above is
        for place, entry in enumerate(entries or ()):
            if computed == leaves or leaf_hash(entry) == hashes(leaves, place, place + 1):
                self._visit(number * TILE_WIDTH + place, entry)
        return leaves

    def _entries(self, number: int, width: int) -> list[bytes] | None:
        key = entries_key(number, width=width)
        bundle = self._shelf.take(key, LARGEST_BUNDLE, where=self._span(0, number * TILE_WIDTH, width))
        if bundle is None:
            return None
        try:
            return split_bundle(bundle, width)
        except LogInconsistent as error:
            place = self._first_wrong(number, bundle, int(str(error.values["entry"])))
            self._shelf.blame(key, "misshapen", f"from entry {number * TILE_WIDTH + place} on: {error.message}")
            return None

    def _first_wrong(self, number: int, bundle: bytes, readable: int) -> int:
        """The first entry that its tile does not know, of a bundle of which only so many entries can be read."""
        tile = self._stored(0, number)
        for place in range(readable if tile is not None else 0):
            end = 2 + int.from_bytes(bundle[:2], "big")
            if leaf_hash(bundle[2:end]) != hashes(tile or b"", place, place + 1):
                return place
            bundle = bundle[end:]
        return readable

    def _stored(self, level: int, number: int) -> bytes | None:
        # Parent and children are asked for in turn, always of the newest tile of each level.
        if self._held.get(level, (-1, None))[0] != number:
            self._held[level] = (number, self._take_tile(level, number))
        return self._held[level][1]

    def _take_tile(self, level: int, number: int) -> bytes | None:
        key, width = self._tile_key(level, number), tile_width(self._size, level, number)
        tile = self._shelf.take(key, LARGEST_TILE, where=self._span(level, number * TILE_WIDTH, width))
        if tile is not None and len(tile) != width * HASH_SIZE:
            self._shelf.blame(key, "misshapen", f"{len(tile)} bytes, not {width} hashes")
            return None
        return tile

    def _close(self, number: int, root: bytes) -> None:
        # A bundle is full: its root is a leaf one level up, and so on as tiles fill.
        self._done.append(root)
        level = 1
        while True:
            if len(self._above) < level:
                self._above.append(bytearray())
            above = self._above[level - 1]
            above += root
            if len(above) < LARGEST_TILE:
                return
            number //= TILE_WIDTH
            root = root_of_joined(self._settled(level, number, bytes(above), b""))
            above.clear()
            level += 1

    def _finish(self, leaves: bytes) -> bytes:
        # The right edge: each open tile, and after its last hash the root of all that is below it.
        tail = root_of_joined(leaves) if leaves else b""
        for level, above in enumerate(self._above, start=1):
            if above:
                number = (self._size >> TILE_HEIGHT * level) // TILE_WIDTH
                tail = root_of_joined(self._settled(level, number, bytes(above), tail) + tail)
        return tail or EMPTY_ROOT

    def _settled(self, level: int, number: int, computed: bytes, tail: bytes) -> bytes:
        agreed = self._agreed(level, number, computed, self._stored(level, number), tail)
        self.is_guessing |= agreed is None
        return computed if agreed is None else agreed

    def _agreed(
        self, level: int, number: int, computed: bytes | None, stored: bytes | None, tail: bytes
    ) -> bytes | None:
        """The hashes that are true; None when that cannot be known. What was changed is blamed."""
        if computed is not None and computed == stored:
            return computed
        if computed is not None and self._leads_up(level, number, computed, tail):
            self._blame_tile(level, number, computed, stored, "altered")
            return computed
        if stored is not None and self._leads_up(level, number, stored, tail):
            self._blame_below(level, number, computed, stored)
            return stored
        self._blame_tile(level, number, computed, stored, "altered, or what it hashes is")
        return None

    def _leads_up(self, level: int, number: int, packed: bytes, tail: bytes) -> bool:
        if len(packed) == LARGEST_TILE:
            return root_of_joined(packed) == self._parent(level, number)
        root = root_of_joined(packed + tail)
        for above in self._above[level:]:
            root = root_of_joined(bytes(above) + root)
        return root == self._root

    def _parent(self, level: int, number: int) -> bytes | None:
        # The hash at rest one level up that stands for full tile `number`.
        above, place = divmod(number, TILE_WIDTH)
        tile = self._stored(level + 1, above)
        return None if tile is None else hashes(tile, place, place + 1)

    def _blame_tile(self, level: int, number: int, computed: bytes | None, stored: bytes | None, what: str) -> None:
        if computed is None or stored is None:
            return  # what is missing was noted when it was looked for
        places = _differences(computed, stored)
        span = self._span(level, number * TILE_WIDTH + places[0], 1)
        more = f", and {len(places) - 1} more to hash {places[-1]}" if len(places) > 1 else ""
        self._shelf.blame(self._tile_key(level, number), what, f"hash {places[0]} = {span}{more}")

    def _blame_below(self, level: int, number: int, computed: bytes | None, stored: bytes) -> None:
        tile = self._tile_key(level, number)
        for place in _differences(computed, stored) if computed is not None else ():
            below = number * TILE_WIDTH + place
            if level == 0:
                key = entries_key(number, width=tile_width(self._size, 0, number))
                self._shelf.blame(key, "altered", f"entry {below} is not hash {place} of {tile}")
                continue
            key = entries_key(below) if level == 1 else self._tile_key(level - 1, below)
            if not self._shelf.is_blamed(key) and not self._shelf.is_blamed(self._tile_key(level - 1, below)):
                span = self._span(level, below, 1)
                self._shelf.blame(key, "altered", f"{span} do not lead to hash {place} of {tile}")

    def _tile_key(self, level: int, number: int) -> str:
        return tile_key(level, number, width=tile_width(self._size, level, number))

    def _span(self, level: int, first: int, count: int) -> str:
        start, end = first << TILE_HEIGHT * level, (first + count) << TILE_HEIGHT * level
        return f"entry {start}" if end == start + 1 else f"entries {start} to {min(end, self._size) - 1}"


def _differences(one: bytes, other: bytes) -> list[int]:
    count = len(one) // HASH_SIZE
    return [place for place in range(count) if hashes(one, place, place + 1) != hashes(other, place, place + 1)]
