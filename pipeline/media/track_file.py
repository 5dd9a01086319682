# SPDX-License-Identifier: Apache-2.0
"""This is where the way that a camera wrote into its footage becomes a derivative of kind `track`.

A side file of positions (GPX, NMEA) is its own track, kept as it came: none is made of it.
"""

from pathlib import Path

from pipeline.media.examination import Examination
from pipeline.media.recipes import INPUT, Recipe
from pipeline.media.tracks.reading import track_of
from pipeline.media.transcode import Made, Source

_TOOL, _VERSION = "evidock", "track/1"


def track_file(source: Source, examination: Examination, *, scratch: Path) -> list[Made]:
    """The track of footage as a file in `scratch`; none where the footage holds none. Equal bytes, equal track.

    Raises:
        SourceUnavailable: the file cannot be read. Worth another try.
    """
    found = None if examination.kind == "document" else track_of(source.path, examination)
    if found is None:
        return []
    path = scratch / "track.json"
    path.unlink(missing_ok=True)  # never through what a captured decoder may have left by that name
    with path.open("xb") as file:
        file.write(found.to_json())
    return [Made("track", path, Recipe("track/v1", _TOOL, _VERSION, (found.source, INPUT), source.digest.hex))]
