# SPDX-License-Identifier: Apache-2.0
"""This is where packets that do not lie in one piece in the original are put together again, by a demuxer.

A transport stream cuts every packet into cells of 188 bytes; other containers lace or escape them.
The stretch of the original that holds them is demuxed in a process under limits, and each
packet that comes out is known by its hash: what else the demuxer makes is left aside.
"""

import contextlib
import tempfile
from collections.abc import Iterator, Sequence
from hashlib import sha256
from pathlib import Path

from pipeline.media.boxes import ReadRange
from pipeline.media.clip_media import mismatch
from pipeline.media.clip_plan import StreamPlan
from pipeline.media.clip_tracks import Placed
from pipeline.media.media_child import ask, limits_for
from pipeline.media.packet_table import TableHeader

# The tables that say which cells belong to which stream are repeated at least twice a second
# (ISO/IEC 13818-1 §2.4.4); the head of the file also lets the demuxer learn the codecs.
_HEAD_BYTES = 188 * 192 * 8
_BEFORE_BYTES, _AFTER_BYTES = 188 * 192 * 4, 188 * 192 * 8
_PIECE_BYTES = 8 << 20


@contextlib.contextmanager
def fetch_scattered(
    header: TableHeader,
    plans: Sequence[StreamPlan],
    order: Sequence[Placed],
    *,
    read: ReadRange,
    folder: Path,
) -> Iterator[Iterator[memoryview]]:
    """The payloads of `order`, one by one, each compared with its hash in the packet table.

    Raises:
        FixityMismatch: a packet does not come out as it was measured.
        Undecodable: the stretch cannot be demuxed within limits.
    """
    with tempfile.TemporaryDirectory(dir=folder, prefix=".stretch-") as scratch:
        stretch, payloads = Path(scratch).absolute() / "stretch", Path(scratch) / "payloads"
        size_bytes = _copy(stretch, _parts(header, order), read)
        found = ask(
            "pipeline.media.scattered_child",
            [str(stretch), header.container, header.demuxer, payloads.name],
            reads=stretch,
            folder=Path(scratch),
            limits=limits_for(size_bytes),
            keeps={payloads.name: payloads},
        )
        places = {digest: (offset, size) for digest, offset, size in found["packets"]}
        with payloads.open("rb") as file:

            def take() -> Iterator[memoryview]:
                for placed in order:
                    digest = plans[placed.stream].rows["sha256"][placed.row].tobytes()
                    if digest.hex() not in places:
                        raise mismatch(placed, plans)
                    offset, size = places[digest.hex()]
                    file.seek(offset)
                    payload = file.read(size)
                    if sha256(payload).digest() != digest:
                        raise mismatch(placed, plans)
                    yield memoryview(payload)

            yield take()


def _parts(header: TableHeader, order: Sequence[Placed]) -> list[tuple[int, int]]:
    """The byte ranges of the original that a demuxer must see, in order.

    A transport stream can be entered anywhere; any other container is read from its beginning.
    """
    if header.demuxer != "mpegts":
        return [(0, header.size_bytes)]
    offsets = [placed.offset for placed in order]
    largest = max(placed.size for placed in order)
    start = max(0, min(offsets) - _BEFORE_BYTES)
    end = min(header.size_bytes, max(offsets) + 2 * largest + _AFTER_BYTES)
    if start <= _HEAD_BYTES:
        return [(0, end)]
    return [(0, _HEAD_BYTES), (start, end)]


def _copy(stretch: Path, parts: Sequence[tuple[int, int]], read: ReadRange) -> int:
    with stretch.open("wb") as file:
        for start, end in parts:
            for at in range(start, end, _PIECE_BYTES):
                file.write(read(at, min(_PIECE_BYTES, end - at)))
        return file.tell()
