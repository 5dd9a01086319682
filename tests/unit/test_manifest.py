# SPDX-License-Identifier: Apache-2.0
"""This is where the written list of a dock's folder is tested: whole, exact, and refused when touched."""

import hashlib
import io
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from devices.manifest import Row, Summary, read_manifest, row_of, write_manifest
from devices.safe_open import open_root
from devices.settle import Reason, Snapshot
from devices.walk import Entry, walk
from evidence.errors import RecordMalformed, SourceUnavailable

A_FILE = Snapshot(size_bytes=7, mtime_ns=1_781_834_604_000_000_001, inode=1, device=1)


def written(entries: list[Entry], dock: str = "north") -> tuple[bytes, Summary]:
    out = io.BytesIO()
    summary = write_manifest(dock, entries, out)
    return out.getvalue(), summary


def rows(text: bytes) -> list[Row]:
    return list(read_manifest(io.BytesIO(text)))


ENTRIES = [
    Entry("DCIM", A_FILE, Reason.FOLDER),
    Entry("DCIM/a\tb\n.mp4", A_FILE, None),
    Entry("DCIM/a.tmp", A_FILE, Reason.PARTIAL),
    Entry("DCIM/broken", None, Reason.UNREADABLE),
    Entry("link", A_FILE, Reason.SYMLINK),
    Entry("视频\udcff.mp4", A_FILE, None),
]


def test_the_text_of_a_manifest_is_exactly_this() -> None:
    text, summary = written(ENTRIES)
    body = (
        "evidock-manifest-v1\tnorth\n"
        "folder\tfolder\t7\t1781834604000000001\tDCIM\n"
        "file\ttaken\t7\t1781834604000000001\tDCIM/a\\u0009b\\u000a.mp4\n"
        "file\tpartial-name\t7\t1781834604000000001\tDCIM/a.tmp\n"
        "unknown\tunreadable\t-\t-\tDCIM/broken\n"
        "symlink\tsymlink\t7\t1781834604000000001\tlink\n"
        "file\ttaken\t7\t1781834604000000001\t视频\\xff.mp4\n"
    ).encode()
    assert text == body + f"end\t6\t{hashlib.sha256(body).hexdigest()}\n".encode()
    assert (summary.names, summary.taken, summary.taken_bytes) == (6, 2, 14)
    assert summary.digest is not None
    assert (summary.digest.hex, summary.digest.size_bytes) == (hashlib.sha256(text).hexdigest(), len(text))


def test_a_manifest_comes_back_row_for_row() -> None:
    assert rows(written(ENTRIES)[0]) == [row_of(entry) for entry in ENTRIES]


def test_an_empty_folder_has_a_manifest() -> None:
    assert rows(written([])[0]) == []


def test_a_manifest_with_any_bit_flipped_is_refused() -> None:
    text, _ = written(ENTRIES[:2])
    start = text.index(b"\n") + 1
    for position in range(start, len(text)):
        for bit in range(8):
            flipped = bytearray(text)
            flipped[position] ^= 1 << bit
            with pytest.raises(RecordMalformed):
                rows(bytes(flipped))


def test_a_flipped_bit_in_the_first_line_is_refused() -> None:
    text, _ = written(ENTRIES[:2])
    for position in range(text.index(b"\n") + 1):
        flipped = bytearray(text)
        flipped[position] ^= 1
        with pytest.raises(RecordMalformed):
            rows(bytes(flipped))


def test_a_manifest_cut_anywhere_is_refused() -> None:
    text, _ = written(ENTRIES)
    for length in range(len(text)):
        with pytest.raises(RecordMalformed):
            rows(text[:length])


def test_a_manifest_with_a_row_taken_out_or_anything_after_its_end_is_refused() -> None:
    text, _ = written(ENTRIES)
    lines = text.splitlines(keepends=True)
    for changed in (lines[:2] + lines[3:], [*lines, b"\n"], [*lines, *lines]):
        with pytest.raises(RecordMalformed):
            rows(b"".join(changed))


def test_a_line_without_end_is_refused_before_it_fills_the_memory() -> None:
    with pytest.raises(RecordMalformed):
        rows(b"evidock-manifest-v1\tn\n" + b"x" * 10_000_000)


def test_a_walk_that_breaks_off_leaves_a_text_that_is_refused() -> None:
    def pulled() -> Iterator[Entry]:
        yield ENTRIES[1]
        raise SourceUnavailable("the medium has gone")

    out = io.BytesIO()
    with pytest.raises(SourceUnavailable):
        write_manifest("north", pulled(), out)
    with pytest.raises(RecordMalformed):
        rows(out.getvalue())


def test_the_same_folder_gives_the_same_manifest_in_the_order_of_bytes(tmp_path: Path) -> None:
    for name in ("b.mp4", "a/z.mp4", "a/B.mp4", "Z.mp4", "é.mp4"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"footage")
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.mp4")).touch()
    texts = []
    for _ in range(2):
        with open_root(tmp_path) as at:
            texts.append(written(list(walk(at, in_order=True)))[0])
    assert texts[0] == texts[1]
    assert [row.path for row in rows(texts[0])] == [
        "Z.mp4",
        "a",
        "a/B.mp4",
        "a/z.mp4",
        "b.mp4",
        "é.mp4",
        "\udcff.mp4",
    ]
