# SPDX-License-Identifier: Apache-2.0
"""This is where envelopes are timed beside plain objects, in turn, in one folder: `python -m bench.envelopes`."""

import os
import random
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console

from bench.report import print_result
from bench.result import Result, figures_of, paragraphs, seconds
from bench.timing import timed, warm
from evidence.digest import Digest
from storage.enveloped.keyring import Keyring
from storage.enveloped.store import EnvelopedStore
from storage.layout import original_key
from storage.objects import ObjectStore
from storage.objects_file import DirectoryStore
from storage.reading import blocks_of_source, digest_of, opened_source

_SIZE = 256 << 20
_RANGES = 1000
_RANGE = 20_000
_COMPARED = paragraphs("""
A file of 256 MiB, a directory store, the same with envelopes over it, by turns; one round unmeasured first. *given*: a
spool file that is durable already becomes the object, which is a second name without envelopes and a whole write with
them. *lent*: copied either way. *measure*: the page cache is asked to forget the file first. *1000 ranges*: of
20,000 bytes each, at random places, page cache warm.
""")

Work = Callable[[Path, ObjectStore, str], float]


def measure_envelopes(folder: Path, *, repeats: int) -> Result:
    """Each way in and out, plain and in an envelope."""
    source = folder / "source"
    source.write_bytes(os.urandom(_SIZE))
    digest = _digest(source)
    stores: dict[str, ObjectStore] = {"plain": DirectoryStore(folder / "plain"), "envelope": _enveloped(folder)}
    key = original_key(digest.hex)
    for store in stores.values():
        store.put_once(key, source, digest=digest)
    taken: dict[str, dict[str, list[float]]] = {}
    for number in range(repeats + 1):
        for name, work in _works(source, digest).items():
            for kind, store in stores.items():
                once = work(folder, store, key)
                if number:
                    taken.setdefault(name, {}).setdefault(kind, []).append(once)
    rows = tuple((f"{name}, {kind}", *seconds(times)) for name, kinds in taken.items() for kind, times in kinds.items())
    figures = {name: {kind: figures_of(times) for kind, times in kinds.items()} for name, kinds in taken.items()}
    columns = ("256 MiB", "median", "least to most")
    return Result("envelopes", "A data key for each recording: what it costs", _COMPARED, columns, rows, figures, ())


def _works(source: Path, digest: Digest) -> dict[str, Work]:
    def put(*, give: bool) -> Work:
        def putting(folder: Path, store: ObjectStore, key: str) -> float:
            with _durable_copy(source, folder) as copy, _room_for(store, folder, key):
                return timed(lambda: store.put_once(key, copy, digest=digest, give=give))

        return putting

    return {
        "put, given": put(give=True),
        "put, lent": put(give=False),
        "measure": lambda _, store, key: timed(lambda: store.measure(key)),
        "read in blocks": lambda _, store, key: timed(lambda: sum(map(len, store.blocks(key)))),
        f"{_RANGES} ranges": lambda _, store, key: timed(lambda: _ranges(store, key)),
    }


def _ranges(store: ObjectStore, key: str) -> None:
    chance = random.Random(1)
    for _ in range(_RANGES):
        store.read_range(key, chance.randrange(_SIZE), _RANGE)


@contextmanager
def _durable_copy(source: Path, folder: Path) -> Iterator[Path]:
    """A copy as the spool has it when it is sealed: durable, and in the page cache."""
    copy = folder / "spooled"
    shutil.copyfile(source, copy)
    with copy.open("rb") as file:
        os.fsync(file.fileno())
    warm(copy)
    yield copy
    copy.unlink()


@contextmanager
def _room_for(store: ObjectStore, folder: Path, key: str) -> Iterator[None]:
    """Take the object away, by hand, so that it is put anew."""
    root = folder / ("envelope" if isinstance(store, EnvelopedStore) else "plain")
    (root / key).unlink()
    yield
    store.measure(key)


def _enveloped(folder: Path) -> EnvelopedStore:
    keys = Keyring.create_or_load(folder / "keys", chance=os.urandom)
    inner = DirectoryStore(folder / "envelope")
    return EnvelopedStore(inner, keys, chance=os.urandom, rooms=folder / "opened", lends_itself=True)


def _digest(path: Path) -> Digest:
    with opened_source(path) as descriptor:
        return digest_of(blocks_of_source(descriptor, path))


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="evidock-bench-", dir=sys.argv[1] if sys.argv[1:] else None) as made:
        print_result(measure_envelopes(Path(made), repeats=7), Console())
