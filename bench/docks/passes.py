# SPDX-License-Identifier: Apache-2.0
"""This is where every pass over a recording's bytes, from the device to the receipt, is timed by itself.

In seconds of one processor and not of the wall, by the functions that do it: what other programs take meanwhile
changes little, and the sum says how fast a machine with so many processors could be at best.
"""

import os
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from statistics import median
from typing import Any
from unittest.mock import patch

from bench.footage import film_long
from bench.result import Result, figures_of, paragraphs
from bench.timing import warm
from devices.agent.measuring import FileSha256
from devices.agent.pieces import Sent, blocks, measured
from devices.agent.spool import PIECE_BYTES
from evidence.digest import Digest
from pipeline import spool
from pipeline.inside import look_inside
from pipeline.media.limits import Completed, run_limited
from pipeline.received_piece import Piece
from storage.durable import write_all
from storage.objects_file import DirectoryStore
from web.server.certificate import own

_SIZE = 256 << 20
_BLOCK = 1 << 19
_ASKED = 256 << 10  # so much asyncio asks of a socket at once
_COMPARED = paragraphs("""
Seconds of one processor for each GiB, by the functions that do it, over one recording of 256 MiB in the page cache;
the system's work for them counts, waiting for the disk does not. Left out is what HTTP costs beside TLS: on the
server taking 16 KiB at a time through its event loop, handing blocks to threads; and the journal and the ledger.

The last line is the least that this machine could take for a GiB, were nothing else done on it, no step ever waiting
for another, and no disk. To be at 0.7 of cp, a machine needs so many processors that this is 1.4 times what cp and
fsync take for a GiB.

The store's copy is read back from the disk: the page cache is asked to forget it first. The received file becomes
the spool's and then the store's by further names, so that nothing is written after the server's one write.

Each pass is a safeguard: the station's own digest of what it read, a piece that is wrong sent again and not the file,
the commitments to chunks and packets, and the store read back from its disk. What would spare two of the seven readings
by SHA-256 is to give each piece the digest of all up to its end, which the station has while it reads and the server
could go on from; that is another checksum than tus knows, and is not built.
""")


def measure_passes(folder: Path, *, repeats: int) -> Result:
    """What each pass costs, and their sum."""
    film = film_long(folder / "film", size_bytes=_SIZE, grain=20).path
    warm(film)
    per_gib = (1 << 30) / film.stat().st_size
    figures, rows = {}, []
    for who, name, work in _passes(folder, film):
        taken = [per_gib * one for one in (work() for _ in range(repeats))]
        figures[f"{who}: {name}"] = figures_of(taken)
        rows.append((name, who, f"{median(taken):.2f} s"))
    sum_s = sum(float(one["median"]) for name, one in figures.items() if not name.startswith("cp"))
    processors = os.cpu_count() or 1
    rows.append(("all but cp", "", f"{sum_s:.2f} s"))
    rows.append((f"spread over {processors} processors", "", f"{sum_s / processors:.2f} s"))
    title = "What every pass over the bytes costs"
    return Result("passes", title, _COMPARED, ("pass", "where", "of one processor, a GiB"), tuple(rows), figures)


def _passes(folder: Path, film: Path) -> Iterator[tuple[str, str, Callable[[], float]]]:
    copy, came, size = folder / "copy", folder / "came", film.stat().st_size
    files = spool.Spooled(folder / "original", folder / "chunks", folder / "packets")
    yield "cp", "read and write", lambda: _of_thread(lambda: _copied(film, copy), anew=[copy])
    yield "station", "read the device, write the spool", lambda: _of_thread(lambda: _copied(film, copy), anew=[copy])
    yield "station", "SHA-256 of the whole, of what was read", lambda: _of_thread(lambda: _hashed(film))
    yield "station", "read the spool, SHA-256 of each piece", lambda: _of_thread(lambda: _pieces(film, size))
    yield "station", "read the spool, TLS, send", lambda: _sent(folder, film, size)[0]
    yield "server", "receive, TLS", lambda: _sent(folder, film, size)[1]
    yield "server", "SHA-256 of each piece, write", lambda: _of_thread(lambda: _received(film, came), anew=[came])
    yield "worker", "read, SHA-256 of the whole", lambda: _of_thread(lambda: _adopted(film, files, size))
    yield "worker", "read, SHA-256 of each 64 KiB (chunk tree)", lambda: _of_thread(lambda: spool.measure_chunks(files))
    yield "worker", "read, SHA-256 of each packet (packet tree), a child", lambda: _of_child(files, film.name)
    yield "worker", "read back from the store, SHA-256 of the whole", lambda: _read_back(folder, film, size)


