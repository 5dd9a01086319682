# SPDX-License-Identifier: Apache-2.0
"""This is where a file is examined: what it holds, whether it is whole, and the packet table that proves it.

The file is opened in one child process under limits; nothing of it is parsed in this process.
"""

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

from pipeline.media.examination import Examination
from pipeline.media.media_child import ask, limits_for
from pipeline.media.sniff import TEXT_TRACK, Container

_TABLE = "packets"


def examine(
    path: Path,
    *,
    container: Container,
    table: Path,
    on_progress: Callable[[float], None] | None = None,
) -> Examination:
    """Examine `path`, which `sniff` found to be a `container`, and write its packet table to `table`.

    Safe to repeat: the same bytes give the same examination and the same table. `path` is only read, once
    from one end to the other. Photos and side files have no packets, so no table is written for them.

    Raises:
        IndexMissing: an MP4 without its index.
        Truncated: the index promises what the file does not have.
        CodecRefused: a codec outside our list.
        Undecodable: it does not read or decode, or not within the limits.
        ToolMissing, Unavailable: the child could not be run.
    """
    if container == TEXT_TRACK:
        return Examination("document", container.name, container.demuxer, Fraction(0))
    path = path.resolve()  # a link would lead out of what may be read
    found = ask(
        "pipeline.media.examine_child",
        [str(path), container.name, container.kind, container.demuxer, _TABLE],
        reads=path,
        folder=table.parent,
        limits=limits_for(path.stat().st_size),
        keeps={_TABLE: table},
        on_progress=on_progress,
    )
    return Examination.from_dict(found)
