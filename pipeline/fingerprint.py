# SPDX-License-Identifier: Apache-2.0
"""This is where footage gets what it can be recognised by: taken from its proxy, which is small to decode.

A fingerprint only resembles. It proves nothing: that is what digests are for.
"""

import hashlib
from datetime import datetime
from typing import Any

from evidence.custody import Happening
from evidence.errors import CodecRefused, Undecodable
from pipeline.inside import examination_of
from pipeline.media.fingerprint_bits import fingerprint_of
from pipeline.media.sandbox.probe import level_in_force
from pipeline.media.tools import find_ffmpeg
from pipeline.outcome import Done, about
from pipeline.ports import Ports, Progress
from pipeline.scratch import scratch
from pipeline.transcode import flagged
from storage import layout
from storage.durable import store_errors
from storage.register import search

KIND = "fingerprint"
RECIPE = "look-256-motion-128@2fps/v1"


def fingerprint(recording: str, *, ports: Ports, now: datetime, progress: Progress) -> Done:
    """Make the fingerprint of a recording that shows moving pictures.

    Repeat: equal proxies give equal fingerprints, which rest under their digest.

    Raises:
        ToolMissing, StoreUnavailable: worth another try.
    """
    with ports.register.view() as connection:
        original = search.original(connection, recording)
        made = {row["kind"]: row for row in search.derivatives_of(connection, recording)}
    examination = examination_of(original)
    if examination is None or examination.kind != "video" or "proxy" not in made or KIND in made:
        return Done()
    tool = find_ffmpeg(ports.ffmpeg)
    with (
        store_errors("there is no working with files in the scratch folder"),
        ports.store.local_file(layout.derivative_key(made["proxy"]["sha256"])) as proxy,
        scratch(ports.spool) as folder,
    ):
        try:
            print_ = fingerprint_of(proxy, demuxer="mov", duration=examination.duration, scratch=folder, tool=tool)
        except (Undecodable, CodecRefused) as error:
            return Done((flagged(recording, code=error.code, reason=error.message),))
    data = print_.to_bytes()
    sha256 = hashlib.sha256(data).hexdigest()
    ports.store.put_bytes_once(layout.derivative_key(sha256), data)
    recipe = {"input": made["proxy"]["sha256"], "recipe": RECIPE, "tool": tool.name, "version": tool.version}
    facts: dict[str, Any] = {
        "kind": KIND,
        "recipe": recipe,
        "sandbox": level_in_force(),
        "sha256": sha256,
        "size_bytes": len(data),
    }
    return Done((Happening("derived", about(recording), facts=facts),))