def _of_thread(work: Callable[[], object], *, anew: Sequence[Path] = ()) -> float:
    """Seconds of a processor that `work` costs; the files `anew` are not there when it begins."""
    for path in anew:
        path.unlink(missing_ok=True)
    before = time.thread_time()
    work()
    return time.thread_time() - before


def _blocks_of(path: Path, size: int = _BLOCK) -> Iterator[memoryview]:
    buffer = memoryview(bytearray(size))
    with path.open("rb", buffering=0) as file:
        while count := file.readinto(buffer):
            yield buffer[:count]


def _copied(film: Path, target: Path) -> None:
    with target.open("wb", buffering=0) as out:
        for block in _blocks_of(film):
            write_all(out.fileno(), block)


def _hashed(film: Path) -> None:
    block, whole = memoryview(os.urandom(_BLOCK)), FileSha256(film.stat().st_size)
    for _ in range(film.stat().st_size // _BLOCK):
        whole.update(block)


def _pieces(film: Path, size: int) -> None:
    with film.open("rb", buffering=0) as file:
        for at in range(0, size, PIECE_BYTES):
            measured(file.fileno(), at, min(size, at + PIECE_BYTES))


def _sent(folder: Path, film: Path, size: int) -> tuple[float, float]:
    """What sending costs one thread, and receiving another: the same TLS as between a station and its server."""
    took, ours = list[float](), ssl.create_default_context()
    ours.check_hostname, ours.verify_mode = False, ssl.CERT_NONE
    theirs = own(folder, host="127.0.0.1", now=datetime.now(UTC)).context()
    with ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))

        def receive() -> None:
            with theirs.wrap_socket(listener.accept()[0], server_side=True) as wire:
                buffer = bytearray(_ASKED)
                took.append(_of_thread(lambda: _drained(wire, buffer)))

        receiver = threading.Thread(target=receive)
        receiver.start()
        file = stack.enter_context(film.open("rb", buffering=0))
        with ours.wrap_socket(socket.create_connection(listener.getsockname())) as wire:
            sent = _of_thread(lambda: _poured(wire, blocks(file.fileno(), 0, size, Sent())))
        receiver.join()
    return sent, took[0]


def _poured(wire: ssl.SSLSocket, given: Iterator[memoryview]) -> None:
    for block in given:
        wire.sendall(block)


def _drained(wire: ssl.SSLSocket, buffer: bytearray) -> None:
    while wire.recv_into(buffer):
        pass


def _received(film: Path, came: Path) -> None:
    with came.open("wb", buffering=0) as out:
        piece = Piece(out.fileno(), out.fileno(), at=0, limit=None)  # never settled: nothing goes to the ledger
        for block in _blocks_of(film):
            piece.write(block)


def _adopted(film: Path, files: spool.Spooled, size: int) -> None:
    files.original.unlink(missing_ok=True)
    spool.adopt_measured(film, files.original, size_bytes=size)


def _of_child(files: spool.Spooled, name: str) -> float:
    """What the child says that it used: it is a grandchild of ours, whose time the system does not tell us."""
    took = list[float]()

    def counting(argv: Sequence[str], **options: Any) -> Completed:
        done = run_limited(argv, **options)
        took.append(done.cpu_s)
        return done

    with patch("pipeline.media.media_child.run_limited", counting):
        look_inside(files, name=name)
    return sum(took)


def _read_back(folder: Path, film: Path, size: int) -> float:
    store = DirectoryStore(folder / "objects")
    digest = sha256()
    for block in _blocks_of(film):
        digest.update(block)
    key = f"originals/{digest.hexdigest()[:2]}/{digest.hexdigest()[2:4]}/{digest.hexdigest()}"
    store.put_once(key, film, digest=Digest(digest.digest(), size))
    return _of_thread(lambda: store.measure(key))
