# SPDX-License-Identifier: Apache-2.0
"""This is where an original gets its derivatives: proxy, thumbnails; each knows exactly how it was made."""

import hashlib
import json
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from evidence.custody import Happening
from evidence.digest import Digest
from evidence.errors import CodecRefused, Undecodable
from pipeline.inside import examination_of
from pipeline.media.photo import read_exif
from pipeline.media.sandbox.probe import level_in_force
from pipeline.media.tools import find_ffmpeg
from pipeline.media.track_file import track_file
from pipeline.media.transcode import Made, Source, make_derivatives
from pipeline.outcome import Done, about
from pipeline.ports import Ports, Progress
from pipeline.scratch import scratch
from storage import layout
from storage.durable import store_errors
from storage.register import search


def transcode(recording: str, *, ports: Ports, now: datetime, progress: Progress) -> Done:
    """Make the derivatives of a sealed recording that it has not got yet.

    Repeat: derivatives rest under the digest of their own bytes; those recorded are left alone. An
    original that does not decode stays sealed as it is, and is flagged.

    Raises:
        ToolMissing, StoreUnavailable: worth another try.
    """
    with ports.register.view() as connection:
        original = search.original(connection, recording)
        has_some = bool(search.derivatives_of(connection, recording))
    examination = examination_of(original)
    if has_some or examination is None or examination.kind == "document":
        return Done()
    digest = Digest(bytes.fromhex(original["sha256"]), original["size_bytes"])
    with (
        store_errors("there is no working with files in the scratch folder"),
        ports.store.local_file(layout.original_key(digest.hex)) as path,
        scratch(ports.spool) as folder,
    ):
        source = Source(
            path=path,
            digest=digest,
            demuxer=examination.demuxer,
            kind=examination.kind,
            duration=examination.duration,
            has_audio=examination.audio is not None,
            orientation=read_exif(path).orientation if examination.kind == "photo" else 1,
        )
        try:
            made = make_derivatives(source, scratch=folder, tool=find_ffmpeg(ports.ffmpeg), on_progress=progress)
            made += track_file(source, examination, scratch=folder)
        except (Undecodable, CodecRefused) as error:
            return Done((flagged(recording, code=error.code, reason=error.message),))
        return Done(tuple(rest_derivatives(recording, made, ports=ports)))


def rest_derivatives(recording: str, made: Iterable[Made], *, ports: Ports) -> list[Happening]:
    """Lay derivatives down and return the happening of each."""
    return [_rest(recording, one, ports=ports) for one in made]


def _rest(recording: str, made: Made, *, ports: Ports) -> Happening:
    with made.path.open("rb") as file:
        digest = Digest(hashlib.file_digest(file, "sha256").digest(), made.path.stat().st_size)
    ports.store.put_once(layout.derivative_key(digest.hex), made.path, digest=digest)
    facts: dict[str, Any] = {
        "kind": made.kind,
        "recipe": json.loads(made.recipe.to_json()),
        "sandbox": level_in_force(),
        "sha256": digest.hex,
        "size_bytes": digest.size_bytes,
    }
    return Happening("derived", about(recording), facts=facts)


def flagged(recording: str, *, code: str, reason: str) -> Happening:
    """The happening that marks a sealed recording as troubled; its bytes are not touched."""
    return Happening("flagged", about(recording), facts={"code": code}, detail={"reason": reason})
