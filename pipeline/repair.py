# SPDX-License-Identifier: Apache-2.0
"""This is where a copy that plays is made of a recording that its camera could not finish, when one can be made.

The Original stays as it is, sealed and put aside. The copy is a derivative of the kind `repaired`; a remark says how
much of the recording it shows, and by the help of which other recording.
"""

from datetime import datetime
from pathlib import Path
from typing import Any

from evidence.custody import Happening
from evidence.digest import Digest
from evidence.errors import IndexMissing, Truncated, Unacceptable
from pipeline.media.salvaged import Salvaged, salvage, shorten
from pipeline.media.tools import find_ffmpeg
from pipeline.outcome import Done, about
from pipeline.ports import Ports, Progress
from pipeline.scratch import scratch
from pipeline.transcode import rest_derivatives
from storage import layout
from storage.durable import store_errors
from storage.register import search
from storage.register.dock_rows import damaged_of, references_for
from storage.register.search import Connection, Row

KIND = "repaired"
DAMAGE = frozenset({IndexMissing.code, Truncated.code})
"""Why a recording was put aside of which a copy may be made."""
_MP4 = frozenset({"mp4", "mov", "m4a", "3gp"})
# So many whole recordings of a camera are tried; its settings may have been changed in between.
_TRIES = 3


def repair(recording: str, *, ports: Ports, now: datetime, progress: Progress) -> Done:
    """Make the copy of a damaged recording, by the help of whole recordings of the same camera.

    Nothing happens when it is not damaged in a way that we can mend, or has its copy, or when no recording helps:
    `repair_with` names one, later.

    Raises:
        ToolMissing, StoreUnavailable, SandboxMissing: worth another try.
    """
    row, original = _damaged(recording, ports=ports)
    if original is None:
        return Done()
    with ports.register.view() as connection:
        helpers: list[Row | None] = [*references_for(connection, row, limit=_TRIES)]
    if row["problem_code"] == Truncated.code:
        helpers.insert(0, None)
    for helper in helpers:
        try:
            return Done(tuple(_mended(row, original, helper, ports=ports, progress=progress)))
        except Unacceptable:
            continue
    return Done()


def helped_by(connection: Connection, recording: str) -> list[Row]:
    """Damaged recordings without a copy that a recording, whole and indexed now, is among the first to help."""
    row = search.recording(connection, recording)
    if row["problem_code"] is not None or row["kind"] != "video" or row["device"] is None:
        return []
    damaged = damaged_of(connection, row["device"], codes=sorted(DAMAGE), kind=KIND)
    return [
        one
        for one in damaged
        if any(helper["recording"] == recording for helper in references_for(connection, one, limit=_TRIES))
    ]


def repair_with(recording: str, reference: str, *, ports: Ports, progress: Progress) -> tuple[Happening, ...]:
    """The happenings of a repair by the help of a recording that a person names; none when it has its copy.

    Raises:
        NotFound: there is no such recording. Unacceptable: the reference does not help.
        ToolMissing, StoreUnavailable, SandboxMissing: worth another try.
    """
    row, original = _damaged(recording, ports=ports)
    if original is None:
        return ()
    with ports.register.view() as connection:
        helper = search.original(connection, reference)
    return tuple(_mended(row, original, helper, ports=ports, progress=progress))


def _damaged(recording: str, *, ports: Ports) -> tuple[Row, Row | None]:
    """The recording's row, and its original if a copy is wanted."""
    with ports.register.view() as connection:
        row = search.recording(connection, recording)
        has_copy = any(one["kind"] == KIND for one in search.derivatives_of(connection, recording))
        original = search.original(connection, recording)
    is_ours = row["problem_code"] in DAMAGE and original["container"] in _MP4
    return row, original if is_ours and not has_copy else None


def _mended(row: Row, original: Row, helper: Row | None, *, ports: Ports, progress: Progress) -> list[Happening]:
    digest = Digest(bytes.fromhex(original["sha256"]), original["size_bytes"])
    tool = find_ffmpeg(ports.ffmpeg)
    with (
        store_errors("there is no working with files in the scratch folder"),
        ports.store.local_file(layout.original_key(digest.hex)) as damaged,
        scratch(ports.spool) as folder,
    ):
        if helper is None:
            found = shorten(damaged, digest=digest, demuxer="mov", scratch=folder, tool=tool, on_progress=progress)
        else:
            found = _by_help(damaged, helper, digest=digest, folder=folder, ports=ports, progress=progress)
        told = _told(found, helper)
        derived = [
            Happening("derived", one.stream, facts={**one.facts, **told})
            for one in rest_derivatives(row["id"], [found.made], ports=ports)
        ]
    text = {"text": _words(found, helper)}
    return [*derived, Happening("remarked", about(row["id"]), facts={"code": KIND}, detail=text)]


def _by_help(damaged: Path, helper: Row, *, digest: Digest, folder: Path, ports: Ports, progress: Progress) -> Salvaged:
    with ports.store.local_file(layout.original_key(helper["sha256"])) as reference:
        tool = find_ffmpeg(ports.ffmpeg)
        return salvage(damaged, reference, digest=digest, scratch=folder, tool=tool, on_progress=progress)


def _told(found: Salvaged, helper: Row | None) -> dict[str, Any]:
    """What the `derived` event says of a repair, beside what it says of every derivative."""
    repair = {
        "frames": found.frames,
        "reference": None if helper is None else helper["recording"],
        "seconds": str(found.seconds),
        "stretches": list(found.stretches),
    }
    return {"repair": repair}


def _words(found: Salvaged, helper: Row | None) -> str:
    seconds = f"{float(found.seconds):.2f} s"
    if helper is None:
        return (
            f"a copy shows the first {seconds}, as far as the file goes; the Original is damaged and is kept as it is"
        )
    runs = len(found.stretches)
    how = "in one run" if runs == 1 else f"in {runs} runs, between which something is missing"
    return (
        f"a copy shows {seconds} of pictures that were found again, {how}, without sound, at the rate and in the "
        f"coding of {helper['recording']}; where they lie in time is not proven; the Original is damaged and is kept "
        "as it is"
    )
